"""What the explorer shows of a run's audit: sentences and pictures, as plain functions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ROWS = 12
"""Latest decisions to list."""
GRADIENTS = {"owner": "o", "summed": "+", "none": "."}
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
    return sentence, "\n".join([*lines, *found.notes, "", *_table(found.frame.tail(ROWS).to_dicts())]), pictures


def _table(rows: list[dict[str, Any]]) -> list[str]:
    """The two books at the latest decisions, in columns of fixed width: each pair claimed | true."""
    lines = ["decision  independent  trainable parameters    memory (MB)  gradient (claimed | true; o owner, + summed)"]
    for row in rows:
        needed = "?" if row["true_bytes"] is None else f"{row['true_bytes'] / 1e6:.2f}"
        layers = f"{row['claimed_independent']} | {row['true_blocks']}"
        counts = f"{row['claimed_parameters']:,} | {row['true_parameters']:,}"
        memory = f"{row['claimed_bytes'] / 1e6:.2f} | {needed}"
        flow = "".join(GRADIENTS[kind] for kind in row["gradient"] or ())
        lines.append(f"{row['decision']:>8}  {layers:>11}  {counts:>20}  {memory:>13}  {flow}")
    return lines
