"""Findings: kept, found again by the same question, bounded, and never needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from layertie_lab.records import findings

QUESTION = {"view": "similarity", "decision": 10, "options": {"methods": ("cka",)}}


def test_a_finding_is_found_by_an_equal_question_only(tmp_path: Path) -> None:
    assert findings.find(tmp_path, QUESTION) is None
    assert findings.keep(tmp_path, QUESTION, {"frames": {"a": [1.5]}})
    assert findings.find(tmp_path, dict(reversed(QUESTION.items()))) == {"frames": {"a": [1.5]}}
    assert findings.find(tmp_path, QUESTION | {"decision": 11}) is None


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"question": 1, "answer": {}}', b"\xff"])
def test_a_damaged_finding_counts_as_none(tmp_path: Path, damage: bytes) -> None:
    findings.keep(tmp_path, QUESTION, {"frames": {}})
    next((tmp_path / "looks").iterdir()).write_bytes(damage)
    assert findings.find(tmp_path, QUESTION) is None


def test_a_folder_that_cannot_be_written_is_no_harm(tmp_path: Path) -> None:
    (tmp_path / "looks").write_text("in the way")
    assert not findings.keep(tmp_path, QUESTION, {"frames": {}})


def test_the_oldest_go_when_there_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "MOST", 8)
    for decision in range(9):
        findings.keep(tmp_path, QUESTION | {"decision": decision}, {"frames": {}})
    assert len(list((tmp_path / "looks").iterdir())) == 7
    assert findings.find(tmp_path, QUESTION | {"decision": 8}) is not None


def test_what_was_found_after_a_cut_is_forgotten(tmp_path: Path) -> None:
    for decision in (3, 5, 7):
        findings.keep(tmp_path, QUESTION | {"decision": decision}, {"frames": {}})
    findings.forget_from(tmp_path, 5)
    assert [findings.find(tmp_path, QUESTION | {"decision": d}) is not None for d in (3, 5, 7)] == [True, False, False]
