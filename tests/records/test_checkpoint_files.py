"""Checkpoints: exact, whole or not there, and what happens to damaged ones."""

from __future__ import annotations

import errno
import json
import math
import os
from pathlib import Path

import pytest
import torch

from layertie_lab.core.errors import RecordError, StorageError
from layertie_lab.records.directory import RunDirectory
from layertie_lab.records.io import sealing
from layertie_lab.records.state import checkpoints
from layertie_lab.records.state.checkpoints import list_checkpoints, load_checkpoint, save_checkpoint


def tensors() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(6, 4, generator=generator)
    return {
        "matrix": base,
        "transposed": torch.randn(3, 5, generator=generator).t(),
        "expanded": torch.ones(1).expand(3),
        "bf16": torch.randn(7, generator=generator).to(torch.bfloat16),
        "f64": torch.tensor([math.pi, math.inf, math.nan], dtype=torch.float64),
        "scalar": torch.tensor(3.5),
        "scalar bf16": torch.tensor(1.5, dtype=torch.bfloat16),
        "empty": torch.zeros(0),
        "empty rows": torch.zeros(4, 0, dtype=torch.bfloat16),
        "flags": torch.tensor([True, False]),
        "bytes": torch.arange(5, dtype=torch.uint8),
        "counts": torch.tensor([2**62, -1]),
        "gradient": torch.nn.Parameter(torch.ones(2)),
        'name "digest":"': torch.ones(1),
    }


def test_round_trip(directory: RunDirectory) -> None:
    meta = {"offset": 123, "nested": {"a": [1.5, None, True]}, "text": 'é "digest":"' + "0" * 64, "lost": math.nan}
    path = save_checkpoint(directory, None, tensors(), meta)
    found = load_checkpoint(directory)
    assert found.path == path
    assert found.skipped == ()
    assert math.isnan(found.meta.pop("lost"))
    assert found.meta == {name: value for name, value in meta.items() if name != "lost"}
    assert set(found.tensors) == set(tensors())
    for name, tensor in tensors().items():
        got = found.tensors[name]
        assert (got.dtype, got.shape) == (tensor.dtype, tensor.shape), name
        assert (
            torch.equal(got.contiguous().view(torch.uint8), tensor.detach().contiguous().view(torch.uint8))
            if (tensor.dim() and tensor.numel())
            else torch.equal(got, tensor)
        ), name
    storages = {tensor.untyped_storage().data_ptr() for tensor in found.tensors.values() if tensor.numel()}
    assert len(storages) == sum(tensor.numel() > 0 for tensor in found.tensors.values())


def test_no_tensors_at_all(directory: RunDirectory) -> None:
    save_checkpoint(directory, "empty", {}, {})
    assert load_checkpoint(directory, "empty").tensors == {}


def test_two_rolling_ones_and_all_named_ones_are_kept(directory: RunDirectory) -> None:
    for step in range(5):
        save_checkpoint(directory, None, {"a": torch.tensor(step)}, {"step": step})
        if step == 1:
            save_checkpoint(directory, "best", {"a": torch.tensor(-1)}, {"step": step}, resumable=False)
            save_checkpoint(directory, "v1.0", {"a": torch.tensor(-2)}, {"step": step})
    found = list_checkpoints(directory)
    assert [info.name for info in found] == ["best", "v1.0", "rolling-000006", "rolling-000007"]
    assert [(info.rolling, info.resumable) for info in found] == [(False, False), (False, True)] + [(True, True)] * 2
    assert load_checkpoint(directory).meta == {"step": 4}
    assert load_checkpoint(directory, "best").tensors["a"] == -1
    save_checkpoint(directory, "best", {"a": torch.tensor(-3)}, {"step": 9}, resumable=False)
    assert load_checkpoint(directory, "best").tensors["a"] == -3
    assert load_checkpoint(directory).meta == {"step": 4}  # the best weights are no place to resume from
    save_checkpoint(directory, "v1.0", {"a": torch.tensor(-4)}, {"step": 10})
    assert load_checkpoint(directory).meta == {"step": 10}
    assert load_checkpoint(directory, accept=lambda meta: meta["step"] < 4).meta == {"step": 3}
    assert {path.suffix for path in directory.checkpoints.iterdir()} == {".safetensors"}


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _flip(place: int):
    def flip(data: bytes) -> bytes:
        return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :] if place >= 0 else flip_last(data)

    def flip_last(data: bytes) -> bytes:
        return data[:-1] + bytes([data[-1] ^ 1])

    return flip


