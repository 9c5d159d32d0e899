"""The package in JupyterLab: the quickstart, restarted, reopened with no kernel; dark; two explorers on one run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_lab import Lab, Notebook

pytestmark = [pytest.mark.browser, pytest.mark.long]
QUICKSTART = Path(__file__).parents[2] / "notebooks" / "quickstart.ipynb"
VIEW = "application/vnd.jupyter.widget-view+json"
# What JupyterLab says of itself: models that are gone with their kernel, and its own addresses.
OF_JUPYTER = (
    "Comm not found",
    "widget model not found",
    "Error: model not found",
    "Failed to load resource",
    "WebSocket",
    "kernel",
)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    pytest.importorskip("jupyterlab")
    with Lab(tmp_path_factory.mktemp("lab")) as started:
        yield started


@pytest.fixture
def opened(browser: Any, lab: Lab) -> Iterator[Any]:
    """Opens notebooks; none may ask for anything elsewhere or complain of what is ours."""
    books: list[Notebook] = []

    def open_notebook(name: str) -> Notebook:
        books.append(Notebook(browser, lab, name))
        return books[-1]

    yield open_notebook
    for book in books:
        book.close()
    assert not [url for book in books for url in book.elsewhere]
    ours = [line for book in books for line in book.complaints if not any(words in line for words in OF_JUPYTER)]
    assert not ours


def test_the_quickstart_from_top_to_bottom_and_when_its_kernel_is_gone(opened: Any, lab: Lab) -> None:
    shutil.copy(QUICKSTART, lab.folder / "quickstart.ipynb")
    book = opened("quickstart.ipynb")
    book.run_all()
    # Live: drawn by Vega in canvases, rows in the charts, a block per layer; no kept picture beside them.
    charts = book.page.locator(".ll-charts")
    book.until(lambda: charts.count() >= 2 and int(charts.last.get_attribute("data-rows") or 0) > 100, "the charts")
    canvases = book.page.locator(".ll-charts .ll-plot canvas:visible")
    book.until(lambda: canvases.count() >= 8, "eight charts")
    for canvas in canvases.all():
        canvas.scroll_into_view_if_needed()
        book.until(lambda canvas=canvas: book.ink(canvas)["colours"] > 10, "a chart to be drawn")
    assert book.page.locator(".ll-map g.ll-block").count() >= 6
    # Of what the notebook has closed the picture is seen, of what lives it is not.
    assert [
        image.evaluate("image => image.closest('.jp-CodeCell').innerText.includes('ControlRoom')")
        for image in book.kept()
    ] == [True]
    saved = book.save()
    check_pictures(saved)
    # Restarted: the same again from nothing.
    book.restart()
    book.run_all()
    book.until(lambda: int(charts.last.get_attribute("data-rows") or 0) > 100, "the charts again")
    check_pictures(book.save())
    book.close()

    # Reopened when all that was live is gone: the pictures are there, drawn, and say what they are of.
    lab.end_kernels()
    again = opened("quickstart.ipynb")
    lab.end_kernels()
    again.page.locator(".jp-OutputArea").last.scroll_into_view_if_needed()
    count = sum("image/png" in data for data in outputs_of(saved))
    images = again.page.locator(".jp-RenderedImage img")
    again.until(lambda: images.count() == count, f"{count} pictures")
    for image in images.all():
        image.scroll_into_view_if_needed()
        again.until(lambda image=image: image.evaluate("image => image.complete && image.naturalWidth"), "a picture")
        ink = again.ink(image)
        assert ink["colours"] > 100, ink
        assert ink["drawn"] > 5_000, ink
    assert len(again.kept()) >= 2


def test_dark_and_two_explorers_on_one_run(opened: Any, lab: Lab) -> None:
    lab.write(
        "explorers.ipynb",
        "from layertie_lab import Explorer, RunConfig, Session\n"
        "with Session(RunConfig.preset('tiny', decisions=60), 'runs/first') as session:\n    session.run(8)",
        "one = Explorer('runs/first')\none",
        "other = Explorer('runs/first')\nother",
        "from layertie_lab import load_run\nfrom layertie_lab.charts import loss_chart\n"
        "run = load_run('runs/first')\nloss_chart(run.steps, run.evaluations, run.decisions)",
    )
    lab.choose_theme("JupyterLab Dark")
    book = opened("explorers.ipynb")
    book.run_all()
    pages = book.page.locator(".ll-workspace")
    book.until(lambda: pages.count() == 2, "two explorers")
    one, other = pages.nth(0), pages.nth(1)
    for each in (one, other):
        each.scroll_into_view_if_needed()
        each.locator(".ll-map g.ll-block").first.wait_for()
        book.until(lambda each=each: "8 decisions" in each.locator(".ll-rates").inner_text(), "where the run stands")
    frame = book.page.locator(".ll-frame").first
    assert frame.get_attribute("data-theme") == "dark"
    assert frame.evaluate("element => getComputedStyle(element).backgroundColor") == "rgb(24, 28, 26)"
    # What is pressed in one is seen in both: one process trains the run, and both show it.
    one.scroll_into_view_if_needed()
    one.get_by_role("button", name="Step").click()
    for each in (one, other):
        each.scroll_into_view_if_needed()
        book.until(lambda each=each: "9 decisions" in each.locator(".ll-rates").inner_text(), "the step")
    # All views open, by the keyboard, which JupyterLab does not take for its own.
    one.scroll_into_view_if_needed()
    one.get_by_role("tab", name="Watch").focus()
    for view in ("Look inside", "Did it matter?", "Compare", "Audit", "Rules", "Decisions"):
        book.page.keyboard.press("ArrowRight")
        assert one.get_by_role("tab", name=view).get_attribute("aria-selected") == "true", view
    book.until(lambda: one.locator("tr[data-decision]").count() == 9, "nine rows")
    # The chart that is alone in its cell is a picture, and asks for nothing.
    picture = book.page.locator(".jp-CodeCell").last.locator("img")
    assert book.ink(picture)["colours"] > 50
    # Saved and reloaded, the page finds both as they are.
    book.save()
    book.page.reload()
    book.page.locator(".ll-workspace").first.wait_for()
    again = book.page.locator(".ll-workspace").first
    again.scroll_into_view_if_needed()
    book.until(lambda: "9 decisions" in again.locator(".ll-rates").inner_text(), "the run after a reload")
    again.get_by_role("button", name="Step").click()
    book.until(lambda: "10 decisions" in again.locator(".ll-rates").inner_text(), "a step after a reload")
    lab.choose_theme("JupyterLab Light")


def outputs_of(notebook: Any) -> list[Any]:
    return [
        output.get("data", {})
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.get("outputs", [])
    ]


def check_pictures(notebook: Any) -> None:
    """Beside each live view its picture, and nothing that would ask a network."""
    outputs = outputs_of(notebook)
    views = [at for at, data in enumerate(outputs) if VIEW in data]
    assert len(views) >= 2
    assert all("image/png" in outputs[at + 1] for at in views)
    assert not any("text/html" in data and "<script" in json.dumps(data) for data in outputs)
    assert not nbformat.reader.reads(json.dumps(notebook)).metadata.get("widgets")
