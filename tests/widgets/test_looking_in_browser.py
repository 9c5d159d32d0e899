"""The widgets that look inside a run in headless Chromium, behind a real marimo server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from marimo_pages import Page, served

from layertie_lab.charts.captions import captioned
from layertie_lab.charts.inside.costs import CAPTIONS, cost_matrix
from layertie_lab.charts.run.glance import memory_bars

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(Path(__file__).parent / "looking_page.py", tmp_path_factory.mktemp("server")) as address:
        yield address


class Look(Page):
    """A page with the widgets on it."""

    def __init__(self, browser: Any, address: str, **context: Any) -> None:
        super().__init__(browser, address, **context)
        self.time, self.probe, self.text, self.table, self.pictures = (
            self.page.locator(f".ll-{name}") for name in ("time", "probe", "tokens", "table", "charts")
        )
        self.round = 0
        self._wait()

    def begin_again(self) -> None:
        """New widgets in the place of the old ones: loading a page takes seconds, this does not."""
        self.round += 1
        self.page.get_by_role("button", name="Again", exact=True).click()
        self._wait()

    def _wait(self) -> None:
        self.remote = self.page.locator(f'.remote[data-round="{self.round}"]')
        self.remote.wait_for(state="attached", timeout=30_000)
        for widget in (self.time, self.probe, self.text, self.table, self.pictures):
            self.until(lambda widget=widget: widget.count() == 1)
        self.until(lambda: self.pictures.get_attribute("data-draws") is not None)
        self.until(
            lambda: self.time.get_attribute("data-decision") == "" and self.text.get_attribute("data-tokens") == "0"
        )

    def tell(self, widget: str, method: str, *args: Any, **kwargs: Any) -> None:
        """Call a widget's method in the kernel, and wait until it is done."""
        done = int(self.remote.get_attribute("data-done") or 0)
        call = {"widget": widget, "method": method, "args": args, "kwargs": kwargs}
        self.remote.evaluate("(root, call) => root.tell(call)", call)
        self.until(lambda: self.remote.get_attribute("data-done") == str(done + 1))
        assert not self.remote.get_attribute("data-failed")
        # The last change is drawn with the next frame.
        self.page.evaluate("() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))")

    def heard(self) -> list[list[Any]]:
        return json.loads(self.remote.get_attribute("data-heard") or "[]")

    def hears(self, name: str, *values: Any) -> None:
        """Wait until a callback has been called so, as the last one."""
        self.until(lambda: self.heard()[-1:] == [[name, list(values)]], 5)


@pytest.fixture(scope="module")
def page(browser: Any, address: str) -> Iterator[Look]:
    at = Look(browser, address)
    yield at
    at.close()


@pytest.fixture
def look(page: Look) -> Iterator[Look]:
    page.page.set_viewport_size({"width": 1366, "height": 900})
    page.page.evaluate("document.body.dataset.theme = 'light'")
    page.begin_again()
    yield page
    assert page.complaints == []
    assert page.far_requests() == []


def focused(at: Look) -> str:
    """Words of the element that has the focus, also in a shadow tree."""
    return at.page.evaluate(
        """() => {
          let at = document.activeElement;
          while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
          return at?.textContent ?? "";
        }"""
    )


# -- pictures ----------------------------------------------------------------------------------------------------------


def costs(change: float) -> dict[str, Any]:
    """A picture whose spec is the same for changes between -0.5 and 0.5, since its scale is."""
    rows = [
        (1, 0, 0, True, 0.0, 0.0, 0.0),
        (1, 1, 1, False, change, change, change),
        (2, 0, 0, False, 0.5, 0.5, 0.5),
        (2, 1, 1, True, 0.0, 0.0, 0.0),
    ]
    frame = pl.DataFrame(rows, schema=["layer", "answer", "owner", "present", "change", "low", "high"], orient="row")
    return captioned(cost_matrix(frame, width="container", height=160).to_dict(), CAPTIONS["costs"])


def memory(size: int, height: int = 120) -> dict[str, Any]:
    frame = pl.DataFrame({"component": ["parameters", "optimizer"], "bytes": [size, 2_000_000]})
    return memory_bars(frame, height=height).to_dict()


def canvas(at: Look, title: str) -> Any:
    return at.pictures.locator(f'figure[data-panel="{title}"] canvas')


def pixels(at: Look, title: str) -> str:
    return canvas(at, title).evaluate("canvas => canvas.toDataURL()")


def draws(at: Look) -> int:
    return int(at.pictures.get_attribute("data-draws") or 0)


