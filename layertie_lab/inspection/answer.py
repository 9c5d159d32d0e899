"""The answer to a question about a run at a moment: computed, put into words, drawn and tabulated by its view.

The command line, the explorer and notebooks ask by the same names (`views.registry.VIEWS`). What computes and draws is
imported in the functions: who only lists or reads answers waits for neither torch nor Altair.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import AnalysisError
from .question import Question
from .ticks import Tick
from .views.registry import VIEWS, ColouredText, Facts, Found, Pictures, Table, WrittenText
from .words import moment

if TYPE_CHECKING:
    from .moment import Inspection


def answer(question: Question, inspection: Inspection, tick: Tick | None = None) -> Found:
    """The answer to a question, computed now.

    Raises:
        AnalysisError: No such view, or a question that has no sound answer as asked.
        CorpusError: A probe text that the tokenizer does not know.
    """
    from .probe import probe_of

    if question.view not in VIEWS:
        raise AnalysisError(
            f"Expected a view out of {', '.join(VIEWS.names)}, but got {question.view!r}.", "Name one of these."
        )
    probe = probe_of(inspection.data, inspection.config.model.context, sequences=question.sequences, text=question.text)
    view, options = VIEWS.get(question.view)(), dict(question.options or {})
    found = view.find(inspection, probe, options, tick or (lambda share: None))
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


def asked(facts: Facts) -> str:
    """What was looked at: the moment, and the probe set where it matters, in a sentence or two."""
    other = f", beside {facts['other']}" if "other" in facts else ""
    view = VIEWS.describe(facts["view"])
    if view.next_decision:
        return f"One run, before decision {facts['decision'] + 1}."
    if not view.reads_probe:
        return f"One run, {moment(facts['decision'])}{other}."
    warnings = " ".join(facts["warnings"])
    return f"One run, {moment(facts['decision'])}{other}; probe set: {facts['probe']}. {warnings}".strip()


def sentences(facts: Facts) -> list[str]:
    """The facts of an answer that a reader should know, a sentence or two each."""
    return VIEWS.get(facts["view"])().words(facts)


def tables(found: Mapping[str, Any]) -> list[Table]:
    """The tables of an answer."""
    return VIEWS.get(found["facts"]["view"])().tables(found["frames"], found["facts"])


def written(found: Mapping[str, Any]) -> list[WrittenText]:
    """The texts of an answer that a model wrote, to stand side by side."""
    return VIEWS.get(found["facts"]["view"])().written(found["facts"])


def coloured(found: Mapping[str, Any]) -> ColouredText | None:
    """The text of an answer, as tokens with a colour each."""
    return VIEWS.get(found["facts"]["view"])().coloured(found["frames"], found["facts"])


def pictures(found: Mapping[str, Any]) -> Pictures:
    """The pictures of an answer.

    Returns:
        Title -> Vega-Lite spec, as wide as its container, with `usermeta.caption`; none for a view of words.
    """
    import polars as pl
    from altair.utils.schemapi import debug_mode

    view = VIEWS.get(found["facts"]["view"])()
    frames = {name: pl.DataFrame(rows, infer_schema_length=None) for name, rows in found["frames"].items()}
    # Altair checks every part of a chart against a schema, which takes longer than all the rest; tests do that.
    with debug_mode(False):
        made = view.pictures(frames, found["facts"])
    return {title: spec for title, spec in made.items() if spec}
