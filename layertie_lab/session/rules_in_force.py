"""Rules that stand in a session: put into force, written down, and held against answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.decisions import Proposal
from ..core.errors import TieError
from ..core.events import RulesChanged
from ..core.rules import Rules
from ..core.ties import TieMap

if TYPE_CHECKING:  # a session keeps to its rules by this module
    from .session import Session


def ruled(session: Session, rules: Rules | str) -> Rules:
    """Check rules for a session and write them into its log; the session then puts them into force.

    Args:
        session: Whose present map they are held against.
        rules: The rules, or the line that names them.

    Raises:
        ConfigError: Not rules, or such as no map of this depth can keep.
        TieError: Some layer would have no legal answer.
        StorageError: They cannot be recorded; the old ones stand.
    """
    rules = Rules.parse(rules) if isinstance(rules, str) else rules
    rules.check(session.ties)
    event = RulesChanged(session.step, session.decision, str(rules))
    session.journal.write_now(event)
    session.tell(event)
    return rules


def check_answer(proposal: Proposal, choice: int, ties: TieMap, rules: Rules) -> None:
    """Refuse an answer that is not legal, and say which rule forbids it.

    Raises:
        TieError: It is not.
    """
    ties.answer(proposal.layer, choice)
    if choice not in proposal.legal:
        raise TieError(
            f"Expected an answer out of {list(proposal.legal)} for layer {proposal.layer}, which the rules "
            f"({rules}) leave, but got {choice}.",
            "Answer by the rules, or change them.",
        )
