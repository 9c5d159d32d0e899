"""`layertie explore`: the explorer's page behind a server that asks who comes in."""

# marimo and its server are imported in the functions: no other command waits for them.

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
import webbrowser
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil
from rich.console import Console

from ..core.errors import ConfigError
from ..explorer.server import Guard
from ..explorer.terms import HOSTS, RUNS, TEXTS, VISITORS
from ..records.directory import is_run
from ..workers.limits import MOST
from . import arguments

PACKAGE = Path(__file__).parents[1]
APPS = (PACKAGE / "page" / "apps" / "explorer.py", PACKAGE.parent / "apps" / "explorer.py")
"""Where the page lies: as it is installed, and in a clone."""
PONG_SECONDS = 900.0
"""How long a page may not answer before its connection counts as lost: a browser may put a hidden one to sleep."""
_EVERYWHERE = ("0.0.0.0", "::", "")


def explore(command: arguments.Explore, progress: Console, output: Console) -> tuple[None, int]:
    """Serve the explorer until Ctrl-C.

    Raises:
        ConfigError: An address that cannot be listened at, a folder that is none, or no token where others come in.
    """
    app = next((path for path in APPS if path.is_file()), None)
    if app is None:
        raise ConfigError(
            f"Expected the explorer's page at {APPS[0]}, but nothing is there.", "Install the package again."
        )
    if command.texts is not None and not command.texts.is_dir():
        raise ConfigError(f"Expected a folder of texts, but {command.texts} is none.", "Name a folder.")
    listening = _listening(command.host, command.port)
    with listening:
        host, port = listening.getsockname()[:2]
        local = host.startswith("127.") or host == "::1"
        if not (command.token or local):
            raise ConfigError(
                f"Expected a token at {command.host}, which other machines reach, but got --no-token.",
                "Leave it out, or listen at 127.0.0.1.",
            )
        hosts = (*command.names, *(() if local else _names_of(host)))
        hosts = (*hosts, *os.environ.get(HOSTS, "").replace(",", " ").split())
        shown_run = command.runs.expanduser().absolute() if is_run(command.runs.expanduser()) else None
        runs = _give_terms(command if shown_run is None else replace(command, runs=shown_run.parent), hosts)
        token = secrets.token_urlsafe(24) if command.token else ""
        shown = _names_of(host)[0] if host in _EVERYWHERE else host
        address = f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/"
        query = {"access_token": token, "run": "" if shown_run is None else shown_run.name}
        words = urlencode({name: value for name, value in query.items() if value})
        link = f"{address}?{words}" if words else address
        if command.json:
            print(json.dumps({"address": address, "link": link, "runs": runs}), flush=True)
        else:
            output.print(f"The explorer: {link}", soft_wrap=True, markup=False)
            there = "" if Path(runs).exists() else ", which is not there yet and is made with the first run"
            output.print(f"Runs are in {runs}{there}. Ctrl-C ends it, and saves them.", soft_wrap=True, markup=False)
        if command.browser:
            threading.Thread(target=_open, args=(link, port, host), daemon=True).start()
        _serve(listening, Guard(_page(app, token), hosts))
    return None, 0


def _give_terms(command: arguments.Explore, hosts: tuple[str, ...]) -> str:
    """Put what was typed into the environment, where the page looks for its terms; what was not typed stays.

    Returns:
        The folder of runs.
    """
    default = arguments.Explore()
    if command.runs != default.runs or RUNS not in os.environ:
        os.environ[RUNS] = str(command.runs.expanduser().absolute())
    if command.texts is not None:
        os.environ[TEXTS] = str(command.texts.expanduser().absolute())
    if command.visitors != default.visitors:
        os.environ[VISITORS] = command.visitors
    if command.most_runs != default.most_runs:
        os.environ[MOST] = str(command.most_runs)
    os.environ[HOSTS] = " ".join(hosts)
    return os.environ[RUNS]


def _page(app: Path, token: str) -> Any:
    import marimo

    served = marimo.create_asgi_app(quiet=True, token=token or None, skew_protection=True)
    return served.with_app(path="", root=str(app)).build()


def _serve(listening: socket.socket, app: Any) -> None:
    import uvicorn

    config = uvicorn.Config(
        app,
        log_level="error",
        timeout_keep_alive=300,
        ws_ping_interval=20.0,
        ws_ping_timeout=PONG_SECONDS,
        timeout_graceful_shutdown=1,
    )
    uvicorn.Server(config).run(sockets=[listening])


def _listening(host: str, port: int) -> socket.socket:
    """A socket at the address, at another port where the usual one is taken.

    Raises:
        ConfigError: There is no such address, or the port is taken.
    """
    usual = arguments.Explore.port
    try:
        if not 0 <= port < 1 << 16:
            raise OverflowError("ports are 0 to 65535")
        kind = socket.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_STREAM)[0]
        for number in (port, 0) if port == usual else (port,):
            try:
                return socket.create_server((kind[4][0], number), family=kind[0], backlog=128)
            except OSError:
                if number == 0 or port != usual:
                    raise
    except (OSError, OverflowError, UnicodeError) as error:
        raise ConfigError(
            f"Expected an address of this machine and a free port, but got {host!a} and {port} ({error}).",
            "Give another --host or --port; --port 0 takes one that is free.",
        ) from error
    raise AssertionError("a port is taken or free")


def _names_of(host: str) -> tuple[str, ...]:
    """The names under which other machines come to an address: this machine's, and its numbers."""
    if host not in _EVERYWHERE:
        return (host, socket.gethostname().lower())
    families = (socket.AF_INET, socket.AF_INET6)
    every = [
        a.address.partition("%")[0] for each in psutil.net_if_addrs().values() for a in each if a.family in families
    ]
    others = [address for address in every if not address.startswith(("127.", "::1", "fe80"))]
    numbers = [f"[{address}]" if ":" in address else address for address in others]
    return (socket.gethostname().lower(), *numbers)


def _open(link: str, port: int, host: str) -> None:
    """Show the page in a browser once the server takes connections."""
    near = "127.0.0.1" if host in _EVERYWHERE else host
    for _ in range(200):
        try:
            socket.create_connection((near, port), timeout=1).close()
            break
        except OSError:
            time.sleep(0.05)
    webbrowser.open(link)
