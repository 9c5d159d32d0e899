"""`layertie show`: a run's state, live or finished. No torch is loaded but for a look inside."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..core.errors import ConfigError
from ..core.measures import perplexity
from ..core.notices import Failed
from ..core.ties import TieMap
from ..inspection.views.registry import VIEWS
from ..records.directory import ENDED_BY_ERROR
from ..records.io.output import check_output
from ..records.log.reader import load_run
from ..records.reads import text_facts
from . import arguments
from .display import size_text, sparkline, tie_map_text

# What looks inside (torch) is imported where a view is asked for.

USUAL = ["similarity", "attribution", "memory"]
"""Views of a page where none is named."""

SHOWN = 12
"""Digits of a digest in a sentence."""
OF_VIEWS = ("at", "probe_sequences", "probe_text", "text")
"""Flags that only a view heeds."""


def _check(command: arguments.Show, views: list[str]) -> None:
    """Refuse flags that nothing would heed."""
    usual = type(command)(run=command.run)
    asked = views or (USUAL if command.html is not None else [])
    needs = {name: (bool(asked), "a view such as --similarity") for name in OF_VIEWS}
    needs["other_at"] = (command.other is not None, "--other")
    heeding = {
        option: [each.name for each in VIEWS if option in each.options]
        for option in ("other", "before", "similarities", "methods", "baseline")
    }
    for each in VIEWS:
        for typed in each.fields:
            heeding.setdefault(arguments.flag_of_field(each, typed), []).append(each.name)
    for option, heed in heeding.items():
        needs[option] = (bool({*heed} & {*asked}), " or ".join(f"--{view}" for view in heed))
    for name, (there, needed) in needs.items():
        if getattr(command, name) != getattr(usual, name) and not there:
            flag = name.replace("_", "-")
            raise ConfigError(
                f"Expected {needed} beside --{flag}, but it is not there.", f"Name it, or leave --{flag} out."
            )
    if command.before and command.other is not None:
        raise ConfigError("Expected --before or --other, but got both.", "A text is set beside one other.")
    if command.probe_text is not None and command.probe_sequences != usual.probe_sequences:
        raise ConfigError(
            "Expected --probe-text or --probe-sequences, but got both.", "A text brings its own sequences."
        )


def show(command: arguments.Show, progress: Console, output: Console) -> tuple[dict[str, Any], int]:
    """A run's state as text, and as plain values; what was found inside, where that was asked for."""
    run = load_run(command.run)
    result = describe(run, command.decisions)
    views = command.views
    _check(command, views)
    if views or command.html is not None:
        from ..charts.page import check_vega
        from .show_views import show_views

        if command.html is not None:
            check_vega()
            check_output(command.html, makes_folder=True)
        return result | show_views(command, views or USUAL, progress, output), 0
    if not command.json:
        for line in _lines(run, result):
            output.print(line, soft_wrap=True)
        if result["latest_decisions"]:
            output.print(_decisions(result["latest_decisions"]))
    return result, 0


def describe(run: Any, latest: int) -> dict[str, Any]:
    """What `show --json` prints.

    Args:
        run: A loaded run.
        latest: How many of its latest decisions to list.
    """
    config, opened = run.config, run.opened
    decisions, steps, evaluations = run.decisions, run.steps, run.evaluations
    validation = evaluations.filter(evaluations["split"] == "validation")
    maps = run.ties
    last = maps.filter(maps["decision"] == maps["decision"].max()) if maps.height else maps
    memory = run.memory.filter(run.memory["decision"] == decisions.height)
    return {
        "directory": str(run.path),
        "status": run.status,
        "failure": _failure(run),
        "scale": config.scale,
        "algorithm": config.algorithm,
        "seed": config.seed,
        "config_hash": config.hash,
        "corpus": None if opened is None else opened.corpus,
        "text": text_facts(run.path),
        "decisions": decisions.height,
        "budget": config.decisions,
        "steps": steps["step"].max() if steps.height else 0,
        "steps_under_way": steps.filter(steps["decision"] > decisions.height).height,
        "ties": last["source"].to_list(),
        "owners": None if not last.height else last["owner"].n_unique(),
        "blocks": None if not last.height else last["block"].n_unique(),
        "trainable_parameters": decisions["trainable_parameters"][-1] if decisions.height else None,
        "claimed_parameters": decisions["claimed_parameters"][-1] if decisions.height else None,
        "untied_parameters": None if opened is None else opened.untied_parameters,
        "unigram_entropy": None if opened is None else opened.unigram_entropy,
        "validation_loss": validation["loss"][-1] if validation.height else None,
        "best_validation_loss": validation["loss"].min() if validation.height else None,
        "perplexity": perplexity(validation["loss"][-1]) if validation.height else None,
        "bits_per_byte": validation["bits_per_byte"][-1] if validation.height else None,
        "overrides": int(decisions["overridden"].sum()) if decisions.height else 0,
        "memory_bytes": dict(memory["component", "bytes"].rows()),
        "latest_decisions": decisions.tail(latest).to_dicts(),
        "notes": list(run.notes),
    }


