"""Pages of other sites, and names that only point at this machine, before both ways of serving the explorer.

The requests are made as a browser would make them for such a page: with its Host and Origin.
"""

from __future__ import annotations

import json
import shutil
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from explorer_tab import Server, wait_for
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

EXAMPLES = Path(__file__).parents[2] / "data" / "examples"
SECRET = "a-run-that-is-nobodys-business"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module", params=["marimo run", "layertie explore"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("foreign")
    shutil.copytree(EXAMPLES / "laptop-lab", folder / "runs" / SECRET)
    guarded = None if request.param == "marimo run" else ["--no-token"]
    with Server(folder, guarded=guarded) as server:
        yield server


def heard(server: Server, host: str, origin: str | None, session: str, query: str = "") -> str:
    """What a page hears over its socket until it is shown something; "" where the socket is refused."""
    address = f"ws://{host}:{server.port}/ws?session_id={session}&{query}"
    near = socket.create_connection(("127.0.0.1", server.port))
    try:
        with connect(address, sock=near, origin=origin, open_timeout=60, proxy=None, max_size=None) as page:
            said = ""
            while "completed-run" not in said:
                said += str(page.recv(timeout=60))
            return said
    except InvalidStatus:
        return ""


def test_its_own_page_is_shown_the_runs(served: Server) -> None:
    own = f"http://localhost:{served.port}"
    wait_for(lambda: SECRET in heard(served, "localhost", own, "s_own"), 60, "the menu")


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost", "https://evil.example"),
        ("localhost", "null"),
        ("localhost", "http://localhost"),
        ("127.0.0.1", "http://localhost:8000"),
        ("evil.example", "http://evil.example:{port}"),
        ("evil.example", None),
        ("localhost.evil.example", "http://localhost.evil.example:{port}"),
    ],
)
def test_a_foreign_page_hears_nothing_of_them(served: Server, host: str, origin: str | None) -> None:
    came = None if origin is None else origin.format(port=served.port)
    said = heard(served, host, came, f"s_{abs(hash((host, origin)))}", query="run=" + SECRET)
    assert SECRET not in said
    assert "laptop-lab" not in said


def test_what_is_asked_for_by_a_foreign_page_is_refused_before_the_page_is_there(served: Server) -> None:
    """By `layertie explore`; `marimo run` hands its own empty page to anybody, and the page is then shown nothing."""
    if served.guarded is None:
        pytest.skip("marimo run has no place for it")
    for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(f"{served.address}/", headers=headers))
        assert refused.value.code == 403
        refused.value.close()
    # A link on another site may open the page.
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    urllib.request.urlopen(urllib.request.Request(f"{served.address}/", headers=headers)).close()


def test_the_token_is_asked_for(tmp_path: Path) -> None:
    with Server(tmp_path, guarded=["--json"]) as server:
        told = json.loads(server.log.read_text().splitlines()[0])
        own = f"http://127.0.0.1:{server.port}"
        token = told["link"].rpartition("=")[2]
        assert len(token) >= 24
        assert heard(server, "127.0.0.1", own, "s_without") == ""
        assert heard(server, "127.0.0.1", own, "s_wrong", query="access_token=x") == ""
        assert "completed-run" in heard(server, "127.0.0.1", own, "s_right", query=f"access_token={token}")
