"""The process that looks inside runs: `python -m layertie_lab.workers.inspector_child THREADS`.

It reads questions from its standard input, a line of JSON each (`{"id": n, "run": ..., "view": ..., ...}`, or
`{"cancel": n}`), and writes lines of JSON to its standard output: `{"id": n, "share": s}` now and then, and for each
question `{"id": n, "answer": found}`, `{"id": n, "error": sentence}` or `{"id": n, "cancelled": true}`. It ends when
its standard input does, which is when its parent does, however that ends.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from ..core.errors import CancelledError, LayertieError

TELL_SECONDS = 0.1
"""Least time between two words on how far an answer is."""


class Desk:
    """Answers one question after another; keeps the last run's text and state, since questions come in rows."""

    def __init__(self) -> None:
        self.cancelled: set[int] = set()
        self._at: tuple[str, int] | None = None
        self._inspection: Any = None

    def answer(self, number: int, values: dict[str, Any]) -> dict[str, Any]:
        """The answer to a question with its pictures, from what was found before or computed now.

        Raises:
            CancelledError: It was cancelled.
            LayertieError: It has no answer as asked.
        """
        from ..inspection.answer import answer, pictures
        from ..inspection.question import PICTURES, Question
        from ..records import findings

        question = Question(**values)
        run = Path(question.run)
        inspection = self._open(run, question.decision)
        asked = question.to_dict(inspection.decision)
        found = findings.find(run, asked)
        if found is None:
            found = answer(question, inspection, self._teller(number))
            findings.keep(run, asked, found)
        # Drawn here, since making charts takes longer than reading them, and kept, since somebody may scrub.
        drawn = {"pictures": pictures(found)}
        findings.keep(run, asked | PICTURES, drawn)
        return found | drawn

    def _open(self, run: Path, decision: int | None) -> Any:
        from ..inspection.moment import Inspection
        from ..inspection.stored import stored_decisions

        if decision is None:
            known = stored_decisions(run)
            decision = known[-1] if known else None
        if self._at is None or decision is None or self._at != (str(run), decision):
            data = self._inspection.data if self._at is not None and self._at[0] == str(run) else None
            self._inspection = Inspection.of(run, decision, data=data)
            self._at = str(run), self._inspection.decision
        return self._inspection

    def _teller(self, number: int) -> Any:
        told = 0.0

        def tick(share: float) -> None:
            nonlocal told
            if number in self.cancelled:
                raise CancelledError("This look was cancelled.", "Ask again.")
            if time.monotonic() - told > TELL_SECONDS:
                told = time.monotonic()
                _say({"id": number, "share": round(float(share), 4)})

        return tick


def main(threads: int) -> None:
    """Answer what is asked until nobody asks any more."""
    questions: SimpleQueue[tuple[int, dict[str, Any]]] = SimpleQueue()
    desk = Desk()
    threading.Thread(target=_listen, args=(questions, desk.cancelled), daemon=True).start()
    import torch

    torch.set_num_threads(threads)
    _say({"ready": True})
    while True:
        number, values = questions.get()
        try:
            if number in desk.cancelled:
                raise CancelledError("This look was cancelled.", "Ask again.")
            _say({"id": number, "answer": desk.answer(number, values)})
        except CancelledError:
            _say({"id": number, "cancelled": True})
        except LayertieError as error:
            _say({"id": number, "error": str(error)})
        except Exception as error:  # the parent has a person to tell it to
            import traceback

            traceback.print_exc()
            _say({"id": number, "error": f"Looking inside failed: {type(error).__name__}: {error}"})


def _listen(questions: SimpleQueue[tuple[int, dict[str, Any]]], cancelled: set[int]) -> None:
    for line in sys.stdin:
        message = json.loads(line)
        if "cancel" in message:
            cancelled.add(message["cancel"])
        else:
            questions.put((message.pop("id"), message))
    os._exit(0)


def _say(message: dict[str, Any]) -> None:
    try:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()
    except (OSError, ValueError):  # nobody listens any more
        os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
