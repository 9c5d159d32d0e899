"""Run controls and the decision at hand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import anywidget
import traitlets

from ..charts.palette import SEMANTIC_COLOURS, owner_colours
from ..core.errors import LayertieError
from .assets import module, style
from .listeners import Listeners
from .tie_map_view import LAYERS_WITH_A_COLOUR

KINDS = ("step", "run", "pause", "run_n", "answer", "save", "keep", "farewell")


@dataclass(frozen=True)
class Command:
    """Something a person pressed.

    Args:
        kind: step, run, pause, run_n, answer, save, keep, or farewell (the page is being left; hiding it is not).
        id: Names the press, so that its answer finds the way back; "" for a farewell.
        values: run_n: decisions; answer: layer, source; keep: keep.
        sent: When it was pressed, milliseconds since 1970 by the browser's clock.
    """

    kind: str
    id: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    sent: float | None = None


class SteerPanel(anywidget.AnyWidget):
    """Step, run, pause, run so many, save; and the layer at hand with its answers and their values.

    Presses leave as messages (see `on_command`), shown at once and acknowledged, so that no cell is run again.

    Attributes:
        status: empty, preparing, running, paused, finished, failed or lost.
        status_text: A sentence in place of the usual one for the status; "" for the usual one.
        error: A sentence beside the controls on what went wrong; "" if nothing did.
        decision: Decisions begun.
        step: Optimizer steps done.
        decisions_per_second: Of late; 0 if unknown.
        steps_per_second: Of late; 0 if unknown.
        asked: Number of the decision at hand.
        episode: Its pass over the layers.
        layer: The layer at hand, or None.
        legal: Legal answers, ascending.
        owners: The owner that the layer would have with each, aligned with `legal`: whose colour it is shown in.
        q_values: The agent's value of each, aligned with `legal`; empty if it has none.
        present: The layer's source now, or None.
        proposed: What the agent would answer, or None.
        explored: Whether that is a random draw.
        epsilon: Probability of one, or None.
        can_answer: Whether an answer is awaited.
        can_save: Whether there is a run directory to save to.
        can_keep: Whether the run can outlive the page.
        can_resume: Whether whoever listens goes on with a run whose process is gone, when Step or Run is pressed.
        keep: Whether it shall.
        hint: What could be done next, below the answers; "" for nothing.
    """

    _esm = module("shared.js", "steer_panel.js")
    _css = style("shared.css", "steer_panel.css")

    status = traitlets.Enum(("empty", "preparing", "running", "paused", "finished", "failed", "lost"), "empty").tag(
        sync=True
    )
    status_text = traitlets.Unicode("").tag(sync=True)
    error = traitlets.Unicode("").tag(sync=True)
    decision = traitlets.Int(0).tag(sync=True)
    step = traitlets.Int(0).tag(sync=True)
    decisions_per_second = traitlets.Float(0.0).tag(sync=True)
    steps_per_second = traitlets.Float(0.0).tag(sync=True)
    asked = traitlets.Int(0).tag(sync=True)
    episode = traitlets.Int(0).tag(sync=True)
    layer = traitlets.Int(None, allow_none=True).tag(sync=True)
    legal = traitlets.List(traitlets.Int()).tag(sync=True)
    owners = traitlets.List(traitlets.Int()).tag(sync=True)
    q_values = traitlets.List(traitlets.Float()).tag(sync=True)
    present = traitlets.Int(None, allow_none=True).tag(sync=True)
    proposed = traitlets.Int(None, allow_none=True).tag(sync=True)
    explored = traitlets.Bool(False).tag(sync=True)
    epsilon = traitlets.Float(None, allow_none=True).tag(sync=True)
    can_answer = traitlets.Bool(False).tag(sync=True)
    can_save = traitlets.Bool(True).tag(sync=True)
    can_keep = traitlets.Bool(False).tag(sync=True)
    can_resume = traitlets.Bool(False).tag(sync=True)
    keep = traitlets.Bool(False).tag(sync=True)
    hint = traitlets.Unicode("").tag(sync=True)
    palette = traitlets.List(traitlets.Unicode(), owner_colours(LAYERS_WITH_A_COLOUR)).tag(sync=True)
    semantic = traitlets.Dict(SEMANTIC_COLOURS).tag(sync=True)

    def __init__(self, **state: Any) -> None:
        self._lock = threading.RLock()
        self._commands = Listeners()
        super().__init__(**state)
        self.on_msg(self._receive)

    def show(self, **state: Any) -> None:
        """Set several attributes at once, in one message. Thread-safe."""
        with self._lock, self.hold_sync():
            for name, value in state.items():
                setattr(self, name, value)

    def on_command(self, callback: Callable[[Command], Any]) -> Callable[[], None]:
        """Call `callback(command)` with each press; the result ends it. A bound method is held weakly.

        A LayertieError that the callback raises is shown beside the controls.
        """
        return self._commands.add(callback)

    def acted(self, command: Command) -> None:
        """Tell the browser that a command has taken effect, so that the time from press to effect can be read off."""
        self.send({"kind": "acted", "id": command.id})

    def _receive(self, widget: object, message: Any, buffers: object) -> None:
        if not isinstance(message, dict) or message.get("kind") not in KINDS:
            return
        values = {name: value for name, value in message.items() if name not in ("kind", "id", "sent")}
        command = Command(message["kind"], message.get("id", ""), values, message.get("sent"))
        good = True
        try:
            heard = self._commands.call(command)
            if heard and self.error and command.kind != "farewell":
                self.show(error="")
        except LayertieError as error:
            good = False
            self.show(error=str(error))
        if command.id:
            self.send({"kind": "ack", "id": command.id, "good": good})
