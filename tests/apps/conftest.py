"""A real explorer and a real browser for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
from explorer_tab import Server, Tab

_OPEN = pytest.StashKey[tuple[Server, list[Tab]]]()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("explorer")) as started:
        yield started


@pytest.fixture
def visit(browser: Any, server: Server, request: pytest.FixtureRequest) -> Iterator[Callable[..., Tab]]:
    """Opens pages of the explorer; at the end none may have complained or asked for anything elsewhere."""
    tabs: list[Tab] = []
    request.node.stash[_OPEN] = server, tabs

    def open_tab(query: str = "", **context: Any) -> Tab:
        tabs.append(Tab(browser, server.address, query, **context))
        return tabs[-1]

    yield open_tab
    for tab in tabs:
        tab.close()
    assert not [line for tab in tabs for line in tab.complaints]
    assert not [url for tab in tabs for url in tab.elsewhere]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What the pages and their server say when a test fails: a wait that was in vain does not say why."""
    report = yield
    if report.failed and call.when == "call" and _OPEN in item.stash:
        server, tabs = item.stash[_OPEN]
        for number, tab in enumerate(tabs, start=1):
            report.sections.append((f"page {number}", tab.account()))
        report.sections.append(("server", server.log.read_text(errors="replace")[-4_000:]))
    return report
