"""Run controls and the decision at hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import traitlets

from ..charts.palette import SEMANTIC_COLOURS, owner_colours
from ..core.commands import COMMANDS, Command, Commit, Pause, Run, Save, SetKeep, Step
from ..core.errors import LayertieError
from ..core.glossary import GLOSSARY
from .listeners import Listeners
from .messages import Shape, anything, flag, optional, read, scalar, shown, text, whole
from .panel import Panel
from .tie_map_view import LAYERS_WITH_A_COLOUR

BUTTONS: dict[str, str] = {kind.__name__: kind.verb for kind in (Step, Run, Pause, Commit, Save, SetKeep)}
"""What the buttons of the panel ask of a run: the script is handed the verbs, and no other command is heard of it."""
_ARGUMENTS: dict[str, Shape] = {
    Step.verb: {},
    Run.verb: {"decisions": optional(whole(0, 10**9))},
    Pause.verb: {"finish": optional(flag)},
    Commit.verb: {"choice": whole(), "decision": optional(whole())},
    Save.verb: {},
    SetKeep.verb: {"keep": flag},
}
"""What a page may say with each."""


@dataclass(frozen=True)
class Press:
    """Something a person pressed.

    Args:
        command: What is asked of the run; None for a farewell: the page is being left (hiding it is not that).
        id: Names the press, so that its answer finds the way back; "" for a farewell.
        sent: When it was pressed, milliseconds since 1970 by the browser's clock.
    """

    command: Command[Any] | None
    id: str = ""
    sent: float | None = None


class SteerPanel(Panel, files=("action_list.js", "steer_panel.js", "steer_panel.css"), refusal="error"):
    """Step, run, pause, run so many, save; and the layer at hand with its actions and their values.

    Presses leave as messages (see `on_press`), shown at once and acknowledged, so that no cell is run again.

    Attributes:
        status: empty, preparing, running, paused, finished, failed or lost.
        status_text: A sentence in place of the usual one for the status; "" for the usual one.
        error: A sentence beside the controls on what went wrong; "" if nothing did.
        decision: Decisions begun.
        step: Optimizer steps done.
        decisions_per_second: Of late; 0 if unknown.
        steps_per_second: Of late; 0 if unknown.
        asked: Number of the decision at hand.
        episode: Its sweep over the layers, counted from 1.
        layer: The layer at hand, or None.
        legal: Legal actions, ascending.
        owners: The owner that the layer would have with each, aligned with `legal`: whose colour it is shown in.
        q_values: The agent's value of each, aligned with `legal`; empty if it has none.
        q_deviations: Standard deviation of each value, likewise; empty if the agent has none.
        q_scale: What a bar across half of its place stands for, at least: the farthest that a value, with its interval,
            was from that of the present tie in this sweep over the layers.
        present: The layer's source now, or None.
        proposed: What the agent would do, or None.
        explored: Whether that is a random draw.
        epsilon: Probability of one, or None.
        choice: What was committed, while its steps train and until the next proposal; None before.
        by: Who committed it: agent, human or replay.
        last: The latest decision that was committed, while another one is at hand: its decision, layer, choice,
            proposed and by; empty before there is one.
        can_act: Whether an action is awaited.
        can_save: Whether there is a run directory to save to.
        can_keep: Whether the run can outlive the page.
        can_resume: Whether whoever listens goes on with a run whose process is gone, when Step or Run is pressed.
        keep: Whether it shall.
        said: What was saved last; "" for nothing.
        hint: What could be asked next, below the actions; "" for nothing.
        glossary: Word -> what it means.
        expectations: What a person may expect of it, as answers to that: value -> words on its button.
    """

    HEARS = {
        "ready": {},
        "ping": {},
        "beat": {"number": whole()},
        "farewell": {"sent": optional(scalar())},
        "expect": {"value": text()},
        "press": {"command": anything, "arguments": anything, "sent": optional(scalar())},
    }

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
    q_deviations = traitlets.List(traitlets.Float()).tag(sync=True)
    q_scale = traitlets.Float(0.0).tag(sync=True)
    present = traitlets.Int(None, allow_none=True).tag(sync=True)
    proposed = traitlets.Int(None, allow_none=True).tag(sync=True)
    explored = traitlets.Bool(False).tag(sync=True)
    epsilon = traitlets.Float(None, allow_none=True).tag(sync=True)
    choice = traitlets.Int(None, allow_none=True).tag(sync=True)
    by = traitlets.Unicode("").tag(sync=True)
    last = traitlets.Dict().tag(sync=True)
    can_act = traitlets.Bool(False).tag(sync=True)
    can_save = traitlets.Bool(True).tag(sync=True)
    can_keep = traitlets.Bool(False).tag(sync=True)
    can_resume = traitlets.Bool(False).tag(sync=True)
    keep = traitlets.Bool(False).tag(sync=True)
    said = traitlets.Unicode("").tag(sync=True)
    hint = traitlets.Unicode("").tag(sync=True)
    expectations = traitlets.Dict().tag(sync=True)
    palette = traitlets.List(traitlets.Unicode(), owner_colours(LAYERS_WITH_A_COLOUR)).tag(sync=True)
    semantic = traitlets.Dict(SEMANTIC_COLOURS).tag(sync=True)
    glossary = traitlets.Dict(GLOSSARY).tag(sync=True)
    buttons = traitlets.Dict(BUTTONS).tag(sync=True)

    def __init__(self, **state: Any) -> None:
        self._presses, self._expects = Listeners(), Listeners()
        super().__init__(**state)

    def on_press(self, callback: Callable[[Press], Any]) -> Callable[[], None]:
        """Call `callback(press)` with each press; the result ends it. A bound method is held weakly.

        A LayertieError that the callback raises is shown beside the controls.
        """
        return self._presses.add(callback)

    def on_expect(self, callback: Callable[[str], Any]) -> Callable[[], None]:
        """Call `callback(value)` when an answer to the hint is pressed; as `on_press`."""
        return self._expects.add(callback)

    def acted(self, press: Press) -> None:
        """Tell the browser that a press has taken effect, so that the time from press to effect can be read off."""
        self.send({"kind": "acted", "id": press.id})

    def refused(self, press: Press) -> None:
        """Tell the browser that a press has come to nothing, so that it does not wait for its effect."""
        self.send({"kind": "refused", "id": press.id})

    def beat(self, number: int) -> None:
        """Ask the page whether it keeps up (`Credit`)."""
        self.send({"kind": "beat", "number": number})

    def _hear(self, kind: str, message: Mapping[str, Any]) -> None:
        if kind == "farewell":
            self._presses.call(Press(None, sent=_time(message["sent"])))
        elif kind == "expect":
            if message["value"] in self.expectations:
                self._expects.call(message["value"])
        elif kind == "beat":
            if self._credit is not None:
                self._credit.answered(message["number"])
        elif kind == "press":
            press = Press(_command(message), message["id"], _time(message["sent"]))
            if self._presses.call(press) and self.error:
                self.show(error="")

    def _answer(self, kind: str, message: Mapping[str, Any], good: bool) -> None:
        if kind == "press":
            self.send({"kind": "ack", "id": message["id"], "good": good})
        elif kind == "ping":
            self.send({"kind": "pong"})


def _command(message: Mapping[str, Any]) -> Command[Any]:
    """The command that a button stands for.

    Raises:
        LayertieError: It is no button's, or has other arguments.
    """
    verb, given = message["command"], message["arguments"]
    shape = _ARGUMENTS.get(verb) if isinstance(verb, str) else None
    if shape is None or not isinstance(given, Mapping) or given.keys() - shape.keys():
        got = shown(verb) if shape is None else f"{verb} with {shown(given)}"
        raise LayertieError(
            f"Expected a button out of {', '.join(BUTTONS.values())}, but the page sent {got}.", "Reload the page."
        )
    arguments = {name: value for name, value in read(given, shape).items() if value is not None}
    return COMMANDS[verb].of(**arguments)


def _time(sent: Any) -> float | None:
    return float(sent) if isinstance(sent, int | float) else None
