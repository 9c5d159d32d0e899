"""The fields of *Text* without a browser: what is typed is asked when somebody asks, and refused beside its field."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from layertie_lab.core.errors import LayertieError
from layertie_lab.explorer.inside import questions
from layertie_lab.explorer.inside.pane import Pane, make_panes
from layertie_lab.explorer.inside.place import Place
from layertie_lab.explorer.inside.questions import Questions
from layertie_lab.inspection.answering import Answering
from layertie_lab.inspection.question import Question
from layertie_lab.inspection.stored import stored_decisions

RUN = Path(__file__).parents[2] / "data" / "examples" / "found-four-owners"
BOTH = "Before and after the decision"


class Here:
    """Answers at once, in this process, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Question] = []
        self._answering = Answering(1)

    def ask(self, question: Question, on_share: Any = None) -> Future[dict[str, Any]]:
        self.asked.append(question)
        future: Future[dict[str, Any]] = Future()
        try:
            future.set_result(self._answering.answer(question, lambda share: None))
        except LayertieError as error:
            future.set_exception(error)
        return future

    def cancel(self, future: Future[dict[str, Any]]) -> None:
        raise AssertionError("Everything is answered at once.")


class Text:
    """The pane *Text* at a decision of the example."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.inspector = Here()
        monkeypatch.setattr(questions, "Inspector", lambda: self.inspector)
        panes = make_panes()
        self.pane: Pane = panes["sample"]
        self.decision = 10
        self.questions = Questions(panes, self.place)
        self.questions.allow(True)
        self.say("seen", seen=True, view="v")

    def place(self) -> Place:
        return Place(RUN, self.decision, tuple(stored_decisions(RUN)), 8, "", example=True)

    def say(self, kind: str, **message: Any) -> None:
        self.pane.panel.hear({"kind": kind, **message})

    def ask(self, button: str = "Write a text", **typed: str) -> None:
        self.say("ask", name=button, typed=typed)

    @property
    def texts(self) -> list[dict[str, Any]]:
        assert self.pane.written is not None
        return self.pane.written.texts

    @property
    def options(self) -> Any:
        return self.inspector.asked[-1].options


@pytest.fixture
def text(monkeypatch: pytest.MonkeyPatch) -> Text:
    return Text(monkeypatch)


def test_at_first_the_validation_text_is_continued(text: Text) -> None:
    assert text.options == {}
    (shown,) = text.texts
    assert len(shown["given"]) == 16
    assert len(shown["text"]) == 200
    assert shown["differs"] == shown["title"] == ""


def test_what_is_typed_is_asked_with_the_button_alone(text: Text) -> None:
    asked = len(text.inspector.asked)
    text.say("type", typed={"prompt": "def ", "temperature": "0.5"})
    text.say("seen", seen=False, view="v")
    text.say("seen", seen=True, view="v")
    text.questions.renew()
    assert len(text.inspector.asked) == asked
    text.ask(tokens="40")
    assert text.options == {"prompt": "def ", "temperature": 0.5, "tokens": 40}
    (shown,) = text.texts
    assert (shown["given"], len(shown["text"])) == ("def ", 40)
    # It is asked again where the moment moves, as it was asked; what is typed meanwhile waits.
    text.say("type", typed={"prompt": "class "})
    text.decision = 12
    text.questions.renew()
    assert text.options["prompt"] == "def "
    assert text.inspector.asked[-1].decision == 12
    assert text.pane.panel.typed["prompt"] == "class "


def test_before_and_after_stand_side_by_side_and_follow_the_moment(text: Text) -> None:
    text.ask(BOTH, prompt="def ", tokens="60")
    assert text.options == {"before": True, "prompt": "def ", "tokens": 60}
    assert [each["title"] for each in text.texts] == [
        "Before: this run after decision 9",
        "After: this run after decision 10",
    ]
    assert text.texts[0]["text"] == text.texts[1]["text"]
    assert text.pane.written is not None
    assert any("same random numbers" in sentence for sentence in text.pane.written.sentences)
    text.decision = 11
    text.questions.renew()
    assert text.texts[1]["title"] == "After: this run after decision 11"
    assert text.pane.panel.pressed == BOTH  # what Enter asks


def test_a_field_that_cannot_stand_is_said_beside_it_and_nothing_is_lost(text: Text) -> None:
    text.ask(prompt="def ", temperature="0")
    before, said, asked = text.texts, text.pane.panel.sentence, len(text.inspector.asked)
    text.ask(prompt="def x", temperature="11", tokens="many")
    assert len(text.inspector.asked) == asked
    assert text.pane.panel.wrong == {
        "temperature": "Expected temperature to be between 0 and 10, but got 11.0. Use 10 (the nearest) or 0.8 (the "
        "default).",
        "tokens": "Expected a whole number between 1 and 10_000 as tokens, but got 'many'. Type one, such as 200.",
    }
    assert text.pane.panel.typed == {"prompt": "def x", "temperature": "11", "tokens": "many"}
    text.ask(prompt="snow \u2603", temperature="0", tokens="")
    assert list(text.pane.panel.wrong) == ["prompt"]
    assert "(U+2603) at position 5" in text.pane.panel.wrong["prompt"]
    assert text.pane.panel.typed["prompt"] == "snow \u2603"
    assert (text.texts, text.pane.panel.sentence, text.pane.panel.alarm) == (before, said, False)
    text.ask(prompt="snow ")
    assert text.pane.panel.wrong == {}
    assert text.texts[0]["given"] == "snow "


def test_another_run_takes_away_the_answer_and_leaves_what_was_typed(text: Text) -> None:
    text.ask(prompt="\u2603")
    text.questions.clear()
    assert (text.texts, text.pane.panel.wrong) == ([], {})
    assert text.pane.panel.typed["prompt"] == "\u2603"


def test_before_the_first_decision_there_is_a_sentence(text: Text) -> None:
    text.decision = 0
    text.ask(BOTH)
    assert "this one is before the first" in text.pane.panel.sentence
    assert text.pane.panel.alarm
    assert text.texts == []
