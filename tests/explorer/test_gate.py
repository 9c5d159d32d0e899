"""Who may come in: this server's own pages, under its own names; not another site's, nor a name that points here."""

from __future__ import annotations

import itertools
import socket
from types import SimpleNamespace

import pytest

from layertie_lab.explorer.gate import admission, refusal_of
from layertie_lab.explorer.terms import listens_to_others

OWN = ("localhost:2718", "127.0.0.1:2718", "[::1]:2718", "127.8.9.1:2718", "app.localhost:2718", "LOCALHOST:2718")
FOREIGN = (
    "evil.example:2718",
    "localhost.evil.example:2718",
    "127.0.0.1.evil.example:2718",
    "192.168.1.4:2718",
    "0.0.0.0:2718",
    "",
    "[::ffff:1.2.3.4]:2718",
    "a:b:c",
    "user@localhost:2718",
    "[bad",
    "2130706433:2718",
)
ORIGINS = ("https://evil.example", "null", "file://", "", "http://localhost", "http://localhost:8000", "javascript:0")


@pytest.mark.parametrize("host", OWN)
def test_its_own_pages_come_in(host: str) -> None:
    assert refusal_of({"host": host, "origin": f"http://{host}"}) == ""
    assert refusal_of({"host": host}) == ""


@pytest.mark.parametrize(("host", "origin"), [*itertools.product(OWN, ORIGINS)])
def test_a_page_of_another_origin_does_not(host: str, origin: str) -> None:
    assert "comes from" in refusal_of({"host": host, "origin": origin})


@pytest.mark.parametrize("host", FOREIGN)
def test_a_name_that_only_points_here_does_not(host: str) -> None:
    for headers in ({"host": host}, {"host": host, "origin": f"http://{host}"}):
        assert "own names" in refusal_of(headers)


def test_a_request_without_a_host_or_from_another_site_does_not() -> None:
    assert refusal_of({})
    assert refusal_of({"host": "localhost:1", "sec-fetch-site": "cross-site"})
    assert refusal_of({"host": "localhost:1", "sec-fetch-site": "same-site"})
    assert refusal_of({"host": "localhost:1", "sec-fetch-site": "same-origin"}) == ""


def test_names_that_the_owner_gives_come_in() -> None:
    hosts = ("lab.example", "box:2718")
    assert refusal_of({"host": "lab.example", "origin": "https://lab.example"}, hosts) == ""
    assert refusal_of({"host": "127.0.0.1:2718", "origin": "https://lab.example"}, hosts) == ""
    assert refusal_of({"host": "box:2718", "origin": "http://box:2718"}, hosts) == ""
    assert refusal_of({"host": "lab.example", "origin": "https://lab.example.evil.example"}, hosts)
    assert refusal_of({"host": "other.example", "origin": "http://other.example"}, hosts)
    assert refusal_of({"host": "box:2718", "origin": "http://box:8000"}, hosts)


def test_a_page_is_admitted_by_what_opened_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAYERTIE_HOSTS", raising=False)
    own = SimpleNamespace(headers={"Host": "localhost:2718", "Origin": "http://localhost:2718"}, query_params={})
    foreign = SimpleNamespace(headers={"Host": "localhost:2718", "Origin": "https://evil.example"}, query_params={})
    assert admission(own).refusal == ""
    assert admission(foreign).refusal
    # A notebook that is edited, or a cell of Jupyter, has no visitors.
    assert admission(foreign, served=False).refusal == ""
    assert admission(None).refusal == ""


def test_a_server_that_others_reach_says_under_which_names(monkeypatch: pytest.MonkeyPatch) -> None:
    request = SimpleNamespace(headers={"host": "localhost:2718"}, query_params={"session_id": ["s_1"]})
    assert not listens_to_others()
    with socket.create_server(("0.0.0.0", 0)):
        assert listens_to_others()
        monkeypatch.delenv("LAYERTIE_HOSTS", raising=False)
        assert "layertie explore --host" in admission(request).refusal
        monkeypatch.setenv("LAYERTIE_HOSTS", "localhost, box.example")
        visit = admission(request)
        assert (visit.terms.remote, visit.terms.hosts, visit.refusal) == (True, ("localhost", "box.example"), "")
    assert not admission(request).terms.remote
