"""The package in a marimo notebook, run and edited: the explorer over a session, and charts that follow the theme."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from marimo_pages import Page, served

pytestmark = pytest.mark.browser
NOTEBOOK = Path(__file__).parent / "explorer_page.py"
COLOURS = """(drawn) => {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [drawn.naturalWidth ?? drawn.width, drawn.naturalHeight ?? drawn.height];
    if (!canvas.width || !canvas.height) return 0;
    const pen = canvas.getContext('2d');
    pen.drawImage(drawn, 0, 0);
    const {data} = pen.getImageData(0, 0, canvas.width, canvas.height);
    const found = new Set();
    for (let at = 0; at < data.length; at += 4) found.add(data.slice(at, at + 4).join());
    return found.size;
}"""


def widths(canvases: Any) -> list[float]:
    return [round(canvas.bounding_box()["width"]) for canvas in canvases.all()]


@pytest.mark.parametrize("mode", ["run", pytest.param("edit", marks=pytest.mark.long)])
def test_a_notebook_with_the_explorer_in_a_cell(browser: Any, tmp_path: Path, mode: str) -> None:
    (tmp_path / "notebook.py").write_text(NOTEBOOK.read_text(encoding="utf-8"), encoding="utf-8")
    with served(tmp_path / "notebook.py", tmp_path, mode) as address:
        page = Page(browser, address, viewport={"width": 1366, "height": 1000})
        at = page.page
        at.set_default_timeout(60_000)
        if mode == "edit":
            at.locator(".cm-content").first.wait_for()
            at.keyboard.press("Control+Shift+R")  # an editor runs nothing unasked
        workspace = at.locator(".ll-workspace")
        workspace.wait_for(timeout=120_000)
        rates = workspace.locator(".ll-rates")
        page.until(lambda: "12 decisions" in rates.inner_text(), 30)
        # Pixels: the live charts of the explorer, those of the LiveChart, and the chart that is alone.
        live = workspace.locator(".ll-plot canvas:visible")
        alone = at.locator("[data-panel='Loss of the run'] canvas, [data-panel='Its parameters'] canvas")
        page.until(lambda: live.count() == 4 and alone.count() == 2, 60)
        for canvas in [*live.all(), *alone.all()]:
            canvas.scroll_into_view_if_needed()
            page.until(lambda canvas=canvas: canvas.evaluate(COLOURS) > 20, 30)
        picture = at.locator("img[src^='data:image/png']")
        page.until(lambda: picture.count() == 1 and picture.evaluate(COLOURS) > 20, 30)
        # It trains the session, one decision for a press.
        workspace.get_by_role("button", name="Step").click()
        page.until(lambda: "13 decisions" in rates.inner_text(), 60)
        # A chart keeps its width when the theme turns, seen or not.
        before = widths(live), widths(alone)
        colours = workspace.get_by_label("Colours")
        colours.select_option("dark")
        page.until(lambda: at.locator(".ll-frame[data-theme='dark']").count() == 2, 20)
        page.until(lambda: live.first.evaluate(COLOURS) > 20, 20)
        assert (widths(live), widths(alone)) == before
        workspace.get_by_role("tab", name="Rules").click()
        colours.select_option("light")
        workspace.get_by_role("tab", name="Watch").click()
        page.until(lambda: live.count() == 4 and live.first.evaluate(COLOURS) > 20, 20)
        page.until(lambda: widths(live) == before[0], 10)
        # All views, by the keyboard.
        workspace.get_by_role("tab", name="Watch").focus()
        for view in ("Look inside", "Did it matter?", "Compare", "Audit", "Rules", "Decisions"):
            at.keyboard.press("ArrowRight")
            assert workspace.get_by_role("tab", name=view).get_attribute("aria-selected") == "true", view
        page.until(lambda: workspace.locator("tr[data-decision]").count() == 13, 20)
        if mode == "edit":
            # The cell again: what it showed gives way, and the session goes on in what it shows now.
            at.evaluate("() => document.activeElement?.blur()")
            at.locator(".cm-content", has_text="Explorer(session)").click()
            at.keyboard.press("Control+Enter")
            page.until(lambda: "13 decisions" in rates.inner_text() and live.count() == 4, 30)
            workspace.get_by_role("button", name="Step").click()
            page.until(lambda: "14 decisions" in rates.inner_text(), 60)
        assert page.far_requests() == []
        assert page.complaints == []
        page.close()
