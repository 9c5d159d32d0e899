"""Views of words: what the model writes, token by token."""

from __future__ import annotations

from typing import Any

from .moment import Inspection
from .probe import Probe
from .ticks import Tick


def sample(inspection: Inspection, probe: Probe, options: dict[str, Any], tick: Tick) -> dict[str, Any]:
    """Facts `prompt` and `text`: the start of the validation text, continued by the model.

    Options: tokens (how many it writes).
    """
    prompt, text = inspection.sample(options.get("tokens") or 200)
    return {"frames": {}, "facts": {"prompt": prompt, "text": text}}
