"""A text of one's own in headless Chromium: pasted and trained on, a table by a column, and bad files in a sentence."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from explorer_tab import Server, Tab, wait_for

from layertie_lab.core.config import TextConfig
from layertie_lab.records.directory import RunDirectory

pytestmark = pytest.mark.browser

TINY = "scale=tiny&threads=1&decisions=6"
WORDS = "".join(f"line {number} of a text of somebody's own\n" for number in range(400))
Visit = Callable[..., Tab]


def preview(tab: Tab) -> str:
    """What is shown of the text, once it has been read."""
    card = tab.setup.locator(".ll-preview")
    wait_for(lambda: card.is_visible() and card.get_attribute("aria-busy") == "false", 30, "the text to be read")
    return card.inner_text()


def upload(tab: Tab, path: Path) -> None:
    with tab.page.expect_file_chooser() as chosen:
        tab.setup.get_by_role("button", name="Upload a file").click()
    chosen.value.set_files(path)


def trained_on(tab: Tab, server: Server) -> TextConfig:
    """The text settings of the run that Start begins, once it is over."""
    before = tab.run
    tab.setup.locator(".ll-start").click()
    wait_for(lambda: tab.run != before, 20, "the new run")
    tab.until("finished", seconds=60)
    return RunDirectory.open(server.runs / tab.run).config.text


def unscrolled(tab: Tab) -> bool:
    return tab.page.evaluate("document.scrollingElement.scrollTop") == 0


def test_a_text_is_pasted_looked_at_and_trained_on(visit: Visit, server: Server) -> None:
    tab = visit(TINY)
    tab.new_run()
    assert "English prose" in tab.setup.locator("select[data-path='text.corpus'] option:checked").inner_text()
    preview(tab)
    tab.setup.get_by_role("button", name="Paste a text").click()
    tab.setup.get_by_label("The text", exact=True).fill(WORDS)
    # Nothing is trained on another text than the one in sight.
    before = tab.run
    tab.setup.locator(".ll-start").click()
    wait_for(lambda: "not used yet" in tab.setup.locator(".ll-own").inner_text(), 10, "why nothing starts")
    assert tab.run == before
    tab.setup.get_by_role("button", name="Use this text").click()
    wait_for(lambda: "line 0 of a text of somebody's own" in preview(tab), 30, "the first lines")
    assert f"{len(WORDS):,} characters ({len(WORDS):,} bytes)" in preview(tab)
    start = tab.setup.locator(".ll-start").bounding_box()
    assert start is not None
    assert start["y"] + start["height"] < 768
    # Another tokenizer: the card is marked as being read until it is true again.
    tab.setup.locator("select[data-path='text.tokenizer']").select_option("bytes")
    wait_for(lambda: "by bytes" in preview(tab), 30, "the tokens of another tokenizer")
    text = trained_on(tab, server)
    assert Path(text.corpus).read_text() == WORDS
    assert Path(text.corpus).parent == server.runs / "texts"
    assert text.tokenizer == "bytes"
    assert unscrolled(tab)


def test_a_table_is_uploaded_and_trained_on_by_another_column(visit: Visit, server: Server, tmp_path: Path) -> None:
    table = tmp_path / "talk.csv"
    rows = [f'{number},"{line}, said",words of another column\n' for number, line in enumerate(WORDS.splitlines())]
    table.write_text("id,said,other\n" + "".join(rows))
    tab = visit(TINY)
    tab.new_run()
    upload(tab, table)
    wait_for(lambda: "line 0 of a text of somebody's own, said" in preview(tab), 30, "the suggested column")
    column = tab.setup.locator("select[data-path='text.column']")
    assert column.input_value() == "said"
    assert "id (no text)" in column.inner_text()
    column.select_option("other")
    wait_for(lambda: "words of another column" in preview(tab), 30, "the other column")
    # What is read is the column, and no more of the file.
    (read,) = re.findall(r"characters \(([\d,]+) bytes\)", preview(tab))
    column_only = len("words of another column") * len(rows)
    assert column_only <= int(read.replace(",", "")) < 1.2 * column_only < table.stat().st_size
    text = trained_on(tab, server)
    assert text.column == "other"
    assert Path(text.corpus).read_bytes() == table.read_bytes()


def test_a_bad_file_is_one_sentence_and_nothing_typed_is_lost(visit: Visit, tmp_path: Path) -> None:
    ragged, empty, large = tmp_path / "ragged.csv", tmp_path / "empty.txt", tmp_path / "large.txt"
    ragged.write_text("id,text\n1,a\n2,b,c\n")
    empty.touch()
    with large.open("wb") as file:
        file.truncate(30_000_000)
    tab = visit(TINY)
    tab.set("seed", "4711")
    preview(tab)
    brought, chosen = (
        tab.setup.locator(".ll-own > .ll-wrong").first,
        tab.setup.locator("[data-setting='text.corpus'] > .ll-wrong"),
    )
    upload(tab, empty)
    wait_for(lambda: "empty.txt is empty" in brought.inner_text(), 10, "the sentence")
    upload(tab, large)
    wait_for(lambda: "at most 25 MB, but large.txt has 30.0 MB" in brought.inner_text(), 10, "the limit")
    assert tab.setup.locator(".ll-start").get_attribute("aria-disabled") == "false"
    upload(tab, ragged)
    wait_for(lambda: "line 3 has 3 cells, and its head 2" in chosen.inner_text(), 20, "what is wrong with the table")
    assert brought.inner_text() == ""
    assert tab.setup.locator(".ll-start").get_attribute("aria-disabled") == "true"
    assert tab.setup.locator("input[data-path='seed']").input_value() == "4711"
    tab.setup.locator("select[data-path='text.corpus']").select_option("pydoc")
    wait_for(lambda: 'The "assert" statement' in preview(tab), 20, "a text that can be read")
    assert chosen.inner_text() == ""
    assert unscrolled(tab)


def test_every_policy_is_explained_and_a_narrow_page_has_start_in_sight(visit: Visit) -> None:
    tab = visit("run=laptop-lab", viewport={"width": 420, "height": 768})
    tab.group("agent")
    tab.setup.locator("[data-setting='agent.policy'] .ll-options > summary").click()
    options = tab.setup.locator("[data-setting='agent.policy'] .ll-option")
    assert options.count() > 15
    assert all(len(words.split()) > 4 for words in options.all_inner_texts())
    options.filter(has_text="random-matched").first.click()
    wait_for(lambda: "random" in tab.setup.locator("select[data-path='agent.policy']").input_value(), 10, "the policy")
    box = tab.setup.locator(".ll-start").bounding_box()
    assert box is not None
    assert 0 <= box["y"] < 768 - box["height"]
    assert box["x"] + box["width"] <= 420
    assert tab.page.evaluate("document.scrollingElement.scrollWidth") <= 420
    for words in tab.setup.locator(".ll-help, .ll-label, summary").all_inner_texts():
        assert "PAPER" not in words
        assert "=" not in words.replace("= ", "")
