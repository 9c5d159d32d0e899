"""The explorer's own widgets: set-up form, run menu, decision table, questions."""

from __future__ import annotations

import gc
import time
import weakref
from typing import Any

import pytest

from layertie_lab.core.config import RunConfig
from layertie_lab.core.errors import ConfigError, CorpusError, RecordError
from layertie_lab.widgets.ask_panel import AskPanel, Typed
from layertie_lab.widgets.decision_table import SHOWN, DecisionTable
from layertie_lab.widgets.forms.form import Draft, config_of
from layertie_lab.widgets.forms.settings_form import SettingsForm
from layertie_lab.widgets.run_menu import RunMenu


class Listener:
    """Hears through bound methods, which widgets hold weakly."""

    def __init__(self, error: Exception | None = None) -> None:
        self.heard: list[Any] = []
        self.error = error

    def hear(self, *values: Any) -> None:
        self.heard += values
        if self.error is not None:
            raise self.error


def say(widget: Any, **message: Any) -> list[dict[str, Any]]:
    """Let the browser say something; what the widget sends back."""
    sent: list[dict[str, Any]] = []
    widget.send = lambda content, buffers=None: sent.append({**content, "buffers": buffers} if buffers else content)
    widget.hear(message)
    return sent


def test_a_change_comes_back_checked() -> None:
    form, listener = SettingsForm(), Listener()
    form.on_change(listener.hear)
    say(form, kind="change", path="model.heads", value="5")
    assert list(form.problems) == ["model.heads"]
    say(form, kind="change", path="model.heads", value="8")
    assert not form.problems
    assert listener.heard[-1] == Draft(changes={"model.heads": 8})
    say(form, kind="reset")
    assert form.draft == Draft()


def test_what_is_typed_may_be_read_as_another_value() -> None:
    def read(words: str) -> str:
        if words == "run":
            return "0 0 2 2"
        raise RecordError("Expected a run.", "Name one.")

    form = SettingsForm(Draft(scale="tiny"), readers={"agent.map": read})
    say(form, kind="change", path="agent.policy", value="map")
    assert list(form.problems) == ["agent.policy"]
    say(form, kind="change", path="agent.map", value="ru")
    assert form.problems == {"agent.map": "Expected a run. Name one."}
    assert next(entry["value"] for entry in form.fields if entry["path"] == "agent.map") == "ru"
    say(form, kind="change", path="agent.map", value="run")
    assert not form.problems
    assert next(entry["value"] for entry in form.fields if entry["path"] == "agent.map") == "0 0 2 2"
    assert config_of(form.draft) == RunConfig.preset("tiny", policy="map", map="0 0 2 2")


def test_start_hands_over_the_config_or_says_what_is_wrong() -> None:
    form, listener = SettingsForm(Draft(scale="tiny")), Listener()
    form.on_start(listener.hear)
    assert say(form, kind="start", id="7") == [{"kind": "ack", "id": "7"}]
    assert listener.heard == [RunConfig.preset("tiny")]
    listener.error = CorpusError("There is no such text.", "Choose another.")
    say(form, kind="start")
    assert form.note == "There is no such text. Choose another."
    assert form.alarm
    say(form, kind="change", path="model.heads", value="5")
    say(form, kind="start")
    assert len(listener.heard) == 2
    assert form.note == ""


def test_a_setting_can_be_blamed_until_something_changes() -> None:
    form = SettingsForm()
    form.blame("text.corpus", "No such corpus.")
    assert form.problems == {"text.corpus": "No such corpus."}
    say(form, kind="change", path="text.corpus", value="stdlib")
    assert not form.problems


def test_an_unknown_setting_is_told_not_raised() -> None:
    form = SettingsForm()
    say(form, kind="change", path="colour", value="red")
    assert "colour" in form.note


def test_the_form_shows_a_runs_config() -> None:
    form = SettingsForm()
    form.put(RunConfig.preset("tiny", algorithm="paper", seed=3))
    values = {entry["path"]: entry["value"] for entry in form.fields}
    assert (values["scale"], values["algorithm"], values["seed"]) == ("tiny", "paper", "3")


def test_the_menu_lists_when_it_is_opened() -> None:
    runs = [{"name": "a"}]
    menu, listener = RunMenu(), Listener()
    menu.on_list(lambda: menu.show(runs=[dict(run) for run in runs]))
    menu.on_open(listener.hear)
    assert menu.runs == []
    say(menu, kind="list")
    runs.append({"name": "b"})
    assert [run["name"] for run in menu.runs] == ["a"]
    say(menu, kind="list")
    assert [run["name"] for run in menu.runs] == ["a", "b"]
    say(menu, kind="open", name="b")
    assert listener.heard == ["b"]
    listener.error = RecordError("It is damaged.", "Restore it.")
    say(menu, kind="open", name="a")
    assert menu.problem == "It is damaged. Restore it."


