"""What a command writes where a person says takes the place of nothing but an earlier file of its kind."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from layertie_lab.cli import main
from layertie_lab.core.errors import RecordError
from layertie_lab.records.io.output import write_output, write_outputs

SMALL = ["--scale", "tiny", *(f"--{name}={n}" for name, n in (("layers", 3), ("width", 16), ("context", 16)))]
PAGE = b"<!doctype html><title>an earlier page</title>"


@pytest.fixture(scope="module")
def run(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("outputs") / "run"
    words = [*SMALL, "--decisions", "3", "--quiet"]
    assert main(["train", *words, "--corpus", str(text_file), "--directory", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def swept(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("outputs") / "sweep"
    words = [*SMALL, "--decisions", "2", "--policies", "all-tied"]
    place = ["--corpus", str(text_file), "--directory", str(folder)]
    assert main(["sweep", *words, "--seeds", "0,1", "--no-baselines", *place, "--json"]) == 0
    return folder


def made(path: Path, content: bytes, mode: int = 0o644) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def linked(path: Path, target: Path) -> Path:
    path.symlink_to(target)
    return path


def piped(path: Path) -> Path:
    os.mkfifo(path)
    return path


def device(path: Path) -> Path:
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    except OSError:
        pytest.skip("no right to make a device")
    return path


TARGETS: dict[str, tuple[Callable[[Path, Path], Path], str]] = {
    "its log": (lambda folder, run: run / "events.jsonl", "lies in the run"),
    "its settings": (lambda folder, run: run / "config.json", "lies in the run"),
    "a new file in it": (lambda folder, run: run / "page.html", "lies in the run"),
    "a new file deep in it": (lambda folder, run: run / "checkpoints" / "page.html", "lies in the run"),
    "a new file in it, by a link": (lambda folder, run: linked(folder / "to", run) / "page.html", "lies in the run"),
    "a link to a page": (lambda folder, run: linked(folder / "to", made(folder / "page.html", PAGE)), "is a link"),
    "a link to nothing": (lambda folder, run: linked(folder / "to", folder / "nothing"), "is a link"),
    "a pipe": (lambda folder, run: piped(folder / "pipe"), "is a pipe"),
    "a device": (lambda folder, run: device(folder / "null"), "is a device"),
    "a folder": (lambda folder, run: folder, "is a folder"),
    "notes": (lambda folder, run: made(folder / "notes.html", b"What I found out\n"), "holds something else"),
    "a picture": (lambda folder, run: made(folder / "page.html", b"\x89PNG\r\n\0\0"), "holds something else"),
    "a protected page": (lambda folder, run: made(folder / "page.html", PAGE, 0o444), "protected against writing"),
}
COMMANDS = {
    "show": ["show", "RUN", "--memory", "--html", "FILE"],
    "compare": ["compare", "RUN", "RUN", "--chart", "FILE"],
    "audit": ["audit", "RUN", "--chart", "FILE"],
    "twins": ["twins", "RUN", "--decision", "1", "--exploratory", "--chart", "FILE"],
}


def standing(*folders: Path) -> dict[Path, tuple[int, int, bytes]]:
    """Everything in folders: kind and mode, which file it is, content."""
    found: dict[Path, tuple[int, int, bytes]] = {}
    for path in sorted(path for folder in folders for path in folder.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
        found[path] = (status.st_mode, status.st_ino, content)
    return found


@pytest.mark.skipif(os.name == "nt", reason="POSIX files")
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_page_takes_the_place_of_nothing_else(
    command: str, target: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, said = TARGETS[target]
    path = make(tmp_path, run)
    before = standing(tmp_path, run)
    assert main([{"RUN": str(run), "FILE": str(path)}.get(word, word) for word in COMMANDS[command]]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("layertie: Expected")
    assert said in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""  # before any work
    assert standing(tmp_path, run) == before


TABLES: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "a folder in it": (lambda folder, run: None, "lies in the run"),
    "a link": (lambda folder, run: linked(folder / "steps.csv", made(folder / "x", b"step,")), "is a link"),
    "a pipe": (lambda folder, run: piped(folder / "ties.csv"), "is a pipe"),
    "other data": (lambda folder, run: made(folder / "decisions.csv", b"id,name\n1,Ann\n"), "holds something else"),
    "no table": (lambda folder, run: made(folder / "decisions.csv", b"\x89PNG"), "holds something else"),
}


@pytest.mark.skipif(os.name == "nt", reason="POSIX files")
@pytest.mark.parametrize("target", TABLES)
def test_tables_take_the_place_of_nothing_else(
    target: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, said = TABLES[target]
    make(tmp_path, run)
    before = standing(tmp_path, run)
    folder = run / "tables" if target == "a folder in it" else tmp_path
    assert main(["export", str(run), "--directory", str(folder), "--format", "csv"]) == 2
    assert said in capsys.readouterr().err
    assert standing(tmp_path, run) == before  # nor were others of the tables written


@pytest.mark.slow
def test_a_report_takes_the_place_of_a_report(
    swept: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["sweep", "--summarize", "--directory", str(swept), "--report"]
    assert main([*words, str(tmp_path / "report")]) == 0
    assert main([*words, str(tmp_path / "report")]) == 0
    (tmp_path / "report" / "results.csv").unlink()
    (tmp_path / "report" / "results.csv").symlink_to(tmp_path / "elsewhere")
    before = standing(tmp_path, run)
    for folder, said in ((tmp_path / "report", "is a link"), (run / "report", "lies in the run")):
        capsys.readouterr()
        assert main([*words, str(folder)]) == 2
        assert said in capsys.readouterr().err
    assert standing(tmp_path, run) == before


def test_an_earlier_file_of_the_kind_and_an_empty_one_are_replaced(tmp_path: Path) -> None:
    for name, content in (("page", PAGE), ("empty", b""), ("old", b"\n <HTML>")):
        path = made(tmp_path / name, content)
        write_output(path, PAGE + b"new")
        assert path.read_bytes() == PAGE + b"new"
    tables = {"a.csv": b"step,loss\n1,2\n", "b.parquet": b"PAR1..", "c.json": b'{"a": 1}', "README.md": b"# words"}
    for _ in range(2):
        assert [path.read_bytes() for path in write_outputs(tmp_path / "new" / "er", tables)] == list(tables.values())
    with pytest.raises(RecordError, match=r"Expected a folder for x.html"):
        write_output(tmp_path / "none" / "x.html", PAGE)


def test_what_a_kill_left_of_such_a_file_goes_with_the_next_one(tmp_path: Path) -> None:
    old = [made(tmp_path / f".{name}.0123456789ab.tmp", b"half") for name in ("page.html", "a.csv", "another's")]
    new = made(tmp_path / ".page.html.ba9876543210.tmp", b"somebody is at it")
    for path in old:
        os.utime(path, (0, 0))
    write_output(tmp_path / "page.html", PAGE)
    write_outputs(tmp_path, {"a.csv": b"step\n1\n"})
    assert [path.exists() for path in (*old, new)] == [False, False, True, True]
