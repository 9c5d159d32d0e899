"""Text as its tokens, coloured by a number each; a click picks one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import traitlets

from .listeners import Listeners
from .messages import whole
from .panel import Panel


class TokenText(Panel, files=("token_text.js", "token_text.css")):
    """Sequences of tokens in their order, each with a colour for its number.

    Purple: above zero; orange: below; the stronger, the farther. Tokens without a number have no colour. A click, or
    Enter on the token in focus, picks one (`on_pick`); the arrow keys move.

    Attributes:
        sequences: For each sequence `pieces` (the text of each token), `values` (a number or None each) and `tips` (a
            sentence each, shown under the pointer).
        largest: The number that has the full colour.
        title: Over the text.
        legend: What the colour means, with its unit.
        picked: [sequence, token] or [].
        sentence: What is said of the picked token, or what went wrong.
    """

    HEARS = {"pick": {"sequence": whole(), "token": whole()}}

    sequences = traitlets.List(traitlets.Dict()).tag(sync=True)
    largest = traitlets.Float(1.0).tag(sync=True)
    title = traitlets.Unicode("").tag(sync=True)
    legend = traitlets.Unicode("").tag(sync=True)
    picked = traitlets.List(traitlets.Int()).tag(sync=True)
    sentence = traitlets.Unicode("").tag(sync=True)

    def __init__(self, title: str = "") -> None:
        self._picks = Listeners()
        super().__init__(title=title)

    def set(
        self,
        pieces: Sequence[Sequence[str]],
        values: Sequence[Sequence[float | None]],
        tips: Sequence[Sequence[str]] | None = None,
        *,
        legend: str = "",
        largest: float | None = None,
        picked: tuple[int, int] | None = None,
        sentence: str = "",
    ) -> None:
        """Show these sequences, in place of any others.

        Args:
            pieces: The text of each token.
            values: A number for each, or None; one that is not finite counts as none.
            tips: A sentence for each.
            legend: What the colour means, with its unit.
            largest: The number with the full colour; None = the largest there is.
            picked: The token that is marked.
            sentence: What is said of it.
        """
        numbers = [[None if v is None or not math.isfinite(v) else float(v) for v in row] for row in values]
        sizes = [abs(value) for row in numbers for value in row if value is not None]
        shown = [
            {
                "pieces": list(row),
                "values": numbers[number],
                "tips": list(tips[number]) if tips else [],
            }
            for number, row in enumerate(pieces)
        ]
        self.show(
            largest=float(largest or max(sizes, default=0.0) or 1.0),
            sequences=shown,
            legend=legend,
            sentence=sentence,
            picked=list(picked or ()),
        )

    def on_pick(self, callback: Callable[[int, int], Any]) -> Callable[[], None]:
        """Call `callback(sequence, token)` with each pick; the result ends it. A bound method is held weakly.

        A LayertieError that the callback raises is shown as the sentence.
        """
        return self._picks.add(callback)

    def _hear(self, kind: str, message: Mapping[str, Any]) -> None:
        self._picks.call(message["sequence"], message["token"])
