"""A walk through all that a page of the explorer can show, state after state, and a run to show it of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from explorer_tab import Tab, wait_for

from layertie_lab import RunConfig, Session
from layertie_lab.cli import main

INSIDE = {
    "At a glance": "canvas:visible, .ll-map:visible",
    "Similarity": "figure[data-panel='What passes the layers (CKA)'] canvas",
    "Attribution": "figure[data-panel='Loss without the layer'] canvas",
    "Tokens": ".ll-tokens .ll-sequence",
    "What ties cost": "figure[data-panel='What every change of a tie would cost now'] canvas",
    "Reasons": "figure[data-panel='If one tie were different'] canvas",
    "Memory": "figure[data-panel='Which layer holds it'] canvas",
    "Text": ".ll-written pre",
}
"""A pane of *Look inside* -> what is there when it has been looked at."""
RUN = "walked"


def walked_run(folder: Path, text: Path) -> Path:
    """A run with all there is to show: an override, stored moments, a branch and a study with its verdict."""
    path = folder / RUN
    if path.exists():
        return path
    config = RunConfig.preset("tiny", layers=4, decisions=40, corpus=str(text), evaluate_every=5)
    with Session(config, path) as session:
        session.run(10)
        proposal = session.propose()
        session.commit(next(answer for answer in proposal.legal if answer != proposal.choice), by="human")
        session.run(5)
    study = ["--statement", "It does not matter.", "--horizon", "4", "--workers", "1"]
    study += ["--expected", "no difference that matters", "--smallest-difference", "9", "--looks", "2", "4"]
    for words in (["twins", str(path), *study], ["branch", str(path)]):
        assert main([*words, "--quiet"]) == 0
    return path


def states(tab: Tab) -> Iterator[str]:
    """Bring a page with `RUN` from state to state; what each is called.

    Whoever takes the names finds the page in the state of the name.
    """
    page = tab.page
    for drawer in ("Start here", "New run"):
        page.get_by_role("button", name=drawer, exact=True).click()
        page.locator(f"[data-drawer='{drawer}']:visible").wait_for()
        yield drawer
    for fold in tab.setup.locator("details[data-group]").all():
        fold.evaluate("fold => { fold.open = true; }")
    tab.setup.locator("[data-setting='agent.policy'] .ll-options > summary").click()
    tab.setup.get_by_role("button", name="Paste a text").click()
    tab.setup.get_by_label("The text", exact=True).fill("A text of somebody's own. " * 200)
    tab.setup.get_by_role("button", name="Use this text").click()
    card = tab.setup.locator(".ll-preview")
    wait_for(lambda: card.is_visible() and "somebody" in card.inner_text(), 30, "the text to be read")
    yield "New run, a text of one's own and all groups"
    tab.close_drawer()
    tab.runs.get_by_role("button", name="Name").click()
    yield "the name of a run"
    tab.runs.get_by_role("button", name="Cancel").click()
    tab.runs.get_by_role("button", name="Open a run").click()
    tab.runs.locator(f"button[data-run='{RUN}']").wait_for()
    yield "the menu of runs"
    page.keyboard.press("Escape")
    tab.tab("Watch")
    tab.charts.locator("canvas:visible").first.wait_for()
    yield "Watch"
    tab.tab("Look inside")
    for pane, there in INSIDE.items():
        page.get_by_role("tab", name=pane, exact=True).click()
        page.locator(f".ll-view[data-view='{pane}']").locator(there).first.wait_for(timeout=60_000)
        if pane == "Tokens":
            page.locator("[data-sequence='0'][data-token='3']").first.click()
            why = page.locator("figure[data-panel='What it would say after each layer'] canvas")
            why.wait_for(timeout=60_000)
        yield f"Look inside, {pane}"
    tab.tab("Did it matter?")
    form = page.locator(".ll-hypothesis")
    form.locator("details.ll-fold").first.evaluate("fold => { fold.open = true; }")
    yield "Did it matter?, the form"
    page.locator(".ll-studies tr[data-study] button").first.click()
    wait_for(lambda: form.get_attribute("data-outcome"), 20, "a verdict")
    form.locator(".ll-fine").evaluate("fold => { fold.open = true; }")
    yield "Did it matter?, a verdict"
    tab.tab("Compare")
    page.locator(".ll-compare-list[data-ready='true']").wait_for(timeout=30_000)
    page.locator(".ll-sweep summary").first.click()
    page.get_by_role("button", name="See 88 runs: does the agent beat chance?").click()
    headline = page.locator(".ll-compare-answer .ll-headline")
    wait_for(lambda: "interval" in headline.inner_text(), 60, "the answer")
    for picture in page.locator(".ll-compare-answer [role=tab], [data-view='Compare'] .ll-tabs [role=tab]").all():
        picture.click()
        yield f"Compare, {picture.inner_text()}"
    tab.tab("Audit")
    page.locator("[data-ask='audit']:visible").click()
    page.locator(".ll-card:visible, .ll-cards article:visible").first.wait_for(timeout=60_000)
    yield "Audit"
    tab.tab("Rules")
    page.locator(".ll-rules:visible").wait_for()
    yield "Rules"
    tab.tab("Decisions")
    page.locator(".ll-table:visible tbody tr").first.wait_for()
    yield "Decisions"
    page.get_by_role("button", name="Tour").click()
    page.locator(".ll-tour:visible").wait_for()
    yield "the tour"
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Present").click()
    yield "Present"
    page.get_by_role("button", name="Present").click()
