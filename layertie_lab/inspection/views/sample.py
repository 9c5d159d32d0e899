"""The view sample: what the model writes.

What computes and what draws is imported in the functions (see `registry`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..ticks import Tick
from .registry import VIEWS, Ask, Facts, Found, View, ViewDescription

if TYPE_CHECKING:
    from ..moment import Inspection
    from ..probe import Probe


@VIEWS.register(
    ViewDescription(
        "sample",
        "What it writes",
        about="What the model writes.",
        tab="Text",
        asks=(Ask("Write a text"),),
        reads_probe=False,
    )
)
class Sample(View):
    """Facts `prompt` and `text`: the start of the validation text, continued by the model.

    Options: tokens (how many it writes).
    """

    def find(self, inspection: Inspection, probe: Probe, options: dict[str, Any], tick: Tick) -> Found:
        prompt, text = inspection.sample(options.get("tokens") or 200)
        return {"frames": {}, "facts": {"prompt": prompt, "text": text}}

    def words(self, facts: Facts) -> list[str]:
        return [f"{facts['prompt']}{facts['text']}"]
