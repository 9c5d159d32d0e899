"""The widgets' JavaScript and CSS, which ship with the package: nothing is loaded from a network."""

from __future__ import annotations

from pathlib import Path

STATIC = Path(__file__).parent / "static"

VEGA = "vega/vega.js"


def module(*names: str) -> str:
    """One JavaScript module out of files that share a scope; the last one ends in `export default`.

    A notebook host hands a widget's code over as a single module, so files cannot import each other.
    """
    return _joined(names)


def style(*names: str) -> str:
    """One style sheet."""
    return _joined(names)


def _joined(names: tuple[str, ...]) -> str:
    return "\n".join((STATIC / name).read_text(encoding="utf-8") for name in names)
