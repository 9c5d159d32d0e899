"""What the explorer shows of a run's audit: sentences and pictures, as plain functions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

MARKS = {"exhibited": "!", "not exhibited": "-", "cannot be told": "?"}


def audit(path: Path) -> tuple[str, str, dict[str, Any]]:
    """The audit of a run as far as its records have come: (a sentence, the findings, title -> spec of a picture).

    Raises:
        LayertieError: The run cannot be read, or has not begun.
    """
    from layertie_lab.analysis.audit import audit_run
    from layertie_lab.charts.audit import claimed_and_true, gradient_flow
    from layertie_lab.charts.captions import CAPTIONS

    found = audit_run(path)
    charts = {
        title: claimed_and_true(found.frame, what, width="container", height=150)
        for title, what in (("Layers", "layers"), ("Parameters", "parameters"), ("Memory, claimed and true", "memory"))
    }
    pictures = {
        title: chart.to_dict() | {"usermeta": {"caption": CAPTIONS["audit"]}} for title, chart in charts.items()
    }
    flow = gradient_flow(found.frame, width="container", height=150).to_dict()
    pictures["Where gradients flow"] = flow | {"usermeta": {"caption": CAPTIONS["gradient_flow"]}}
    lines = [
        f"{MARKS[finding.verdict]} {finding.number:>2}  {finding.title}: {finding.verdict}. {finding.sentence}"
        for finding in found.findings
    ]
    sentence = (
        f"As of decision {found.run['decisions']}: {len(found.exhibited)} of {len(found.findings)} departures of the "
        "official code from the paper are exhibited."
    )
    return sentence, "\n".join([*lines, *found.notes]), pictures
