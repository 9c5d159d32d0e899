"""The control room for Jupyter: the same widgets as everywhere, over a Session or a Worker."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

from ..agent.descriptions import RewardDescription
from ..agent.rewards.registry import REWARDS
from ..charts.run.live import live_spec
from ..core.errors import WorkerError
from ..core.events import Event
from ..widgets.frame import Frame
from ..widgets.kept import Kept
from ..widgets.layout import Rows, framed
from ..widgets.live.live_chart import LiveChart
from ..widgets.steer_panel import SteerPanel
from ..widgets.tie_map_view import TieMapView
from ..workers.thread import SessionThread
from . import shown
from .feed import Feed
from .held_run import Past, told_by

PANELS = ("loss", "reward", "parameters", "memory")


class ControlRoom:
    """Steer a run, act in the agent's place, and watch what comes of it.

    Args:
        source: A Session, which then trains in a thread of this kernel and pauses between optimizer steps; or a Worker,
            which trains in a process of its own.
        panels: Names of live panels (`layertie_lab.charts.run.live.LIVE`).
        columns: Most columns of charts.
        past: Events so far, in place of those that the session remembers or the worker's log has (`Feed`).

    The room does not keep a Worker alive. `close()` ends the room and leaves the session or worker open. While it is
    open, what changes the session goes through `submit`; calls that read it (evaluate, sample, summary, save, fork)
    come between two of its steps.

    Raises:
        LayertieError: Another room runs the session.
    """

    def __init__(
        self, source: Any, *, panels: Sequence[str] = PANELS, columns: int = 2, past: Iterable[Event] = ()
    ) -> None:
        is_session = not hasattr(source, "give")
        config = source.config
        steps = 4 if config is None else config.training.steps_per_decision
        told = None if config is None else REWARDS.find(config.reward.kind)
        specs = _panels(panels, steps, told)
        # Before anything is shown, since it is refused where another room runs the session.
        if is_session:
            shown.give_way(source)
        self._thread = SessionThread(source) if is_session else None
        self._worker = weakref.ref(source)
        try:
            self.steer = SteerPanel(can_save=source.directory is not None, can_keep=False)
            self.tie_map = TieMapView()
            self.chart = LiveChart(specs, columns=columns, steps_per_decision=steps)
            self.feed = Feed(
                self._thread or source,
                chart=self.chart,
                tie_map=self.tie_map,
                steer=self.steer,
                past=past or (told_by(source) if is_session else Past(source.directory)),
                budget=0 if config is None else config.decisions,
            )
        except BaseException:
            # The error's traceback keeps this object, which must not keep the session from being used.
            if self._thread is not None:
                self._thread.close()
            raise
        self.frame = framed(Rows((self.steer, self.tie_map, self.chart)))
        self._kept = Kept(self.frame, [self.tie_map, self.chart], partial(_heading, self.steer))

    def _ipython_display_(self, **options: Any) -> None:
        """Jupyter shows it as the last line of a cell, and keeps its picture."""
        self._is_shown()
        self._kept.show()

    def _display_(self) -> Frame:
        """marimo shows it as the last line of a cell."""
        self._is_shown()
        return self.frame

    def _is_shown(self) -> None:
        shown.hold(self, None if self._thread is None else self._worker())

    def submit(self, command: str, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Do from code what the buttons do: `room.submit("run", 10).result()` (see `Worker.submit`).

        Raises:
            LayertieError: The room or the worker has been closed.
        """
        source = self._thread or self._worker()
        if source is None:
            raise WorkerError("Expected a run to take the command, but it has been closed.", "Open the run again.")
        return source.submit(command, *args, **kwargs)

    def close(self) -> None:
        """End the connection and the widgets; a session's thread ends after the step under way."""
        if not hasattr(self, "feed"):
            return  # it was refused before there was anything to close, and is collected now
        self.feed.close()
        if self._thread is not None:
            self._thread.close()
        self.frame.close()
        shown.let_go(self)


def _heading(steer: SteerPanel) -> str:
    return f"Control room after decision {steer.decision}"


def _panels(names: Sequence[str], steps_per_decision: int, told: RewardDescription | None) -> dict[str, dict[str, Any]]:
    specs = {}
    for name in names:
        options = {"title": told.axis, "caption": told.about} if told and name == "reward" else {}
        specs[name.replace("_", " ").capitalize()] = live_spec(name, steps_per_decision=steps_per_decision, **options)
    return specs
