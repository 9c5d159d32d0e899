"""Pages of charts: whole without a network, words escaped, every picture drawn by a browser that opens the file."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import altair as alt
import polars as pl
import pytest
from drawn_marks import marks
from hand_made_answers import ANSWERS

from layertie_lab.charts import page as page_file
from layertie_lab.charts.inside.costs import cost_matrix
from layertie_lab.charts.inside.reasons import calibration
from layertie_lab.charts.page import check_vega, to_html, to_page
from layertie_lab.charts.palette import DARK_PAGE, LIGHT_PAGE
from layertie_lab.core.errors import AnalysisError
from layertie_lab.inspection.answer import pictures

SECTIONS = {view: (f"About {view}.", pictures(answer)) for view, answer in ANSWERS.items()}
PICTURES = [picture for _, made in SECTIONS.values() for picture in made.items()]
"""(title, spec), as a page has them."""
TRAP = "<!--<script>"
"""In a script, what follows this is no longer ended by `</script>`."""


CUT_OFF = """svg => {
  const room = svg.getBoundingClientRect();
  return [...svg.querySelectorAll("text")].filter((text) => {
    const { left, right, top, bottom, width } = text.getBoundingClientRect();
    return width && (left < room.left - 1 || right > room.right + 1 || top < room.top - 1 || bottom > room.bottom + 1);
  }).map((text) => text.textContent);
}"""
"""Words of a picture that reach over its edge."""


def page(**changes: Any) -> str:
    return to_page(SECTIONS, **({"title": "A run", "about": "One run."} | changes))


def without_scripts(text: str) -> str:
    """What a browser sees as markup; scripts that would be fetched stay."""
    return re.sub(r"<script(?: type=\"text/javascript\")?>.*?</script>", "", text, flags=re.DOTALL)


def loads(text: str) -> list[str]:
    """What a page would fetch from elsewhere."""
    return re.findall(r"<[^>]*\b(?:src|href|srcset|data)\s*=[^>]*>|@import[^;]*|url\([^)]*\)", without_scripts(text))


def test_a_page_has_each_picture_under_its_title_with_its_caption_and_rows() -> None:
    text = page()
    calls = re.findall(r"^vegaEmbed\('#(picture\d+)', (\{.*\}), options\)", text, re.MULTILINE)
    assert len(calls) == len(PICTURES) > 20
    heads = re.findall(r"<h3>(.*?)</h3><div class='plot' id='(picture\d+)'>", text)
    assert [place for _, place in heads] == [place for place, _ in calls]
    assert [head for head, _ in heads] == [title for title, _ in PICTURES]
    for (_, spec), (title, wanted) in zip(calls, PICTURES, strict=True):
        shown = json.loads(spec)
        assert shown["datasets"] == wanted["datasets"], title
        assert shown["layer"] == wanted["layer"]
        assert shown["width"] == "container"
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", text)
    assert [caption.replace("&#x27;", "'") for caption in captions] == [
        spec["usermeta"]["caption"] for _, spec in PICTURES
    ]
    assert re.findall(r"<h2>(.*?)</h2>\n<p>(.*?)</p>", text) == [(view, f"About {view}.") for view in ANSWERS]


def test_pages_fetch_nothing() -> None:
    costs = cost_matrix(frame("costs", "costs"))
    for text in (page(), page(dark=True), to_html(costs, title="Costs"), to_html(costs, dark=True)):
        assert loads(text) == []
        assert len(text) > 500_000  # Vega is inside
    # The search finds what it is to find.
    wanted = ['<script src="https://cdn.test/v.js">', '<link rel="x" href="http://h.test/a.css">']
    assert loads(f"{wanted[0]}</script>{wanted[1]}<style>@import 'x';</style>") == [*wanted, "@import 'x'"]


def frame(view: str, name: str) -> pl.DataFrame:
    return pl.DataFrame(ANSWERS[view]["frames"][name], infer_schema_length=None)


def test_words_are_escaped_wherever_they_stand() -> None:
    evil = "<img src=x onerror=alert(1)> & \"'</script>"
    spec = dict(PICTURES)["Where its layers look"] | {"usermeta": {"caption": f"caption {evil}"}}
    text = to_page({f"heading {evil}": (f"sentence {evil}", {f"picture {evil}": spec})}, title=evil, about=evil)
    outside = without_scripts(text)
    assert "<img" not in outside
    assert "onerror" in outside
    escaped = "&lt;img src=x onerror=alert(1)&gt; &amp; &quot;&#x27;&lt;/script&gt;"
    for start in ("<title>", "<h1>", "<p>", "<h2>heading ", "<p>sentence ", "<h3>picture ", "<figcaption>caption "):
        assert f"{start}{escaped}" in outside, start
    single = to_html(cost_matrix(frame("costs", "costs")), title=evil)
    assert "<img" not in without_scripts(single)
    assert "<title>&lt;img src" in single


def test_rows_cannot_end_the_script_that_they_stand_in() -> None:
    cells: list[dict[str, Any]] = [{"text": word} for word in ("</script><b>", TRAP, "</SCRIPT >", "{bundle}")]
    spec = {"data": {"values": cells}, "mark": "text", "encoding": {"text": {"field": "text", "type": "nominal"}}}
    text = to_page({"a": ("b", {"c": spec})}, title="t", about="u")
    (call,) = re.findall(r"^vegaEmbed\(.*$", text, re.MULTILINE)
    assert "<" not in call
    (found,) = re.findall(r"vegaEmbed\('#picture0', (\{.*\}), options\)", call)
    assert json.loads(found)["data"]["values"] == cells
    chart = alt.Chart(alt.InlineData(values=cells)).mark_text().encode(text="text:N")
    (line,) = re.findall(r"^  const spec = (.*);$", to_html(chart), re.MULTILINE)
    assert "<" not in line
    assert next(iter(json.loads(line)["datasets"].values())) == cells


def test_a_page_is_light_or_dark_with_its_charts() -> None:
    for dark, face, other in ((False, LIGHT_PAGE, DARK_PAGE), (True, DARK_PAGE, LIGHT_PAGE)):
        text = page(dark=dark)
        assert f"background: {face}" in text
        assert f"background: {other}" not in text
        ink = {
            json.loads(spec)["config"]["axis"]["labelColor"]
            for spec in re.findall(r"^vegaEmbed\('#\w+', (\{.*\}), options\)", text, re.MULTILINE)
        }
        assert ink == {"#e9edea" if dark else "#1d2321"}
        assert f"color: {ink.pop()}" in text


def test_a_chart_with_a_width_of_its_own_keeps_it() -> None:
    spec = calibration(frame("reasons", "calibration"), None, width=321).to_dict()
    text = to_page({"a": ("b", {"c": spec})}, title="t", about="u")
    assert '"width": 321' in text
    assert "<figcaption></figcaption>" in text


def test_without_vega_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(AnalysisError, match="pip install --upgrade vl-convert-python") as refused:
        page()
    assert str(refused.value).count("\n") == 0
    assert "it is not installed" in str(refused.value)


@pytest.mark.parametrize(("found", "enough"), [("1.7.0", False), ("1.9.0", True), ("1.10.0.post1", True)])
def test_a_vega_that_is_too_old_is_refused_before_a_page_is_made(
    found: str, enough: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_file, "version", lambda name: found)
    if enough:
        check_vega()
        return
    with pytest.raises(AnalysisError, match=r"vl-convert-python 1\.9\.0 or newer, .* but version 1\.7\.0 is installed"):
        check_vega()


def test_vega_is_loaded_where_a_page_is_made_and_no_earlier() -> None:
    code = (
        "import sys, layertie_lab, layertie_lab.charts.page, layertie_lab.cli, layertie_lab.cli.compare\n"
        "layertie_lab.charts.page.check_vega()\n"
        "assert 'vl_convert' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_vega_comes_with_a_plain_installation() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert page_file.FLOOR in project["dependencies"]


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True])
def test_a_browser_without_a_network_draws_every_chart_of_the_file(browser: Any, tmp_path: Path, dark: bool) -> None:
    made = dict(SECTIONS)
    lens = ANSWERS["token"]["facts"] | {"names": [[TRAP, "</script>"]] * 5, "pieces": [TRAP, " ", "</script>"]}
    made["Traps"] = ("", pictures(ANSWERS["token"] | {"facts": lens}))
    count = sum(len(shown) for _, shown in made.values())
    path = tmp_path / "look.html"
    path.write_text(to_page(made, title="Dark & light", about="<b>One</b> run.", dark=dark), encoding="utf-8")
    context = browser.new_context(offline=True, viewport={"width": 1366, "height": 900})
    asked: list[str] = []
    complaints: list[str] = []
    context.route(re.compile("^(?!file:)"), lambda route: route.abort())
    tab = context.new_page()
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("console", lambda line: complaints.append(line.text) if line.type in ("error", "warning") else None)
    try:
        tab.goto(path.as_uri())
        tab.locator(".plot svg.marks").nth(count - 1).wait_for(timeout=20_000)
        assert tab.locator("figure").count() == tab.locator(".plot svg.marks").count() == count
        specs = [spec for _, shown in made.values() for spec in shown.values()]
        for figure, spec in zip(tab.locator("figure").all(), specs, strict=True):
            picture, title = figure.locator("svg.marks"), figure.locator("h3").inner_text()
            drawn = picture.locator("g.role-mark > [role=graphics-symbol]").count()
            assert drawn == sum(bool(mark.fields) for mark in marks(spec)), title
            room, width = figure.bounding_box()["width"], picture.bounding_box()["width"]
            assert 0.85 * room < width <= room + 1, title
            assert picture.evaluate(CUT_OFF) == [], title
        assert tab.locator("h1").inner_text() == tab.title() == "Dark & light"
        assert tab.locator("b").count() == 0
        assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
        assert complaints == []
    finally:
        context.close()
