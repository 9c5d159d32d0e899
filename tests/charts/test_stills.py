"""A chart in a saved notebook: a picture that every host has, and nothing that asks a network."""

from __future__ import annotations

import base64
import json
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import polars as pl
import pytest

from layertie_lab.charts import drawn, parameters_chart, tie_map
from layertie_lab.charts.palette import OWNER_COLOURS
from layertie_lab.charts.still import mark, sheet
from layertie_lab.core.ties import TieMap
from layertie_lab.widgets.frame import code_of

CHARTS = Path(drawn.__file__).parent


def pixels(png: bytes) -> np.ndarray[Any, Any]:
    """[height, width, 4] of a PNG as resvg writes it: each row by itself, none or the difference to the left."""
    at, rows, size = 8, b"", (0, 0)
    while at < len(png):
        (length,), kind = struct.unpack_from(">I", png, at), png[at + 4 : at + 8]
        data = png[at + 8 : at + 8 + length]
        assert zlib.crc32(kind + data) == struct.unpack_from(">I", png, at + 8 + length)[0], kind
        if kind == b"IHDR":
            size = struct.unpack_from(">II", data)
            assert data[8:10] == bytes([8, 6])
        rows += data if kind == b"IDAT" else b""
        at += 12 + length
    lines = np.frombuffer(zlib.decompress(rows), np.uint8).reshape(size[1], 1 + 4 * size[0])
    assert set(lines[:, 0].tolist()) <= {0, 1}
    values = lines[:, 1:].reshape(size[1], size[0], 4)
    summed = np.cumsum(values, axis=1, dtype=np.uint8)
    return np.where((lines[:, 0] == 1)[:, None, None], summed, values)


def near(image: np.ndarray[Any, Any], colour: str) -> int:
    """Pixels of about a colour."""
    wanted = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)])
    return int((np.abs(image[:, :, :3].astype(int) - wanted).max(axis=2) < 8).sum())


@pytest.mark.parametrize("dark", [False, True])
def test_a_chart_alone_in_a_cell_is_a_picture(dark: bool) -> None:
    chart = tie_map(TieMap((0, 1, 0, 3)), dark=dark)
    data, metadata = chart._repr_mimebundle_()
    assert set(data) == {"application/vnd.vegalite.v6+json", "image/png", "text/plain"}
    assert not re.search(r"<script|jsdelivr|unpkg|cdn", json.dumps({**data, "image/png": ""}))
    image = pixels(data["image/png"])
    assert metadata["image/png"]["width"] == 680
    assert image.shape[:2] == (metadata["image/png"]["height"] * 1.5, 1020)
    # Blocks in their owners' colours, on the colour of the page that the chart is made for.
    assert near(image, "#181c1a" if dark else "#ffffff") > 100_000
    for owner in (0, 1, 3):
        assert near(image, OWNER_COLOURS[owner]) > 3_000, owner


def test_whoever_has_chosen_a_renderer_of_altairs_is_given_it() -> None:
    with alt.renderers.enable("json"):
        data, _ = tie_map(TieMap((0, 0)))._repr_mimebundle_()
    assert set(data) == {"application/json", "text/plain"}


def test_each_chart_of_the_package_is_made_of_what_shows_itself_so() -> None:
    bare = re.compile(r"\balt\.(layer|[hv]?concat|(Layer|[HV]?Concat|Facet|Repeat)Chart)\(|\.(facet|repeat)\(")
    wrong = [
        f"{path.name}: {found.group()}"
        for path in CHARTS.rglob("*.py")
        if path.name != "drawn.py"
        for found in bare.finditer(path.read_text(encoding="utf-8"))
    ]
    assert not wrong


def test_a_sheet_holds_its_charts_side_by_side_and_is_marked() -> None:
    decisions = pl.DataFrame(
        {
            "decision": [1, 2, 3],
            "step": [4, 8, 12],
            "layer": [1, 2, 3],
            "proposed": [0, 0, 0],
            "choice": [0, 0, 3],
            "by": ["agent"] * 3,
            "overridden": [False] * 3,
            "trainable_parameters": [10, 10, 20],
            "claimed_parameters": [10, 10, 20],
            "trainable_share": [0.1, 0.1, 0.2],
        }
    )
    specs = {
        "Map": tie_map(TieMap((0, 1, 0))).to_dict(),
        "Parameters": parameters_chart(decisions, width="container").to_dict(),
        "The same": tie_map(TieMap((0, 1, 0))).to_dict(),
    }
    made = sheet(specs, heading="A run with < and \udcff after decision 3", note="Kept.")
    image = pixels(made.png)
    assert image.shape[1] == 1500
    # Two maps of the same colours: one in each row of the grid, in the left column.
    left = image[:, :750]
    assert near(left[:400], OWNER_COLOURS[1]) > 3_000
    assert near(left[400:], OWNER_COLOURS[1]) > 3_000
    assert near(image[:400, 750:], OWNER_COLOURS[1]) < 100
    # The page finds it by its mark, which stands in the style sheet as the browser sees it.
    encoded = base64.b64encode(made.png).decode()
    marked = base64.b64encode(mark()).decode()
    assert encoded[44:].startswith(marked)
    assert marked in code_of((("rules_panel.js",),))[1]
