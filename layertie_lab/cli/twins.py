"""`layertie twins`: a hypothesis about one action, its paired runs with progress, and the verdict as a sentence."""

from __future__ import annotations

import os
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from ..core.errors import ConfigError, WorkerError
from ..core.paths import path_of, shown
from ..counterfactual.forecast import forecast_of
from ..counterfactual.interim import GroupSequential, plan_at
from ..counterfactual.judging import differences, is_decided, refusal_of, verdicts_of_run
from ..counterfactual.questions import question, spec_about, state
from ..counterfactual.runner import StudyProgress, StudyRunner
from ..counterfactual.study import Study
from ..counterfactual.verdict import Verdict
from ..counterfactual.wording import headline_of, sentence_of
from ..records.directory import RunDirectory
from ..records.io.output import check_output, write_output
from . import arguments
from .long_run import interruptible

# Charts (altair) are imported where they are asked for, and the run's text where it was moved.


def twins(command: arguments.Twins, progress: Console, output: Console) -> tuple[dict[str, Any], int]:
    """Run a study to its verdict, or list those of the run.

    Raises:
        ConfigError: A flag out of range, or no hypothesis where one is needed.
        RecordError: Not a run, or a moment that is not stored.
        LayertieError: A branch diverged.
    """
    if command.list:
        return _listed(command.run, command.json, output), 0
    if command.chart is not None:
        from ..charts.page import check_vega

        check_vega()
        check_output(command.chart)
    if command.text is not None:
        from ..session.door import RunText

        # Remembered in the run, where the processes that train find it.
        RunText.of(command.run).find(text=command.text)
    study = _stated(command) if command.resume is None else _stored(command, command.resume)
    if not command.quiet:
        about = f"{study.name} about decision {study.spec.decision}, stated {study.stated_at}"
        progress.print(f"{about}: {study.spec.statement or 'exploratory'}", soft_wrap=True)
    stopped = _run(study, command, progress)
    return _result(study, command, stopped, progress, output)


def _stored(command: arguments.Twins, name: str) -> Study:
    if name in ("", ".", "..") or "/" in name or os.sep in name:
        raise ConfigError(f"Expected the name of a study, but got {shown(name)!r}.", "--list lists those of the run.")
    study = Study.open(path_of(command.run / "studies" / name))
    if command.looks != GroupSequential().replicates and not study.spec.is_pilot:
        raise ConfigError(
            f"Expected no --looks for {study.name}, whose interim analyses were stated at its start.",
            "Leave --looks out.",
        )
    return study


def _stated(command: arguments.Twins) -> Study:
    if command.pilot and command.pilot < 2:
        raise ConfigError(
            f"Expected a pilot of at least 2 replicates, but got {command.pilot}.", "4 is the usual number."
        )
    found = question(command.run, command.decision)
    action = found.answered if command.answer is None else command.answer
    if action is None or (action == found.proposed and not command.exploratory):
        given = "none" if action is None else f"{action}, which is the agent's own"
        raise ConfigError(
            f"Expected an action to hold against the agent's ({found.proposed}) for layer {found.layer} at decision "
            f"{found.decision}, but got {given}.",
            f"Give --answer, one of {[source for source in found.legal if source != found.proposed]}.",
        )
    choices = command.hypothesis
    wanted = choices.decisions(RunDirectory.open(command.run).config.training.steps_per_decision)
    if len(choices.answers) > wanted:
        raise ConfigError(
            f"Expected {wanted} recorded actions, one for each decision that begins within the horizon of "
            f"{choices.horizon} steps, but got {len(choices.answers)}.",
            "Leave the last ones out, or give a longer horizon.",
        )
    if command.pilot:
        choices = replace(choices, statement=f"Pilot: {choices.statement}")
    plan = plan_at((command.pilot,) if command.pilot else command.looks, open_ended=command.open_ended)
    primary = not (command.exploratory or command.pilot)
    return state(command.run, spec_about(found, action, command.run, choices, primary=primary, plan=plan), found)


def _run(study: Study, command: arguments.Twins, progress: Console) -> bool:
    """Whether it was stopped before its end."""
    columns = ("{task.description}", "{task.fields[replicates]} of at most {task.fields[wanted]} replicates")
    bar = Progress(
        TextColumn(columns[0]),
        BarColumn(),
        TextColumn(columns[1]),
        TimeElapsedColumn(),
        TextColumn("at most"),
        TimeRemainingColumn(),
        console=progress,
        disable=command.quiet,
    )
    pilot = study.spec.is_pilot

    def enough(replicates: list[dict[str, Any]]) -> bool:
        return not pilot and is_decided(study, replicates)

    with interruptible() as stop, bar:
        task = bar.add_task("twins", total=1.0, replicates=0, wanted=study.spec.replicates)

        def show(found: StudyProgress) -> None:
            bar.update(task, completed=found.share, replicates=found.replicates)

        runner = StudyRunner(study, workers=command.workers, on_change=show, should_stop=enough)
        runner.start()
        while (found := runner.wait(0.2)).state == "running":
            if stop.is_set():
                runner.cancel()
    if found.state == "failed":
        refused = refusal_of(study.spec, study.replicates())
        again = f"layertie twins {study.run} --resume {study.name} goes on."
        raise WorkerError(found.error, "There is no verdict." if refused else again)
    return found.state == "cancelled"


