"""`layertie show` with a look inside: views of a run at a moment, as tables, as JSON and as a page of charts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ..core.errors import CorpusError, RecordError
from ..inspection.moment import Inspection
from ..inspection.question import Question
from ..inspection.stored import stored_decisions
from ..inspection.views import answer
from ..inspection.words import answer as in_words
from ..inspection.words import probe, sentences
from ..records import findings
from . import arguments

TITLES = {
    "similarity": "How alike the layers are", "weights": "How alike their weights are",
    "profile": "What each layer adds",
    "attribution": "What each layer does for the loss", "tokens": "How well tokens are predicted",
    "costs": "What every change of a tie would cost at once", "reasons": "Why the agent answers so",
    "memory": "What a training step holds in memory",
}  # fmt: skip
"""View -> heading."""


def show_views(
    command: arguments.Show, views: Sequence[str], progress: Console, output: Console
) -> dict[str, dict[str, Any]]:
    """The answers by view; printed as tables, and written as a page, as the command says.

    Raises:
        LayertieError: Nothing is stored for the decision, or a probe text that cannot be one.
    """
    text = None if command.probe_text is None else _read(command.probe_text)
    inspection = Inspection.of(command.run, command.at)
    found: dict[str, dict[str, Any]] = {}
    columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
    with Progress(*columns, console=progress, transient=True) as bars:
        for view in views:
            # What the agent saw before a decision is stored with the one before.
            back = view == "reasons" and command.at is not None and command.at > 0
            seen = Inspection.of(command.run, inspection.decision - 1, data=inspection.data) if back else inspection
            question = Question(
                str(command.run),
                view,
                seen.decision,
                sequences=command.probe_sequences,
                text=text,
                options=_options(view, command),
            )
            asked = question.to_dict(seen.decision)
            kept = findings.find(command.run, asked)
            if kept is None:
                task = bars.add_task(TITLES[view], total=1.0)
                kept = answer(question, seen, lambda done, task=task: bars.update(task, completed=done))
                findings.keep(command.run, asked, kept)
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
    if view in ("similarity", "weights") and command.other is not None:
        last = stored_decisions(command.other)[-1:] if command.other_at is None else [command.other_at]
        if not last:
            raise RecordError(f"Expected a stored state of {command.other}, but it has none.", "Name another run.")
        return {"other": {"run": str(command.other), "decision": last[0]}}
    if view == "attribution":
        return {"baseline": command.baseline} | ({"methods": list(command.methods)} if command.methods else {})
    if view == "reasons":
        return {"until": stored_decisions(command.run)[-1]}
    return {}


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise CorpusError(f"Expected a probe text in {path}, but the system says: {error.strerror}.", "") from error
    except UnicodeDecodeError:
        raise CorpusError(f"Expected UTF-8 text in {path}, but it is something else.", "Save it as UTF-8.") from None


def _write(path: Path, run: Path, found: dict[str, dict[str, Any]]) -> None:
    from ..charts.inside.views import pictures
    from ..charts.page import to_page
    from ..records.export import write_files

    sections = {
        TITLES[view]: (" ".join([probe(kept["facts"]), *sentences(kept["facts"])]), pictures(view, kept))
        for view, kept in found.items()
    }
    facts = next(iter(found.values()))["facts"]
    title = f"{facts['run']} after decision {facts['decision']}"
    page = to_page(sections, title=title, about=f"One run ({run.name}), looked at after step {facts['step']}.")
    write_files(path.parent, {path.name: page.encode()})


def _print(view: str, kept: dict[str, Any], console: Console) -> None:
    console.print(f"[bold]{TITLES[view]}[/]")
    console.print(probe(kept["facts"]), soft_wrap=True, style="dim")
    for words in sentences(kept["facts"]):
        console.print(words, soft_wrap=True, markup=False)
    if "other" in kept["facts"]:
        console.print(f"Rows: layers of this run. Columns: of {kept['facts']['other']}.", soft_wrap=True)
    for name, rows in kept["frames"].items():
        if name in _TABLES and rows:
            for table in _TABLES[name](rows):
                console.print(table)
    console.print("More (intervals, nulls, other frames): --json; as charts: --html PAGE.", style="dim", soft_wrap=True)


def _matrices(rows: list[dict[str, Any]]) -> list[Table]:
    """A matrix per method, with what unrelated layers reach left out: it stands in the JSON."""
    tables = []
    for method in dict.fromkeys(row["method"] for row in rows):
        mine = [row for row in rows if row["method"] == method]
        across = sorted({row["layer_b"] for row in mine})
        table = Table(f"{method}", *map(str, across), box=None)
        for layer in sorted({row["layer_a"] for row in mine}):
            values = {row["layer_b"]: row["value"] for row in mine if row["layer_a"] == layer}
            table.add_row(str(layer), *(f"{values[other]:.2f}" if other in values else "" for other in across))
        tables.append(table)
    return tables


def _per_layer(rows: list[dict[str, Any]]) -> list[Table]:
    tables = []
    for method in dict.fromkeys(row["method"] for row in rows):
        table = Table("layer", "owner", method, "interval", box=None)
        for row in rows:
            if row["method"] == method:
                ends = "" if row["low"] is None else f"{row['low']:+.4f} to {row['high']:+.4f}"
                table.add_row(str(row["layer"]), str(row["owner"]), f"{row['value']:+.4f}", ends)
        tables.append(table)
    return tables


def _costs(rows: list[dict[str, Any]]) -> list[Table]:
    table = Table("layer", "answer", "change of the loss", "interval", "agent's value", box=None)
    for row in sorted(rows, key=lambda row: row["change"]):
        value = "" if row["q_value"] is None else f"{row['q_value']:+.4g}"
        answered = in_words(row["layer"], row["answer"])
        present = " (as it is)" if row["present"] else ""
        ends = f"{row['low']:+.4f} to {row['high']:+.4f}"
        table.add_row(str(row["layer"]), answered + present, f"{row['change']:+.4f}", ends, value)
    return [table]


def _correlations(rows: list[dict[str, Any]]) -> list[Table]:
    table = Table("against the change of the loss", "rank correlation", "interval", "p", "ties", box=None)
    for row in rows:
        if row["measure"] == "spearman":
            ends = "" if row["low"] is None else f"{row['low']:.2f} to {row['high']:.2f}"
            value = "" if row["value"] is None else f"{row['value']:.2f}"
            p = "" if row["mantel_p"] is None else f"{row['mantel_p']:.3f}"
            table.add_row(row["method"], value, ends, p, str(row["pairs"]))
    return [table]


def _memory(rows: list[dict[str, Any]]) -> list[Table]:
    totals: dict[tuple[str, str, str, str], int] = {}
    for row in rows:
        key = row["map"], row["when"], row["kind"], row["component"]
        totals[key] = totals.get(key, 0) + row["bytes"]
    table = Table("ties", "when", "kind", "component", "MB", box=None)
    for (*names, component), size in totals.items():
        table.add_row(*names, component, f"{size / 1e6:,.3f}")
    return [table]


def _weights(rows: list[dict[str, Any]]) -> list[Table]:
    return _matrices([row | {"method": row["tensor"], "value": row["cosine"]} for row in rows])


def _profile(rows: list[dict[str, Any]]) -> list[Table]:
    return _per_layer([row | {"method": row["measure"]} for row in rows])


def _lens(rows: list[dict[str, Any]]) -> list[Table]:
    table = Table("layers passed", "loss", "interval", box=None)
    for row in rows:
        table.add_row(str(row["depth"]), f"{row['loss']:.4f}", f"{row['low']:.4f} to {row['high']:.4f}")
    return [table]


def _inputs(rows: list[dict[str, Any]]) -> list[Table]:
    answers = sorted({row["answer"] for row in rows})
    table = Table("input", *(f"answer {answer}" for answer in answers), box=None)
    for name in dict.fromkeys(row["input"] for row in rows):
        values = {row["answer"]: row["value"] for row in rows if row["input"] == name}
        table.add_row(name, *(f"{values[answer]:+.4g}" for answer in answers))
    return [table]


def _precedents(rows: list[dict[str, Any]]) -> list[Table]:
    table = Table("past decision", "entries that differ", "answered", "reward", "above its trend", box=None)
    for row in rows:
        answered = in_words(row["layer"], row["choice"])
        reward = f"{row['reward']:.4g}"
        table.add_row(str(row["decision"]), str(row["distance"]), answered, reward, f"{row['above_trend']:+.3g}")
    return [table]


_TABLES = {
    "similarity": _matrices, "weights": _weights, "profile": _profile, "attribution": _per_layer, "lens": _lens,
    "costs": _costs, "correlations": _correlations, "inputs": _inputs, "precedents": _precedents, "memory": _memory,
}  # fmt: skip
"""Frame -> tables; the rest stands in the JSON and in the charts."""
