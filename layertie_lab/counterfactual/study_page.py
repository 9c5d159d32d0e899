"""A study as a file to keep: a page that needs no network, or JSON."""

from __future__ import annotations

import json

from ..charts.comparisons.paired import twin_pictures
from ..charts.document import Section, to_document
from ..core.errors import LayertieError
from ..core.measures import in_words
from ..core.version import __version__
from ..records.studies import in_order
from .frames import stated_for_charts, tables_of, windows_of
from .judging import ends_on_other_windows, verdicts_of_run
from .report import left_out, plans_after, values_of
from .spec import AFTERWARDS, METRICS, StudySpec
from .spec import in_words as made_of
from .study import Study
from .verdict import Verdict
from .wording import counted, headline_of, outcome_in_words, plan_in_words, sentence_of

FORMATS = ("html", "json")
"""What a study can be kept as."""


def kept(study: Study, format: str) -> bytes:
    """A study as the content of a file.

    Args:
        study: The study, also one that is not at its end.
        format: One of `FORMATS`.

    Raises:
        LayertieError: The study or its run cannot be read, or the package for pages is missing.
    """
    verdict = verdicts_of_run(Study.all_of(study.run)[0]).get(study.name)
    if format == "json":
        values = values_of(study, verdict) | {
            "run": _run_in_words(study),
            "config": study.config.to_dict(),
            "left_out": left_out(study, verdict),
            "every_replicate": study.replicates(),
            "version": __version__,
        }
        return json.dumps(in_words(values), indent=1, allow_nan=False).encode() + b"\n"
    return _page(study, verdict).encode()


def _page(study: Study, verdict: Verdict | None) -> str:
    spec, replicates = study.spec, study.replicates()
    label = "Verdict" if spec.primary else "Pilot" if spec.is_pilot else "Exploratory"
    if verdict is None or spec.is_pilot:
        lead = f"No verdict, after {counted(len(replicates), 'replicate')}."
        small = "A pilot has none." if spec.is_pilot else f"The first analysis is at {spec.plan.first} replicates."
    else:
        lead, small = f"{label}: {outcome_in_words(verdict)}. {headline_of(verdict)}", sentence_of(verdict)
    try:
        tables = tables_of(spec, replicates)
        pictures = twin_pictures(stated_for_charts(spec, replicates), tables) if replicates else {}
    except LayertieError:  # a branch diverged, which is among what is left out
        tables, pictures = {}, {}
    sections = [
        Section("As it was stated", facts=_facts(study)),
        Section("The plan", [f"Stated: {plan_in_words(spec.stated_plan)}", *_extensions(spec)]),
        Section("What came of it", pictures=pictures),
        Section("Every replicate", [_measured(study)], columns=_columns(spec), rows=_rows(study, verdict)),
        Section(
            "Interim analyses",
            ["The estimate and its interval at each analysis that was reached, at the level of that one."],
            columns=("after replicates", "estimate", "from", "to", "level"),
            rows=[
                (
                    str(row["order"]),
                    *(_signed(row[name]) for name in ("value", "low", "high")),
                    f"{100 * (1 - float(spec.plan.alpha_at(row['order']))):g} %",
                )
                for row in (tables["twin_looks"].to_dicts() if tables else ())
            ],
        ),
        Section("What was left out", left_out(study, verdict) or ["Nothing."]),
        Section("The run", [_run_in_words(study), f"Written by layertie_lab {__version__}."]),
    ]
    title = f"Did it matter? {study.name} of {study.run.name}"
    return to_document(title, lead, small, [each for each in sections if _says(each)])


def _columns(spec: StudySpec) -> tuple[str, ...]:
    number = () if _counts_from_one(spec) else ("number in the run",)
    return ("replicate", *number, "as proposed", "as chosen", "difference", "seconds", "in the verdict")


def _counts_from_one(spec: StudySpec) -> bool:
    """Whether the replicates' numbers, which no two studies of a run share, say nothing that their order does not."""
    return list(spec.numbers) == list(range(1, len(spec.numbers) + 1))


def _measured(study: Study) -> str:
    """On what the table's numbers were measured, where the charts' lines end at others."""
    replicates = study.replicates()
    windows, metric = windows_of(replicates), METRICS[study.spec.metric]
    if windows is None or windows[0] >= windows[1] or ends_on_other_windows(replicates) or study.spec.metric != "last":
        return ""
    drawn, counted = windows
    return (
        f"The {metric.label} at the horizon, on all {counted:,} windows. The lines of the charts are drawn from "
        f"{drawn:,} of these, so that they end at other numbers."
    )


def _says(section: Section) -> bool:
    return any((section.words, section.facts, section.rows, section.pictures))


def _facts(study: Study) -> dict[str, str]:
    spec, metric = study.spec, METRICS[study.spec.metric]
    return {
        "hypothesis": spec.statement or "none: an exploratory comparison",
        "stated at": f"{study.stated_at}, before the first replicate",
        "expected": spec.expected if spec.primary else "nothing",
        "decision": f"{spec.decision}, about layer {spec.layer}, after {spec.step:,} optimizer steps",
        "as proposed": made_of(spec.layer, spec.proposed),
        "as chosen": made_of(spec.layer, spec.answered),
        "compared by": f"{metric.label}{f' ({metric.unit})' if metric.unit else ''}, as chosen minus as proposed",
        "compared after": counted(spec.horizon, "optimizer step"),
        "smallest difference that matters": f"{spec.smallest_difference:g} {metric.unit}".strip(),
        "after the fork": AFTERWARDS[spec.after],
        "evaluated on": f"{spec.windows} windows of the {spec.split} split (all, where it has fewer)",
        "digest of the statement": spec.hash,
    }


def _extensions(spec: StudySpec) -> list[str]:
    return [
        f"Extended at {added.time}, when it was used up without a verdict at {added.before.last} replicates: "
        f"{plan_in_words(plan)}"
        for added, plan in zip(spec.extensions, plans_after(spec), strict=True)
    ]


def _rows(study: Study, verdict: Verdict | None) -> list[tuple[str, ...]]:
    spec = study.spec
    known = {values["replicate"]: values for values in study.replicates()}
    ordered = in_order(list(known.values()), spec.numbers)
    used = 0 if verdict is None else verdict.replicates
    rows, alike = [], _counts_from_one(spec)
    for place, number in enumerate(spec.numbers, start=1):
        if number not in known:
            continue
        values = known[number]
        called = (str(place),) if alike else (str(place), str(number))
        counts = "yes" if place <= min(used, len(ordered)) else "no"
        if "error" in values:
            rows.append((*called, "", "", f"ended: {values['error']}", "", "no"))
            continue
        one, other = (values[side]["metrics"].get(spec.metric) for side in ("proposed", "answered"))
        seconds = f"{values['seconds']:.1f}" if "seconds" in values else ""
        rows.append((*called, f"{one:.6g}", f"{other:.6g}", _signed(other - one), seconds, counts))
    return rows


def _signed(value: float) -> str:
    return f"{value:+.5g}" if value else "0"


def _run_in_words(study: Study) -> str:
    config = study.config
    return (
        f"{study.run.name}: {config.scale} scale ({config.model.layers} layers x {config.model.width}), "
        f"{config.algorithm} algorithm, text {config.text.corpus}, seed {config.seed}; settings {config.hash}."
    )
