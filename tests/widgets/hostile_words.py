"""Words that a page must show as words: markup, scripts, addresses, odd characters, great lengths."""

from __future__ import annotations

MARK = "hostile-words"
"""Stands in each of them, to find them again by."""
_AWAY = "http://evil.example/seen"
WORDS = {
    "script": f"{MARK}<script>window.taken = 1</script>",
    "image": f'{MARK}<img src="{_AWAY}" onerror="window.taken = 2">',
    "attribute": f'{MARK}" onmouseover="window.taken = 3" style="background:url({_AWAY})',
    "svg": f"{MARK}</p></div><svg onload=window.taken=4><a href='javascript:window.taken=5'>",
    "link": f"{MARK}[words](javascript:window.taken=6) ![picture]({_AWAY})",
    "frame": f"{MARK}<iframe srcdoc='<script>parent.taken=7</script>'></iframe><link rel=stylesheet href={_AWAY}>",
    "markup": f"{MARK}[/] [red] {{0}} {{{{x}}}} %s $\\href{{{_AWAY}}}{{x}}$ <marimo-ui-element>&lt;&#60;",
    "odd": f"{MARK}\u202eb\u0000\u0007\x1b[2J\ufeff\u200b\U000e0041",
    "long": MARK + "<b>x" * 25_000,
}