@pytest.mark.parametrize(
    "damage",
    [_cut, _flip(-1), _flip(0), _flip(6), _flip(40), _flip(150), _flip(250), lambda _: b"", lambda _: b"\0" * 500,
     lambda data: data + b"\0"],
    ids=["cut", "last byte", "length", "long length", "header", "header 2", "header 3", "empty", "zeros", "longer"],
)  # fmt: skip
def test_a_damaged_checkpoint_is_passed_over_and_named(directory: RunDirectory, damage) -> None:
    for step in range(2):
        save_checkpoint(directory, None, {"a": torch.arange(100.0), "b": torch.tensor(step)}, {"step": step})
    path = directory.checkpoints / "rolling-000002.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    found = load_checkpoint(directory)
    assert found.meta == {"step": 0}
    assert found.tensors["b"] == 0
    assert found.skipped == (f"Expected checkpoint {path} as it was written, but it is damaged.",)
    with pytest.raises(RecordError, match=r"it is damaged. Use an earlier checkpoint"):
        load_checkpoint(directory, "rolling-000002")
    for step in (2, 3):
        save_checkpoint(directory, None, {"b": torch.tensor(step)}, {"step": step})
    assert load_checkpoint(directory).meta == {"step": 3}
    assert [info.name for info in list_checkpoints(directory)] == ["rolling-000003", "rolling-000004"]


@pytest.mark.parametrize("place", range(0, 400, 7))
def test_every_byte_counts(directory: RunDirectory, place: int) -> None:
    path = save_checkpoint(directory, None, {"a": torch.arange(30.0)}, {"step": 1})
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= 4
    path.write_bytes(data)
    with pytest.raises(RecordError, match=r"there is no whole one. Expected checkpoint .* damaged"):
        load_checkpoint(directory)


def test_nothing_to_load(directory: RunDirectory) -> None:
    with pytest.raises(RecordError, match=r"but there is no whole one. Start the run again"):
        load_checkpoint(directory)
    save_checkpoint(directory, "best", {}, {}, resumable=False)
    with pytest.raises(RecordError, match=r"'first' in .*, but it has: best. Choose one of these"):
        load_checkpoint(directory, "first")


@pytest.mark.parametrize("name", ["", "a/b", "../x", ".hidden", "rolling-000001", "a b", "x" * 101])
def test_bad_names(directory: RunDirectory, name: str) -> None:
    with pytest.raises(RecordError, match="Expected a checkpoint name"):
        save_checkpoint(directory, name, {}, {})


