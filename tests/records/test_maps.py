"""Maps by words: sources, or a run."""

from __future__ import annotations

from pathlib import Path

import pytest
from branching import small

from layertie_lab import Session
from layertie_lab.core.errors import LayertieError, RecordError, TieError
from layertie_lab.core.ties import TieMap
from layertie_lab.records.directory import RunDirectory
from layertie_lab.records.maps import last_map, sources_of


def test_a_runs_map_as_far_as_it_has_come(text_file: Path, tmp_path: Path) -> None:
    with Session(small(text_file, decisions=5, prior="none"), tmp_path / "run") as session:
        assert last_map(tmp_path / "run") == TieMap.all_tied(4)
        for action in (1, 1, 2):
            session.commit(action)
            session.save()
            assert last_map(tmp_path / "run") == session.ties
    assert last_map(tmp_path / "run") == TieMap((0, 1, 1, 2))
    assert sources_of(str(tmp_path / "run")) == sources_of("run", tmp_path) == "0 1 1 2"
    assert sources_of(" run ", tmp_path) == "0 1 1 2"


def test_sources_in_any_dress() -> None:
    assert {sources_of(words) for words in ("0 1 1", "0,1,1", " 0, 1, 1 ", "[0, 1, 1]", "0\t1 1")} == {"0 1 1"}
    assert sources_of("") == sources_of("  ") == ""


@pytest.mark.parametrize(
    ("words", "kind", "said"),
    [
        ("0 2 0", TieError, "but got source 2"),
        ("1", TieError, "but got source 1"),
        (",", TieError, "at least one layer"),
        ("0 1 one", RecordError, "'0 1 one' are no numbers, and there is no such folder"),
        ("0 -1", RecordError, "are no numbers"),
        ("nowhere", RecordError, "there is no such folder"),
        ("folder", RecordError, "has no config.json"),
        ("file", RecordError, "has no config.json"),
    ],
)
def test_words_that_name_no_map(words: str, kind: type[LayertieError], said: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(kind, match=said) as caught:
        sources_of(words, tmp_path)
    assert caught.value.remedy


def test_a_run_that_has_not_begun(directory: RunDirectory) -> None:
    with pytest.raises(RecordError, match="has not begun"):
        last_map(directory.path)
