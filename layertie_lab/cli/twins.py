"""`layertie twins`: a hypothesis about one answer, its replicates with progress, and the verdict as a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from ..core.errors import ConfigError, WorkerError
from ..records.studies import StudyFolder, list_studies, state_study
from . import arguments


def twins(command: arguments.Twins, progress: Console, output: Console) -> tuple[dict[str, Any], int]:
    """Run a study to its verdict, or list those of the run.

    Raises:
        ConfigError: A flag out of range, or no hypothesis where one is needed.
        RecordError: Not a run, or a moment that is not stored.
        LayertieError: A branch diverged.
    """
    if command.list:
        return _listed(command.run, command.json, output), 0
    folder = _resumed(command) if command.resume is not None else _stated(command)
    if not command.quiet:
        about = f"{folder.name} about decision {folder.statement.decision}, stated {folder.stated_at}"
        progress.print(f"{about}: {folder.statement.statement or 'exploratory'}", soft_wrap=True)
    stopped = _run(folder, command, progress)
    return _result(folder, command, stopped, progress, output)


def _resumed(command: arguments.Twins) -> StudyFolder:
    assert command.resume is not None, "asked for only with a name"
    return StudyFolder.open(command.run / "studies" / command.resume)


def _stated(command: arguments.Twins) -> StudyFolder:
    from ..counterfactual.questions import plan_values, question, statement_about

    if command.pilot and command.pilot < 2:
        raise ConfigError(
            f"Expected a pilot of at least 2 replicates, but got {command.pilot}.", "4 is the usual number."
        )
    found = question(command.run, command.decision)
    answered = found.answered if command.answer is None else command.answer
    if answered is None or (answered == found.proposed and not command.exploratory):
        given = "none" if answered is None else f"{answered}, which is the agent's own"
        raise ConfigError(
            f"Expected an answer to hold against the agent's ({found.proposed}) for layer {found.layer} at decision "
            f"{found.decision}, but got {given}.",
            f"Give --answer, one of {[source for source in found.legal if source != found.proposed]}.",
        )
    exploratory = command.exploratory or command.pilot > 0
    plan = plan_values((command.pilot,) if command.pilot else command.looks, open_ended=command.open_ended)
    statement = statement_about(
        found,
        answered,
        command.run,
        statement=f"Pilot: {command.statement}" if command.pilot else command.statement,
        expected=command.expected,
        primary=not exploratory,
        metric=command.metric,
        horizon=command.horizon,
        smallest_difference=command.smallest_difference,
        after=command.after,
        answers=command.answers or None,
        marks=command.marks,
        windows=command.windows,
        probe=command.probe,
        threads=command.threads,
        **plan,
    )
    from ..counterfactual.replicates import check_statement, plan_of
    from ..counterfactual.study import hypothesis_of
    from ..session.moment import Moment

    # What is out of range is to be said before anything is written.
    plan_of(statement)
    hypothesis_of(statement)
    if command.workers < 0:
        raise ConfigError(f"Expected 0 processes or more, but got {command.workers}.", "0 is one per core.")
    check_statement(statement, Moment.stored(command.run, found.checkpoint.name).open())
    return state_study(command.run, statement, found.checkpoint)


def _run(folder: StudyFolder, command: arguments.Twins, progress: Console) -> bool:
    """Whether it was stopped before its end."""
    from ..counterfactual.runner import StudyRunner
    from ..counterfactual.study import is_decided
    from .long_run import interruptible

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
    pilot = folder.statement.is_pilot

    def enough(replicates: list[dict[str, Any]]) -> bool:
        return not pilot and is_decided(folder.statement, replicates)

    with interruptible() as stop, bar:
        task = bar.add_task("twins", total=1.0, replicates=0, wanted=folder.statement.replicates)

        def show(found: Any) -> None:
            bar.update(task, completed=found.share, replicates=found.replicates)

        runner = StudyRunner(folder, workers=command.workers, on_change=show, should_stop=enough)
        runner.start()
        while (found := runner.wait(0.2)).state == "running":
            if stop.is_set():
                runner.cancel()
    if found.state == "failed":
        from ..counterfactual.study import refusal_of

        refused = refusal_of(folder.statement, folder.replicates())
        again = f"layertie twins {folder.run} --resume {folder.name} goes on."
        raise WorkerError(found.error, "There is no verdict." if refused else again)
    return found.state == "cancelled"


def _result(
    folder: StudyFolder, command: arguments.Twins, stopped: bool, progress: Console, output: Console
) -> tuple[dict[str, Any], int]:
    from ..counterfactual.study import verdicts_of_run
    from ..counterfactual.wording import sentence_of

    replicates = folder.replicates()
    verdict = verdicts_of_run(list_studies(folder.run)[0])[folder.name]
    found = _as_values(folder, verdict)
    if folder.statement.is_pilot and not stopped:
        from ..counterfactual.forecast import forecast_of
        from ..counterfactual.interim import plan_from
        from ..counterfactual.questions import plan_values

        expected = forecast_of(folder.statement, replicates, plan_from(plan_values(command.looks)["looks"]))
        found["forecast"] = None if expected is None else expected.sentence
        if not command.json:
            output.print(found["forecast"] or "No forecast: the replicates did not differ.", soft_wrap=True)
    elif not command.json and verdict is not None:
        output.print(sentence_of(verdict), soft_wrap=True)
    if stopped:
        again = f"layertie twins {folder.run} --resume {folder.name}"
        progress.print(f"Stopped after {len(replicates)} replicates, which are kept. Go on: {again}", soft_wrap=True)
    if command.chart is not None:
        _draw(folder, command.chart)
        progress.print(f"chart: {command.chart}", soft_wrap=True)
    return found, 130 if stopped else 0


def _draw(folder: StudyFolder, path: Path) -> None:
    from ..charts import Stated, study_chart, to_html
    from ..core.statements import METRICS
    from ..counterfactual.study import tables_of, verdicts_of_run
    from ..counterfactual.wording import headline_of
    from ..records.io.disk import write_atomically

    stated = folder.statement
    metric = METRICS[stated.metric]
    drawn = Stated(
        stated.horizon,
        stated.smallest_difference,
        stated.steps_per_decision,
        metric.label,
        metric.unit,
        stated.metric == "last",
    )
    verdict = verdicts_of_run(list_studies(folder.run)[0])[folder.name]
    said = "no verdict yet" if verdict is None else f"{verdict.outcome}. {headline_of(verdict)}"
    words = stated.statement if stated.primary else f"Exploratory: {stated.statement or 'no hypothesis'}"
    chart = study_chart(drawn, tables_of(stated, folder.replicates()), title=words, subtitle=f"Verdict: {said}")
    write_atomically(path, to_html(chart, title=f"{folder.name}: {stated.statement or 'exploratory'}").encode())


def _as_values(folder: StudyFolder, verdict: Any) -> dict[str, Any]:
    from ..counterfactual.study import differences, refusal_of
    from ..counterfactual.wording import sentence_of

    statement, replicates = folder.statement, folder.replicates()
    values: dict[str, Any] = {
        "study": folder.name,
        "directory": str(folder.path),
        "stated_at": folder.stated_at,
        "statement": statement.to_dict(),
        "hash": statement.hash,
        "replicates": len(replicates),
    }
    if verdict is None:
        return values | {"outcome": None, "refused": refusal_of(statement, replicates)}
    interval = verdict.interval
    return values | {
        "outcome": verdict.outcome,
        "as_expected": verdict.as_expected,
        "sentence": sentence_of(verdict),
        "estimate": verdict.difference.value,
        "unit": verdict.hypothesis.unit,
        "looked_at": verdict.replicates,
        "low": None if interval is None else float(interval.low),
        "high": None if interval is None else float(interval.high),
        "level": None if interval is None else float(interval.level),
        "spread": verdict.difference.spread,
        "differences": [float(value) for value in differences(statement, replicates)],
        "further": verdict.further,
        "family": verdict.family,
        "warnings": list(verdict.warnings),
    }


def _listed(run: Path, json: bool, output: Console) -> dict[str, Any]:
    from ..counterfactual.study import refusal_of, verdicts_of_run
    from ..records.directory import RunDirectory

    RunDirectory.open(run)
    studies, damaged = list_studies(run)
    verdicts, ended = verdicts_of_run(studies), []
    if not json:
        table = Table("study", "decision", "hypothesis", "expected", "verdict", "R", "steps", box=None)
        for study in studies:
            stated, verdict = study.statement, verdicts[study.name]
            refused = verdict is None and refusal_of(stated, study.replicates())
            outcome = verdict.outcome if verdict is not None else "refused" if refused else "none yet"
            ended += [f"{study.name}: {refused}"] if refused else []
            words = stated.statement if stated.primary else f"exploratory: {stated.statement or 'no hypothesis'}"
            counts = str(len(study.replicates())), str(stated.horizon)
            table.add_row(study.name, str(stated.decision), words, stated.expected, outcome, *counts)
        output.print(table if studies else "No hypothesis has been stated about this run yet.")
        for sentence in ended + damaged:
            output.print(sentence, soft_wrap=True)
    return {"studies": [_as_values(study, verdicts[study.name]) for study in studies], "damaged": damaged}
