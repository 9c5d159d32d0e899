"""The page for who has no mouse, or has it read out: axe over each view, and the tour by keyboard alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from explorer_tab import Server, Tab, wait_for
from page_states import states, walked_run

OTHER_LOOKS = (("dark", 1366), ("light", 420), ("dark", 420))
pytestmark = pytest.mark.browser
Visit = Callable[..., Tab]
LOOKS = [("light", 1366), *(pytest.param(*look, marks=pytest.mark.long) for look in OTHER_LOOKS)]
GRAVE = ("serious", "critical")
_FOCUSED = """() => {
    let at = document.activeElement;
    while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
    const box = at.getBoundingClientRect();
    const style = getComputedStyle(at);
    const ring = at.querySelector?.('.ll-ring');
    const shown = style.outlineStyle !== 'none' || (ring && getComputedStyle(ring).stroke !== 'none');
    const inside = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
    return {
        words: (at.getAttribute('aria-label') || at.textContent || at.value || '').trim().slice(0, 60),
        role: at.getAttribute('role') ?? at.tagName.toLowerCase(),
        source: at.dataset.source ?? null,
        decision: at.dataset.decision ?? null,
        seen: box.width > 0 && box.height > 0 && inside,
        ring: shown,
    };
}"""


def grave(tab: Tab, least: int = 10) -> list[str]:
    """What axe finds wrong in the page's own content: the app has nothing else in a shadow root."""
    from axe_playwright_python.sync_playwright import Axe

    told = Axe().run(tab.page).response
    own = [node for each in told["passes"] for node in each["nodes"] if is_own(node)]
    assert len(own) > least, f"axe has looked at {len(own)} elements only"
    return [
        f"{each['id']}: {node['html'][:140]}; {node['failureSummary'].splitlines()[-1].strip()[:160]}"
        for each in told["violations"]
        if each["impact"] in GRAVE
        for node in each["nodes"]
        if is_own(node)
    ]


def is_own(node: dict[str, Any]) -> bool:
    return any(isinstance(part, list) for part in node["target"])


@pytest.fixture(scope="module")
def walked(server: Server, text_file: Path) -> str:
    return walked_run(server.runs, text_file).name


@pytest.mark.parametrize(("theme", "width"), LOOKS)
def test_axe_finds_nothing_serious_in_any_state(visit: Visit, walked: str, theme: str, width: int) -> None:
    pytest.importorskip("axe_playwright_python")
    tab = visit(f"run={walked}", viewport={"width": width, "height": 768}, color_scheme=theme)
    found = {name: grave(tab) for name in states(tab)}
    assert len(found) > 20
    assert not {name: lines for name, lines in found.items() if lines}


class Keys:
    """A person at the keyboard: where the focus is, it is seen."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab

    def at(self) -> dict[str, Any]:
        return self.tab.page.evaluate(_FOCUSED)

    def press(self, key: str, times: int = 1) -> dict[str, Any]:
        for _ in range(times):
            self.tab.page.keyboard.press(key)
        at = self.at()
        assert at["seen"], f"after {key} the focus is out of sight, on {at}"
        assert at["ring"], f"after {key} nothing shows that the focus is on {at}"
        return at

    def to(self, words: str, role: str = "", *, back: bool = False, most: int = 80) -> dict[str, Any]:
        """Tab until something is reached."""
        passed = []
        for _ in range(most):
            at = self.press("Shift+Tab" if back else "Tab")
            passed.append(at["words"])
            if words in at["words"] and role in at["role"]:
                return at
        raise AssertionError(f"Tab does not lead to {words!r}; it led to {passed}")


def test_the_tour_by_keyboard_alone(visit: Visit) -> None:
    tab = visit("", welcome=True)
    keys = Keys(tab)
    first = tab.page.locator("[data-drawer='Start here']")
    if not first.is_visible():  # somebody has runs here already
        keys.to("Start here", "button")
        keys.press("Enter")
        wait_for(first.is_visible, 10, "the first page")
    keys.to("Train one now")
    keys.to("New run", "button", back=True)
    keys.press("Enter")
    wait_for(lambda: tab.setup.is_visible(), 20, "the settings of a new run")
    keys.to("Start", "button")
    before = tab.run
    keys.press("Enter")
    wait_for(lambda: tab.run != before, 20, "the new run")
    tab.until("running", "paused", seconds=90)
    wait_for(lambda: tab.decisions >= 3, 60, "three decisions")
    keys.to("Pause", "button")
    keys.press("Enter")
    tab.until("paused")
    wait_for(lambda: tab.answers() > 0, 20, "the open proposal")
    # Step, then an override in the list of actions.
    done = tab.decisions
    keys.to("Step", "button", back=True)
    keys.press("Enter")
    wait_for(lambda: tab.decisions == done + 1 and tab.answers() > 0, 30, "the step")
    proposed = tab.steer.locator("button[data-proposed]").get_attribute("data-source")
    at = keys.to("layer", most=12)
    while at["source"] is None:
        at = keys.press("Tab")
    first = at["source"]
    at = keys.press("ArrowDown") if first == proposed else at
    assert at["source"] != proposed
    keys.press("Enter")
    tab.steer.locator("[data-by='human']:visible").first.wait_for(timeout=20_000)
    wait_for(lambda: tab.answers() > 0, 30, "the next proposal")
    # A column of the history, in the map.
    keys.to("History of", "slider", back=True)
    assert "after decision" in keys_words(tab, keys, "Home").lower() or "start" in keys_words(tab, keys, "Home").lower()
    keys.press("ArrowRight", times=2)
    keys.press("Enter")
    scrubber = tab.page.locator("[data-decision]").first
    wait_for(lambda: tab.map.get_attribute("data-looked") == "2", 20, "decision 2 to be marked")
    # The views: one stop of the Tab key, arrows between them; a row of the decisions; the rules.
    keys.to("Watch", "tab")
    keys.press("ArrowRight")
    assert tab.page.get_by_role("tab", name="Look inside").get_attribute("aria-selected") == "true"
    keys.press("End")
    assert tab.page.get_by_role("tab", name="Decisions").get_attribute("aria-selected") == "true"
    rows = tab.table.locator("tbody tr")
    wait_for(lambda: rows.count() >= done, 20, "the rows")
    at = keys.to("", "tr")
    newest = int(at["decision"])
    assert int(keys.press("ArrowDown")["decision"]) == newest - 1
    assert int(keys.press("End")["decision"]) == 1
    keys.press("Enter")
    wait_for(lambda: tab.map.get_attribute("data-looked") == "1", 20, "decision 1 to be marked")
    keys.to("Decisions", "tab", back=True)
    keys.press("ArrowLeft")
    assert tab.page.get_by_role("tab", name="Rules").get_attribute("aria-selected") == "true"
    keys.to("Apply", "button")
    assert scrubber.count()


def keys_words(tab: Tab, keys: Keys, key: str) -> str:
    """What the history says of where a key has led."""
    keys.press(key)
    return tab.map.locator("canvas").get_attribute("aria-valuetext") or ""
