"""A package that brings a view, a similarity and a method of attribution: one file and its entry points, and they are
in the help, in the answers, in the pictures with their words, and among the explorer's tabs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MODULE = """
from layertie_lab.analysis.attribution.paths import path_method
from layertie_lab.analysis.attribution.registry import AttributionDescription
from layertie_lab.analysis.similarity.procrustes import Procrustes
from layertie_lab.analysis.similarity.registry import SIMILARITIES, OfStreams, SimilarityDescription
from layertie_lab.inspection.views.registry import VIEWS, Ask, View, ViewDescription


@VIEWS.register(
    ViewDescription("norms", "How long the weights are", about="Norms of its weights.", asks=(Ask("Measure them"),))
)
class Norms(View):
    def find(self, inspection, probe, options, tick):
        tick(1.0)
        layers = inspection.model.stack.layers
        norms = [sum(p.norm().item() ** 2 for p in layer.parameters()) ** 0.5 for layer in layers]
        return {"frames": {"norms": [{"layer": layer, "norm": norm} for layer, norm in enumerate(norms)]}}

    def words(self, facts):
        return [f"Of {facts['layers']} layers."]

    def pictures(self, frames, facts):
        chart = {"mark": "bar", "data": {"values": frames["norms"].to_dicts()}, "usermeta": {"caption": "Norms."}}
        return {"Norms of the layers": chart}


@SIMILARITIES.register(
    SimilarityDescription(
        "twisted", "What passes them, twisted", unit="twist (0 to 1)", meaning="1: no twist.", label="Twist", least=0.0
    )
)
def twisted(setup):
    return OfStreams(Procrustes(setup.permutations, setup.seed))


@path_method(
    AttributionDescription(
        "push", "Push of the layer", unit="nats, of a push", meaning="Below 0 it pushes down.", axis="push (nats)"
    )
)
def push(path, tick):
    import torch

    return torch.stack([torch.stack([step.before.sum(), step.update.sum()]) for step in path.walk]).double()
"""
POINTS = "".join(
    f"[layertie_lab.{group}]\n{name} = more_views\n"
    for group, name in (("views", "norms"), ("similarities", "twisted"), ("attributions", "push"))
)
EXPLORER = """
from layertie_lab.explorer.inside.pane import make_panes
tabs = make_panes()
print(list(tabs)[-1], tabs["norms"].title, list(tabs["norms"].asks), list(tabs["norms"].panel.questions))
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment where the package is installed."""
    folder = tmp_path_factory.mktemp("package")
    (folder / "more_views.py").write_text(MODULE)
    packaged = folder / "more_views-1.dist-info"
    packaged.mkdir()
    (packaged / "METADATA").write_text("Name: more_views\nVersion: 1\n")
    (packaged / "entry_points.txt").write_text(POINTS)
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH"), str(Path(__file__).parents[2])])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)}


def ran(environment: dict[str, str], *words: str) -> str:
    done = subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_they_are_in_the_help(environment: dict[str, str]) -> None:
    text = " ".join(ran(environment, "-m", "layertie_lab", "show", "--help").replace("\u2502", "").split())
    assert "--norms, --no-norms Norms of its weights." in text
    assert "neighbours, procrustes, twisted)" in text
    assert "deeplift, push)" in text


def test_they_are_in_the_answer_and_in_the_page(environment: dict[str, str], recorded: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    command = ["show", str(recorded), "--norms", "--similarity", "--attribution", "--methods", "push", "skipped"]
    found = json.loads(ran(environment, "-m", "layertie_lab", *command, "--json", "--html", str(page)))
    assert len(found["norms"]["frames"]["norms"]) == found["norms"]["facts"]["layers"]
    units = {row["method"]: row["unit"] for row in found["similarity"]["frames"]["similarity"]}
    assert len(units) == 7
    assert units["twisted"] == "twist (0 to 1)"
    assert {row["method"] for row in found["attribution"]["frames"]["attribution"]} == {"push", "skipped"}
    drawn = page.read_text(encoding="utf-8")
    for words in ("How long the weights are", "Norms of the layers", "What passes them, twisted", "twist (0 to 1)"):
        assert words in drawn
    for words in ("1: no twist. How alike", "Push of the layer", "push (nats)", "Below 0 it pushes down. How much"):
        assert words in drawn


def test_the_explorer_has_a_tab_for_it(environment: dict[str, str]) -> None:
    assert ran(environment, "-c", EXPLORER).strip() == (
        "norms How long the weights are ['Measure them'] ['Measure them']"
    )
