"""A sweep's report: results, aggregates, table, charts, and the command, hardware and versions behind them."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, get_args

import polars as pl

from ..analysis.statistics import aggregates as numbers
from ..charts.comparisons import sweeps as charts
from ..charts.page import check_vega, to_html
from ..core.config import Algorithm, RunConfig
from ..core.errors import AnalysisError, RecordError
from ..core.serialize import changed, value_at
from ..records.export import frame_bytes
from ..records.io.output import check_folder, write_outputs
from ..records.log.reader import load_run
from ..records.reads import text_facts
from ..records.sweeps import RESULTS, SweepDirectory, given_maps, varied_settings
from .sweep_table import cells, heads

PAGE = "chart.html"
"""The one file of a report that needs Vega."""


def write(directory: Path, report: Path, results: pl.DataFrame, aggregates: pl.DataFrame, reference: str) -> list[Path]:
    """Write the report, without its page where `missing_page` says so; files of the same names are replaced.

    Args:
        directory: The sweep's folder.
        report: Where to.
        results: Columns of `records.sweeps.RESULTS`.
        aggregates: Columns of `analysis.statistics.aggregates.AGGREGATES`.
        reference: The policy that differences are against.

    Raises:
        RecordError: The folder holds something else than a report.
        StorageError: It cannot be written.
    """
    sweep = SweepDirectory.open(directory)
    refuse_other(report)
    chart = _chart(results, aggregates, reference)
    table = _markdown([heads(reference), *(cells(row) for row in aggregates.to_dicts())])
    contents = {
        "results.parquet": frame_bytes(results, "parquet"),
        "results.csv": frame_bytes(results, "csv"),
        "aggregates.csv": frame_bytes(aggregates, "csv"),
        "table.md": f"{table}\n\n{numbers.caution(aggregates)}\n".encode(),
        "chart.json": chart.to_json().encode() + b"\n",
    }
    if not missing_page():
        contents[PAGE] = to_html(chart, title="Comparison of policies").encode()
    contents["README.md"] = _readme(sweep, results, page=PAGE in contents).encode("utf-8", "backslashreplace")
    return write_outputs(report, contents)


def missing_page() -> str:
    """Why the report will have no page, as a sentence; "" where it will have one."""
    try:
        check_vega()
    except AnalysisError as error:
        return f"The report will lack {PAGE}. {error}"
    return ""


def refuse_other(report: Path) -> None:
    """Raise RecordError unless a report can go to `report`: a new or empty folder, or one with an earlier report."""
    check_folder(report)
    if report.is_dir() and any(report.iterdir()) and not (report / "aggregates.csv").is_file():
        raise RecordError(
            f"Expected a new folder for the report, or that of an earlier one, but {report} holds something else.",
            "Choose another folder.",
        )


def command_of(sweep: SweepDirectory) -> str:
    """The command that plans the same runs."""
    configs = list(sweep.runs.values())
    names = varied_settings(configs)
    given = [changed(config, _preset(config)) for config in configs]
    common = {
        path: value
        for path, value in given[0].items()
        if path not in ("seed", "agent.policy", "agent.map", *names)
        and all(other.get(path) == value for other in given)
    }
    words = ["layertie", "sweep", "--scale", configs[0].scale, "--policies"]
    words += dict.fromkeys(config.agent.policy for config in configs)
    words += ["--no-baselines", "--seeds", *dict.fromkeys(str(config.seed) for config in configs)]
    for path, value in common.items():
        flag = path.rpartition(".")[2].replace("_", "-")
        words += [f"--{'' if value else 'no-'}{flag}"] if isinstance(value, bool) else [f"--{flag}", str(value)]
    match given_maps(configs):
        case [one]:
            words += ["--map", one]
        case [_, *_] as maps:
            words += ["--vary", f"map={','.join(maps)}"]
    for path in names:
        values = dict.fromkeys(str(value_at(config, path)) for config in configs)
        words += ["--vary", f"{path.replace('.', '__')}={','.join(values)}"]
    return shlex.join(words)


def _preset(config: RunConfig) -> RunConfig:
    return RunConfig.preset(config.scale, algorithm=config.algorithm)


def _chart(results: pl.DataFrame, aggregates: pl.DataFrame, reference: str) -> Any:
    settings = list(dict.fromkeys(name for name in aggregates["setting"] if name != numbers.ALL))
    parts: list[charts.SweepChart] = [
        charts.policy_intervals(results, aggregates, reference=reference, setting=name) for name in settings
    ]
    several = numbers.finished(results)["setting"].n_unique() > 1
    if not several or reference in aggregates["policy"].to_list():
        profile = numbers.profiles(results, reference=reference)
        order = dict.fromkeys(aggregates["policy"])
        profile = profile.sort(pl.col("policy").replace_strict({name: i for i, name in enumerate(order)}), "threshold")
        parts.append(charts.profile_chart(profile, reference=reference, excess=several))
    return charts.sweep_chart([*parts, charts.parameters_against_loss(results)])


def _markdown(rows: list[list[str]]) -> str:
    skip = 0 if any(row[0] for row in rows[1:]) else 1
    lines = ["| " + " | ".join(row[skip:]) + " |" for row in rows]
    lines.insert(1, "|" + " --- |" * (len(rows[0]) - skip))
    return "\n".join(lines)


def _readme(sweep: SweepDirectory, results: pl.DataFrame, *, page: bool) -> str:
    done = results.filter(pl.col("status") == "finished")
    runs = [load_run(sweep.path / name) for name in done["run"]]
    machines = pl.concat([run.process.select("system", "device", "threads", "python", "torch") for run in runs])
    corpora = dict.fromkeys(run.opened.corpus for run in runs if run.opened is not None)
    presets = [name for name in dict.fromkeys(done["policy"]) if name in get_args(Algorithm)]
    others = dict.fromkeys(done.filter(~pl.col("policy").is_in(presets))["algorithm"])
    lines = [
        "# Comparison of policies",
        "",
        "Made by",
        "",
        "```bash",
        command_of(sweep),
        "```",
        "",
        f"{done.height} of {results.height} planned runs are finished: {done['decisions'].sum():,} decisions, "
        f"{done['steps'].sum():,} optimizer steps, {done['seconds'].sum() / 60:.0f} minutes.",
        *(f"Text: {corpus.rstrip('.')}." for corpus in corpora),
        *dict.fromkeys(note for run in runs for note in (text_facts(run.path) or {"notes": ()})["notes"]),
    ]
    if presets:
        lines.append(f"Run as the algorithm of that name: {', '.join(presets)}.")
    if others:
        lines.append(f"All other policies run under the semantics of {', '.join(others)}.")
    lines += ["", "Machine and versions:", ""]
    lines += [
        f"- {row['system']}; {row['device']}, {row['threads']} thread(s) per run; Python {row['python']}, "
        f"torch {row['torch']}"
        for row in machines.unique(maintain_order=True).to_dicts()
    ]
    lines += [
        "",
        "Files: `results.parquet` and `results.csv` (a row per run), `aggregates.csv` and `table.md` (a row per",
    ]
    chart = "`chart.json` (the charts' Vega-Lite spec)"
    lines += [f"policy), `{PAGE}` (opens without a network) and {chart}." if page else f"policy) and {chart}.", ""]
    lines += ["| column of the results | meaning |", "| --- | --- |"]
    lines += [f"| {column} | {meaning} |" for column, (_, meaning) in RESULTS.items()]
    lines += ["", "| column of the aggregates | meaning |", "| --- | --- |"]
    lines += [f"| {column} | {meaning} |" for column, (_, meaning) in numbers.AGGREGATES.items()]
    return "\n".join(lines) + "\n"
