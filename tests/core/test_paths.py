"""Words to paths: what is refused, and that every refusal names the path."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from layertie_lab.core.paths import PathError, path_of, refuse_other_kinds, shown, unusable


def test_what_may_stand_becomes_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "~odd").mkdir()
    assert path_of("runs/[bold]x[/]") == Path("runs/[bold]x[/]")
    assert path_of("~/runs") == tmp_path / "runs"
    assert path_of("~odd") == Path("~odd")
    assert path_of(".") == Path()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", 'got ""'),
        ("a\0b", "NUL"),
        ("\ud800", "UTF-8"),
        ("name\udcff", "UTF-8"),
        ("~nobody-of-this-name/x", "home that nobody has"),
        ("x" * 300, "File name too long"),
        ("x/" * 3000, "too long"),
    ],
)
def test_words_that_name_nothing_are_refused_in_a_sentence(words: str, said: str) -> None:
    with pytest.raises(PathError) as caught:
        path_of(words)
    assert said in caught.value.message
    assert caught.value.remedy
    assert len(str(caught.value)) < 400
    assert caught.value.exit_code == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in the file system")
def test_pipes_sockets_devices_and_loops_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "way").symlink_to(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        for name, kind in (("pipe", "a pipe"), ("way", "a pipe"), ("socket", "a socket"), ("loop", "symbolic link")):
            with pytest.raises(PathError, match=kind) as caught:
                path_of(tmp_path / name)
            assert name in caught.value.message
    for device in ("/dev/zero", "/dev/null"):
        with pytest.raises(PathError, match="a device"):
            refuse_other_kinds(device)


def test_what_the_system_says_is_told_with_the_path() -> None:
    error = unusable("/some/place", PermissionError(13, "Permission denied"))
    assert error.message == "Expected to look at /some/place, but the system says: Permission denied."
    assert len(shown("x" * 10_000)) < 120