def show(at: Look, pictures: dict[str, Any]) -> None:
    before = draws(at)
    at.tell("pictures", "set", pictures)
    at.until(lambda: draws(at) > before)


def mark(at: Look, *titles: str) -> None:
    for title in titles:
        canvas(at, title).evaluate("canvas => (canvas.mark = true)")


def is_marked(at: Look, title: str) -> bool:
    return bool(canvas(at, title).evaluate("canvas => canvas.mark === true"))


def test_other_rows_are_drawn_by_the_same_view_and_another_spec_by_a_new_one(look: Look) -> None:
    show(look, {"Costs": costs(0.4), "Memory": memory(1_000_000)})
    assert look.pictures.locator("canvas").count() == 2
    mark(look, "Costs", "Memory")
    first = {title: pixels(look, title) for title in ("Costs", "Memory")}

    show(look, {"Costs": costs(-0.2), "Memory": memory(1_000_000)})
    assert is_marked(look, "Costs")
    assert is_marked(look, "Memory")
    swapped = pixels(look, "Costs")
    assert swapped != first["Costs"]
    assert pixels(look, "Memory") == first["Memory"]

    show(look, {"Costs": costs(-0.2), "Memory": memory(1_000_000, height=121)})
    assert is_marked(look, "Costs")
    assert not is_marked(look, "Memory")

    # What the old view shows of new rows is what a new view shows of them, and the way back is exact.
    show(look, {})
    assert look.pictures.locator("canvas").count() == 0
    show(look, {"Costs": costs(-0.2), "Memory": memory(1_000_000)})
    assert not is_marked(look, "Costs")
    assert pixels(look, "Costs") == swapped
    show(look, {"Costs": costs(0.4), "Memory": memory(1_000_000)})
    assert pixels(look, "Costs") == first["Costs"]


def test_pictures_that_come_go_and_change_places_keep_the_views_of_those_that_stay(look: Look) -> None:
    show(look, {"A": memory(1_000_000), "B": memory(2_000_000), "C": memory(3_000_000)})
    mark(look, "A", "B", "C")
    show(look, {"C": memory(3_000_000), "D": memory(4_000_000), "A": memory(1_000_000)})
    figures = look.pictures.locator("figure")
    assert figures.evaluate_all("all => all.map(figure => figure.dataset.panel)") == ["C", "D", "A"]
    assert [is_marked(look, title) for title in ("C", "D", "A")] == [True, False, True]


def test_a_caption_opens_and_a_picture_that_cannot_be_drawn_says_so_alone(look: Look) -> None:
    show(look, {"Bad": {"mark": "no such mark", "data": {"values": [{"x": 1}]}}, "Costs": costs(0.4)})
    bad = look.pictures.locator('figure[data-panel="Bad"]')
    assert "This chart cannot be drawn" in bad.inner_text()
    assert canvas(look, "Costs").is_visible()
    caption = look.pictures.locator('figure[data-panel="Costs"] details')
    first = caption.locator("summary")
    assert first.inner_text().startswith("What would happen at once")
    assert caption.bounding_box()["height"] == first.bounding_box()["height"]  # the rest is folded away
    first.click()
    assert caption.bounding_box()["height"] > 1.9 * first.bounding_box()["height"]
    assert "Outlined, in its owner's colour" in caption.inner_text()
    show(look, {"Bad": memory(1), "Costs": costs(0.4)})
    assert canvas(look, "Bad").is_visible()


def test_pictures_follow_the_page_in_width_and_theme(look: Look) -> None:
    show(look, {"Costs": costs(0.4), "Memory": memory(1_000_000)})
    wide, light = canvas(look, "Costs").bounding_box()["width"], pixels(look, "Costs")
    look.page.set_viewport_size({"width": 700, "height": 900})
    look.until(lambda: canvas(look, "Costs").bounding_box()["width"] < 0.98 * wide)
    assert look.page.evaluate("document.documentElement.scrollWidth") <= 700
    look.page.set_viewport_size({"width": 1366, "height": 900})
    look.until(lambda: canvas(look, "Costs").bounding_box()["width"] == wide)
    before = draws(look)
    look.page.evaluate("document.body.dataset.theme = 'dark'")
    look.until(lambda: look.pictures.get_attribute("data-theme") == "dark" and draws(look) > before)
    assert pixels(look, "Costs") != light
    look.page.evaluate("document.body.dataset.theme = 'light'")
    look.until(lambda: pixels(look, "Costs") == light)


