"""`layertie twins`: a hypothesis about one action, its paired runs with progress, and the verdict as a sentence."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from ..core.errors import ConfigError, WorkerError
from ..core.paths import path_of, shown
from ..counterfactual.extension import extended
from ..counterfactual.forecast import forecast_of
from ..counterfactual.interim import GroupSequential, plan_at
from ..counterfactual.judging import is_decided, refusal_of, verdicts_of_run
from ..counterfactual.onward import extend, is_used_up
from ..counterfactual.questions import question, spec_about, state
from ..counterfactual.report import values_of
from ..counterfactual.runner import StudyProgress, StudyRunner
from ..counterfactual.study import Study
from ..counterfactual.verdict import Verdict
from ..counterfactual.wording import counted, headline_of, outcome_in_words, sentence_of
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
    _check_files(command)
    if command.text is not None:
        from ..session.door import RunText

        # Remembered in the run, where the processes that train find it.
        RunText.of(command.run).find(text=command.text)
    study = _named(command)
    if command.show is not None:
        return _result(study, command, False, progress, output)
    if not command.quiet:
        about = f"{study.name} about decision {study.spec.decision}, stated {study.stated_at}"
        progress.print(f"{about}: {study.spec.statement or 'exploratory'}", soft_wrap=True)
    stopped = _run(study, command, progress)
    return _result(study, command, stopped, progress, output)


def _check_files(command: arguments.Twins) -> None:
    """Refuse files that could not be written, before the effort."""
    if command.chart is not None or (command.page is not None and command.page.suffix != ".json"):
        from ..charts.page import check_vega

        check_vega()
    for path in (command.chart, command.page):
        if path is not None:
            check_output(path, ".json" if path == command.page and path.suffix == ".json" else ".html")


def _named(command: arguments.Twins) -> Study:
    """The study that is asked for: a new one, unless one is named; extended where that was asked for."""
    for name in (command.resume, command.extend, command.show):
        if name is not None:
            study = _stored(command, name)
            return study if command.extend is None else extend(study)
    return _stated(command)


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
    found = values_of(study, verdict)
    if study.spec.is_pilot and len(replicates) == study.spec.replicates:
        expected = forecast_of(study.spec, replicates, plan_at(command.looks))
        found["forecast"] = None if expected is None else expected.sentence
        if not command.json:
            output.print(found["forecast"] or "No forecast: the replicates did not differ.", soft_wrap=True)
    elif not command.json and verdict is not None:
        output.print(sentence_of(verdict), soft_wrap=True)
    elif not command.json and command.show is not None:
        refused = refusal_of(study.spec, replicates)
        came = f"{len(replicates)} of at most {counted(study.spec.replicates, 'replicate')} have come"
        output.print(refused or f"No verdict yet: {came}.", soft_wrap=True)
    if is_used_up(study, verdict) and not command.json:
        longer = extended(study.spec.plan)
        how = f" layertie twins {study.run} --extend {study.name} does so." if longer.plan is not None else ""
        output.print(f"{longer.why}{how}", soft_wrap=True)
    if stopped:
        again = f"layertie twins {study.run} --resume {study.name}"
        many = f"{counted(len(replicates), 'replicate')}, {'which is' if len(replicates) == 1 else 'which are'} kept"
        progress.print(f"Stopped after {many}. Go on: {again}", soft_wrap=True)
    if command.chart is not None:
        _draw(study, verdict, command.chart)
        progress.print(f"chart: {command.chart}", soft_wrap=True)
    if command.page is not None:
        from ..counterfactual.study_page import kept

        write_output(command.page, kept(study, "json" if command.page.suffix == ".json" else "html"))
        progress.print(f"page: {command.page}", soft_wrap=True)
    return found, 130 if stopped else 0


def _draw(study: Study, verdict: Verdict | None, path: Path) -> None:
    from ..charts import study_chart, to_html
    from ..counterfactual.frames import stated_for_charts, tables_of

    spec = study.spec
    said = "no verdict yet" if verdict is None else f"{outcome_in_words(verdict)}. {headline_of(verdict)}"
    words = spec.statement if spec.primary else f"Exploratory: {spec.statement or 'no hypothesis'}"
    replicates = study.replicates()
    tables = tables_of(spec, replicates)
    chart = study_chart(stated_for_charts(spec, replicates), tables, title=words, subtitle=f"Verdict: {said}")
    write_output(path, to_html(chart, title=f"{study.name}: {spec.statement or 'exploratory'}").encode())


def _listed(run: Path, json: bool, output: Console) -> dict[str, Any]:
    RunDirectory.open(run)
    studies, damaged = Study.all_of(run)
    verdicts, ended = verdicts_of_run(studies), []
    if not json:
        table = Table("study", "decision", "hypothesis", "expected", "verdict", "replicates", "steps", box=None)
        for study in studies:
            spec, verdict = study.spec, verdicts[study.name]
            refused = verdict is None and refusal_of(spec, study.replicates())
            outcome = outcome_in_words(verdict) if verdict is not None else "refused" if refused else "none yet"
            ended += [f"{study.name}: {refused}"] if refused else []
            words = spec.statement if spec.primary else f"exploratory: {spec.statement or 'no hypothesis'}"
            counts = str(len(study.replicates())), str(spec.horizon)
            expected = spec.expected if spec.primary else ""
            table.add_row(study.name, str(spec.decision), words, expected, outcome, *counts)
        output.print(table if studies else "No hypothesis has been stated about this run yet.")
        for sentence in ended + damaged:
            output.print(sentence, soft_wrap=True)
    return {"studies": [values_of(study, verdicts[study.name]) for study in studies], "damaged": damaged}
