"""What ships to the browser: complete, small, and from nowhere else."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from layertie_lab.core.glossary import GLOSSARY
from layertie_lab.widgets import LiveChart, SteerPanel, TieMapView
from layertie_lab.widgets.ask_panel import AskPanel
from layertie_lab.widgets.assets import STATIC, VEGA
from layertie_lab.widgets.branch_tree import BranchTree
from layertie_lab.widgets.cards import Cards
from layertie_lab.widgets.comparing.compare_answer import CompareAnswer
from layertie_lab.widgets.comparing.compare_list import CompareList
from layertie_lab.widgets.comparing.sweep_panel import SweepPanel
from layertie_lab.widgets.decision_table import DecisionTable
from layertie_lab.widgets.forms.hypothesis_panel import HypothesisPanel
from layertie_lab.widgets.forms.rules_panel import RulesPanel
from layertie_lab.widgets.forms.settings_form import SettingsForm
from layertie_lab.widgets.frame import code_of
from layertie_lab.widgets.panel import Panel
from layertie_lab.widgets.pictures import Pictures
from layertie_lab.widgets.probe_panel import ProbePanel
from layertie_lab.widgets.rows_table import RowsTable
from layertie_lab.widgets.run_menu import RunMenu
from layertie_lab.widgets.study_list import StudyList
from layertie_lab.widgets.time_panel import TimePanel
from layertie_lab.widgets.token_text import TokenText
from layertie_lab.widgets.vital_signs import VitalSigns
from layertie_lab.widgets.welcome import Welcome
from layertie_lab.widgets.written_texts import WrittenTexts

FILES = sorted(path for path in STATIC.rglob("*") if path.suffix in (".js", ".css"))
NAMESPACES = re.compile(r"https?://(www\.w3\.org/|vega\.github\.io/schema/)")
WIDGETS = [
    LiveChart,
    SteerPanel,
    TieMapView,
    AskPanel,
    DecisionTable,
    RunMenu,
    SettingsForm,
    HypothesisPanel,
    StudyList,
    BranchTree,
    RulesPanel,
    Pictures,
    TimePanel,
    ProbePanel,
    RowsTable,
    TokenText,
    VitalSigns,
    Welcome,
    Cards,
    CompareList,
    CompareAnswer,
    SweepPanel,
    WrittenTexts,
]


def test_there_are_files() -> None:
    assert {"shared.js", "live_chart.js", "steer_panel.js", "tie_map.js", "vega.js"} <= {path.name for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_file_names_an_address_in_the_network(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    found = re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}/[^\s\"'`)]*", text, re.IGNORECASE)
    assert not [address for address in found if not NAMESPACES.match(address)]
    assert "@import" not in text


def test_the_bundle_is_the_one_that_was_built() -> None:
    notes = (STATIC / "vega" / "BUILD.md").read_text(encoding="utf-8")
    assert hashlib.sha256((STATIC / VEGA).read_bytes()).hexdigest() in notes
    assert (STATIC / "vega" / "LICENSES.txt").read_text(encoding="utf-8").count("vega-lite") >= 1


def test_hand_written_files_are_short_enough_to_read() -> None:
    own = [path for path in FILES if path.name != "vega.js"]
    assert all(len(path.read_text(encoding="utf-8").splitlines()) <= 400 for path in own)
    assert sum(path.stat().st_size for path in own) < 265_000


@pytest.mark.parametrize("widget", WIDGETS)
def test_a_widget_is_one_module_with_one_way_in(widget: type[Panel]) -> None:
    ends = [name for name in widget.assets if name.endswith(".js")][-1]
    assert (STATIC / ends).read_text(encoding="utf-8").rstrip().endswith("export default { render };")
    code, sheet = code_of((widget.assets,))
    assert code.count("export default") == 1
    assert code.rstrip().endswith("export default { render };")
    assert not re.search(r"^\s*import ", code, re.MULTILINE)
    assert ("vegaBundle=" in code) == (widget in (LiveChart, Pictures, Cards))
    assert ".ll {" in sheet


def test_no_element_is_looked_up_in_the_document() -> None:
    for path in FILES:
        if path.name != "vega.js":
            assert "document.querySelector" not in path.read_text(encoding="utf-8")


def test_a_word_that_a_script_explains_is_in_the_glossary() -> None:
    asked = re.compile(r"""means\.(\w+)|means\("([^"]+)"\)|glossary"\)\.(\w+)|glossary"\)\["([^"]+)"\]""")
    found = [
        word for script in STATIC.glob("*.js") for hit in asked.findall(script.read_text()) for word in hit if word
    ]
    assert {"override", "independent", "decision", "episode", "epsilon", "owner", "probe set"} <= set(found)
    assert set(found) <= set(GLOSSARY)
