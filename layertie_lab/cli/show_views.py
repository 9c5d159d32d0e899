"""`layertie show` with a look inside: views of a run at a moment, as tables, as JSON and as a page of charts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from ..core.columns import Column
from ..core.errors import CorpusError, RecordError
from ..inspection.answer import answer, asked, pictures, sentences, tables, written
from ..inspection.moment import Inspection
from ..inspection.question import Question
from ..inspection.stored import stored_decisions
from ..inspection.views.registry import VIEWS, WrittenText
from ..inspection.views.registry import Table as Found
from ..records import findings
from ..records.io.output import write_output
from . import arguments

# Charts (altair) are imported where a page is asked for.


def show_views(
    command: arguments.Show, views: Sequence[str], progress: Console, output: Console
) -> dict[str, dict[str, Any]]:
    """What was found, by view; printed as tables, and written as a page, as the command says.

    Raises:
        LayertieError: Nothing is stored for the decision, or a probe text that cannot be one.
    """
    text = None if command.probe_text is None else _read(command.probe_text)
    # What the agent saw before a decision is stored with the one before; what only that is asked of need not be stored.
    asked_back = command.at is not None and command.at > 0
    only_back = asked_back and all(VIEWS.describe(view).next_decision for view in views)
    first = command.at - 1 if only_back and command.at is not None else command.at
    inspection = Inspection.of(command.run, first, text=command.text)
    if command.text is not None:
        progress.print(f"The run's text was read at {command.text.expanduser().absolute()}.", soft_wrap=True)
    for note in inspection.notes:
        progress.print(note, soft_wrap=True)
    found: dict[str, dict[str, Any]] = {}
    columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
    with Progress(*columns, console=progress, transient=True) as bars:
        for view in views:
            seen = inspection
            if asked_back and not only_back and VIEWS.describe(view).next_decision:
                seen = Inspection.of(command.run, inspection.decision - 1, data=inspection.data)
            question = Question(
                str(command.run),
                view,
                seen.decision,
                sequences=command.probe_sequences,
                text=text,
                options=_options(view, command),
            )
            values = question.to_dict(seen.decision)
            kept = findings.find(command.run, values)
            if kept is None:
                task = bars.add_task(VIEWS.describe(view).title, total=1.0)
                kept = answer(question, seen, lambda done, task=task: bars.update(task, completed=done))
                findings.keep(command.run, values, kept)
                bars.remove_task(task)
            found[view] = kept
    if command.html is not None:
        _write(command.html, command.run, found)
    if not command.json:
        for view, kept in found.items():
            _print(view, kept, output)
        if command.html is not None:
            output.print(str(command.html), soft_wrap=True)
    return found


def _options(view: str, command: arguments.Show) -> dict[str, Any]:
    """Options of a view, as far as they differ from its own."""
    described = VIEWS.describe(view)
    heeds, found = described.options, {}
    for typed in described.fields:
        value = typed.read(getattr(command, arguments.flag_of_field(described, typed)))
        if value != typed.value:
            found[typed.option] = value
    if "before" in heeds and command.before:
        found["before"] = True
    if "other" in heeds and command.other is not None:
        last = stored_decisions(command.other)[-1:] if command.other_at is None else [command.other_at]
        if not last:
            raise RecordError(f"Expected a stored state of {command.other}, but it has none.", "Name another run.")
        found["other"] = {"run": str(command.other), "decision": last[0]}
    if "similarities" in heeds and command.similarities:
        found["methods"] = list(command.similarities)
    if "baseline" in heeds:
        found["baseline"] = command.baseline
    if "methods" in heeds and command.methods:
        found["methods"] = list(command.methods)
    if "until" in heeds:
        found["until"] = stored_decisions(command.run)[-1]
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise CorpusError(f"Expected a probe text in {path}, but the system says: {error.strerror}.", "") from error
    except UnicodeDecodeError:
        raise CorpusError(f"Expected UTF-8 text in {path}, but it is something else.", "Save it as UTF-8.") from None


def _write(path: Path, run: Path, found: dict[str, dict[str, Any]]) -> None:
    from ..charts.page import to_page

    sections = {
        VIEWS.describe(view).title: (
            " ".join([asked(kept["facts"]), *sentences(kept["facts"]), *map(_whole, written(kept))]),
            pictures(kept),
        )
        for view, kept in found.items()
    }
    facts = next(iter(found.values()))["facts"]
    title = f"{facts['run']} after decision {facts['decision']}"
    page = to_page(sections, title=title, about=f"One run ({run.name}), looked at after step {facts['step']}.")
    write_output(path, page.encode(), makes_folder=True)


def _print(view: str, kept: dict[str, Any], console: Console) -> None:
    console.print(VIEWS.describe(view).title, style="bold")
    console.print(asked(kept["facts"]), soft_wrap=True, style="dim")
    for words in sentences(kept["facts"]):
        console.print(words, soft_wrap=True)
    for text in written(kept):
        if text.title:
            console.print(text.title, soft_wrap=True, style="dim")
        parts = (text.given, "dim"), text.text, (text.differs, "underline")
        console.print(Text.assemble(*parts), soft_wrap=True)
    found = tables(kept)
    if "other" in kept["facts"] and found:
        console.print(f"Rows: layers of this run. Columns: of {kept['facts']['other']}.", soft_wrap=True)
    for table in found:
        console.print(_table(table))
    console.print("More (intervals, nulls, other frames): --json; as charts: --html PAGE.", style="dim", soft_wrap=True)


def _whole(text: WrittenText) -> str:
    """What a model wrote, after what it began with."""
    return f"{text.title}: {text.given}{text.text}{text.differs}".removeprefix(": ")


def _table(found: Found) -> Table:
    table = Table(*(column.head for column in found.columns), box=None)
    for row in found.rows:
        table.add_row(*(_cell(column, row.get(column.name)) for column in found.columns))
    return table


def _cell(column: Column, value: Any) -> str:
    if value is None:
        return ""
    if not column.number or isinstance(value, int):
        return str(value)
    return f"{value:.4g}" if column.digits is None else f"{value:.{column.digits}f}"
