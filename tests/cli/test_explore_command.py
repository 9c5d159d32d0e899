"""`layertie explore`: where it listens, whom it lets in without a token, and what it hands to the page."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from layertie_lab import RunConfig
from layertie_lab.cli import explore as command
from layertie_lab.cli.main import main
from layertie_lab.explorer.terms import Terms
from layertie_lab.records.directory import RunDirectory

NAMES = ("RUNS", "TEXTS", "HOSTS", "VISITORS", "MOST_RUNS")


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What would have been served; the environment is as it was afterwards."""
    for name in NAMES:
        monkeypatch.setenv(f"LAYERTIE_{name}", "")
        monkeypatch.delenv(f"LAYERTIE_{name}")
    found: list[Any] = []
    monkeypatch.setattr(command, "_page", lambda app, token: found.append((app, token)))
    monkeypatch.setattr(command, "_serve", lambda listening, app: found.append(listening.getsockname()[:2]))
    return found


def explore(*words: str) -> int:
    return main(["explore", "--no-browser", "--port", "0", *words])


def test_by_default_this_machine_alone_and_a_token(served: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert explore() == 0
    (app, token), (host, port) = served
    assert host == "127.0.0.1"
    assert len(token) >= 24
    assert f"http://127.0.0.1:{port}/?access_token={token}" in capsys.readouterr().out
    assert app.name == "explorer.py"
    assert Terms.of_environment() == Terms(Path("runs").absolute())


def test_a_run_is_shown_among_those_beside_it(
    served: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    RunDirectory.create(tmp_path / "my run", RunConfig.preset("tiny")).unlock()
    assert explore(str(tmp_path / "my run"), "--no-token") == 0
    assert "/?run=my+run\n" in capsys.readouterr().out
    assert Terms.of_environment().runs == tmp_path


def test_what_is_typed_are_the_terms_of_the_page(served: list[Any], tmp_path: Path) -> None:
    words = [
        str(tmp_path),
        "--host",
        "0.0.0.0",
        "--names",
        "Lab.example",
        "--texts",
        str(tmp_path),
        "--visitors",
        "each",
    ]
    assert explore(*words, "--most-runs", "3") == 0
    terms = Terms.of_environment(remote=True)
    assert (terms.runs, terms.texts, terms.visitors) == (tmp_path, tmp_path, "each")
    assert {"lab.example", socket.gethostname().lower()} <= set(terms.hosts)
    assert os.environ["LAYERTIE_MOST_RUNS"] == "3"
    assert served[1][0] == "0.0.0.0"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--host", "0.0.0.0", "--no-token"], "Expected a token at 0.0.0.0"),
        (["--host", "no.such.host.invalid"], "Expected an address of this machine"),
        (["--host", "8.8.8.8"], "Expected an address of this machine"),
        (["--host", "a\0b"], "Expected an address of this machine"),
        (["--port", "99999999"], "Expected --port to be between 0 and 65_535"),
        (["--port", "-1"], "Expected --port to be between 0 and 65_535"),
        (["--texts", "/no/such/folder"], "Expected a folder of texts"),
    ],
)
def test_what_cannot_be_served_is_refused(
    served: list[Any], capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert explore(*words) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert served == []


def test_a_port_that_is_taken_is_another_one_unless_it_was_asked_for(
    served: list[Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert explore("--port", str(port)) == 2
        assert "a free port" in capsys.readouterr().err
        monkeypatch.setattr(command.arguments.Explore, "port", port)
        assert main(["explore", "--no-browser", "--port", str(port)]) == 0
        assert served[1][1] != port
