"""A real explorer and a real browser for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from explorer_tab import Server, Tab


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("explorer")) as started:
        yield started


@pytest.fixture
def visit(browser: Any, server: Server) -> Iterator[Callable[..., Tab]]:
    """Opens pages of the explorer; at the end none may have complained or asked for anything elsewhere."""
    tabs: list[Tab] = []

    def open_tab(query: str = "", **context: Any) -> Tab:
        tabs.append(Tab(browser, server.address, query, **context))
        return tabs[-1]

    yield open_tab
    for tab in tabs:
        tab.close()
    assert not [line for tab in tabs for line in tab.complaints]
    assert not [url for tab in tabs for url in tab.elsewhere]
