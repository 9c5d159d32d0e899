"""What a notebook is given: the live view, and the picture that it keeps, of what is shown then."""

from __future__ import annotations

import base64
import gc
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from pretend_run import PretendSession

from layertie_lab import Explorer
from layertie_lab.charts.still import mark
from layertie_lab.core.ties import TieMap
from layertie_lab.explorer import ControlRoom
from layertie_lab.widgets import LiveChart, SteerPanel, TieMapView, kept

VIEW = "application/vnd.jupyter.widget-view+json"
EXAMPLES = Path(__file__).parents[2] / "data" / "examples"


@pytest.fixture
def outputs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """What a cell puts out: IPython as in a kernel."""
    shell = InteractiveShell.instance()
    publisher = CapturingDisplayPublisher(parent=shell)
    monkeypatch.setattr(shell, "display_pub", publisher)
    monkeypatch.setattr(shell, "kernel", object(), raising=False)
    yield publisher.outputs
    InteractiveShell.clear_instance()


def show(shown: Any) -> None:
    """As the last line of a cell."""
    shell = InteractiveShell.instance()
    assert shell.display_formatter is not None
    assert shell.display_formatter.format(shown) == ({}, {})


def wait_for(condition: Callable[[], Any], seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    assert condition()


def test_the_live_view_and_its_picture_are_two_outputs(outputs: list[dict[str, Any]]) -> None:
    view = TieMapView(TieMap((0, 1, 0)))
    view.record(4, TieMap((0, 1, 1)), [0, 1, 1], layer=2, override=True)
    view.show(sources=[0, 1, 1])
    show(view)
    live, picture = outputs
    assert set(live["data"]) == {VIEW, "text/plain"}
    assert live["data"]["text/plain"] == kept.LIVE
    assert picture["data"]["text/plain"].startswith("Tie map after decision 4.")
    assert mark() in base64.b64decode(picture["data"]["image/png"])
    assert picture["metadata"]["image/png"]["width"] == 1000
    assert list(view.stills()) == ["Tie map", "History of the map"]


def test_what_is_no_picture_is_shown_live_alone(outputs: list[dict[str, Any]]) -> None:
    show(SteerPanel())
    show(TieMapView())
    assert [set(output["data"]) for output in outputs] == [{VIEW, "text/plain"}] * 2


def test_outside_of_a_kernel_a_line_says_what_it_is(
    outputs: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(InteractiveShell.instance(), "kernel")
    show(TieMapView(TieMap((0, 0))))
    assert [output["data"]["text/plain"] for output in outputs] == ["Tie map"]


def test_an_explorer_says_which_run_and_which_decision(outputs: list[dict[str, Any]]) -> None:
    explorer = Explorer(EXAMPLES / "laptop-lab")
    show(explorer)
    words = outputs[1]["data"]["text/plain"]
    assert "(laptop-lab), after decision 200." in words
    titles = [title for panel in (explorer.tie_map, explorer.chart) for title in panel.stills()]
    assert titles == ["Tie map", "History of the map", "Loss", "Trainable parameters", "Reward", "Memory"]


def test_the_picture_is_made_anew_when_a_run_rests(
    outputs: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "QUIET_SECONDS", 0.1)
    room = ControlRoom(PretendSession(layers=5))
    show(room)
    place = outputs[1]["transient"]["display_id"]
    assert outputs[1]["data"]["text/plain"].startswith("Control room after decision 0.")
    room.submit("run", 3).result(20)
    wait_for(lambda: outputs[-1]["data"]["text/plain"].startswith("Control room after decision 3."))
    assert (outputs[-1]["transient"]["display_id"], outputs[-1]["update"]) == (place, True)
    # Where nothing that is drawn has changed nothing is made.
    made = len(outputs)
    room.steer.show(said="Saved.")
    room.tie_map.show(message="")
    wait_for(lambda: not room._kept._waiting)
    assert len(outputs) == made
    room.close()


def test_nobody_is_kept_alive_by_a_picture_that_is_due(outputs: list[dict[str, Any]]) -> None:
    chart = LiveChart({})
    view = TieMapView(TieMap((0, 0)))
    show(view)
    view.show(sources=[0, 1])
    gone = weakref.ref(view)
    view.close()
    del view, chart
    wait_for(lambda: gc.collect() >= 0 and gone() is None)