def _failure(run: Any) -> dict[str, Any] | None:
    """Why a failed run has failed, and whether it has diverged; None of any other."""
    if run.status not in ENDED_BY_ERROR:
        return None
    last = run.telemetry(Failed.kind)[-1]
    return {
        "diverged": run.status == "diverged",
        "sentence": last.get("sentence", ""),
        "trace": last.get("trace"),
    }


def _lines(run: Any, facts: dict[str, Any]) -> list[Text]:
    failure = facts["failure"]
    begun = f" and {facts['steps_under_way']} steps of the next" if facts["steps_under_way"] else ""
    lines = [
        Text(f"{facts['directory']}  ({facts['status']})", style="bold"),
        Text(
            f"{facts['scale']} scale, {facts['algorithm']} algorithm, seed {facts['seed']}; {facts['decisions']} of "
            f"{facts['budget']} decisions{begun}, {facts['steps']} steps; {facts['overrides']} overrides"
        ),
    ]
    if failure is not None:
        lines.append(Text(failure["sentence"], style="red"))
    if facts["corpus"]:
        lines.append(Text(facts["corpus"]))
    lines.append(_text(facts["text"]))
    lines += [Text(note) for note in (facts["text"] or {}).get("notes", ())]
    if facts["ties"]:
        ties = TieMap(tuple(facts["ties"]))
        ruler = "".join(f"{layer:^4}" for layer in range(len(ties)))
        lines += [
            Text(f"layer  {ruler}"),
            Text("owner  ").append_text(tie_map_text(ties)),
            Text("(filled: independent; otherwise the number of the layer whose parameters it uses)", style="dim"),
        ]
    losses = run.steps["loss"].to_list()
    if losses:
        lines.append(Text(f"train loss       {sparkline(losses)}  {losses[0]:.3f} to {losses[-1]:.3f} nats/token"))
    if facts["validation_loss"] is not None:
        lines.append(
            Text(
                f"validation loss  {facts['validation_loss']:.4f} nats/token, best "
                f"{facts['best_validation_loss']:.4f}, without context {facts['unigram_entropy']:.4f}; "
                f"{facts['bits_per_byte']:.3f} bits per byte"
            )
        )
    lines += [Text(f"note: {note}") for note in facts["notes"]]
    if facts["trainable_parameters"]:
        share = facts["trainable_parameters"] / facts["untied_parameters"]
        lines.append(
            Text(
                f"trainable        {facts['trainable_parameters']:,} parameters, {share:.1%} of the untied model's "
                f"{facts['untied_parameters']:,} (the official code would print {facts['claimed_parameters']:,})"
            )
        )
    if facts["memory_bytes"]:
        parts = ", ".join(f"{name} {size_text(size)}" for name, size in facts["memory_bytes"].items())
        lines.append(Text(f"memory           {parts} (predicted for a training step)"))
    return lines


def _text(facts: dict[str, Any] | None) -> Text:
    """Which text it is, and whether the run can be handed on without it."""
    if facts is None:
        return Text("text: no digest of it is recorded; the run was written before there was one", style="dim")
    digests = [f"text's digest {facts['text'][:SHOWN]}"] if facts["text"] else []
    digests.append(f"tokens' digest {facts['digest'][:SHOWN]}")
    where = f", at {facts['where']}" if facts["where"] else ""
    if facts["moved_to"]:
        where = f", found last at {facts['moved_to']}" + (f" (first at {facts['where']})" if facts["where"] else "")
    kept = "its tokens are kept in the run" if facts["kept"] else "its tokens are not kept in the run"
    return Text(f"text: {', '.join(digests)}{where}; {kept}", style="dim")


def _decisions(rows: list[dict[str, Any]]) -> Table:
    table = Table("decision", "layer", "action", "by", "proposed", "reward", "train loss", "independent", box=None)
    for row in rows:
        action = "on its own" if row["choice"] == row["layer"] else f"tie to {row['choice']}"
        proposed = "on its own" if row["proposed"] == row["layer"] else f"tie to {row['proposed']}"
        who = f"{row['by']} (override)" if row["overridden"] else row["by"]
        table.add_row(
            str(row["decision"]),
            str(row["layer"]),
            action,
            who,
            proposed,
            f"{row['reward']:.4f}",
            f"{row['train_loss']:.4f}",
            str(row["owners"]),
        )
    return table
