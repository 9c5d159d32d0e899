"""Questions about runs answered one after another, in a process of their own (`workers.inspector`)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ..records import findings
from .answer import answer, pictures
from .moment import Inspection
from .question import PICTURES, Question
from .stored import stored_decisions

IN_MEMORY = 64
"""Answers of recorded examples that are remembered, the latest ones."""


class Answering:
    """Keeps the last run's text and state, since questions come in rows.

    Args:
        threads: CPU threads of torch.
    """

    def __init__(self, threads: int) -> None:
        torch.set_num_threads(threads)
        self._at: tuple[str, int] | None = None
        self._inspection: Inspection | None = None
        self._answered: dict[str, dict[str, Any]] = {}

    def answer(self, question: Question, tell: Callable[[float], None], /) -> dict[str, Any]:
        """The answer to a question with its pictures, from what was found before or computed now.

        Args:
            question: What is asked.
            tell: Called with the share done, 0 to 1; raises CancelledError when the answer is no longer wanted.

        Raises:
            CancelledError: `tell` did.
            LayertieError: The question has no answer as asked.
        """
        run = Path(question.run)
        inspection = self._open(run, question.decision)
        asked = question.to_dict(inspection.decision)
        if not question.keep:
            return self._unkept(question, inspection, asked, tell)
        found = findings.find(run, asked)
        if found is None:
            found = answer(question, inspection, tell)
            findings.keep(run, asked, found)
        # Drawn here, since making charts takes longer than reading them, and kept, since somebody may scrub.
        drawn = {"pictures": pictures(found)}
        findings.keep(run, asked | PICTURES, drawn)
        # As it is found again, where it could be kept.
        return json.loads(json.dumps(found | drawn))

    def _unkept(
        self, question: Question, inspection: Inspection, asked: dict[str, Any], tell: Callable[[float], None]
    ) -> dict[str, Any]:
        """The answer to a question of which nothing may be kept on disk; the latest ones stay here."""
        key = findings.key_of({"run": question.run, **asked})
        found = self._answered.pop(key, None)
        if found is None:
            computed = answer(question, inspection, tell)
            found = json.loads(json.dumps(computed | {"pictures": pictures(computed)}))
        self._answered[key] = found
        while len(self._answered) > IN_MEMORY:
            del self._answered[next(iter(self._answered))]
        return found

    def _open(self, run: Path, decision: int | None) -> Inspection:
        if decision is None:
            known = stored_decisions(run)
            decision = known[-1] if known else None
        if self._inspection is None or decision is None or self._at != (str(run), decision):
            data = self._inspection.data if self._inspection and self._at and self._at[0] == str(run) else None
            self._inspection = Inspection.of(run, decision, data=data)
            self._at = str(run), self._inspection.decision
        return self._inspection
