"""The cache of prepared arrays: shared, whole, and never in the way."""

from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from layertie_lab.core.errors import ConfigError, StorageError
from layertie_lab.records.io import store as store_module
from layertie_lab.records.io.store import Store, default_root

ARRAYS = {
    "train": np.arange(1_000, dtype=np.uint16),
    "validation": np.arange(12, dtype=np.uint32).reshape(3, 4).T,
    "empty": np.zeros((0, 2), dtype=np.uint16),
    "scalar": np.array(2.5),
}
META = {"bytes_per_token": 1.5, "vocabulary": ["a", "é"], "none": None}


def check(entry) -> None:
    assert entry is not None
    arrays, meta = entry
    assert meta == META
    assert list(arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert isinstance(arrays[name], np.memmap)
        assert (arrays[name].dtype, arrays[name].shape) == (array.dtype, array.shape)
        assert np.array_equal(arrays[name], array)
        assert not arrays[name].flags.writeable


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    store = Store(tmp_path / "cache")
    key = "wikitext-2/bpe 512: " + "long " * 60
    assert store.load(key) is None
    check(store.save(key, ARRAYS, META))
    check(Store(tmp_path / "cache").load(key))
    assert store.load(key + "x") is None
    assert store.notes == []
    check(store.save(key, ARRAYS, META))  # the first stays
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_where_the_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAYERTIE_CACHE", str(tmp_path))
    assert Store().root == default_root() == tmp_path
    monkeypatch.setenv("LAYERTIE_CACHE", "")
    assert default_root().name == "layertie_lab"


def entry_of(store: Store) -> Path:
    (folder,) = store.root.iterdir()
    return folder


def _swap(path: Path, data: bytes) -> None:
    path.write_bytes(data)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda f: (f / "entry.json").unlink(),
        lambda f: _swap(f / "entry.json", b"{"),
        lambda f: _swap(f / "entry.json", b"[]"),
        lambda f: _swap(f / "entry.json", (f / "entry.json").read_bytes().replace(b'"format": 1', b'"format": 2')),
        lambda f: (f / "train.npy").unlink(),
        lambda f: _swap(f / "train.npy", (f / "train.npy").read_bytes()[:-1]),
        lambda f: _swap(f / "train.npy", b"\0" * (f / "train.npy").stat().st_size),
        lambda f: _swap(f / "train.npy", (f / "train.npy").read_bytes()[:-1] + b"\7"),
        lambda f: shutil.rmtree(f) or f.mkdir(),
    ],
)
def test_a_damaged_entry_is_built_again(tmp_path: Path, spoil) -> None:
    store = Store(tmp_path / "cache")
    store.save("key", ARRAYS, META)
    spoil(entry_of(store))
    assert Store(tmp_path / "cache").load("key") is None
    assert not list(store.root.iterdir())
    store.save("key", ARRAYS, META)
    spoil(entry_of(store))
    check(store.save("key", ARRAYS, META))  # without asking first
    check(store.load("key"))
    store.load("key")
    assert len(list(store.root.iterdir())) == 1


def test_a_hole_in_a_large_file_is_seen(tmp_path: Path) -> None:
    store = Store(tmp_path / "cache")
    store.save("key", {"train": np.arange(6_000_000, dtype=np.uint16)}, {})
    file = entry_of(store) / "train.npy"
    assert store.load("key") is not None
    with open(file, "r+b") as out:
        out.seek(file.stat().st_size - 1_000_000)
        out.write(bytes(1_000_000))
    assert store.load("key") is None
    assert "was damaged and is built again" in store.notes[0]


def _save_often(root: Path, number: int) -> None:
    store = Store(root)
    for _ in range(20):
        check(store.load("key") or store.save("key", ARRAYS, META))
        if number == 0:
            check(store.save("key", ARRAYS, META))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork is quicker to start")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_many_processes_save_the_same_key(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=_save_often, args=(tmp_path / "cache", number)) for number in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0] * 4
    assert [path.name[0] for path in (tmp_path / "cache").iterdir()] == ["k"]


def refuse_below(root: Path, number: int):
    """A rename that fails below a folder, as on a full or read-only disk."""
    real = os.rename

    def rename(source: Path, target: Path) -> None:
        if root in Path(source).parents:
            raise OSError(number, os.strerror(number))
        real(source, target)

    return rename


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_cache_that_cannot_be_written_falls_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    store = Store(tmp_path / "cache")
    monkeypatch.setattr(store_module.os, "rename", refuse_below(tmp_path / "cache", number))
    check(store.save("key", ARRAYS, META))
    check(store.load("key"))
    assert store.notes[0].startswith(f"Expected to write {tmp_path / 'cache'}, but")
    assert "until this process ends" in store.notes[0]
    assert not list((tmp_path / "cache").iterdir())


def test_a_cache_below_a_file_falls_back(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file" / "cache")
    assert store.load("key") is None
    check(store.save("key", ARRAYS, META))
    check(store.load("key"))


def test_no_room_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "cache")
    monkeypatch.setattr(store_module.os, "rename", refuse_below(Path("/"), errno.ENOSPC))
    with pytest.raises(StorageError, match=r"Expected room for 0.0 MB .* the disk is full.*set LAYERTIE_CACHE"):
        store.save("key", ARRAYS, META)


@pytest.mark.skipif(os.name == "nt", reason="permissions there are not in the mode")
@pytest.mark.parametrize("private", [True, False])
def test_what_is_made_of_a_private_text_is_private(tmp_path: Path, private: bool) -> None:
    before = os.umask(0o022)
    try:
        Store(tmp_path / "cache").save("key", {"ids": np.arange(5)}, {"a": 1}, private=private)
    finally:
        os.umask(before)
    (folder,) = (path for path in (tmp_path / "cache").iterdir())
    modes = {path.name: path.stat().st_mode & 0o777 for path in (folder, *folder.iterdir())}
    file, own = (0o600, 0o700) if private else (0o644, 0o755)
    assert modes == {folder.name: own, "ids.npy": file, "entry.json": file}
    assert Store(tmp_path / "cache").load("key") is not None


def test_what_was_not_used_for_longest_makes_room(tmp_path: Path) -> None:
    store = Store(tmp_path / "cache", most_bytes=30_000)
    held = [store.save(str(number), {"ids": np.zeros(10_000, np.uint8)}, {})[0]["ids"] for number in range(2)]
    for age, folder in enumerate(sorted((tmp_path / "cache").iterdir())):
        os.utime(folder / "entry.json", (1_000 + age, 1_000 + age))
    assert store.load("0") is not None  # used just now
    store.save("2", {"ids": np.zeros(10_000, np.uint8)}, {})
    assert [store.load(str(number)) is not None for number in range(3)] == [True, False, True]
    # Whoever has an entry open keeps it, and one that is larger than all room is kept while it is needed.
    assert [array.sum() for array in held] == [0, 0]
    large = store.save("3", {"ids": np.zeros(90_000, np.uint8)}, {})
    assert large[0]["ids"].size == 90_000
    assert [store.load(str(number)) is not None for number in range(4)] == [False, False, False, True]


def test_the_room_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAYERTIE_CACHE_GB", "0.5")
    assert Store().most_bytes == 500_000_000
    for odd in ("much", "-1", "nan", "inf", "1e300"):
        monkeypatch.setenv("LAYERTIE_CACHE_GB", odd)
        with pytest.raises(ConfigError, match="LAYERTIE_CACHE_GB"):
            Store()
