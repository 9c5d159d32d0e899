"""What a run reads, on disk: its identity, kept tokens, the place where the text was found, and a branch's share."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from layertie_lab.core.config import RunConfig
from layertie_lab.core.errors import RecordError, StorageError
from layertie_lab.records import reads
from layertie_lab.records.directory import RunDirectory
from layertie_lab.records.reads import Reads, has_tokens, kept_tokens, remember_place, share

TEXT = {"corpus": "prose.txt", "tokens": "ab" * 20, "origin": {"bytes": 12}}
READS = Reads(TEXT, {"python": "3.12.1", "torch": "2.9.0"}, "cd" * 16)
TOKENS = {"train": np.arange(300, dtype=np.uint16), "test": np.arange(5, dtype=np.uint8)}, {"kind": "bytes"}


def test_they_come_back(tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path / "run", RunConfig.preset("tiny"), None, READS, TOKENS)
    directory.unlock()
    assert Reads.of(directory.path) == READS
    found = kept_tokens(directory.path)
    assert found is not None
    arrays, tokenizer = found
    assert tokenizer == {"kind": "bytes"}
    assert arrays.keys() == TOKENS[0].keys()
    for name, array in TOKENS[0].items():
        assert arrays[name].dtype == array.dtype
        assert np.array_equal(arrays[name], array)


def test_equal_data_give_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        READS.write(tmp_path / name, TOKENS)
    for file in (reads.IDENTITY, reads.TOKENS):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_a_run_from_before_has_none(directory: RunDirectory) -> None:
    assert Reads.of(directory.path) == Reads()
    assert kept_tokens(directory.path) is None
    assert not has_tokens(directory.path)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 1, "other": 2}', '{"format": "x"}'])
def test_a_damaged_identity_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / reads.IDENTITY).write_text(content)
    with pytest.raises(RecordError, match=r"Expected what the run reads in .*identity.json.*Restore it from a copy"):
        Reads.of(tmp_path)


def test_a_newer_identity_is_refused(tmp_path: Path) -> None:
    (tmp_path / reads.IDENTITY).write_text(json.dumps({"format": reads.FORMAT + 1, "more": 0}))
    with pytest.raises(RecordError, match="update layertie_lab"):
        Reads.of(tmp_path)


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "other"])
def test_damaged_tokens_are_refused(tmp_path: Path, damage: str) -> None:
    READS.write(tmp_path, TOKENS)
    file = tmp_path / reads.TOKENS
    whole = file.read_bytes()
    middle = len(whole) // 4
    flipped = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
    file.write_bytes({"cut": whole[:-30], "flipped": flipped, "empty": b"", "other": b"something else"}[damage])
    with pytest.raises(RecordError, match=r"Expected the run's tokens in .*text.npz.*damaged"):
        kept_tokens(tmp_path)


def test_an_attempt_that_failed_leaves_room_for_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: RunDirectory, config: RunConfig) -> None:
        raise StorageError("Expected to write it, but the disk is full.", "Free some space.")

    with monkeypatch.context() as patch:
        patch.setattr(RunDirectory, "replace_config", refuse)
        with pytest.raises(StorageError):
            RunDirectory.create(tmp_path / "run", RunConfig.preset("tiny"), None, READS, TOKENS)
    assert has_tokens(tmp_path / "run")
    RunDirectory.create(tmp_path / "run", RunConfig.preset("tiny"), None, READS).unlock()


def test_the_place_is_remembered(tmp_path: Path) -> None:
    READS.write(tmp_path)
    remember_place(tmp_path, "/elsewhere/prose.txt")
    assert Reads.of(tmp_path) == Reads(TEXT, READS.versions, READS.initial_weights, "/elsewhere/prose.txt")
    before = (tmp_path / reads.IDENTITY).stat().st_mtime_ns
    remember_place(tmp_path, "/elsewhere/prose.txt")
    assert (tmp_path / reads.IDENTITY).stat().st_mtime_ns == before


@pytest.mark.parametrize("links", [True, False])
def test_a_branch_shares_them(tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise OSError("no hard links here")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    for name in ("trunk", "branch", "bare"):
        (tmp_path / name).mkdir()
    READS.write(tmp_path / "trunk", TOKENS)
    share(tmp_path / "trunk", tmp_path / "branch")
    assert Reads.of(tmp_path / "branch") == READS
    assert (tmp_path / "branch" / reads.TOKENS).samefile(tmp_path / "trunk" / reads.TOKENS) == links
    share(tmp_path / "bare", tmp_path / "bare")
    assert not list((tmp_path / "bare").iterdir())
