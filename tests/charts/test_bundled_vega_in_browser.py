"""What the Vega that ships says of the charts of a page that nothing has come to yet."""

from __future__ import annotations

import re
from typing import Any

import pytest

from layertie_lab.charts.comparisons.paired import Stated, twin_specs
from layertie_lab.charts.run.live import LIVE, live_spec
from layertie_lab.widgets.assets import VEGA, module

DRAW = """async (spec) => {
  const { View, compile, parse } = vegaBundle;
  const view = new View(parse(compile({ ...spec, width: 320 }).spec), { renderer: "none" });
  return await view.toSVG();
}"""


def empty() -> dict[str, dict[str, Any]]:
    """Title -> spec."""
    baseline = {"reference": [{"name": "unigram", "loss": 3.3}]}
    live = {name: live_spec(name) for name in LIVE}
    known = {
        f"{name}, baseline known": live[name] | {"datasets": live[name]["datasets"] | baseline}
        for name in ("loss", "perplexity")
    }
    return live | known | twin_specs(Stated(horizon=20, band=0.003, reward_window=4))


@pytest.mark.browser
def test_empty_charts_are_drawn_without_a_warning_and_with_plain_axes(browser: Any) -> None:
    tab = browser.new_page()
    said: list[str] = []
    tab.on("console", lambda line: said.append(line.text))
    tab.add_script_tag(content=module(VEGA))
    try:
        for title, spec in empty().items():
            words = re.findall(r">([^<>]+)</text>", tab.evaluate(DRAW, spec))
            assert [word for word in words if re.fullmatch(r"[\d.,]*\.\d{3,}", word)] == [], title
            assert said == [], title
    finally:
        tab.close()