# -- the moment --------------------------------------------------------------------------------------------------------


@pytest.fixture
def moment(look: Look) -> Look:
    look.tell("time", "show", stored=[0, 4, 8, 12], decision=12, follows=True, about="After decision 12.")
    return look


def number(at: Look) -> Any:
    return at.time.locator("input[type=number]")


def slider(at: Look) -> Any:
    return at.time.locator("input[type=range]")


def sentence(at: Look) -> str:
    return at.time.locator(".ll-sentence").inner_text()


def press(at: Look, name: str) -> None:
    at.time.get_by_role("button", name=name, exact=True).click()


def test_the_scrubber_asks_for_the_nearest_stored_decision(moment: Look) -> None:
    assert (number(moment).input_value(), slider(moment).input_value()) == ("12", "12")
    assert sentence(moment) == "After decision 12."
    number(moment).fill("7")
    number(moment).press("Enter")
    moment.hears("move", 8)
    moment.tell("time", "show", decision=8, follows=False, about="After decision 8.")
    assert (number(moment).input_value(), slider(moment).input_value()) == ("8", "8")
    assert (moment.time.get_attribute("data-decision"), moment.time.get_attribute("data-follows")) == ("8", "false")
    box = slider(moment).bounding_box()
    moment.page.mouse.click(box["x"] + box["width"] * 0.34, box["y"] + box["height"] / 2)
    moment.hears("move", 4)
    assert len(moment.heard()) == 2


@pytest.mark.parametrize("control", [number, slider])
def test_arrow_keys_go_from_stored_decision_to_stored_decision(moment: Look, control: Callable[[Look], Any]) -> None:
    moment.tell("time", "show", decision=8)
    control(moment).focus()
    moment.page.keyboard.press("ArrowUp")
    moment.hears("move", 12)
    moment.page.keyboard.press("ArrowDown")
    moment.hears("move", 4)


def test_buttons_go_one_on_one_back_and_to_the_latest(moment: Look) -> None:
    on, back, now = (
        moment.time.get_by_role("button", name=name, exact=True)
        for name in (
            "The stored decision after",
            "The stored decision before",
            "Look at the latest, and move on with the run",
        )
    )
    assert on.get_attribute("aria-disabled") == "true"
    assert now.get_attribute("data-pressed") == ""
    on.click(force=True)
    back.click()
    moment.hears("move", 8)
    assert len(moment.heard()) == 1  # there is nothing after the last
    moment.tell("time", "show", decision=0, follows=False)
    assert back.get_attribute("aria-disabled") == "true"
    assert now.get_attribute("data-pressed") is None
    on.click()
    moment.hears("move", 4)
    now.click()
    moment.hears("move", None)


def test_a_move_to_where_one_is_leaves_nothing_behind(moment: Look) -> None:
    for wish in ("99", "11"):
        number(moment).fill(wish)
        number(moment).press("Enter")
        moment.hears("move", 12)
        moment.until(lambda: number(moment).input_value() == "12", 5)
        moment.until(lambda: sentence(moment) == "After decision 12.", 5)


def test_what_is_wrong_with_a_moment_is_said_each_time(moment: Look) -> None:
    moment.tell("remote", "refuse", "Nothing is stored there.")
    for count in (1, 2):
        number(moment).fill("4")
        number(moment).press("Enter")
        moment.until(lambda count=count: len(moment.heard()) == count, 5)
        moment.until(lambda: sentence(moment) == "Nothing is stored there.", 5)
        moment.until(lambda: number(moment).input_value() == "12", 5)


def test_a_number_half_typed_is_left_alone_while_the_run_goes_on(moment: Look) -> None:
    number(moment).focus()
    number(moment).fill("")
    moment.page.keyboard.type("1")
    moment.tell("time", "show", stored=[0, 4, 8, 12, 16], decision=16, about="After decision 16.")
    assert slider(moment).input_value() == "16"
    assert number(moment).input_value() == "1"
    moment.page.keyboard.type("1")
    number(moment).press("Enter")
    moment.hears("move", 12)
    number(moment).fill("3")
    number(moment).blur()
    moment.hears("move", 4)
    moment.until(lambda: number(moment).input_value() == "16", 5)


def test_before_anything_is_stored_there_is_nothing_to_ask_for(look: Look) -> None:
    assert number(look).is_disabled()
    assert slider(look).is_disabled()
    for button in look.time.locator(".ll-moment button").all():
        assert button.get_attribute("aria-disabled") == "true"
        button.click(force=True)
    look.tell("time", "show", about="Nothing of this run is stored.")
    assert sentence(look) == "Nothing of this run is stored."
    assert look.heard() == []