def test_what_cannot_be_stored(directory: RunDirectory) -> None:
    shared = torch.ones(4)
    with pytest.raises(RecordError, match=r"share no memory.*Save each storage once"):
        save_checkpoint(directory, None, {"a": shared, "b": shared}, {})
    with pytest.raises(RecordError, match="Expected dense tensors"):
        save_checkpoint(directory, None, {"a": torch.eye(2).to_sparse()}, {})
    with pytest.raises(RecordError, match="meta to be JSON"):
        save_checkpoint(directory, None, {}, {"a": shared})
    assert list(directory.checkpoints.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("where", ["safetensors", "fsync", "rename"])
def test_a_refusing_disk_leaves_the_earlier_ones(
    directory: RunDirectory, monkeypatch: pytest.MonkeyPatch, number: int, where: str
) -> None:
    save_checkpoint(directory, None, {"a": torch.ones(2)}, {"step": 1})
    import safetensors.torch

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    def refuse_in_rust(_: object, path: Path, **__: object) -> None:
        path.write_bytes(b"half")
        raise safetensors.SafetensorError(f"Error while serializing: I/O error: whatever (os error {number})")

    with monkeypatch.context() as patch:
        if where == "safetensors":
            patch.setattr(safetensors.torch, "save_file", refuse_in_rust)
        elif where == "fsync":
            patch.setattr(sealing.os, "fsync", refuse)
        else:
            patch.setattr(checkpoints, "replace", refuse)
        with pytest.raises(StorageError, match=r"rolling-000002.*the log and the earlier checkpoints are safe"):
            save_checkpoint(directory, None, {"a": torch.ones(2)}, {"step": 2})
    assert [path.name for path in directory.checkpoints.iterdir()] == ["rolling-000001.safetensors"]
    save_checkpoint(directory, None, {"a": torch.ones(2)}, {"step": 3})
    assert load_checkpoint(directory).meta == {"step": 3}


def test_a_disk_that_becomes_read_only(directory: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "replace", refuse)
        patch.setattr(Path, "unlink", refuse)  # refused even for a file that does not exist
        with pytest.raises(StorageError, match="the disk is read-only"):
            save_checkpoint(directory, None, {"a": torch.ones(2)}, {"step": 1})
    assert list_checkpoints(directory) == []
    save_checkpoint(directory, None, {"a": torch.ones(2)}, {"step": 2})
    assert [path.name for path in directory.checkpoints.iterdir()] == ["rolling-000001.safetensors"]


def test_only_the_writer_saves(directory: RunDirectory) -> None:
    with pytest.raises(RecordError, match=r"Expected to be the writer of .* resume the run"):
        save_checkpoint(RunDirectory.open(directory.path), None, {}, {})


@pytest.mark.skipif(os.name == "nt", reason="needs file size limits")
def test_a_real_limit_on_the_file_size(directory: RunDirectory) -> None:
    import resource
    import signal

    save_checkpoint(directory, None, {"a": torch.ones(2)}, {"step": 1})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, hard))
        with pytest.raises(StorageError, match="larger than the system allows"):
            save_checkpoint(directory, None, {"a": torch.ones(10_000)}, {"step": 2})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert [path.name for path in directory.checkpoints.iterdir()] == ["rolling-000001.safetensors"]


def test_what_a_killed_writer_left_is_cleared(directory: RunDirectory) -> None:
    (directory.checkpoints / ".tmpAbC123").write_bytes(b"half")
    (directory.checkpoints / ".rolling-000001.safetensors.0123.tmp").write_bytes(b"half")
    save_checkpoint(directory, None, {}, {})
    assert [path.name for path in directory.checkpoints.iterdir()] == ["rolling-000001.safetensors"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_checkpoints_may_be_read_by_whom_the_settings_may(directory: RunDirectory) -> None:
    directory.config_file.chmod(0o640)
    assert save_checkpoint(directory, None, {"a": torch.ones(1)}, {}).stat().st_mode & 0o777 == 0o640


def test_a_checkpoint_pushed_out_while_it_is_read(directory: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_checkpoint(directory, None, {"a": torch.ones(1)}, {"step": 1})
    real = sealing.read

    def late(asked: Path):
        if asked == path and path.exists():
            for step in (2, 3):
                save_checkpoint(directory, None, {"a": torch.ones(1)}, {"step": step})
        return real(asked)

    monkeypatch.setattr(sealing, "read", late)
    found = load_checkpoint(directory)
    assert (found.meta, found.skipped) == ({"step": 3}, ())


def test_a_checkpoint_replaced_while_it_is_read(directory: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(directory, "best", {"a": torch.tensor(1)}, {"step": 1})
    real = sealing._digest
    left = [2]

    def late(path: Path, place: int) -> bytes:
        if left and path.name == "best.safetensors":
            save_checkpoint(directory, "best", {"a": torch.tensor(left[-1])}, {"step": left.pop()})
        return real(path, place)

    monkeypatch.setattr(sealing, "_digest", late)
    found = load_checkpoint(directory, "best")
    assert (found.meta, int(found.tensors["a"])) == ({"step": 2}, 2)


def test_listing_reads_headers_only(directory: RunDirectory) -> None:
    path = save_checkpoint(directory, None, {"a": torch.ones(1_000)}, {"step": 1})
    path.write_bytes(path.read_bytes()[:-3_000])
    (info,) = list_checkpoints(directory)
    assert (info.meta, info.damage) == ({"step": 1}, "")
    assert json.loads(json.dumps(info.meta)) == {"step": 1}