def decisions(*numbers: int) -> dict[str, list[dict[str, Any]]]:
    return {"decisions": [{"decision": number, "layer": 1, "reward": 1 / 3} for number in numbers], "steps": [{}]}


def test_the_table_sends_what_a_view_has_not_seen() -> None:
    table = DecisionTable()
    table.push(decisions(1, 2))
    first = say(table, kind="ready")
    assert (first[0]["kind"], first[0]["count"]) == ("reset", 2)
    assert first[0]["rows"][0][first[0]["columns"].index("reward")] == 0.3333333
    sent: list[Any] = []
    table.send = lambda content, buffers=None: sent.append(content)
    table.push(decisions(3))
    table.push(decisions(4))
    deadline = time.monotonic() + 3
    while sum(len(message["rows"]) for message in sent) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [row[0] for message in sent for row in message["rows"]] == [3, 4]
    table.reset(decisions(9))
    assert sent[-1]["kind"] == "reset"
    assert sent[-1]["count"] == 1


def test_the_table_holds_the_newest() -> None:
    table = DecisionTable()
    table.reset(decisions(*range(1, SHOWN + 101)))
    message = say(table, kind="ready")[0]
    assert message["count"] == SHOWN + 100
    assert [row[0] for row in message["rows"]] == list(range(101, SHOWN + 101))


def test_a_download_is_a_file_or_a_sentence() -> None:
    def download(format: str) -> None:
        if format == "csv":
            raise RecordError("It is gone.", "Look again.")
        table.hand_over("decisions.parquet", b"PAR1")

    table = DecisionTable()
    table.on_download(download)
    sent = say(table, kind="download", format="parquet")
    assert sent == [{"kind": "file", "name": "decisions.parquet", "buffers": [b"PAR1"]}]
    say(table, kind="download", format="csv")
    assert table.problem == "It is gone. Look again."


def test_a_question_is_passed_on_and_a_refusal_shown() -> None:
    panel, listener = AskPanel({"sample": "Write"}), Listener()
    panel.on_ask(listener.hear)
    say(panel, kind="ask", name="sample")
    assert listener.heard == ["sample"]
    listener.error = ConfigError("Nothing to ask.", "Start a run.")
    say(panel, kind="ask", name="sample")
    assert panel.sentence == "Nothing to ask. Start a run."
    assert panel.alarm
    say(panel, kind="every", every=20)
    assert panel.every == 20


def test_what_is_typed_is_kept_and_asks_nothing() -> None:
    fields = {"prompt": Typed("Prompt", lines=True), "heat": Typed("Heat", "0.8")}
    panel, listener = AskPanel({"write": "Write", "both": "Both"}, fields=fields), Listener()
    panel.on_ask(listener.hear)
    assert panel.typed == {"prompt": "", "heat": "0.8"}
    say(panel, kind="type", typed={"prompt": "<b>\u202e\0", "nowhere": "x"})
    assert panel.typed == {"prompt": "<b>\u202e\0", "heat": "0.8"}
    assert listener.heard == []
    say(panel, kind="ask", name="both", typed={"heat": "x" * 100_000})
    assert listener.heard == ["both"]
    assert panel.pressed == "both"
    assert panel.typed == {"prompt": "<b>\u202e\0", "heat": "x" * 100_000}
    for typed in ("x", {"heat": 3}, {"heat": "\ud800"}, {"heat": "x" * 1_000_001}, [], None):
        say(panel, kind="type", typed=typed)
        assert "but the page sent" in panel.sentence
        assert panel.typed["heat"] == "x" * 100_000
        panel.sentence = ""
    say(panel, kind="ask", name="write")
    assert listener.heard == ["both", "write"]


@pytest.mark.parametrize("make", [SettingsForm, RunMenu, lambda: AskPanel({})])
def test_widgets_do_not_keep_their_listeners_alive(make: Any) -> None:
    widget, listener = make(), Listener()
    for register in ("on_start", "on_change", "on_open", "on_ask"):
        if hasattr(widget, register):
            getattr(widget, register)(listener.hear)
    gone = weakref.ref(listener)
    del listener
    gc.collect()
    assert gone() is None
