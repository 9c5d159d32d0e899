"""A prompt of one's own in headless Chromium: typed, refused, continued, before and after a decision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from explorer_tab import Tab, wait_for

pytestmark = pytest.mark.browser

Visit = Callable[..., Tab]
TINY = "scale=tiny&threads=1&seed=6&sample_every=0"


class Writing:
    """The pane *Text* of a page."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab
        self.panel = tab.page.locator(".ll-ask:visible").first
        self.prompt = self.field("prompt")
        self.texts = tab.page.locator(".ll-written pre")

    @classmethod
    def of(cls, tab: Tab) -> Writing:
        tab.tab("Look inside")
        tab.page.get_by_role("tab", name="Text", exact=True).click()
        made = cls(tab)
        made.until(lambda: made.texts.count() == 1, "the start of the validation text, continued")
        return made

    def field(self, name: str) -> Any:
        return self.panel.locator(f"[data-field={name}]")

    def wrong(self, name: str) -> str:
        field = self.panel.locator(".ll-field").filter(has=self.tab.page.locator(f"[data-field={name}]"))
        return str(field.locator(".ll-wrong").text_content())

    def until(self, what: Callable[[], Any], words: str) -> None:
        wait_for(what, 60, words)

    def shown(self) -> list[str]:
        """All texts, what is said to those who hear them left out."""
        return self.texts.evaluate_all(
            "all => all.map((pre) => [...pre.childNodes].map((part) => "
            "[...part.childNodes].filter((each) => each.nodeType === 3).map((each) => each.data).join('')).join(''))"
        )


@pytest.fixture
def writing(visit: Visit) -> Writing:
    tab = visit(f"{TINY}&decisions=12")
    tab.start()
    tab.until("finished", seconds=120)
    return Writing.of(tab)


def test_a_prompt_is_continued_with_each_temperature_before_and_after(writing: Writing) -> None:
    at = writing
    at.field("tokens").fill("60")
    at.prompt.fill("the interpreter ")
    at.prompt.press("Enter")
    at.until(lambda: at.shown()[0].startswith("the interpreter "), "the prompt, continued")
    warm = at.shown()[0]
    assert len(warm) == len("the interpreter ") + 60
    assert at.prompt.input_value() == "the interpreter "  # Enter asks and adds no line

    at.field("temperature").fill("0")
    at.until(lambda: at.shown() == [warm], "nothing asked while somebody types")
    at.field("temperature").press("Enter")
    at.until(lambda: at.shown()[0] not in ("", warm), "the likeliest tokens")
    cold = at.shown()[0]
    assert cold.startswith("the interpreter ")

    at.field("temperature").fill("1.5")
    at.panel.get_by_role("button", name="Before and after the decision").click()
    at.until(lambda: at.texts.count() == 2, "both texts")
    before, after = at.shown()
    assert before.startswith("the interpreter ")
    assert after.startswith("the interpreter ")
    heads = at.tab.page.locator(".ll-written h3")
    assert heads.all_inner_texts() == ["Before: this run after decision 11", "After: this run after decision 12"]
    said = at.tab.page.locator(".ll-written .ll-said").inner_text()
    assert "steps of training" in said
    marks = at.tab.page.locator(".ll-written mark")
    if before == after:
        assert "Both wrote the same 60 tokens" in said
        assert marks.count() == 0
    else:
        assert "they differ" in said
        same = next(place for place, pair in enumerate(zip(before, after, strict=True)) if len({*pair}) == 2)
        assert [len(text) - same for text in (before, after)] == [
            len(mark) for mark in marks.evaluate_all("all => all.map((mark) => mark.lastChild.data)")
        ]
        assert "underline" in marks.first.evaluate("mark => getComputedStyle(mark).textDecorationLine")

    # Where the moment moves, it is asked there.
    number = at.tab.page.locator(".ll-time input[type=number]")
    number.fill("5")
    number.press("Enter")
    at.until(lambda: heads.all_inner_texts()[-1:] == ["After: this run after decision 5"], "decision 5")
    assert all(text.startswith("the interpreter ") for text in at.shown())


