"""What all widgets share."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pytest
import traitlets
from sent_messages import record

from layertie_lab.core.errors import ConfigError, LayertieError
from layertie_lab.widgets.frame import code_of
from layertie_lab.widgets.layout import Rows, framed
from layertie_lab.widgets.live.live_chart import LiveChart
from layertie_lab.widgets.messages import LONGEST_NAME, flag, optional, read, scalar, table, text, whole
from layertie_lab.widgets.panel import Panel
from layertie_lab.widgets.pictures import Pictures


class Counter(Panel, files=("run_menu.js", "run_menu.css"), refusal="problem"):
    """A widget that counts up, and refuses to go beyond a limit."""

    HEARS = {"add": {"by": whole(0, 99)}, "download": {"format": text()}, "break": {}}

    count = traitlets.Int(0).tag(sync=True)
    twice = traitlets.Int(0).tag(sync=True)
    problem = traitlets.Unicode("").tag(sync=True)
    alarm = traitlets.Bool(False).tag(sync=True)

    def _hear(self, kind: str, message: Mapping[str, Any]) -> None:
        if kind == "add":
            if message["by"] > 9:
                raise ConfigError("Expected 9 or less.", "Add less.")
            self.show(count=self.count + message["by"], twice=2 * (self.count + message["by"]))
        elif kind == "break":
            raise KeyError(kind)
        elif kind == "download":
            self.hand_over(f"count.{message['format']}", b"1")

    def _answer(self, kind: str, message: Mapping[str, Any], good: bool) -> None:
        self.send({"kind": "ack", "of": kind, "good": good})


class Doubled(Counter, refusal="problem"):
    """Another behaviour with the same files."""


@pytest.mark.parametrize("make", [Counter, Doubled])
def test_a_message_is_acted_on_or_refused_and_answered(make: type[Counter], monkeypatch: pytest.MonkeyPatch) -> None:
    widget = make()
    sent = record(widget, monkeypatch)
    widget.hear({"kind": "add", "by": 3})
    assert (widget.count, widget.twice, widget.problem, widget.alarm) == (3, 6, "", False)
    widget.hear({"kind": "add", "by": 10})
    assert (widget.count, widget.problem, widget.alarm) == (3, "Expected 9 or less. Add less.", True)
    assert sent == [{"kind": "ack", "of": "add", "good": True}, {"kind": "ack", "of": "add", "good": False}]


@pytest.mark.parametrize("message", ["text", {}, {"by": 3}, {"kind": 7}, None])
def test_what_is_no_message_is_not_heard(message: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    widget = Counter()
    sent = record(widget, monkeypatch)
    widget.hear(message)
    assert (widget.count, sent) == (0, [])


def test_a_fault_of_the_program_is_not_hidden() -> None:
    widget = Counter()
    with pytest.raises(KeyError):
        widget.hear({"kind": "break"})


@pytest.mark.parametrize("by", [None, "3", 1.5, True, -1, 100, [3], {"by": 3}, float("nan"), 10**400])
def test_a_message_of_another_shape_is_refused(by: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    widget = Counter()
    sent = record(widget, monkeypatch)
    widget.hear({"kind": "add", "by": by, "id": "1"})
    assert (widget.count, widget.alarm) == (0, True)
    assert widget.problem.startswith("Expected a whole number from 0 to 99 as by, but the page sent ")
    assert sent == [{"kind": "ack", "of": "add", "good": False}]


def test_a_page_cannot_set_attributes() -> None:
    widget = Counter()
    frame = widget.alone
    state = {"count": 5, "problem": 7, "nothing": None, "plan": {}, "kinds": {}, "panel": {"count": 5}}
    before = dict(frame.plan), dict(frame.kinds)
    frame._handle_msg({"content": {"data": {"method": "update", "state": state, "buffer_paths": []}}, "buffers": []})
    assert (widget.count, widget.problem) == (0, "")
    assert (frame.plan, frame.kinds) == before


@pytest.mark.parametrize(
    ("reader", "good", "bad"),
    [
        (text(), ["", "a", "x" * LONGEST_NAME], [None, 1, "x" * (LONGEST_NAME + 1), "\ud800", b"a"]),
        (whole(), [0, 3, 3.0], [-1, 2**60, True, 0.5, float("inf"), None, "3"]),
        (flag, [True, False], [0, 1, None, "true"]),
        (scalar(), ["a", 1, 0.5, True], [None, [], {}, float("nan"), float("inf"), 10**400, "\udfff"]),
        (optional(whole()), [None, 3], ["", -1]),
        (table(whole()), [{}, {"a": 1}], [None, [], {"a": "b"}, {1: 1}, {str(n): 1 for n in range(2000)}]),
    ],
)
def test_each_kind_of_field_has_a_type_and_a_size(reader: Any, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        assert read({"field": value, "other": 1}, {"field": reader}) == {"field": value}
    for value in bad:
        with pytest.raises(LayertieError, match=r"as field, but the page sent .{1,300}\. Reload"):
            read({"field": value}, {"field": reader})


def test_a_file_goes_out_in_a_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    widget, sent = Counter(), []
    monkeypatch.setattr(widget, "send", lambda content, buffers=None: sent.append((content, buffers)))
    widget.hear({"kind": "download", "format": "csv"})
    assert sent[0] == ({"kind": "file", "name": "count.csv"}, [b"1"])


def test_its_files_come_after_what_all_share() -> None:
    script, sheet = code_of((Counter.assets,))
    assert script.index("function followTheme") < script.index("class RunMenu") < script.index("class PartModel")
    assert sheet.index(".ll {") < sheet.index(".ll-menu")
    assert Doubled.assets == Counter.assets


def test_panels_of_a_page_have_one_script_with_what_they_share_once() -> None:
    script, sheet = code_of((Counter.assets, LiveChart.assets, Pictures.assets))
    assert script.count("var vegaBundle=") == script.count("function followTheme") == sheet.count(".ll {") == 1
    assert script.count("KINDS[") == 4


def test_a_frame_passes_on_what_panels_and_page_say() -> None:
    one, other = Counter(), Counter()
    frame = framed(Rows((one, other)))
    sent: list[Any] = []
    frame.send = lambda content, buffers=None: sent.append(content)
    frame._receive(frame, {"kind": "open"}, None)
    assert [state["count"] for state in sent.pop()["states"].values()] == [0, 0]
    for odd in ({"kind": "to", "to": "nobody", "content": {}}, {"kind": "to", "to": ["x"]}, "text", {"kind": "close"}):
        frame._receive(frame, odd, None)
    assert sent == []
    frame._receive(frame, {"kind": "to", "to": "Counter-1", "content": {"kind": "add", "by": 2}}, None)
    assert (one.count, other.count) == (0, 2)
    assert sent == [
        {"kind": "state", "to": "Counter-1", "state": {"count": 2, "twice": 4}},
        {"kind": "custom", "to": "Counter-1", "content": {"kind": "ack", "of": "add", "good": True}},
    ]
    frame.close()
    sent.clear()
    other.show(count=3)
    assert sent == []


def test_a_frame_that_ends_leaves_no_connection_behind() -> None:
    frame = framed(Rows((Counter(),)))
    layout = frame.layout
    assert layout.comm is not None
    frame.close()
    assert layout.comm is None
    frame.close()  # whoever ends a page need not know whether it has ended
    assert frame.comm is None


def test_attributes_shown_together_stay_together_whoever_shows_them() -> None:
    widget = Counter()
    torn: list[tuple[int, int]] = []
    widget.observe(lambda change: torn.append((widget.count, widget.twice)), names=["twice"])

    def show(start: int) -> None:
        for number in range(start, start + 200):
            widget.show(count=number, twice=2 * number)

    threads = [threading.Thread(target=show, args=(1000 * place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(torn) > 200
    assert all(twice == 2 * count for count, twice in torn)


def test_an_attribute_that_another_thread_sets_waits_for_those_shown_together(monkeypatch: pytest.MonkeyPatch) -> None:
    widget, set_one = Counter(), threading.Event()
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(widget, "_put_out", lambda names: sent.append(widget.state(names)))

    def set_another() -> None:
        widget.problem = "another thread's"
        set_one.set()

    with widget.hold_sync():
        widget.count = 3
        thread = threading.Thread(target=set_another)
        thread.start()
        assert not set_one.wait(0.2)
    assert set_one.wait(10)
    thread.join()
    assert sent == [{"count": 3}, {"problem": "another thread's"}]
