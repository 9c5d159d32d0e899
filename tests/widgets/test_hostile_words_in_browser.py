"""Hostile names, statements, texts and tokens in every widget, in headless Chromium: words, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hostile_words import MARK, WORDS
from marimo_pages import Page, served

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

WIDGETS = 18
# All of a page, the shadow trees in which widgets stand included.
LOOK = """() => {
  const found = { words: 0, widgets: 0, scripts: [], odd: [], taken: window.taken ?? null };
  const BAD = ["SCRIPT", "IFRAME", "IMG", "LINK", "OBJECT", "EMBED", "B"];
  const ADDRESSES = ["href", "xlink:href", "src", "srcdoc", "action"];
  const walk = (node) => {
    if (node.nodeType === Node.TEXT_NODE && node.data.includes("%s")) found.words += 1;
    if (node.nodeType !== Node.ELEMENT_NODE && node.nodeType !== Node.DOCUMENT_FRAGMENT_NODE) return;
    if (node.classList?.contains("ll")) found.widgets += 1;
    if (node.closest?.(".ll") || node.getRootNode() !== document) {
      if (BAD.includes(node.tagName)) found.odd.push(node.outerHTML);
      for (const { name, value } of node.attributes ?? []) {
        if (name.startsWith("on")) found.odd.push(`${name}=${value}`);
        if (ADDRESSES.includes(name) && /^\\s*(javascript|http)/i.test(value)) found.odd.push(value);
      }
    }
    if (node.shadowRoot) walk(node.shadowRoot);
    for (const child of node.childNodes) walk(child);
  };
  walk(document.body);
  return found;
}""".replace("%s", MARK)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(Path(__file__).parent / "hostile_page.py", tmp_path_factory.mktemp("server")) as address:
        yield address


@pytest.mark.parametrize("words", WORDS)
def test_they_are_shown_as_words(browser: Any, address: str, words: str) -> None:
    page = Page(browser, f"{address}/?words={words}")
    try:
        page.until(lambda: page.page.evaluate(LOOK)["widgets"] >= WIDGETS, 240)
        page.page.get_by_role("button", name="Open a run").click()
        page.page.locator(".ll details").evaluate_all("all => all.forEach((each) => (each.open = true))")
        page.page.locator(".ll-tokens span").first.hover()
        page.page.locator(".ll-panel canvas").first.hover()
        page.page.wait_for_timeout(300)
        found = page.page.evaluate(LOOK)
        assert found["odd"] == []
        assert found["taken"] is None
        assert found["words"] >= 30
        assert page.far_requests() == []
        assert page.complaints == []
    finally:
        page.close()