def test_what_cannot_be_continued_is_said_beside_the_box_and_stays_in_it(writing: Writing) -> None:
    at = writing
    first = at.shown()
    at.prompt.fill("snow \u2603")
    at.prompt.press("Enter")
    at.until(lambda: "(U+2603) at position 5" in at.wrong("prompt"), "the character")
    assert at.prompt.input_value() == "snow \u2603"
    assert at.prompt.get_attribute("aria-invalid") == "true"
    assert at.shown() == first
    at.field("temperature").fill("0,8")
    at.field("temperature").press("Enter")
    at.until(lambda: "Expected a number between 0 and 10" in at.wrong("temperature"), "the number")
    assert at.wrong("prompt") == ""
    at.field("temperature").fill("")
    at.prompt.fill("")
    at.prompt.press("Enter")
    at.until(lambda: at.wrong("temperature") == "" and at.shown() == first, "the validation text again")


def test_odd_prompts_are_text_and_the_end_of_a_long_one_is_read(visit: Visit) -> None:
    tab = visit(f"{TINY}&decisions=4&tokenizer=bytes")
    tab.start()
    tab.until("finished", seconds=120)
    at = Writing.of(tab)
    for odd in ("<script>taken = 1</script>", "\u202eabc\u0007\x1b[2J&lt;", "caf\u00e9 \U0001f600"):
        at.prompt.fill(odd)
        at.prompt.press("Enter")
        at.until(lambda: odd in at.shown()[0], f"{odd!r}, continued")  # noqa: B023
    at.prompt.fill("<img src=x onerror='taken = 2'>" * 3_300)  # 100 kB
    at.prompt.press("Enter")
    at.until(lambda: "at most 100,000 characters, but got 102,300" in at.wrong("prompt"), "its length")
    at.prompt.fill("x" * 99_996 + "<b>y")
    at.prompt.press("Enter")
    said = tab.page.locator(".ll-written .ll-said")
    at.until(lambda: "of the prompt's 100,000 tokens" in said.inner_text(), "what is read")
    assert "<b>y" in at.shown()[0]
    assert tab.page.evaluate("window.taken ?? null") is None
    assert at.texts.locator("b, img, script").count() == 0


def test_what_is_typed_stays_while_the_run_goes_on_and_in_another_tab(visit: Visit) -> None:
    tab = visit(f"{TINY}&decisions=1000000&width=320")
    tab.start()
    wait_for(lambda: tab.decisions >= 3, 60, "some decisions")
    at = Writing.of(tab)
    at.prompt.press_sequentially("half a se", delay=20)
    reached = tab.decisions
    wait_for(lambda: tab.decisions > reached + 5, 60, "the run to go on")
    at.prompt.press_sequentially("ntence", delay=20)
    assert at.prompt.input_value() == "half a sentence"
    assert "half a" not in at.shown()[0]
    tab.tab("Watch")
    tab.tab("Look inside")
    at.prompt.wait_for()
    assert at.prompt.input_value() == "half a sentence"
    at.prompt.press("Enter")
    at.until(lambda: at.shown() and at.shown()[0].startswith("half a sentence"), "the prompt, continued")
    tab.pause()


def test_it_fits_a_narrow_page(visit: Visit) -> None:
    tab = visit(f"{TINY}&decisions=4", viewport={"width": 420, "height": 900})
    tab.start()
    tab.until("finished", seconds=120)
    at = Writing.of(tab)
    at.prompt.fill("the " * 30)
    at.panel.get_by_role("button", name="Before and after the decision").click()
    at.until(lambda: at.texts.count() == 2, "both texts")
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= 420
    boxes = [at.texts.nth(n).bounding_box() for n in (0, 1)]
    assert boxes[0]["y"] + boxes[0]["height"] <= boxes[1]["y"]
    for box in (*boxes, at.prompt.bounding_box(), at.field("tokens").bounding_box()):
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 420
