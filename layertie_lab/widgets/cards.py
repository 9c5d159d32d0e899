"""Findings as cards: what is said, what is done, what is so here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import traitlets

from ..charts.theme import vega_config
from .assets import VEGA
from .panel import Panel
from .pictures import picture


@dataclass(frozen=True)
class Card:
    """One finding.

    Args:
        title: What it is about.
        mark: The verdict in a word or three.
        alarm: Whether the verdict is one to be warned of.
        lines: (words before it, sentence), from top to bottom.
        shows: Title of the picture that shows it; "" for none.
    """

    title: str
    mark: str
    alarm: bool
    lines: tuple[tuple[str, str], ...]
    shows: str = ""


class Cards(Panel, files=(VEGA, "panel.js", "cards.js", "live_chart.css", "cards.css")):
    """Cards in a grid, each with its picture below it when that is asked for.

    Attributes:
        cards: The cards as dicts.
        pictures: Title -> what the browser needs of a picture (`pictures.picture`).
    """

    cards = traitlets.List(traitlets.Dict()).tag(sync=True)
    pictures = traitlets.Dict().tag(sync=True)
    themes = traitlets.Dict().tag(sync=True)

    def __init__(self) -> None:
        super().__init__(themes={"light": vega_config(dark=False), "dark": vega_config(dark=True)})

    def set(self, cards: Iterable[Card], pictures: Mapping[str, Any] | None = None) -> None:
        """Show other cards, with pictures as Vega-Lite specs by title."""
        self.show(
            cards=[asdict(card) for card in cards],
            pictures={title: picture(title, spec) for title, spec in (pictures or {}).items()},
        )