def _result(
    study: Study, command: arguments.Twins, stopped: bool, progress: Console, output: Console
) -> tuple[dict[str, Any], int]:
    replicates = study.replicates()
    verdict = verdicts_of_run(Study.all_of(study.run)[0])[study.name]
    found = _as_values(study, verdict)
    if study.spec.is_pilot and not stopped:
        expected = forecast_of(study.spec, replicates, plan_at(command.looks))
        found["forecast"] = None if expected is None else expected.sentence
        if not command.json:
            output.print(found["forecast"] or "No forecast: the replicates did not differ.", soft_wrap=True)
    elif not command.json and verdict is not None:
        output.print(sentence_of(verdict), soft_wrap=True)
    if stopped:
        again = f"layertie twins {study.run} --resume {study.name}"
        progress.print(f"Stopped after {len(replicates)} replicates, which are kept. Go on: {again}", soft_wrap=True)
    if command.chart is not None:
        _draw(study, verdict, command.chart)
        progress.print(f"chart: {command.chart}", soft_wrap=True)
    return found, 130 if stopped else 0


def _draw(study: Study, verdict: Verdict | None, path: Path) -> None:
    from ..charts import study_chart, to_html
    from ..counterfactual.frames import stated_for_charts, tables_of

    spec = study.spec
    said = "no verdict yet" if verdict is None else f"{verdict.outcome}. {headline_of(verdict)}"
    words = spec.statement if spec.primary else f"Exploratory: {spec.statement or 'no hypothesis'}"
    tables = tables_of(spec, study.replicates())
    chart = study_chart(stated_for_charts(spec), tables, title=words, subtitle=f"Verdict: {said}")
    write_output(path, to_html(chart, title=f"{study.name}: {spec.statement or 'exploratory'}").encode())


def _as_values(study: Study, verdict: Verdict | None) -> dict[str, Any]:
    spec, replicates = study.spec, study.replicates()
    values: dict[str, Any] = {
        "study": study.name,
        "directory": str(study.path),
        "stated_at": study.stated_at,
        "statement": spec.to_dict(),
        "hash": spec.hash,
        "replicates": len(replicates),
    }
    if verdict is None:
        return values | {"outcome": None, "refused": refusal_of(spec, replicates)}
    ends = () if verdict.interval is None else (float(verdict.interval.low), float(verdict.interval.high))
    low, high = ends if ends and isfinite(ends[0]) and isfinite(ends[1]) else (None, None)
    return values | {
        "outcome": verdict.outcome,
        "as_expected": verdict.as_expected,
        "sentence": sentence_of(verdict),
        "estimate": verdict.estimate,
        "about": "median" if verdict.by_sign else "mean",
        "unit": verdict.hypothesis.unit,
        "looked_at": verdict.replicates,
        "low": low,
        "high": high,
        "level": None if verdict.interval is None else float(verdict.interval.level),
        "spread": verdict.difference.spread,
        "differences": [float(value) for value in differences(spec, replicates)],
        "further": verdict.further,
        "family": verdict.family,
        "taken_back": verdict.taken_back,
        "warnings": list(verdict.warnings),
    }


def _listed(run: Path, json: bool, output: Console) -> dict[str, Any]:
    RunDirectory.open(run)
    studies, damaged = Study.all_of(run)
    verdicts, ended = verdicts_of_run(studies), []
    if not json:
        table = Table("study", "decision", "hypothesis", "expected", "verdict", "R", "steps", box=None)
        for study in studies:
            spec, verdict = study.spec, verdicts[study.name]
            refused = verdict is None and refusal_of(spec, study.replicates())
            outcome = verdict.outcome if verdict is not None else "refused" if refused else "none yet"
            ended += [f"{study.name}: {refused}"] if refused else []
            words = spec.statement if spec.primary else f"exploratory: {spec.statement or 'no hypothesis'}"
            counts = str(len(study.replicates())), str(spec.horizon)
            expected = spec.expected if spec.primary else ""
            table.add_row(study.name, str(spec.decision), words, expected, outcome, *counts)
        output.print(table if studies else "No hypothesis has been stated about this run yet.")
        for sentence in ended + damaged:
            output.print(sentence, soft_wrap=True)
    return {"studies": [_as_values(study, verdicts[study.name]) for study in studies], "damaged": damaged}
