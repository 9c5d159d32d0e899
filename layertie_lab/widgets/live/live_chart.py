"""Live charts: several panels in one widget, each view made once, rows appended by message."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import traitlets

from ...charts.run.live import HOVER_DATA
from ...charts.theme import vega_config
from ..assets import VEGA
from ..listeners import Listeners
from ..messages import whole
from ..panel import Panel
from .joining import joined
from .pacer import Pacer
from .row_store import RowStore, names_of_data, wanted_columns
from .thinning import Row

ROWS_IN_BROWSER = 4_000
"""Most rows at a time, over all tables; what would go beyond makes a reset."""
ROWS_AFTER_RESET = 2_500
"""Rows of a reset, over all tables."""
FLUSH_SECONDS = 0.1
"""Least time between two messages with rows."""


class LiveChart(Panel, files=(VEGA, "panel.js", "live_chart.js", "live_chart.css")):
    """Panels of Vega-Lite charts over a run, fed with rows of `layertie_lab.core.tables`.

    Args:
        panels: Title -> Vega-Lite spec (or Altair chart) that reads named data sets (`layertie_lab.charts.run.live`).
        captions: Title -> one line on how to read the panel; default what the spec has under usermeta.caption.
        instead_of: Title -> that of the panel in whose place it can be shown, by a switch.
        columns: Most columns of the grid, 1 to 3; a narrow page gets fewer.
        x: What the x axis of the specs counts, "decision" or "step".
        steps_per_decision: Optimizer steps per decision of the run, which relates the two.
        fills: Whether the plots grow until all of the view that the widget stands in is used; it is alone there.

    Charts that bring rows along bring those of one run: what several say of a decision or a step is one row.

    Raises:
        AnalysisError: Two of them say different things of it.

    Rows travel as messages, not as traits: no cell is run again, and nothing is drawn from scratch. A view that appears
    (also after a reload) asks for the rows so far and gets them thinned, extremes kept.
    """

    HEARS = {"ready": {}, "look": {"decision": whole()}}

    panels = traitlets.List(traitlets.Dict()).tag(sync=True)
    columns = traitlets.Int(3, min=1, max=3).tag(sync=True)
    themes = traitlets.Dict().tag(sync=True)
    x = traitlets.Enum(("decision", "step"), "decision").tag(sync=True)
    steps_per_decision = traitlets.Int(4, min=1).tag(sync=True)
    fills = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        panels: Mapping[str, Any],
        *,
        captions: Mapping[str, str] | None = None,
        instead_of: Mapping[str, str] | None = None,
        columns: int = 3,
        x: str = "decision",
        steps_per_decision: int = 4,
        fills: bool = False,
    ) -> None:
        specs = {title: _as_spec(spec) for title, spec in panels.items()}
        self._looks = Listeners()
        self._instead_of = dict(instead_of or {})
        self._store = RowStore(_wanted(specs))
        self._pending: dict[str, list[Row]] = {}
        self._in_browser = 0
        self._shown = False
        self._pacer = Pacer(self, "flush", FLUSH_SECONDS)
        super().__init__(
            panels=self._panels(specs, captions),
            columns=columns,
            themes={"light": vega_config(dark=False), "dark": vega_config(dark=True)},
            x=x,
            steps_per_decision=steps_per_decision,
            fills=fills,
        )
        self._keep(joined({title: _rows_in(spec) for title, spec in specs.items()}))

    def on_look(self, callback: Callable[[int], Any]) -> Callable[[], None]:
        """Call `callback(decision)` when a place along the run is pressed; the result ends it. A bound method is held
        weakly.
        """
        return self._looks.add(callback)

    def push(self, rows: Mapping[str, Iterable[Mapping[str, Any]]]) -> None:
        """Append rows, by table. Sent at once or with the next flush, at most ten per second."""
        with self._lock:
            for table, fresh in self._keep(rows).items():
                self._pending.setdefault(table, []).extend(fresh)
            if not self._pending:
                return
        self._pacer.request()

    def reset(self, rows: Mapping[str, Iterable[Mapping[str, Any]]] | None = None) -> None:
        """Forget all rows, and begin again with the given ones."""
        with self._lock:
            self._store.clear()
            self._keep(rows or {})
            self._send_all()

    def set_panels(
        self,
        panels: Mapping[str, Any],
        *,
        captions: Mapping[str, str] | None = None,
        x: str | None = None,
        steps_per_decision: int | None = None,
    ) -> None:
        """Show other panels, for example over the other x axis; the rows so far stay.

        Columns that only the new panels read are empty for rows from before, so choose panels of the same kind.
        """
        specs = {title: _as_spec(spec) for title, spec in panels.items()}
        with self._lock:
            wanted = {table: set(names) for table, names in self._store.wanted.items()}
            for table, names in _wanted(specs).items():
                wanted.setdefault(table, set()).update(names)
            self._store.want(wanted)
            with self.hold_sync():
                self.x = x or self.x
                self.steps_per_decision = steps_per_decision or self.steps_per_decision
                self.panels = self._panels(specs, captions)
            self._send_all()

    def stills(self) -> dict[str, dict[str, Any]]:
        with self._lock:
            held = self._store.thinned(ROWS_AFTER_RESET)
            shown = [panel for panel in self.panels if panel["place"] == panel["title"]]
        rows = {
            table: [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
            for table, columns in held.items()
        }
        return {
            each["title"]: each["spec"]
            | {"datasets": each["spec"]["datasets"] | {name: rows.get(name, []) for name in each["tables"]}}
            for each in shown
        }

    def stills_of(self) -> str:
        reached = self._store.latest("decision")
        return "Charts" if reached is None else f"Charts up to decision {reached}"

    def flush(self) -> None:
        """Send what is waiting. Nothing is sent before a view has asked for its rows."""
        with self._lock:
            if self._shown and self._pending and not self.may_send:
                return  # `go_on` sends it
            pending, self._pending = self._pending, {}
            if not self._shown or not pending:
                return
            self._in_browser += sum(map(len, pending.values()))
            if self._in_browser > ROWS_IN_BROWSER:
                self._send_all()
            else:
                tables = {table: self._store.columns(table, rows) for table, rows in pending.items()}
                self.send({"kind": "append", "tables": tables})

    def _panels(self, specs: Mapping[str, dict[str, Any]], captions: Mapping[str, str] | None) -> list[dict[str, Any]]:
        return [
            _panel(title, spec, captions or {}) | {"place": self._instead_of.get(title, title)}
            for title, spec in specs.items()
        ]

    def _resend(self, lost: bool) -> None:
        if lost:
            self._send_all()
        else:
            self.flush()

    def _keep(self, rows: Mapping[str, Iterable[Mapping[str, Any]]]) -> dict[str, list[Row]]:
        fresh = {table: self._store.add(table, some) for table, some in rows.items()}
        return {table: some for table, some in fresh.items() if some}

    def _send_all(self) -> None:
        self._pending = {}
        if self._shown:
            tables = self._store.thinned(ROWS_AFTER_RESET)
            self._in_browser = sum(len(next(iter(columns.values()), [])) for columns in tables.values())
            self.send({"kind": "reset", "tables": tables})

    def _hear(self, kind: str, message: Mapping[str, Any]) -> None:
        if kind == "look":
            self._looks.call(message["decision"])
        elif kind == "ready":
            with self._lock:
                self._shown = True
                self._send_all()


def _as_spec(chart: Any) -> dict[str, Any]:
    return dict(chart) if isinstance(chart, Mapping) else chart.to_dict()


def _wanted(specs: Mapping[str, Mapping[str, Any]]) -> dict[str, set[str]]:
    wanted: dict[str, set[str]] = {}
    for spec in specs.values():
        for table, names in wanted_columns(spec).items():
            wanted.setdefault(table, set()).update(names)
    return wanted


def _rows_in(spec: Mapping[str, Any]) -> dict[str, list[Row]]:
    """Rows that a spec brings along."""
    return {name: spec.get("datasets", {}).get(name, []) for name in names_of_data(spec) if name != HOVER_DATA}


def _panel(title: str, spec: dict[str, Any], captions: Mapping[str, str]) -> dict[str, Any]:
    """What the browser needs of a panel. The theme's config is set there, and rows come by message."""
    names = names_of_data(spec)
    bare = {key: value for key, value in spec.items() if key not in ("config", "usermeta", "$schema")}
    bare["datasets"] = spec.get("datasets", {}) | {name: [] for name in names}
    caption = captions.get(title) or spec.get("usermeta", {}).get("caption", "")
    return {"title": title, "caption": caption, "spec": bare, "tables": [name for name in names if name != HOVER_DATA]}
