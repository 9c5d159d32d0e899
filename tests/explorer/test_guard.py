"""What stands before the page of `layertie explore`: what it lets in, what it refuses, how it learns who has gone."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from layertie_lab.explorer.server import Guard, forget, when_gone


class Site:
    """An app behind the guard, and a request to it."""

    def __init__(self, *arriving: dict[str, Any]) -> None:
        self.served: list[str] = []
        self.sent: list[dict[str, Any]] = []
        self.arriving = list(arriving)

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        self.served.append(scope["type"])
        while self.arriving:
            await receive()

    async def receive(self) -> dict[str, Any]:
        return self.arriving.pop(0)

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    def ask(self, kind: str = "http", method: str = "GET", query: str = "", **headers: str) -> bool:
        """Whether it was served."""
        named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": kind, "method": method, "scheme": "ws" if kind == "websocket" else "http", "headers": named}
        asyncio.run(Guard(self.app)(scope | {"query_string": query.encode()}, self.receive, self.send))
        return bool(self.served)


OWN = {"host": "localhost:2718"}
FOREIGN = {"host": "localhost:2718", "origin": "https://evil.example"}


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
def test_requests_of_its_own_page_are_served_and_those_of_others_refused(method: str) -> None:
    assert Site().ask(method=method, **OWN)
    assert Site().ask(method=method, **OWN, origin="http://localhost:2718", sec_fetch_site="same-origin")
    for headers in (FOREIGN, {"host": "evil.example"}, {}, {**OWN, "sec_fetch_site": "cross-site"}):
        site = Site()
        assert not site.ask(method=method, **headers)
        assert site.sent[0]["status"] == 403
        assert b"Expected" in site.sent[1]["body"]


def test_a_link_on_another_site_opens_the_page_and_no_more() -> None:
    link = {**OWN, "sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}
    assert Site().ask(**link)
    assert not Site().ask(method="POST", **link)
    assert not Site().ask(**{**link, "host": "evil.example"})
    assert not Site().ask(**link, origin="https://evil.example")


def test_a_foreign_socket_is_closed_before_it_is_open() -> None:
    site = Site({"type": "websocket.connect"})
    assert not site.ask("websocket", **FOREIGN)
    assert [message["type"] for message in site.sent] == ["websocket.close"]
    site = Site({"type": "websocket.connect"})
    assert site.ask("websocket", **OWN, origin="http://localhost:2718")


def test_other_kinds_of_messages_pass() -> None:
    assert Site().ask("lifespan")


@pytest.mark.parametrize(("code", "left"), [(1001, True), (1006, False), (1011, False), (None, False)])
def test_a_page_that_is_closed_is_told_from_a_connection_that_is_lost(code: int | None, left: bool) -> None:
    gone = threading.Event()
    when_gone("s_1", gone.set)
    connected = {"type": "websocket.connect"}
    site = Site(connected, {"type": "websocket.disconnect", "code": code})
    assert site.ask("websocket", query="session_id=s_1&x=1", **OWN, origin="http://localhost:2718")
    assert gone.wait(5.0 if left else 0.05) is left
    forget("s_1")
    Site(connected, {"type": "websocket.disconnect", "code": 1001}).ask("websocket", query="session_id=s_1", **OWN)
    assert gone.is_set() is left
