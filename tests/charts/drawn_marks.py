"""What a chart truly draws: the marks of its picture with the fields they stand for, read back from the SVG."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import altair as alt
import vl_convert

_SVG = "{http://www.w3.org/2000/svg}"
_SHIFT = re.compile(r"translate\(([-\d.]+),\s*([-\d.]+)\)")
_BOX = re.compile(r"M([-\d.]+),([-\d.]+)h([-\d.]+)v([-\d.]+)h")


@dataclass(frozen=True)
class Mark:
    """A mark.

    Args:
        kind: rect, bar, point, text, rule, line, as Vega-Lite names marks.
        fields: Title of each field it shows -> its value as text.
        fill: Its colour as #rrggbb, or "".
        stroke: The colour of its edge, or "".
        box: Left, top, width, height in the plot; of a rect or bar.
        at: Where it is; of the others.
        text: Its words.
        opacity: Of its fill, 0 to 1.
    """

    kind: str
    fields: dict[str, str]
    fill: str
    stroke: str
    box: tuple[float, float, float, float] | None
    at: tuple[float, float]
    text: str
    opacity: float

    def number(self, field: str) -> float:
        return float(self.fields[field].replace("\u2212", "-").replace(",", ""))


def svg(chart: alt.TopLevelMixin | dict[str, Any]) -> str:
    """The picture; a chart that fills its container gets one of 600 pixels."""
    spec = dict(chart) if isinstance(chart, dict) else chart.to_dict()
    if spec.get("width") == "container":
        spec["width"] = 600
    return vl_convert.vegalite_to_svg(spec)


def words(chart: alt.TopLevelMixin | dict[str, Any]) -> list[str]:
    """All texts of the picture: of axes, legends, titles and marks."""
    tree = ElementTree.fromstring(svg(chart))
    return [text for part in tree.iter() if part.tag in (f"{_SVG}text", f"{_SVG}tspan") and (text := part.text)]


def marks(chart: alt.TopLevelMixin | dict[str, Any]) -> list[Mark]:
    """The marks that stand for rows, back to front."""
    tree = ElementTree.fromstring(svg(chart))
    groups = [part for part in tree.iter(f"{_SVG}g") if "role-mark" in part.get("class", "")]
    return [_mark(part) for group in groups for part in group if part.tag != f"{_SVG}g"]


def _mark(part: ElementTree.Element) -> Mark:
    label = part.get("aria-label") or ""
    fields = dict(entry.rsplit(": ", 1) for entry in label.split("; ") if ": " in entry)
    kind = {"rect mark": "rect", "text mark": "text", "rule mark": "rule", "line mark": "line"}
    name = part.get("aria-roledescription") or ""
    box, shift = _BOX.match(part.get("d", "")), _SHIFT.match(part.get("transform", ""))
    return Mark(
        kind=kind.get(name, name),
        fields=fields,
        fill=_colour(part.get("fill")),
        stroke=_colour(part.get("stroke")),
        box=tuple(map(float, box.groups())) if box else None,
        at=(float(shift[1]), float(shift[2])) if shift else (0.0, 0.0),
        text=part.text or "",
        opacity=float(part.get("opacity") or 1) * float(part.get("fill-opacity") or 1),
    )


def _colour(value: str | None) -> str:
    parts = re.fullmatch(r"rgb\((\d+), (\d+), (\d+)\)", value or "")
    if parts:
        return "#" + "".join(f"{int(part):02x}" for part in parts.groups())
    return value if value and value.startswith("#") else ""


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb, 0 to 1 (WCAG 2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast of two colours, 1 to 21 (WCAG 2)."""
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)
