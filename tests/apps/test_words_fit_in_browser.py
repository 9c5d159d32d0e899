"""Nothing that is to be read is cut off, or runs over its neighbour: in every state of the page, at three widths."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from explorer_tab import Server, Tab
from page_states import states, walked_run

pytestmark = pytest.mark.browser
Visit = Callable[..., Tab]
WIDTHS = [420, pytest.param(1366, marks=pytest.mark.long), pytest.param(1920, marks=pytest.mark.long)]
CUT = """() => {
    const wrong = new Set();
    const style = (element) => getComputedStyle(element);
    const scrolls = (element) => /auto|scroll/.test(style(element).overflowX);
    const titled = (element) => Boolean(element.closest('[title]:not([title=""])'));
    const shortened = (element) => style(element).textOverflow === 'ellipsis' && titled(element);
    const told = (words, where, why) => wrong.add(`${why}: "${words.trim().slice(0, 50)}" in ${where}`);
    const name = (element) => `${element.localName}.${[...element.classList].join('.')}`;
    // What stands in a box lies within it, or the box scrolls, or says all of it when it is pointed at.
    const check = (text) => {
        const words = text.data.trim();
        const parent = text.parentElement;
        if (!words || parent.closest('.ll-sr, option, script, style') || !parent.checkVisibility()) return;
        const range = document.createRange();
        range.selectNodeContents(text);
        const inSvg = parent.ownerSVGElement;
        const box = range.getBoundingClientRect();
        if (!box.width) return;
        let element = inSvg ?? parent;
        while (!inSvg && /^inline$|contents/.test(style(element).display)) element = element.parentElement;
        let first = true;
        for (; element && element !== document.documentElement; element = element.parentElement) {
            if (scrolls(element) || shortened(element)) return;
            const clips = /hidden|clip/.test(style(element).overflowX);
            const place = element.getBoundingClientRect();
            if ((first || clips) && place.width > 1 && (box.right > place.right + 1.5 || box.left < place.left - 1.5)) {
                told(words, name(element), 'runs out');
                return;
            }
            first = false;
        }
        if (box.right > innerWidth + 1 || box.left < -1) told(words, name(parent), 'off the page');
    };
    // What a closed list shows is its own words: the room for them is what its arrow leaves.
    const pen = document.createElement('canvas').getContext('2d');
    const choice = (select) => {
        if (!select.checkVisibility() || titled(select) || !select.selectedOptions.length) return;
        const {font, paddingLeft, paddingRight} = style(select);
        pen.font = font;
        const words = select.selectedOptions[0].text;
        const room = select.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
        if (pen.measureText(words).width > room + 2) told(words, name(select), 'longer than its list');
    };
    const visit = (root) => {
        const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
        for (let node = walker.nextNode(); node; node = walker.nextNode()) {
            if (node.nodeType === Node.TEXT_NODE) {
                if (node.getRootNode() instanceof ShadowRoot) check(node);
            } else {
                if (node.shadowRoot) visit(node.shadowRoot);
                if (node.localName === 'select' && node.getRootNode() instanceof ShadowRoot) choice(node);
            }
        }
    };
    visit(document);
    if (document.scrollingElement.scrollWidth > innerWidth) told('the page', 'the window', 'is wider than');
    return [...wrong];
}"""


@pytest.fixture(scope="module")
def walked(server: Server, text_file: Path) -> str:
    return walked_run(server.runs, text_file).name


@pytest.mark.parametrize("width", WIDTHS)
def test_words_fit_in_every_state(visit: Visit, walked: str, width: int) -> None:
    tab = visit(f"run={walked}", viewport={"width": width, "height": 768})
    found = {name: tab.page.evaluate(CUT) for name in states(tab)}
    assert len(found) > 20
    assert not {name: lines for name, lines in found.items() if lines}


def test_what_does_not_fit_is_found(visit: Visit) -> None:
    tab = visit("run=laptop-lab")
    assert tab.page.evaluate(CUT) == []
    tab.page.get_by_role("tab", name="Watch").evaluate("tab => { tab.style.width = '20px'; tab.style.padding = 0; }")
    (line,) = tab.page.evaluate(CUT)
    assert '"Watch"' in line