def test_a_probe_text_is_asked_for_listed_and_refused_beside_it(moment: Look) -> None:
    fold = moment.probe.locator("details[data-fold=probe]")
    moment.tell("set", "show", source="8 sequences of the validation split", pieces=["To be", "or not"])
    assert "8 sequences of the validation split" in fold.locator("summary").inner_text()
    fold.locator("summary").click()
    assert fold.locator("li").all_inner_texts() == ["To be", "or not"]
    assert fold.locator("select").input_value() == "8"
    fold.locator("select").select_option("16")
    moment.hears("probe", 16, "")
    own = fold.get_by_role("button", name="Look at the run's validation text again")
    assert not own.is_visible()
    fold.locator("textarea").fill("To sleep: <b>perchance</b>")
    moment.tell("remote", "refuse", "Expected a probe text of at least 5 tokens, but got 3.")
    fold.get_by_role("button", name="Look at this text").click()
    moment.hears("probe", 8, "To sleep: <b>perchance</b>")
    alarm = fold.locator("[role=alert]")  # empty, it counts as hidden
    moment.until(lambda: alarm.inner_text() == "Expected a probe text of at least 5 tokens, but got 3.", 5)
    assert fold.locator("li").count() == 2
    moment.tell("remote", "refuse", "")
    moment.tell("set", "show", problem="", sequences=0, typed="To sleep", pieces=["To <b>sleep</b>"], warning="Short.")
    assert alarm.inner_text() == ""
    assert fold.locator("li").all_inner_texts() == ["To <b>sleep</b>"]
    assert fold.get_by_text("Short.").is_visible()
    own.click()
    moment.hears("probe", 8, "")


def test_a_text_that_is_being_written_is_left_alone_while_the_run_goes_on(moment: Look) -> None:
    fold = moment.probe.locator("details[data-fold=probe]")
    fold.locator("summary").click()
    moment.tell("set", "show", typed="To sleep", sequences=0)
    area = fold.locator("textarea")
    assert area.input_value() == "To sleep"
    area.focus()
    moment.page.keyboard.press("End")
    moment.page.keyboard.type(", perchance")
    moment.tell("time", "show", decision=8, about="After decision 8.")
    assert area.input_value() == "To sleep, perchance"
    moment.page.keyboard.type(" to dream")
    area.blur()
    moment.tell("time", "show", decision=4, about="After decision 4.")
    fold.get_by_role("button", name="Look at this text").click()
    moment.hears("probe", 8, "To sleep, perchance to dream")


def test_another_model_and_its_moment_are_chosen(moment: Look) -> None:
    fold = moment.probe.locator("details[data-fold=other]")
    moment.tell("set", "show", others={"b": "run b, 12 layers"}, other_stored=[])
    assert "none" in fold.locator("summary").inner_text()
    fold.locator("summary").click()
    which, when = fold.locator("select").nth(0), fold.locator("select").nth(1)
    assert which.locator("option").all_inner_texts() == ["nothing", "run b, 12 layers"]
    assert when.is_disabled()
    which.select_option("b")
    moment.hears("other", "b", None)
    moment.tell("set", "show", other="b", other_stored=[3, 9])
    assert when.locator("option").all_inner_texts() == ["the latest", "3", "9"]
    when.select_option("9")
    moment.hears("other", "b", 9)
    moment.tell("set", "show", other_decision=9)
    assert "run b, 12 layers after decision 9" in fold.locator("summary").inner_text()
    moment.tell("remote", "refuse", "Expected the same tokenizer.")
    for _ in range(2):  # the choice goes back to what is in force, each time
        when.select_option("3")
        moment.hears("other", "b", 3)
        moment.until(lambda: fold.get_by_role("alert").inner_text() == "Expected the same tokenizer.", 5)
        moment.until(lambda: when.input_value() == "9", 5)
        moment.tell("set", "show", other_problem="Expected the same tokenizer.")
    which.select_option("")
    moment.hears("other", "", None)


# -- rows as a table ---------------------------------------------------------------------------------------------------

ROWS = [
    {"layer": 2, "by": "you", "change": -0.25},
    {"layer": 10, "by": "agent", "change": 0.000012},
    {"layer": 1, "by": None, "change": 1234.5},
    {"layer": 3, "by": "agent", "change": None},
]


