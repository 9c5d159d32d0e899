"""The tie map's Python side: state, history, answers."""

from __future__ import annotations

from typing import Any

import pytest
from sent_messages import record

from layertie_lab.core.errors import TieError
from layertie_lab.core.ties import TieMap
from layertie_lab.widgets import TieMapView
from layertie_lab.widgets.history import KEPT_CHANGES, MOST_CHANGES, History


@pytest.fixture
def view() -> TieMapView:
    return TieMapView([0, 0, 2, 2])


@pytest.fixture
def messages(view: TieMapView, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    return record(view, monkeypatch)


def replay(messages: list[Any]) -> list[list[tuple[int, int]]]:
    """What the browser holds: for each layer its runs (first decision, owner)."""
    runs: list[list[tuple[int, int]]] = []
    for message in messages:
        if "start" in message:
            runs = [[(0, owner)] for owner, _ in message["start"]]
        for decision, layer, owner, _ in message["changes"]:
            runs[layer].append((decision, owner))
    return runs


def test_state_of_a_map(view: TieMapView) -> None:
    assert view.sources == [0, 0, 2, 2]
    assert view.blocks == [0, 0, 2, 2]
    assert view.layer is None
    assert not view.can_act
    assert len(set(view.palette)) == 48


def test_not_a_map() -> None:
    with pytest.raises(TieError):
        TieMapView([0, 2])


def test_history_is_changes(view: TieMapView, messages: list[Any]) -> None:
    view.record(1, TieMap((0, 1, 2, 2)), [0, 1, 2, 2], layer=1)
    view.show_news()
    assert messages == []
    view.hear({"kind": "ready"})
    view.record(2, TieMap((0, 1, 1, 2)), [0, 1, 1, 1], layer=2, override=True)
    view.show_news()
    first, second = messages
    assert first["start"] == [(0, 0), (0, 0), (2, 2), (2, 2)]
    assert first["changes"] == [[1, 1, 1, 1]]
    assert second["changes"] == [[2, 2, 1, 1], [2, 3, 1, 1]]
    assert second["overrides"] == [(2, 2)]
    assert second["last"] == 2
    assert replay([first, second])[3] == [(0, 2), (2, 1)]


def test_a_long_history_stays_small() -> None:
    history = History()
    history.begin([0] * 12, [0] * 12)
    for decision in range(1, KEPT_CHANGES + 5_000):
        owners = [0] * 12
        owners[decision % 12] = decision % 12
        history.record(decision, owners, owners, override=3 if decision == 9 else None)
    whole = history.whole()
    assert len(whole["changes"]) <= MOST_CHANGES
    assert whole["overrides"] == [(9, 3)]
    assert whole["last"] == KEPT_CHANGES + 4_999
    assert [runs[-1][1] for runs in replay([whole])] == owners


def test_rows_of_a_finished_run(view: TieMapView, messages: list[Any]) -> None:
    maps = {0: (0, 0, 0), 1: (0, 1, 0), 2: (0, 1, 1)}
    ties = [
        {"decision": decision, "layer": layer, "source": source, "owner": TieMap(sources).owners[layer], "block": 0}
        for decision, sources in maps.items()
        for layer, source in enumerate(sources)
    ]
    decisions = [
        {"decision": 1, "layer": 1, "overridden": True},
        {"decision": 2, "layer": 2, "overridden": False},
    ]
    view.hear({"kind": "ready"})
    view.show_rows(ties, decisions)
    assert view.sources == [0, 1, 1]
    assert view.blocks == [0, 0, 0]
    assert view.overrides == [1]
    last = messages[-1]
    assert last["overrides"] == [(1, 1)]
    assert replay([last]) == [[(0, 0)], [(0, 0), (1, 1)], [(0, 0), (2, 1)]]


def test_a_click_is_an_answer(view: TieMapView) -> None:
    heard: list[tuple[int, int]] = []
    stop = view.on_answer(lambda layer, source: heard.append((layer, source)))
    view.hear({"kind": "answer", "layer": 3, "source": 1, "sent": 1.0})
    stop()
    view.hear({"kind": "answer", "layer": 3, "source": 2, "sent": 1.0})
    assert heard == [(3, 1)]
