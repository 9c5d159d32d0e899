"""Notices: what their lines in telemetry.jsonl look like, also to those who have read them for long."""

from __future__ import annotations

import json
import pickle

import pytest

from layertie_lab.core import notices
from layertie_lab.core.notices import Failed, Notice, Ready, StatusChanged, Timing, read_timing

WIRE = {
    "process": "resumed pid python torch system device threads step decision",
    "timing": "decision step seconds training_seconds evaluation_seconds resident_bytes device_peak_bytes",
    "checkpoint": "decision step file offset",
    "snapshots": "sentence",
    "text": "sentence",
    "failed": "error sentence",
    "keep": "keep alone",
    "left open": "decision episode layer legal choice present explored",
    "closed": "reason",
}
"""Kind -> the columns of its lines, as they have been written all along, after kind and time."""


def kinds() -> dict[str, type[Notice]]:
    found = [kind for kind in vars(notices).values() if isinstance(kind, type) and issubclass(kind, Notice)]
    return {kind.kind: kind for kind in found if kind not in (Notice, Ready)}


@pytest.mark.parametrize("kind", WIRE)
def test_lines_have_the_columns_they_had(kind: str) -> None:
    columns = WIRE[kind].split()
    notice = kinds()[kind](**dict.fromkeys(columns, 1))
    assert json.loads(json.dumps(notice.to_dict())) == {"kind": kind, "time": notice.time} | dict.fromkeys(columns, 1)
    assert list(notice.to_dict()) == ["kind", "time", *columns]


def test_what_is_absent_is_left_out_and_what_is_there_is_not() -> None:
    assert Failed("TieError", "No.", "trace-1.txt").to_dict()["trace"] == "trace-1.txt"
    assert "trace" not in Failed("TieError", "No.").to_dict()
    assert Failed("TieError", "No.", unwritten="The disk is full.").to_dict()["unwritten"] == "The disk is full."


def test_a_kind_is_one_class_and_travels_as_itself() -> None:
    assert set(WIRE) < set(kinds())
    ready = Ready("ready", pid=7, step=3)
    assert ready.kind == StatusChanged.kind
    assert pickle.loads(pickle.dumps(ready)) == ready


def test_an_older_runs_timing_is_read() -> None:
    timing = read_timing({"time": 5.0, "decision": 2, "seconds": None, "resident_bytes": 9, "more": 1})
    assert timing == Timing(2, 0, 0, 0, 0, 9, 0, time=5.0)
    with pytest.raises(KeyError):
        read_timing({"kind": "timing"})