def column(at: Look, place: int) -> list[str]:
    return [
        text.replace("\u2212", "-") for text in at.table.locator(f"tbody td:nth-child({place + 1})").all_inner_texts()
    ]


def sorts(at: Look) -> list[str | None]:
    return [head.get_attribute("aria-sort") for head in at.table.locator("th").all()]


def sort_by(at: Look, name: str) -> None:
    at.table.get_by_role("columnheader", name=name).get_by_role("button").click()
    at.page.evaluate("() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))")


def test_a_table_is_sorted_by_the_head_that_is_pressed(look: Look) -> None:
    assert not look.table.locator("table").is_visible()
    look.tell("table", "set", ROWS, "Four answers.")
    assert look.table.get_by_text("Four answers.").is_visible()
    assert column(look, 0) == ["1", "2", "3", "10"]  # as numbers, not as text
    assert sorts(look) == ["ascending", None, None]
    assert column(look, 2) == ["1235", "-0.250", "", "1.20e-5"]
    assert look.table.locator("thead button").nth(2).get_attribute("title") == "Of the loss, in nats. Press to sort."

    sort_by(look, "Change")
    assert sorts(look) == [None, None, "descending"]  # numbers from the largest
    assert column(look, 0) == ["1", "10", "2", "3"]
    sort_by(look, "Change")
    assert sorts(look) == [None, None, "ascending"]
    assert column(look, 0) == ["3", "2", "10", "1"]
    sort_by(look, "By")
    assert sorts(look) == [None, "ascending", None]  # words from A
    assert column(look, 1) == ["", "agent", "agent", "you"]
    look.page.keyboard.press("Enter")  # the head that was pressed has the focus
    look.until(lambda: sorts(look) == [None, "descending", None], 5)
    assert column(look, 1) == ["you", "agent", "agent", ""]


def test_sorting_stays_when_other_rows_come(look: Look) -> None:
    look.tell("table", "set", ROWS)
    sort_by(look, "Layer")
    assert column(look, 0) == ["10", "3", "2", "1"]
    look.tell("table", "set", [{"layer": 5, "by": "<i>x</i>"}, *ROWS[:2]], "Three.")
    assert column(look, 0) == ["10", "5", "2"]
    assert column(look, 1)[1] == "<i>x</i>"
    assert sorts(look) == ["descending", None, None]
    assert look.table.get_attribute("data-rows") == "3"
    look.tell("table", "set", [], "No answers.")
    assert not look.table.locator("table").is_visible()
    assert look.table.get_by_text("No answers.").is_visible()


# -- text as tokens ----------------------------------------------------------------------------------------------------

PIECES = [["The", " ", "cat", "\\n", "<b>"], ["sat", "  ", "down"]]
VALUES = [[None, 1.0, 0.5, -2.0, 0.0], [4.0, -4.0, 8.0]]


def token(at: Look, sequence: int, place: int) -> Any:
    return at.text.locator(f'[data-sequence="{sequence}"][data-token="{place}"]')


def colour(element: Any) -> tuple[float, ...]:
    """Red, green, blue, opacity of its background."""
    value = element.evaluate("element => getComputedStyle(element).backgroundColor")
    parts = [float(part) for part in value[value.index("(") + 1 : -1].split(",")]
    return tuple(parts) if len(parts) == 4 else (*parts, 1.0)


@pytest.fixture
def text(look: Look) -> Look:
    look.tell("text", "set", PIECES, VALUES, [["first"], []], legend="loss (nats)", largest=4.0)
    return look


def test_tokens_stand_in_their_order_with_the_colours_of_their_numbers(text: Look) -> None:
    assert text.text.locator("[data-token]").all_text_contents() == [piece for row in PIECES for piece in row]
    assert text.text.locator("h3").inner_text() == "Losses"
    legend = text.text.locator(".ll-legend-line")
    assert "loss (nats)" in legend.inner_text()
    assert "\u22124.00 to 0 to 4.00" in legend.inner_text()
    orange, purple = (colour(swatch) for swatch in legend.locator(".ll-swatch").all())
    strengths = {}
    for sequence, values in enumerate(VALUES):
        for place, value in enumerate(values):
            found = colour(token(text, sequence, place))
            if value is None:
                assert found[3] == 0
                continue
            strengths[value] = found[3]
            if value:
                assert found[:3] == (orange if value < 0 else purple)[:3]
    assert strengths[0.0] == 0
    assert strengths[0.5] == pytest.approx(purple[3] / 8, abs=0.005)
    assert strengths[1.0] == pytest.approx(purple[3] / 4, abs=0.005)
    assert strengths[-2.0] == pytest.approx(orange[3] / 2, abs=0.005)
    assert strengths[4.0] == strengths[8.0] == purple[3] == orange[3] == strengths[-4.0]
    assert token(text, 0, 0).get_attribute("title") == "first"
    assert token(text, 0, 2).get_attribute("title") == "0.500"  # without a sentence the number


