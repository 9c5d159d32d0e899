"""The audit: what a run, or anybody's model, claimed beside what was true of it.

    audit = audit_run("runs/demo")
    audit.frame                      # a row per decision, `audit.columns` says what each column means
    for finding in audit.findings:
        finding.sentence

For a model in memory see `audit_module.audit_module`; to audit a run while it goes on, `audit_rows.Auditor`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from ...core.errors import AnalysisError, RecordError
from ...core.notices import Timing, read_timing
from ...records.directory import RunDirectory
from ...records.log.cursor import EventCursor
from ...records.log.reader import Run, load_run
from ...records.state.checkpoints import load_checkpoint
from . import sharing_findings, training_findings
from .findings import TITLES, Finding, Told
from .rows import COLUMNS, Auditor, frame_of
from .training_findings import Q_LEARNERS, QNetwork


@dataclass(frozen=True)
class Audit:
    """A run's two books.

    Args:
        run: Facts of the run: directory, status, algorithm, policy, scale, seed, decisions (with an outcome), layers,
            untied_parameters.
        frame: A row per decision, from 0 = the start; columns, types and units in `audit_rows.COLUMNS`.
        findings: The eleven departures of the official code from the paper's text, as this run shows them.
        notes: What a reader should know of the records (damage, decisions that do not explain the storages).
    """

    run: dict[str, Any]
    frame: pl.DataFrame
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> dict[str, str]:
        """Column of `frame` -> meaning with unit."""
        return {name: meaning for name, (_, meaning) in COLUMNS.items()}

    @property
    def exhibited(self) -> tuple[int, ...]:
        """Numbers of the departures that the run exhibits."""
        return tuple(finding.number for finding in self.findings if finding.verdict == "exhibited")

    def to_dict(self) -> dict[str, Any]:
        """As plain values for JSON, the columns' meanings included."""
        return {
            "run": dict(self.run),
            "columns": self.columns,
            "decisions": self.frame.to_dicts(),
            "departures": [asdict(finding) for finding in self.findings],
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Audit:
        """Back from `to_dict`.

        Raises:
            AnalysisError: Not what `to_dict` gives.
        """
        try:
            findings = tuple(Finding(**finding) for finding in values["departures"])
            return cls(dict(values["run"]), frame_of(values["decisions"]), findings, tuple(values["notes"]))
        except (KeyError, TypeError, AttributeError, pl.exceptions.PolarsError) as error:
            raise AnalysisError(
                f"Expected an audit as `layertie audit --json` prints it, but got something else ({error}).",
                "Make it again from the run.",
            ) from None


def audit_run(run: Run | str | Path) -> Audit:
    """Audit a run directory, live or finished, by what its records hold.

    Args:
        run: A loaded run, or its folder.

    Raises:
        RecordError: No such folder, not a run, or written by a newer version. A damaged log is audited as far as it is
            whole, and a note says so.
        AnalysisError: The log is not of a run with these settings.
    """
    loaded = run if isinstance(run, Run) else load_run(run, damaged="keep")
    notes = list(loaded.notes)
    auditor = Auditor(loaded.config)
    cursor = EventCursor(loaded.directory.events)
    try:
        while events := cursor.read_new(1 << 24):
            for event in events:
                auditor.take(event)
    except RecordError as damage:
        notes += [] if damage.message in notes else [damage.message]
    for values in loaded.telemetry(Timing.kind):
        auditor.take(read_timing(values))
    if auditor.opened is None:
        raise AnalysisError(
            f"Expected a run that has begun, but the log of {loaded.path} holds no opening event.",
            "Train it first: layertie resume.",
        )
    return audit_of(auditor, loaded, notes)


def departures(auditor: Auditor, network: QNetwork | None = None) -> list[Finding]:
    """The eleven departures, in order, as far as an auditor's books show them.

    Args:
        auditor: What it has seen of a run.
        network: The first layer of a Q-learner's network, where it is known.
    """
    rows = auditor.rows
    made = rows[1:]
    tellers: list[Callable[[], Told]] = [
        lambda: sharing_findings.dropped_gradients(made),
        lambda: sharing_findings.shared_after_untying(rows),
        lambda: sharing_findings.merging(rows),
        lambda: sharing_findings.start(rows),
        lambda: sharing_findings.chains(rows),
        lambda: training_findings.constant_reward(made),
        lambda: training_findings.chance(made),
        lambda: training_findings.silent_units(rows, auditor.config.agent.policy, network),
        lambda: training_findings.counted_twice(made),
        lambda: training_findings.memory(made),
        lambda: training_findings.selection(auditor),
    ]
    nothing: Told = ("cannot be told", "No decision has an outcome yet.", {})
    return [
        Finding(number, title, *(tell() if made or (rows and number in _WITHOUT_DECISIONS) else nothing))
        for number, (title, tell) in enumerate(zip(TITLES, tellers, strict=True), start=1)
    ]


_WITHOUT_DECISIONS = (4, 11)


def audit_of(auditor: Auditor, run: Run, notes: list[str]) -> Audit:
    """The audit of what an auditor has seen of a run."""
    config, opened = run.config, auditor.opened
    facts = {
        "directory": str(run.path),
        "status": run.status,
        "algorithm": config.algorithm,
        "policy": config.agent.policy,
        "scale": config.scale,
        "seed": config.seed,
        "decisions": max(0, len(auditor.rows) - 1),
        "layers": config.model.layers,
        "untied_parameters": None if opened is None else opened.untied_parameters,
    }
    network = _network(run.directory) if config.agent.policy in Q_LEARNERS else None
    findings = tuple(departures(auditor, network))
    return Audit(facts, auditor.frame(), findings, (*notes, *auditor.notes))


def _network(directory: RunDirectory) -> QNetwork | None:
    """The first layer of the Q-network in the latest whole checkpoint."""
    try:
        saved = load_checkpoint(directory)
    except RecordError:
        return None
    weight, bias = (saved.tensors.get(f"policy/first.{name}") for name in ("weight", "bias"))
    if weight is None or bias is None:
        return None
    return int(saved.meta["decision"]), weight.float(), bias.float()
