"""The tie map as a picture that can be acted in, with its history."""

# Imports in functions are for the start of the explorer: altair and polars take a second.

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import traitlets

from ..charts.palette import SEMANTIC_COLOURS, owner_colours
from ..core.errors import LayertieError
from ..core.glossary import GLOSSARY
from ..core.ties import TieMap
from .history import History
from .listeners import Listeners
from .messages import table, whole
from .panel import Panel

LAYERS_WITH_A_COLOUR = 48


class TieMapView(Panel, files=("tie_history.js", "tie_brush.js", "tie_map.js", "tie_map.css"), refusal="message"):
    """Layers in a row, one colour per owner, an arc from each tied layer to its source; below, decision by layer.

    While `can_act` is true, a click (or Enter) on a legal block acts on the layer at hand: an earlier layer to
    tie it to, or the layer itself to train it on its own. The action leaves as a message (see `on_answer`).

    With `can_brush` several layers can be acted on at once by dragging over them (see `on_ahead`).

    Attributes:
        sources: `TieMap.sources`; empty before a run.
        blocks: For each layer the first one with the same storage; shown where it differs from the map.
        legal: Legal actions for the layer at hand.
        layer: The layer at hand, or None.
        proposed: What the agent would do, or None.
        can_act: Whether an action is awaited.
        message: A sentence above the picture in place of the usual one; "" for the usual one.
        can_brush: Whether actions can be given ahead, before their layers are asked about.
        ahead: Layer (as text) -> source, of actions that wait.
        overrides: Layers whose present source is a person's override.
        with_history: Whether the history is shown below the map.
        with_legend: Whether the signs are explained below the map.
        budget: The run's budget of decisions, which the history leaves room for; 0 if unknown.
        looked: The decision that is looked back at, marked in the history; None for none.
        palette: Colour of each owner layer.
        glossary: Word -> what it means.
        semantic: Meaning -> colour (`layertie_lab.charts.palette.SEMANTIC_COLOURS`).
    """

    HEARS = {
        "ready": {},
        "answer": {"layer": whole(), "source": whole()},
        "ahead": {"answers": table(whole())},
        "look": {"decision": whole()},
    }

    sources = traitlets.List(traitlets.Int()).tag(sync=True)
    blocks = traitlets.List(traitlets.Int()).tag(sync=True)
    legal = traitlets.List(traitlets.Int()).tag(sync=True)
    layer = traitlets.Int(None, allow_none=True).tag(sync=True)
    proposed = traitlets.Int(None, allow_none=True).tag(sync=True)
    can_act = traitlets.Bool(False).tag(sync=True)
    message = traitlets.Unicode("").tag(sync=True)
    can_brush = traitlets.Bool(False).tag(sync=True)
    ahead = traitlets.Dict().tag(sync=True)
    overrides = traitlets.List(traitlets.Int()).tag(sync=True)
    with_history = traitlets.Bool(True).tag(sync=True)
    with_legend = traitlets.Bool(True).tag(sync=True)
    budget = traitlets.Int(0).tag(sync=True)
    looked = traitlets.Int(None, allow_none=True).tag(sync=True)
    palette = traitlets.List(traitlets.Unicode(), owner_colours(LAYERS_WITH_A_COLOUR)).tag(sync=True)
    semantic = traitlets.Dict(SEMANTIC_COLOURS).tag(sync=True)
    glossary = traitlets.Dict(GLOSSARY).tag(sync=True)

    def __init__(self, ties: TieMap | Sequence[int] | None = None, **state: Any) -> None:
        self._history = History()
        self._answers, self._ahead, self._looks = Listeners(), Listeners(), Listeners()
        self._shown = False
        super().__init__(**state)
        if ties is not None:
            self.begin(ties)

    def begin(self, ties: TieMap | Sequence[int], blocks: Sequence[int] | None = None) -> None:
        """Show a map and start its history over.

        Raises:
            TieError: Not a tie map.
        """
        ties = ties if isinstance(ties, TieMap) else TieMap(tuple(ties))
        with self._lock:
            self._history.begin(ties.owners, blocks or ties.owners)
            self.show(
                sources=list(ties),
                blocks=list(blocks or ties.owners),
                overrides=[],
                layer=None,
                proposed=None,
                legal=[],
                can_act=False,
            )
            self._tell(self._history.whole())

    def clear(self) -> None:
        """Forget the run."""
        with self._lock:
            self._history = History()
            self.show(
                sources=[],
                blocks=[],
                overrides=[],
                layer=None,
                proposed=None,
                legal=[],
                can_act=False,
                message="",
                can_brush=False,
                ahead={},
                looked=None,
            )
            self._tell(self._history.whole())

    def record(
        self, decision: int, ties: TieMap, blocks: Sequence[int], *, layer: int | None = None, override: bool = False
    ) -> None:
        """Add the map after a decision to the history; `show_news` sends it.

        Args:
            decision: Counted from 1.
            ties: The map after it.
            blocks: The true sharing after it.
            layer: The layer asked about.
            override: Whether a person acted otherwise than the agent proposed.
        """
        with self._lock:
            self._history.record(decision, ties.owners, blocks, layer if override else None)

    def show_news(self) -> None:
        """Send what was recorded since the last time."""
        with self._lock:
            if self.may_send:
                self._tell(self._history.news())

    def show_rows(self, ties: Iterable[Mapping[str, Any]], decisions: Iterable[Mapping[str, Any]] = ()) -> None:
        """Show a run from rows of the tables `ties` and `decisions` (see `layertie_lab.core.tables`)."""
        maps: dict[int, dict[int, tuple[int, int]]] = {}
        for row in ties:
            maps.setdefault(row["decision"], {})[row["layer"]] = (row["source"], row["block"])
        asked = {row["decision"]: row for row in decisions}
        overrides: set[int] = set()
        after, blocks = None, []
        with self._lock:
            for number, decision in enumerate(sorted(maps)):
                layers = [maps[decision][layer] for layer in sorted(maps[decision])]
                after, blocks = TieMap(tuple(source for source, _ in layers)), [block for _, block in layers]
                row = asked.get(decision)
                if number == 0:
                    self.begin(after, blocks)
                elif row is None:
                    self.record(decision, after, blocks)
                else:
                    (overrides.add if row["overridden"] else overrides.discard)(row["layer"])
                    self.record(decision, after, blocks, layer=row["layer"], override=row["overridden"])
            self.show(
                sources=list(after or ()),
                blocks=blocks,
                overrides=sorted(overrides),
                message="" if maps else "This run has no tie map.",
            )
            self._tell(self._history.whole())

    def stills(self) -> dict[str, dict[str, Any]]:
        import polars as pl

        from ..charts.run.live import live_spec
        from ..charts.run.maps import tie_map

        with self._lock:
            if not self.sources:
                return {}
            owners = TieMap(tuple(self.sources)).owners
            last, rows, overrides = self._history.last, self._history.rows(), self._history.overrides()
            now = {"layer": range(len(owners)), "owner": owners, "block": self.blocks or owners}
        shown = {"Tie map": tie_map(pl.DataFrame(now).with_columns(decision=last)).to_dict()}
        if self.with_history and last:
            answers = [{"decision": at, "layer": layer, "overridden": True} for at, layer in overrides]
            shown["History of the map"] = live_spec(
                "history", rows={"ties": rows, "decisions": answers}, reads_out=False
            )
        return shown

    def stills_of(self) -> str:
        last = self._history.last
        return f"Tie map after decision {last}" if last else "Tie map"

    def on_answer(self, callback: Callable[[int, int], Any]) -> Callable[[], None]:
        """Call `callback(layer, source)` with each action; the result ends it. A bound method is held weakly."""
        return self._answers.add(callback)

    def on_ahead(self, callback: Callable[[dict[int, int]], Any]) -> Callable[[], None]:
        """Call `callback({layer: source})` with actions for several layers, which wait until each is asked about.

        An empty dict forgets those that wait. The result ends it. A bound method is held weakly.
        """
        return self._ahead.add(callback)

    def on_look(self, callback: Callable[[int], Any]) -> Callable[[], None]:
        """Call `callback(decision)` when a column of the history is pressed; the result ends it. As `on_answer`."""
        return self._looks.add(callback)

    def _resend(self, lost: bool) -> None:
        self._tell(self._history.whole() if lost else self._history.news())

    def _tell(self, message: dict[str, Any] | None) -> None:
        if self._shown and message is not None:
            self.send(message)

    def _hear(self, kind: str, message: Mapping[str, Any]) -> None:
        match kind:
            case "ready":
                with self._lock:
                    self._shown = True
                    self._tell(self._history.whole())
            case "answer":
                self._answers.call(message["layer"], message["source"])
            case "look":
                self._looks.call(message["decision"])
            case "ahead":
                answers = message["answers"]
                if not all(layer.isdecimal() and len(layer) < 10 for layer in answers):
                    raise LayertieError("Expected layers by number, but the page sent others.", "Reload the page.")
                self._ahead.call({int(layer): source for layer, source in answers.items()})