def test_spaces_can_be_seen_and_clicked(text: Look) -> None:
    widths = {place: token(text, *place).bounding_box()["width"] for place in ((0, 1), (1, 1), (0, 2))}
    assert widths[0, 1] > 3
    assert widths[1, 1] == pytest.approx(2 * widths[0, 1], rel=0.05)  # two spaces are not drawn as one
    assert widths[0, 2] == pytest.approx(3 * widths[0, 1], rel=0.05)
    token(text, 1, 1).click()
    text.hears("pick", 1, 1)


def test_a_click_or_enter_picks_a_token_and_its_sentence_is_shown(text: Look) -> None:
    token(text, 0, 2).click()
    text.hears("pick", 0, 2)
    text.tell("text", "set", PIECES, VALUES, legend="loss (nats)", largest=4.0, picked=[0, 2], sentence="It is cat.")
    assert text.text.locator("[data-picked]").all_text_contents() == ["cat"]
    assert text.text.get_by_role("status").inner_text() == "It is cat."
    text.page.keyboard.press("ArrowRight")
    text.page.keyboard.press("ArrowRight")
    assert focused(text) == "<b>"
    text.page.keyboard.press("Enter")
    text.hears("pick", 0, 4)
    text.page.keyboard.press("ArrowRight")  # on to the next sequence
    assert focused(text) == "sat"
    text.page.keyboard.press(" ")
    text.hears("pick", 1, 0)
    text.tell("remote", "refuse", "Pick a later one.")
    text.page.keyboard.press("Enter")
    text.until(lambda: text.text.get_by_role("status").inner_text() == "Pick a later one.", 5)


def test_the_keyboard_finds_its_way_in_and_stays_where_it_is(text: Look) -> None:
    assert text.text.locator("[tabindex='0']").all_text_contents() == ["The"]  # one stop for the whole text
    token(text, 0, 0).focus()
    text.page.keyboard.press("ArrowLeft")
    assert focused(text) == "The"
    for _ in range(20):
        text.page.keyboard.press("ArrowRight")
    assert focused(text) == "down"
    assert text.text.locator("[tabindex='0']").all_text_contents() == ["down"]
    text.page.keyboard.press("ArrowLeft")
    # A sentence that comes late does not take the keyboard elsewhere.
    text.tell("text", "set", PIECES, VALUES, legend="loss (nats)", largest=4.0, picked=[0, 0], sentence="It is The.")
    text.page.keyboard.press("ArrowLeft")
    text.tell("text", "set", PIECES, VALUES, legend="loss (nats)", largest=4.0, picked=[0, 0], sentence="Still The.")
    text.page.keyboard.press("ArrowRight")
    assert focused(text) in ("  ", " ")
    text.page.keyboard.press("Enter")
    text.until(lambda: text.heard() != [], 5)


def test_another_text_is_coloured_anew_and_an_old_pick_leaves_no_mark(text: Look) -> None:
    text.tell("text", "set", PIECES, VALUES, legend="loss (nats)", largest=4.0, picked=[1, 2])
    text.tell("text", "set", [["x", "y"]], [[1.0, None]], legend="share", picked=[1, 2])
    assert text.text.locator("[data-token]").all_text_contents() == ["x", "y"]
    assert text.text.locator("[data-picked]").count() == 0
    assert text.text.locator("[tabindex='0']").count() == 1
    assert "share" in text.text.locator(".ll-legend-line").inner_text()
    assert "0 to 1.00" in text.text.locator(".ll-legend-line").inner_text()
    full = colour(token(text, 0, 0))
    # The same text on another scale, with another meaning.
    text.tell("text", "set", [["x", "y"]], [[1.0, None]], legend="share of 2", largest=2.0)
    assert "share of 2" in text.text.locator(".ll-legend-line").inner_text()
    assert colour(token(text, 0, 0))[3] == pytest.approx(full[3] / 2, abs=0.005)
    text.tell("text", "set", [], [])
    assert not text.text.locator("h3").is_visible()
    assert text.text.locator("[data-token]").count() == 0
