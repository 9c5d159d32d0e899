"""Charts as HTML pages that need no network. What brings Vega, vl_convert, is imported where a page is made, for it
takes a moment and a new version of altair may want a newer one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from importlib.metadata import requires, version
from importlib.util import find_spec
from typing import Any

import altair as alt

from ..core.errors import AnalysisError
from .palette import DARK_PAGE, LIGHT_PAGE
from .theme import vega_config

_OPTIONS: dict[str, Any] = {"actions": {"export": True, "source": False, "compiled": False, "editor": False}}
_VEGA = "vl-convert-python"
FLOOR = f"{_VEGA}>=1.9.0"
"""What this package asks for; altair may ask for more."""


def check_vega() -> None:
    """Refuse to promise a page that could not be written; nothing is loaded for it. Ask before work whose end it is.

    Raises:
        AnalysisError: The package vl-convert-python, which brings Vega along, is missing or older than altair asks for.
    """
    wanted = max(_numbers(line) for line in (FLOOR, *(requires("altair") or ())) if line.startswith(_VEGA))
    if find_spec("vl_convert") is None:
        there = "it is not installed"
    elif _numbers(found := version(_VEGA)) < wanted:
        there = f"version {found} is installed"
    else:
        return
    raise AnalysisError(
        f"Expected {_VEGA} {'.'.join(map(str, wanted))} or newer, which holds Vega for pages without a network, but "
        f"{there}.",
        f"Install it: pip install --upgrade {_VEGA}.",
    )


def _numbers(text: str) -> list[int]:
    """Of a version, or of a requirement, those that order releases."""
    return [int(digits) for digits in re.findall(r"\d+", text)[:3]]


class _InScript(json.JSONEncoder):
    """JSON that a script can hold: rows may have the words that would end it, or keep it from ending."""

    def encode(self, o: Any) -> str:
        return super().encode(o).replace("<", "\\u003c")


def to_html(chart: alt.TopLevelMixin, *, title: str = "", dark: bool = False) -> str:
    """The page's text, about a megabyte: the chart with Vega inside, to be opened from disk or sent by mail.

    Args:
        chart: Any chart of this package.
        title: Title of the page.
        dark: Whether the page is dark; give the chart the same.

    Raises:
        AnalysisError: As in `check_vega`.
    """
    check_vega()
    page: str = chart.to_html(inline=True, embed_options=_OPTIONS, json_kwds={"cls": _InScript})
    colour = DARK_PAGE if dark else LIGHT_PAGE
    plain = title.replace("&", "&amp;").replace("<", "&lt;")
    head = f"<head>\n<title>{plain}</title>\n<style>body {{ background: {colour}; margin: 1rem; }}</style>"
    return _whole(page.replace("<head>", head, 1))


def _whole(page: str) -> str:
    """The page with halves of characters, which names of files may have and UTF-8 has not, written out."""
    return page.encode("utf-8", "backslashreplace").decode()


def to_page(
    sections: Mapping[str, tuple[str, Mapping[str, Mapping[str, Any]]]], *, title: str, about: str, dark: bool = False
) -> str:
    """Several charts on a page, with their headings and a line each on how to read them.

    Args:
        sections: Heading -> (a sentence, title of a picture -> Vega-Lite spec with `usermeta.caption`).
        title: Of the page.
        about: A sentence under it.
        dark: Whether the page is dark.

    Raises:
        AnalysisError: As in `check_vega`.
    """
    body, drawn = [f"<p>{escape(about)}</p>"], []
    for heading, (sentence, pictures) in sections.items():
        body.append(f"<h2>{escape(heading)}</h2>\n<p>{escape(sentence)}</p>")
        body.append(places(pictures, len(drawn)))
        drawn += pictures.values()
    return as_page("\n".join(body), drawn, title=title, dark=dark)


def places(pictures: Mapping[str, Mapping[str, Any]], first: int = 0) -> str:
    """HTML with a place for each picture, its title and how to read it.

    Args:
        pictures: Title -> Vega-Lite spec with `usermeta.caption`.
        first: Pictures that the page has before these.
    """
    found = ["<div class='grid'>"]
    for number, (name, spec) in enumerate(pictures.items(), start=first):
        caption = escape(spec.get("usermeta", {}).get("caption", ""))
        found.append(f"<figure><h3>{escape(name)}</h3><div class='plot' id='picture{number}'></div>")
        found.append(f"<figcaption>{caption}</figcaption></figure>")
    return "\n".join([*found, "</div>"])


def as_page(body: str, pictures: Sequence[Mapping[str, Any]], *, title: str, dark: bool = False) -> str:
    """A page that needs no network: Vega is inside, and draws the pictures in their places.

    Args:
        body: HTML below the title, with the `places` of the pictures.
        pictures: Vega-Lite specs, in the order of these.
        title: Of the page.
        dark: Whether the page is dark.

    Raises:
        AnalysisError: As in `check_vega`.
    """
    check_vega()
    import vl_convert

    calls = []
    for number, spec in enumerate(pictures):
        bare = {key: value for key, value in spec.items() if key != "usermeta"} | {"config": vega_config(dark)}
        if not isinstance(bare.get("width"), int):
            bare["width"] = "container"
        calls.append(f"vegaEmbed('#picture{number}', {_InScript().encode(bare)}, options).catch(console.error);")
    ink, soft, face = ("#e9edea", "#aab3ae", DARK_PAGE) if dark else ("#1d2321", "#56605b", LIGHT_PAGE)
    bundle: str = vl_convert.javascript_bundle()  # pyright: ignore[reportCallIssue]
    page = _PAGE.format(
        title=escape(title),
        body=body,
        bundle=bundle,
        options=json.dumps(_OPTIONS),
        calls="\n".join(calls),
        ink=ink,
        soft=soft,
        face=face,
    )
    return _whole(page)


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="UTF-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ margin: 1.5rem; background: {face}; color: {ink}; font: 15px/1.45 system-ui, sans-serif; }}
.grid {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 420px), 1fr)); gap: 24px; }}
figure {{ margin: 0; min-width: 0; }}
h3 {{ margin: 0 0 .3em; font-size: 1rem; }}
.plot {{ width: 100%; }}
p, figcaption, th {{ color: {soft}; }}
figcaption, .small {{ font-size: .87rem; }}
.lead {{ max-width: 50em; color: {ink}; font-size: 1.35rem; line-height: 1.35; }}
.small {{ max-width: 70em; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .2em 1.2em .2em 0; text-align: left; vertical-align: top; font-weight: 400; }}
thead th {{ border-bottom: 1px solid; }}
tbody th {{ white-space: nowrap; }}
.wide {{ overflow-x: auto; }}
</style>
<script>{bundle}</script>
</head>
<body>
<h1>{title}</h1>
{body}
<script>
const options = {options};
{calls}
</script>
</body>
</html>
"""
