"""Who may come in: a page of another origin, or one under a foreign name of this server, is shown nothing.

Browsers let any page open a WebSocket to this machine, and let any name that somebody controls point at it (DNS
rebinding). Both give themselves away in two headers: where the request goes (Host) and whose page sends it (Origin).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .terms import HOSTS, Terms, listens_to_others

_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_CLOSED = (
    "Expected a server that only this machine reaches, but others do, and it asks for no token. Start it with "
    f"layertie explore --host ADDRESS, which asks for one, or name its hosts in {HOSTS}."
)


def refusal_of(headers: Mapping[str, str], hosts: Iterable[str] = (), *, scheme: str = "http") -> str:
    """Why a request is not served; "" where it is.

    Args:
        headers: Of the request, by lower-case name.
        hosts: Names under which the server is reached, with a port or without, besides those of this machine for
            itself.
        scheme: Of the request.
    """
    named = _parsed(f"{scheme}://{headers.get('host', '')}")
    allowed = {place for host in hosts if (place := _parsed(f"{scheme}://{host}")) is not None}
    names = {name for name, _ in allowed}
    if named is None or not (_is_own(named[0]) or named[0] in names):
        return (
            f"Expected one of this server's own names, but the page asks for {ascii(headers.get('host', ''))[1:100]}. "
            f"Open it as localhost, or let its owner add the name to {HOSTS}."
        )
    origin = headers.get("origin")
    if origin is None:
        # Not a browser's socket; browsers say of a request without an origin whether another site made it.
        site = headers.get("sec-fetch-site", "none")
        return "" if site in ("none", "same-origin") else _foreign(site)
    came = _parsed(origin)
    if came is not None and (came == named or came in _with_default_ports(hosts)):
        return ""
    return _foreign(origin)


@dataclass(frozen=True)
class Visit:
    """How a page came.

    Args:
        terms: What it may do.
        refusal: Why it is shown nothing; "" where it is.
        session: What the server knows it by (`server.when_gone`); "" where there is none.
    """

    terms: Terms
    refusal: str = ""
    session: str = ""


def admission(request: Any | None, *, served: bool = True) -> Visit:
    """Whether a page comes in.

    Args:
        request: What opened the page (`marimo.app_meta().request`: `headers`, `query_params`); None where nothing did.
        served: Whether the page is served to visitors. Whoever edits a notebook can run any code in it.
    """
    if not served or request is None:
        return Visit(Terms.of_environment())
    terms = Terms.of_environment(remote=listens_to_others())
    if terms.remote and not terms.hosts:
        return Visit(terms, _CLOSED)
    headers = {str(name).lower(): str(value) for name, value in request.headers.items()}
    session = (request.query_params.get("session_id") or [""])[0]
    return Visit(terms, refusal_of(headers, terms.hosts), session)


def _foreign(origin: str) -> str:
    return (
        f"Expected a page of this server, but the request comes from {ascii(origin)[:100]}. "
        f"Open the explorer itself; its owner can add a name to {HOSTS}."
    )


def _parsed(address: str) -> tuple[str, int] | None:
    """(name, port) of an address; None where it is none."""
    try:
        parts = urlsplit(address)
        name, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not name or parts.username is not None or parts.scheme not in _PORTS:
        return None
    return name.rstrip("."), _PORTS[parts.scheme] if port is None else port


def _with_default_ports(hosts: Iterable[str]) -> set[tuple[str, int]]:
    found = (_parsed(f"{scheme}://{host}") for host in hosts for scheme in ("http", "https"))
    return {place for place in found if place is not None}


def _is_own(name: str) -> bool:
    """Whether a name means the machine that asks for it, whatever a name server says."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False
