"""What can be looked at in a run at a moment: one function per view, each giving named frames as rows.

The command line, the explorer and notebooks ask by the same names. A view takes an `Inspection`, a `Probe`, options and
a `tick`, changes nothing, and returns `{"frames": {name: rows}, "facts": {...}}`, which JSON can hold.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..core.errors import AnalysisError
from . import agent_views, layer_views, tie_views, word_views
from .moment import Inspection
from .probe import Probe, probe_of
from .question import Question
from .ticks import Tick

Found = dict[str, Any]
View = Callable[[Inspection, Probe, dict[str, Any], Tick], Found]

VIEWS: dict[str, View] = {
    "similarity": layer_views.similarity,
    "weights": layer_views.weights,
    "profile": layer_views.profile,
    "attribution": layer_views.attribution,
    "memory": layer_views.memory,
    "costs": tie_views.costs,
    "reasons": agent_views.reasons,
    "sample": word_views.sample,
    "tokens": word_views.tokens,
    "token": word_views.token,
}
"""Name -> what gives it."""


def answer(question: Question, inspection: Inspection, tick: Tick | None = None) -> Found:
    """The answer to a question, computed now.

    Raises:
        AnalysisError: No such view, or a question that has no sound answer as asked.
        CorpusError: A probe text that the tokenizer does not know.
    """
    if question.view not in VIEWS:
        raise AnalysisError(
            f"Expected a view out of {', '.join(VIEWS)}, but got {question.view!r}.", "Name one of these."
        )
    probe = probe_of(inspection.data, inspection.config.model.context, sequences=question.sequences, text=question.text)
    found = VIEWS[question.view](inspection, probe, dict(question.options or {}), tick or (lambda share: None))
    facts = {
        "view": question.view,
        "run": Path(inspection.path).name,
        "decision": inspection.decision,
        "step": inspection.step,
        "layers": len(inspection.ties),
        "ties": list(inspection.ties),
        "probe": probe.source,
        "warnings": list(probe.warnings),
    }
    return {"frames": found["frames"], "facts": facts | found.get("facts", {})}
