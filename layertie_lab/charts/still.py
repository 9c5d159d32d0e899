"""Charts as one still picture, which any host shows without a kernel, a script or a network.

What brings Vega, vl_convert, is imported where a picture is made, for it takes a moment.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from .page import check_vega
from .palette import DARK_PAGE, LIGHT_PAGE
from .theme import FONT, vega_config

WIDTH = 680
"""Of a chart that names none, in CSS pixels."""
SHEET = 1_000
"""Of a sheet of charts, in CSS pixels."""
SCALE = 1.5
"""Pixels of the picture per CSS pixel."""
_EDGE, _GAP, _HEAD, _LINE = 14, 18, 26, 20
_INK, _SOFT = "#1d2321", "#56605b"
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_SIGNATURE_AND_SIZE = 33
"""Bytes of a PNG before its other chunks; divisible by 3, so that the base64 of a chunk there is always the same."""


@dataclass(frozen=True)
class Picture:
    """A picture.

    Args:
        png: Its bytes.
        width: What a page should show it at, in CSS pixels.
        height: The same.
    """

    png: bytes
    width: int
    height: int


def mark() -> bytes:
    """The chunk by which a page tells a `sheet` from other pictures."""
    return _chunk(b"tEXt", b"Software\0layertie_lab still")


def picture(spec: Mapping[str, Any], *, dark: bool = False) -> Picture:
    """One chart, on the colour of the page that it is made for.

    Args:
        spec: Vega-Lite.
        dark: Whether that page is dark.

    Raises:
        AnalysisError: As in `page.check_vega`.
    """
    drawn = _drawn(spec, WIDTH)
    return _painted(drawn.nested("0", 0, 0, drawn.width), drawn.width, drawn.height, DARK_PAGE if dark else LIGHT_PAGE)


def sheet(
    pictures: Mapping[str, Mapping[str, Any]], *, heading: str, note: str = "", columns: int = 2, width: int = SHEET
) -> Picture:
    """Several charts with their titles, on a light page, marked as ours.

    Args:
        pictures: Title -> Vega-Lite spec; of a spec that fills its container the width is that of its column.
        heading: Above all of them.
        note: A line below it.
        columns: Most charts beside each other.
        width: In CSS pixels.

    Raises:
        AnalysisError: As in `page.check_vega`.
    """
    columns = max(1, min(columns, len(pictures)))
    room = (width - 2 * _EDGE - (columns - 1) * _GAP) // columns
    parts = [_words(heading, _EDGE, _EDGE + 16, size=17, bold=True)]
    top = _EDGE + _HEAD
    if note:
        parts.append(_words(note, _EDGE, top + 10, size=13, colour=_SOFT))
        top += _LINE
    titles = list(pictures)
    for first in range(0, len(titles), columns):
        row = [(title, _drawn(pictures[title], room)) for title in titles[first : first + columns]]
        for at, (title, drawn) in enumerate(row):
            left = _EDGE + at * (room + _GAP)
            parts.append(_words(title, left + 4, top + 18, size=14, bold=True))
            parts.append(drawn.nested(f"{first + at}", left, top + _HEAD, min(room, drawn.width)))
        top += _HEAD + max(drawn.height_at(min(room, drawn.width)) for _, drawn in row) + 6
    made = _painted("".join(parts), width, top + _EDGE, LIGHT_PAGE)
    return Picture(made.png[:_SIGNATURE_AND_SIZE] + mark() + made.png[_SIGNATURE_AND_SIZE:], made.width, made.height)


@dataclass(frozen=True)
class _Drawn:
    """A chart as SVG."""

    svg: str
    width: int
    height: int

    def height_at(self, width: int) -> int:
        return round(self.height * width / max(1, self.width))

    def nested(self, name: str, left: int, top: int, width: int) -> str:
        """As a part of another SVG; what it refers to inside itself is renamed, since each chart counts from 0."""
        inside = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>part{name}-", self.svg)
        place = f'x="{left}" y="{top}" width="{width}" height="{self.height_at(width)}"'
        return re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', rf"\1 {place}", inside, count=1)


def _drawn(spec: Mapping[str, Any], width: int) -> _Drawn:
    check_vega()
    import vl_convert

    whole = {key: value for key, value in spec.items() if key != "usermeta"}
    whole.setdefault("config", vega_config())
    # A chart without a width of its own, or that fits its width, takes that of its place; others say what they need.
    fits = whole.get("autosize", {}).get("type") == "fit-x"
    if whole.get("width") == "container" or fits:
        whole["width"] = width
    svg: str = vl_convert.vegalite_to_svg(whole)  # pyright: ignore[reportCallIssue]
    found = re.search(r'<svg[^>]*? width="([\d.]+)" height="([\d.]+)"', svg)
    if found is None:
        raise ValueError("expected a drawing that says how large it is")
    return _Drawn(svg, round(float(found[1])), round(float(found[2])))


def _words(text: str, left: int, base: int, *, size: int, bold: bool = False, colour: str = _INK) -> str:
    weight = ' font-weight="bold"' if bold else ""
    place = f'x="{left}" y="{base}" font-size="{size}" fill="{colour}"{weight}'
    plain = text.encode("utf-8", "backslashreplace").decode()
    return f'<text {place} font-family="{FONT}">{escape(plain)}</text>'


def _painted(parts: str, width: int, height: int, page: str) -> Picture:
    import vl_convert

    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    svg = f'<svg {names} {size}><rect {size} fill="{page}"/>{parts}</svg>'
    return Picture(_packed(vl_convert.svg_to_png(svg, scale=SCALE)), width, height)  # pyright: ignore[reportCallIssue]


def _packed(png: bytes) -> bytes:
    """The same picture in a third of the bytes: resvg packs for speed, and notebooks are kept and sent."""
    chunks, at = [], len(_SIGNATURE)
    while at < len(png):
        (size,) = struct.unpack_from(">I", png, at)
        chunks.append((png[at + 4 : at + 8], png[at + 8 : at + 8 + size]))
        at += 12 + size
    rows = zlib.decompress(b"".join(data for kind, data in chunks if kind == b"IDAT"))
    head, end = (_chunk(*next(chunk for chunk in chunks if chunk[0] == kind)) for kind in (b"IHDR", b"IEND"))
    return _SIGNATURE + head + _chunk(b"IDAT", zlib.compress(rows, 9)) + end


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
