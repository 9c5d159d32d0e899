"""The workspace: one screen, one view at a time, by mouse and by keyboard, and what it says of who decided."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from explorer_tab import Server, Tab, wait_for

from layertie_lab.explorer.first_steps import TRIES

pytestmark = pytest.mark.browser
Visit = Callable[..., Tab]
TINY = "scale=tiny&threads=1&evaluate_every=5"


def never_scrolled(tab: Tab) -> bool:
    """Whether the page stands where it stood, and has nothing outside its window."""
    return tab.page.evaluate(
        "() => { const page = document.scrollingElement; return scrollX === 0 && scrollY === 0"
        " && page.scrollHeight <= innerHeight && page.scrollWidth <= innerWidth; }"
    )


def focused(tab: Tab) -> dict[str, Any]:
    """The element that has the focus, wherever it stands."""
    return tab.page.evaluate(
        "() => { let at = document.activeElement;"
        " while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;"
        " const box = at.getBoundingClientRect();"
        " return { text: at.textContent.trim().slice(0, 40), role: at.getAttribute('role'), seen: box.width > 0 }; }"
    )


def test_a_run_is_made_steered_and_looked_at_on_one_screen(visit: Visit) -> None:
    tab = visit(f"{TINY}&decisions=400&seed=2")
    tab.start()
    tab.until("running", seconds=90)
    assert tab.page.get_by_role("tab", name="Watch").get_attribute("aria-selected") == "true"
    wait_for(lambda: tab.decisions >= 10, 40, "ten decisions")
    tab.pause()
    done = tab.decisions
    tab.step()
    wait_for(lambda: tab.decisions > done and tab.status == "paused" and tab.answers() > 0, 20, "the step")
    proposed = int(tab.steer.locator("button[data-proposed]").get_attribute("data-source") or -1)
    layer = int(tab.map.get_attribute("data-hand") or 0)
    other = next(n for n in range(layer + 1) if n != proposed)
    tab.map.locator(f"g[data-layer='{other}']").click()
    # From the click on, until there is something else to decide, the page says who decided, and instead of what.
    said = tab.steer.locator("[data-by='human']:visible").first
    said.wait_for(timeout=20_000)
    assert "ou t" in said.inner_text()  # you tied, or trained
    assert "the agent would have" in said.inner_text()
    assert never_scrolled(tab)
    for view, there in (
        ("Look inside", ".ll-view[data-view='At a glance'] .ll-map"),
        ("Did it matter?", ".ll-hypothesis"),
        ("Audit", "[data-ask='audit']"),
        ("Rules", ".ll-rules"),
        ("Decisions", ".ll-table"),
        ("Watch", ".ll-charts"),
    ):
        tab.tab(view)
        tab.page.locator(f"{there}:visible").first.wait_for(timeout=20_000)
        tab.page.locator(f".ll-view[data-view='{view}'] > .ll-try", has_text=TRIES[view]).wait_for(timeout=20_000)
        assert tab.map.is_visible()
        assert tab.steer.is_visible()
        assert never_scrolled(tab)


def test_the_page_says_what_it_is_before_a_script_has_run(browser: Any, server: Server) -> None:
    said = "element => ['::before', '::after'].map((part) => getComputedStyle(element, part).content)"
    context = browser.new_context(viewport={"width": 1366, "height": 768})
    page = context.new_page()
    page.route("**/*.js", lambda route: route.abort())
    page.goto(f"{server.address}/")
    name, about = page.locator("body").evaluate(said)
    assert name == '"Layer tying explorer"'
    assert "While a transformer trains" in about
    page.unroute("**/*.js")
    page.reload()
    page.locator(".ll-steer").wait_for(timeout=60_000)
    assert page.locator("body").evaluate(said) == ["none", "none"]
    context.close()


class Mouse:
    """A person with a mouse and nothing else, on a page of 1366 x 768 that never moves: clicks are counted."""

    def __init__(self, tab: Tab) -> None:
        self.tab, self.clicks = tab, 0

    def click(self, what: Any) -> None:
        # No playwright's own click, which scrolls to what it clicks on.
        what.wait_for(timeout=30_000)
        box = what.bounding_box()
        assert box is not None
        at = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        assert 0 < at[0] < 1366, (what, at)
        assert 0 < at[1] < 768, (what, at)
        self.tab.page.mouse.click(*at)
        self.clicks += 1
        assert never_scrolled(self.tab)

    def press(self, name: str, within: Any = None) -> None:
        self.click((within or self.tab.page).get_by_role("button", name=name, exact=True).first)

    def turn(self, view: str) -> None:
        self.click(self.tab.page.get_by_role("tab", name=view, exact=True))


def test_everything_is_reached_without_scrolling_and_in_few_clicks(visit: Visit) -> None:
    tab = visit(f"{TINY}&decisions=400&seed=6")
    page, mouse = tab.page, Mouse(tab)
    mouse.press("Start here")
    mouse.clicks = 0
    # Does the agent beat chance, with an interval: from the first page.
    mouse.click(page.locator("[data-door='chance']"))
    answer = page.locator(".ll-compare-answer .ll-headline")
    wait_for(lambda: "95 % interval" in answer.inner_text(), 60, "the answer")
    assert mouse.clicks <= 3
    # Movement: from the first page.
    mouse.press("Start here")
    mouse.clicks, before = 0, tab.run
    mouse.click(page.locator("[data-door='train']"))
    wait_for(lambda: tab.run != before and tab.decisions > 0, 60, "the first decision")
    assert mouse.clicks == 1
    # An override, by the map.
    wait_for(lambda: tab.decisions >= 12, 60, "some decisions")
    mouse.click(tab.steer.locator(".ll-toggle"))
    wait_for(lambda: tab.status == "paused" and tab.answers() > 0, 30, "the open proposal")
    proposed = int(tab.steer.locator("button[data-proposed]").get_attribute("data-source") or -1)
    layer = int(tab.map.get_attribute("data-hand") or 0)
    other = next(n for n in range(layer + 1) if n != proposed)
    mouse.click(tab.map.locator(f"g[data-layer='{other}'] rect.ll-body"))
    tab.steer.locator("[data-by='human']:visible").first.wait_for(timeout=20_000)
    assert mouse.clicks == 3
    wait_for(lambda: tab.answers() > 0, 30, "the next proposal")
    # A verdict: what is expected of it, and the pairs.
    mouse.click(tab.steer.locator("[data-expect='no difference that matters']"))
    form = page.locator(".ll-hypothesis")
    form.locator("[data-press=state]").wait_for()
    assert form.locator("[data-field=expected]").input_value() == "no difference that matters"
    mouse.click(form.locator("[data-press=state]"))
    assert mouse.clicks == 5
    wait_for(lambda: form.get_attribute("data-busy") == "true", 20, "the twins")
    wait_for(lambda: form.get_attribute("data-busy") == "false", 240, "the end of the twins")
    assert form.get_attribute("data-outcome")
    headline = form.locator(".ll-headline")
    assert "interval" in headline.inner_text()
    assert never_scrolled(tab)
    # A step, a run on, and a look inside at decision 10.
    done = tab.decisions
    mouse.press("Step", tab.steer)
    wait_for(lambda: tab.decisions == done + 1 and tab.answers() > 0, 30, "the step")
    mouse.click(tab.steer.locator(".ll-toggle"))
    wait_for(lambda: tab.decisions > done + 3, 30, "some more")
    mouse.click(tab.steer.locator(".ll-toggle"))
    tab.until("paused", "finished")
    mouse.turn("Look inside")
    time = page.locator(".ll-foot .ll-time")
    mouse.click(time.locator("input[type=number]"))
    page.keyboard.press("Control+A")
    page.keyboard.type("10")
    page.keyboard.press("Enter")
    glance = page.locator(".ll-view[data-view='At a glance']")
    wait_for(lambda: "after decision 10" in glance.inner_text(), 30, "the map of then")
    assert never_scrolled(tab)
    # Two runs side by side, the audit, the rules.
    mouse.turn("Compare")
    page.locator(".ll-compare-list[data-ready='true']").wait_for(timeout=30_000)
    mouse.press("Choose none")
    wait_for(lambda: answer.inner_text() == "", 30, "nothing chosen")
    mouse.click(page.locator(".ll-compare-list summary:visible").first)
    ticks = page.locator(".ll-compare-list input[type=checkbox]:visible")
    for at in range(2):
        mouse.click(ticks.nth(at))
    wait_for(lambda: page.locator(".ll-compare-list").get_attribute("data-chosen") == "2", 30, "two runs")
    wait_for(lambda: answer.inner_text() != "", 60, "how they differ")
    mouse.turn("Audit")
    mouse.click(page.locator("[data-ask='audit']:visible"))
    page.locator(".ll-card:visible, .ll-cards article:visible").first.wait_for(timeout=60_000)
    mouse.turn("Rules")
    rules = page.locator(".ll-rules")
    mouse.click(rules.locator(".ll-rule", has_text="Most independent layers").locator("input"))
    page.keyboard.press("Control+A")
    page.keyboard.type("3")
    mouse.press("Apply", rules)
    wait_for(lambda: "3" in rules.inner_text() and "No rules stand" not in rules.inner_text(), 20, "the rule")
    assert never_scrolled(tab)


def test_an_override_at_the_end_of_a_run_is_a_persons_after_a_reload_too(visit: Visit) -> None:
    tab = visit(f"{TINY}&decisions=3&seed=3&policy=human")
    tab.start()
    for _ in range(3):
        wait_for(lambda: tab.answers() > 0, 90, "a proposal")
        before, layer = tab.decisions, int(tab.map.get_attribute("data-hand") or 0)
        proposed = int(tab.steer.locator("button[data-proposed]").get_attribute("data-source") or -1)
        other = next(n for n in range(layer + 1) if n != proposed)
        tab.map.locator(f"g[data-layer='{other}']").click()
        wait_for(lambda before=before: tab.decisions == before + 1, 30, "the outcome")
    tab.until("finished")
    tab.page.reload()
    tab.steer.wait_for(timeout=60_000)
    said = tab.steer.locator("[data-by='human']:visible").first
    said.wait_for(timeout=20_000)
    assert "the agent would have" in said.inner_text()


def test_the_views_by_keyboard(visit: Visit) -> None:
    tab = visit("run=laptop-lab")
    titles = tab.page.locator(".ll-workspace > .ll-tabs > .ll-strip [role=tab]").all_inner_texts()
    tab.page.get_by_role("tab", name="Watch").focus()
    for title in [*titles[1:], titles[0]]:
        tab.page.keyboard.press("ArrowRight")
        assert focused(tab) == {"text": title, "role": "tab", "seen": True}
        assert tab.page.locator(".ll-workspace > .ll-tabs > .ll-view:visible").get_attribute("data-view") == title
    tab.page.keyboard.press("End")
    assert focused(tab)["text"] == titles[-1]
    tab.page.keyboard.press("Home")
    # One stop for the strip: Tab goes on into the view.
    tab.page.keyboard.press("Tab")
    assert focused(tab)["role"] != "tab"
    assert focused(tab)["seen"]


def test_a_tour_and_how_one_leaves_it(visit: Visit) -> None:
    tab = visit("run=laptop-lab")
    start = tab.page.get_by_role("button", name="Tour")
    start.click()
    box = tab.page.locator(".ll-tour")
    count = int(box.locator(".ll-tour-count").inner_text().split()[-1])
    assert count <= 6
    window = tab.page.viewport_size
    assert window is not None
    for stop in range(1, count + 1):
        assert box.locator(".ll-tour-count").inner_text() == f"{stop} of {count}"
        for part in (box, tab.page.locator(".ll-tour-ring")):
            place = part.bounding_box()
            assert place is not None
            assert -8 <= place["x"] <= place["x"] + place["width"] <= window["width"] + 8
            assert -8 <= place["y"] <= place["y"] + place["height"] <= window["height"] + 8
        tab.page.keyboard.press("Enter")
    assert not box.is_visible()
    assert focused(tab)["text"] == "Tour"
    start.click()
    tab.page.keyboard.press("Escape")
    assert not box.is_visible()


def test_colours_and_the_large_type(visit: Visit) -> None:
    tab = visit("run=laptop-lab", color_scheme="light")
    frame = tab.page.locator(".ll-frame")
    choice = tab.page.get_by_label("Colours")
    assert frame.get_attribute("data-theme") == "light"
    choice.select_option("dark")
    for part in (frame, tab.map, tab.steer, tab.charts):
        assert part.get_attribute("data-theme") == "dark"
    tab.page.reload()
    tab.steer.wait_for(timeout=60_000)
    assert frame.get_attribute("data-theme") == "dark"
    tab.page.get_by_label("Colours").select_option("")
    assert frame.get_attribute("data-theme") == "light"

    height = tab.map.locator("text").first.bounding_box()
    present = tab.page.get_by_role("button", name="Present")
    present.click()
    larger = tab.map.locator("text").first.bounding_box()
    assert height is not None
    assert larger is not None
    assert larger["height"] > 1.1 * height["height"]
    assert not tab.page.get_by_role("button", name="New run").is_visible()
    assert never_scrolled(tab)
    tab.page.keyboard.press("Escape")
    assert tab.page.get_by_role("button", name="New run").is_visible()


@pytest.mark.parametrize("size", [(1366, 768), (1920, 1080)])
def test_what_stands_in_a_line_does_for_a_projector_too(visit: Visit, size: tuple[int, int]) -> None:
    tab = visit("run=laptop-lab", viewport={"width": size[0], "height": size[1]})
    wait_for(lambda: "200 of 200" in tab.page.locator(".ll-signs").inner_text(), 20, "where the run stands")
    tab.page.get_by_role("button", name="Present").click()
    lines = "parts => new Set(parts.map(part => Math.round(part.getBoundingClientRect().bottom))).size"
    assert tab.page.locator(".ll-signs dl > div").evaluate_all(lines) == 1
    assert tab.steer.locator(".ll-controls > button").evaluate_all(lines) == 1
    assert tab.page.locator(".ll-workspace > .ll-tabs > .ll-strip button").evaluate_all(lines) == 1


def test_the_page_offers_nothing_that_needs_a_network(visit: Visit) -> None:
    tab = visit("run=laptop-lab")
    for words in ("Download", "Export"):
        assert tab.page.get_by_role("button", name=words).filter(visible=True).count() == 0
    menus = tab.page.locator("[data-testid*=menu], [data-testid*=actions]").filter(visible=True)
    assert menus.count() == 0, menus.first.evaluate("e => e.outerHTML")


def test_one_scrubber_for_all_views(visit: Visit) -> None:
    tab = visit("run=found-four-owners")
    wait_for(lambda: tab.rows > 500, 20, "the recorded example")
    scrubber = tab.page.locator(".ll-foot .ll-time")
    history = tab.map.locator("canvas").bounding_box()
    assert history is not None
    # Of 0 to 200 the example has each of the first twenty-two stored.
    tab.map.locator("canvas").click(position={"x": history["width"] * 12.5 / 201, "y": 40})
    wait_for(lambda: scrubber.get_attribute("data-decision") == "12", 20, "decision 12")
    wait_for(lambda: tab.map.get_attribute("data-looked") == "12", 20, "its mark in the history")
    tab.tab("Decisions")
    tab.table.locator("tr[data-decision='21']").click()
    wait_for(lambda: scrubber.get_attribute("data-decision") == "21", 20, "the row's decision")
    tab.tab("Look inside")
    glance = tab.page.locator(".ll-view[data-view='At a glance']")
    wait_for(lambda: "after decision 21" in glance.inner_text(), 20, "the map of then")
    tab.tab("Watch")
    assert scrubber.is_visible()
    scrubber.get_by_role("button", name="Look at the latest").click()
    wait_for(lambda: scrubber.get_attribute("data-decision") == "200", 20, "the latest")
    wait_for(lambda: tab.map.get_attribute("data-looked") == "", 20, "no mark")
    assert never_scrolled(tab)


def test_a_run_that_is_pressed_while_it_pauses_is_kept(visit: Visit) -> None:
    tab = visit(f"{TINY}&decisions=100000&seed=4")
    tab.start()
    tab.until("running", seconds=90)
    for _ in range(3):
        done = tab.decisions
        wait_for(lambda done=done: tab.decisions > done, 20, "it to go on")
        # At once, within a decision: whatever its label says by then, the second press is Run.
        tab.steer.locator(".ll-toggle").evaluate("toggle => { toggle.click(); toggle.click(); }")
        done = tab.decisions
        wait_for(lambda done=done: tab.decisions > done + 3, 20, "it to go on after Pause and Run")
    tab.pause()


def test_inside_is_the_latest_while_paused_and_a_token_answers_in_sight(visit: Visit) -> None:
    tab = visit(f"{TINY}&decisions=400&seed=4")
    tab.start()
    wait_for(lambda: tab.decisions >= 5, 60, "some decisions")
    tab.pause()
    tab.tab("Look inside")
    scrubber = tab.page.locator(".ll-foot .ll-time")
    for _ in range(2):
        wait_for(lambda: scrubber.get_attribute("data-decision") == str(tab.decisions), 20, "the latest decision")
        glance = tab.page.locator(".ll-view[data-view='At a glance']")
        wait_for(lambda: f"after decision {tab.decisions}" in glance.inner_text(), 20, "the map of now")  # noqa: B023
        done = tab.decisions
        tab.step()
        wait_for(lambda done=done: tab.decisions == done + 1 and tab.answers() > 0, 20, "the step")
    tab.page.get_by_role("tab", name="Tokens", exact=True).click()
    token = tab.page.locator("[data-sequence='0'][data-token='3']").first
    token.wait_for(timeout=60_000)
    token.click()
    answer = tab.page.locator("figure[data-panel='What it would say after each layer']")
    answer.locator("canvas").wait_for(timeout=60_000)

    def in_sight() -> bool:
        box = answer.bounding_box()
        return box is not None and 0 <= box["y"] < 768 - 60

    wait_for(in_sight, 10, "the answer to be in sight")
    assert never_scrolled(tab)


def test_the_address_names_an_example_and_is_no_trail(visit: Visit) -> None:
    tab = visit("run=laptop-lab")
    came = tab.page.evaluate("history.length")
    tab.open("found-four-owners")
    wait_for(lambda: "run=found-four-owners" in tab.query, 30, "the example in the address")
    tab.page.reload()
    tab.steer.wait_for(timeout=60_000)
    wait_for(lambda: tab.run == "found-four-owners", 60, "the example after a reload")
    tab.open("official-code")
    wait_for(lambda: "run=official-code" in tab.query and "algorithm=official-code" in tab.query, 30, "the address")
    # Back leaves the page: on the way it would name another run than the one that is shown.
    assert tab.page.evaluate("history.length") == came


def test_a_reload_keeps_the_view_and_the_large_type(visit: Visit) -> None:
    tab = visit("run=found-four-owners")
    shown = tab.page.locator(".ll-workspace > .ll-tabs > .ll-view:visible")
    tab.tab("Audit")
    tab.tab("Look inside")
    tab.page.get_by_role("tab", name="Reasons", exact=True).click()
    tab.page.get_by_role("button", name="Present", exact=True).click()
    assert {"view=look-inside.reasons", "present=1"} <= set(tab.query.split("&"))
    tab.page.reload()
    tab.page.locator(".ll-view[data-view='Reasons']").wait_for(timeout=60_000)
    assert shown.first.get_attribute("data-view") == "Look inside"
    assert tab.page.locator(".ll-workspace[data-present]").count() == 1
    # The address is a link: somebody else sees the same, and what the server writes into it leaves that alone.
    other = visit(tab.query.lstrip("?"), welcome=True)
    other.page.locator(".ll-view[data-view='Reasons']").wait_for(timeout=60_000)
    other.page.get_by_role("button", name="Present: off").click()
    other.open("laptop-lab")
    wait_for(lambda: "run=laptop-lab" in other.query, 30, "the example in the address")
    assert "view=look-inside.reasons" in other.query
    assert "present" not in other.query
    other.tab("Watch")
    assert "view" not in other.query


def test_the_controls_are_whole_while_the_last_of_twelve_layers_waits(visit: Visit) -> None:
    tab = visit(f"{TINY}&layers=12&policy=human&decisions=40&seed=3")
    tab.start()
    for layers in range(1, 12):
        wait_for(lambda layers=layers: tab.answers() == layers + 1, 60, f"layer {layers}")
        if layers < 11:
            tab.steer.locator("button.ll-answer").first.click()
    side, keep = tab.page.locator(".ll-side"), tab.steer.locator(".ll-keep")
    below = tab.steer.locator(".ll-below")
    for present in (False, True):
        if present:
            tab.page.get_by_role("button", name="Present", exact=True).click()
        # The override's sentence and question, twelve actions and what is below them, at 1366 x 768.
        assert tab.steer.locator(".ll-asking").is_visible()
        room, box = side.bounding_box(), keep.bounding_box()
        assert box["y"] + box["height"] <= room["y"] + room["height"] <= 768
        assert tab.steer.locator(".ll-answer-box").bounding_box()["height"] >= 80
        assert below.inner_text() == "6 more ▾"
    tab.steer.locator("button.ll-answer").last.scroll_into_view_if_needed()
    wait_for(lambda: not below.is_visible(), 10, "the end of the list")


def test_the_charts_use_the_height_of_the_page(visit: Visit) -> None:
    tab = visit("run=found-four-owners")
    view = tab.page.locator(".ll-view[data-view='Watch']")

    def used() -> float:
        return tab.charts.bounding_box()["height"] / view.bounding_box()["height"]

    for size in ({"width": 1920, "height": 1080}, {"width": 1366, "height": 768}):
        tab.page.set_viewport_size(size)
        wait_for(lambda: 0.9 < used() <= 1, 20, f"the charts to fill {size}, not {used():.2f} of it")
    low = tab.charts.locator(".ll-plot:visible").first.bounding_box()["height"]
    # In one column the page is as long as it is.
    tab.page.set_viewport_size({"width": 420, "height": 2000})
    wait_for(lambda: tab.charts.locator(".ll-plot:visible").first.bounding_box()["height"] <= low, 20, "low charts")
