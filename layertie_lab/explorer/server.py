"""What stands between the network and the explorer's page: who may come in, and who has gone.

Pure ASGI: it knows no web framework, and nothing of runs.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from .gate import refusal_of

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_GOING_AWAY = 1001
"""Code with which a browser ends the socket of a page that is closed or left. One that was lost ends otherwise."""
_REFUSED = 4003
_gone: dict[str, Callable[[], None]] = {}


class Guard:
    """Serves this server's own pages alone, under its own names.

    Args:
        app: What is guarded.
        hosts: Names of the server besides those of this machine for itself (`gate.refusal_of`).
    """

    def __init__(self, app: App, hosts: tuple[str, ...] = ()) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        links = scope["type"] == "http" and scope["method"] == "GET" and headers.get("sec-fetch-mode") == "navigate"
        if links:
            # A link from elsewhere may open the page; what it then asks for comes from the page itself.
            headers.pop("sec-fetch-site", None)
        if refusal := refusal_of(headers, self._hosts, scheme=scope.get("scheme", "http")):
            await _refuse(scope, receive, send, refusal)
            return
        await self._app(scope, _told(scope, receive) if scope["type"] == "websocket" else receive, send)


def when_gone(session: str, leave: Callable[[], None]) -> None:
    """Have `leave` called, once, when the page of a session has been closed. It must not keep the page."""
    if session:
        _gone[session] = leave


def forget(session: str) -> None:
    """The page of a session has been taken apart."""
    _gone.pop(session, None)


def _told(scope: Scope, receive: Receive) -> Receive:
    session = (parse_qs(scope.get("query_string", b"").decode("latin-1")).get("session_id") or [""])[0]

    async def tell() -> MutableMapping[str, Any]:
        message = await receive()
        ended = message["type"] == "websocket.disconnect" and message.get("code") == _GOING_AWAY
        if ended and (leave := _gone.pop(session, None)) is not None:
            # Whoever leaves gives back a run, which is not for the thread that serves everybody.
            threading.Thread(target=leave, name="layertie page gone", daemon=True).start()
        return message

    return tell


async def _refuse(scope: Scope, receive: Receive, send: Send, sentence: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": _REFUSED, "reason": sentence[:100]})
        return
    body = sentence.encode()
    plain = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": plain})
    await send({"type": "http.response.body", "body": body})
