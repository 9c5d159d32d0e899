"""Texts that visitors bring: named by their content, kept once, bounded, and with names that lead nowhere."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from layertie_lab.core.errors import StorageError
from layertie_lab.records import texts
from layertie_lab.records.runs import list_runs
from layertie_lab.records.texts import folder_of, keep_text, own_texts, text_name


def test_a_text_is_kept_once_under_its_name_and_digest(tmp_path: Path) -> None:
    path = keep_text(tmp_path, "my notes.CSV", b"a,b\n")
    assert path.read_bytes() == b"a,b\n"
    assert (
        path == folder_of(tmp_path) / f"my-notes-{hashlib.blake2b(b'a,b' + bytes([10]), digest_size=8).hexdigest()}.csv"
    )
    assert keep_text(tmp_path, "my notes.CSV", b"a,b\n") == path
    assert keep_text(tmp_path, "my notes.CSV", b"c,d\n") != path
    assert sorted((text.name, text.bytes) for text in own_texts(tmp_path)) == [("my-notes.csv", 4)] * 2
    assert text_name(path) == "my-notes.csv"
    assert text_name("/some/prose.txt") == "prose.txt"
    assert list_runs(tmp_path) == []


NAMES = ("../../etc/passwd", "/etc/passwd", "..", ".", "", "a/b\\c.txt", "C:\\x.txt", "\0", "a\nb.txt", "x" * 900)
ODD = (".hidden", "\u202e.txt", "name.with.dots.txt", "a.tar gz", "\u5b57.txt")


@pytest.mark.parametrize("name", [*NAMES, *ODD])
def test_no_name_leads_out_of_the_folder(name: str, tmp_path: Path) -> None:
    path = keep_text(tmp_path, name, b"words")
    assert path.parent == folder_of(tmp_path)
    assert path.name.isascii()
    assert path.name.isprintable()
    assert not path.name.startswith(".")
    assert len(path.name) < 80
    assert [text.path for text in own_texts(tmp_path)] == [path]


def test_the_folder_is_bounded_and_other_files_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert own_texts(tmp_path) == []
    monkeypatch.setattr(texts, "MOST_BYTES", 10)
    keep_text(tmp_path, "a.txt", b"123456")
    with pytest.raises(StorageError, match="holds 6 of 10"):
        keep_text(tmp_path, "b.txt", b"12345")
    keep_text(tmp_path, "a.txt", b"123456")  # it is there already
    (folder_of(tmp_path) / "strange.txt").write_text("no digest")
    (folder_of(tmp_path) / "link-0123456789abcdef.txt").symlink_to("/etc/passwd")
    assert [text.name for text in own_texts(tmp_path)] == ["a.txt"]
