"""Rules that hold in a run: applied, written down, and held against actions."""

from __future__ import annotations

from ..core.decisions import Proposal
from ..core.errors import TieError
from ..core.events import RulesChanged
from ..core.rules import Rules
from .recorder import Recorder
from .state import RunState


def apply_rules(state: RunState, recorder: Recorder, rules: Rules | str) -> None:
    """Check rules, write them into the log and apply them; an open proposal is then asked for again.

    Args:
        state: The run, against whose present map they are held.
        recorder: Its log.
        rules: The rules, or the line that names them.

    Raises:
        ConfigError: Not rules, or such as no map of this depth can keep.
        TieError: Some layer would have no legal action.
        StorageError: They cannot be recorded; the old ones hold.
    """
    rules = Rules.parse(rules) if isinstance(rules, str) else rules
    rules.check(state.ties)
    event = RulesChanged(state.step, state.decision, str(rules))
    recorder.write_now(event)
    state.rules, state.proposal = rules, None
    recorder.tell(event)


def check_action(state: RunState, proposal: Proposal, choice: int) -> None:
    """Refuse an action that is not legal, and say which rule forbids it.

    Raises:
        TieError: It is not.
    """
    state.ties.act(proposal.layer, choice)
    if choice not in proposal.legal:
        raise TieError(
            f"Expected an action out of {list(proposal.legal)} for layer {proposal.layer}, which the rules "
            f"({state.rules}) leave, but got {choice}.",
            "Keep to the rules, or change them.",
        )
