"""What chosen runs come to: the sentences, the table of groups, and the pictures of a comparison."""

# What counts (scipy) and draws (altair) is imported where something is compared: a page is there before that.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from ...core.columns import Column
from ...core.config import RunConfig
from ...core.errors import LayertieError
from ...core.patterns import GIVEN, PATTERNS
from ...core.presets import ALGORITHMS
from ...core.serialize import changed, value_at
from . import shipped
from .choice import grouped, names_of
from .entries import SHIPPED, Entry

if TYPE_CHECKING:
    from ...analysis.statistics.amounts import At, Metric
    from ...analysis.statistics.compare import Comparison, Member
    from ...records.log.reader import Run

CHANCE_FIRST = ("random", "independent")
"""Groups that others are held against, unless the person says otherwise: chance, then the conventional transformer."""
AGENT_FIRST = ("lab", "paper", "official-code", "lab-1")
"""Groups whose difference is the headline, unless the person says otherwise."""
SEEDS, SIZE, CURVES, MAPS = "By seed", "Loss and size", "Curves", "Tie maps"
"""The pictures."""
TITLES = {
    SEEDS: "The difference at each seed",
    SIZE: "Loss against trainable parameters",
    CURVES: "Over training",
    MAPS: "The last tie map of each run",
}
"""Picture -> what stands over it."""
GROUPS = (
    Column("group", "Group", "A policy, and what differs within it"),
    Column("count", "Runs", "How many", number=True),
    Column("seeds", "Seeds", "Of the runs"),
    Column("mean", "Mean [95 % interval]", "Of what is compared, Student's t over runs"),
    Column("difference", "Minus the first [95 % interval]", "Paired by seed where seeds are shared"),
    Column("p", "p (Holm)", "Against no difference, corrected for the number of groups", number=True),
    Column("runs", "Which", "Folders of the runs"),
)
"""Columns of the table of groups."""
MOST_CONFOUNDS = 4
"""Settings that a note names."""


@dataclass(frozen=True)
class Wish:
    """What a person wants to see.

    Args:
        metric: What is compared.
        at: What runs are brought to the same amount of.
        first: The group that the others are held against; "" leaves it to us.
        other: The group whose difference is the headline; the same.
        apart: Whether each run stands by itself.
    """

    metric: Metric = "validation-loss"
    at: At = "steps"
    first: str = ""
    other: str = ""
    apart: bool = False


@dataclass(frozen=True)
class Answer:
    """What came of it.

    Args:
        headline: One sentence with an interval.
        told: Whether the headline tells the two apart: yes, no, or "" where there is no interval.
        groups: Rows of `GROUPS`, the first group first.
        first: The group that the others are held against.
        other: The group of the headline.
        where: What they are compared at, in words.
        left_out: A sentence for each reason why something was left out.
        notes: What a reader has to know.
        pictures: Picture -> Vega-Lite spec with its caption.
        has_curves: Whether there is more than the end of each run, so that it can be compared elsewhere.
    """

    headline: str
    told: str = ""
    groups: list[dict[str, Any]] = field(default_factory=list)
    first: str = ""
    other: str = ""
    where: str = ""
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    pictures: dict[str, dict[str, Any]] = field(default_factory=dict)
    has_curves: bool = True


def answer(chosen: Sequence[Entry], wish: Wish) -> Answer:
    """What the chosen come to. A comparison of recorded results is shown by itself."""
    recorded = [entry for entry in chosen if entry.kind == SHIPPED]
    if recorded and len(recorded) == len(chosen):
        others = [f"{entry.name} is left out. {shipped.ONE}" for entry in recorded[1:]]
        return _of_results(recorded[0], wish, others)
    left_out = [shipped.ENDS_ONLY] if recorded else []
    others = [entry for entry in chosen if entry.kind != SHIPPED]
    if not any(entry.runs for entry in others):
        return Answer("None of the chosen has begun yet.", left_out=left_out)
    return _of_runs(others, wish, left_out)


# -- runs --------------------------------------------------------------------------------------------------------------


def _of_runs(chosen: Sequence[Entry], wish: Wish, left_out: list[str]) -> Answer:
    from ...analysis.statistics.admission import admit
    from ...analysis.statistics.compare import compare, framed

    paths = dict.fromkeys(path for entry in chosen for path in entry.runs)
    admitted = admit(paths, metric=wish.metric, at=wish.at)
    left_out, curves = [*left_out, *admitted.left_out], admitted.curves
    if not admitted.runs:
        return Answer("Nothing of what is chosen can be compared.", left_out=left_out)
    groups = grouped(chosen, admitted.runs, apart=wish.apart)
    kept = _first_first({label: [admitted.runs[path] for path in members] for label, members in groups.items()}, wish)
    configs = {path: config for entry in chosen for path, config in entry.runs.items()}
    if len(kept) == 1:
        (label,) = kept
        headline = f"One group, {label}. Choose another one to hold it against."
        if left_out:
            headline = f"{label} is all that is left; what was left out, and why, stands below."
        frame = framed(kept, curves)
        found = Answer(headline, first=label, left_out=left_out, groups=_rows(kept, {}, []))
        return _with_pictures(found, wish, kept, frame, None, {}, [], configs, chosen)
    try:
        compared = compare(kept, metric=wish.metric, at=wish.at)
    except LayertieError as error:
        return Answer(str(error), left_out=left_out, groups=_rows(kept, {}, []), first=next(iter(kept)))
    first, other, comparison = _pick(compared.comparisons, wish)
    found = Answer(
        headline=_plain(comparison, wish),
        told=_told(comparison),
        groups=_rows(kept, compared.groups, compared.comparisons, wish.metric),
        first=first,
        other=other,
        where=_where(wish, compared.where),
        left_out=left_out,
        notes=[*_corrected(compared.comparisons), *_confounds(kept, configs), *compared.notes],
    )
    return _with_pictures(
        found, wish, kept, compared.curves, compared.points, compared.groups, compared.comparisons, configs, chosen
    )


def _with_pictures(
    found: Answer,
    wish: Wish,
    kept: Mapping[str, Sequence[Run]],
    curves: pl.DataFrame,
    points: pl.DataFrame | None,
    members: Mapping[str, Sequence[Member]],
    comparisons: Sequence[Comparison],
    configs: Mapping[Path, RunConfig],
    chosen: Sequence[Entry],
) -> Answer:
    from ...analysis.statistics import groups as numbers
    from ...charts.comparisons.compare import compared_curves
    from ...charts.comparisons.groups import MOST_MAPS, aligned_maps, colours_of

    labels = list(kept)
    colours = colours_of(labels)
    over = "step" if wish.at == "parameters" else "x"
    lines = compared_curves(
        curves,
        points,
        metric=wish.metric,
        at=wish.at,
        bands=numbers.bands(curves, over=over),
        colours=colours,
        width="container",
        height=210,
    )
    names = {str(path): name for path, name in names_of(chosen).items()}
    runs = [run for members in kept.values() for run in members]
    for run in runs:
        done, budget = run.decisions.height, run.config.decisions
        if done < budget:  # so its last map is not that of its end
            names[str(run.path)] = f"{names.get(str(run.path), run.name)} ({done} of {budget})"
    more = [f"{TITLES[MAPS]}: the first {MOST_MAPS} of {len(runs)} runs are drawn."] if len(runs) > MOST_MAPS else []
    pictures = {
        CURVES: _captioned(lines, "compared_curves"),
        MAPS: _captioned(aligned_maps(numbers.last_maps(kept, names)), "aligned_maps"),
    }
    if comparisons:
        fixed = [label for label, runs in kept.items() if _is_fixed(configs[runs[0].path])]
        pictures |= _numbers_drawn(numbers.sizes(kept, members), members, comparisons, labels, fixed, wish.metric)
    return replace(found, pictures=pictures, notes=[*found.notes, *more])


def _confounds(kept: Mapping[str, Sequence[Run]], configs: Mapping[Path, RunConfig]) -> list[str]:
    """A sentence for each group that differs from the first in more than who decides and its algorithm's settings."""
    (first, runs), *others = kept.items()
    here = configs[runs[0].path]
    algorithmic = {name for settings in ALGORITHMS.values() for name in settings}
    apart = {"seed", "replicate", "algorithm", "agent.policy", "agent.map"}
    notes = []
    for label, members in others:
        there = configs[members[0].path]
        names = [
            path
            for path in changed(there, here)
            if path not in apart
            and not path.startswith("records.")
            # Their names say so themselves; of another model or text that is not enough.
            and (path.startswith(("model.", "text.")) or f"{path.rpartition('.')[2]}=" not in label + first)
            and not (here.algorithm != there.algorithm and path.rpartition(".")[2] in algorithmic)
        ]
        if names:
            said = [f"{path} ({value_at(there, path)} and {value_at(here, path)})" for path in names[:MOST_CONFOUNDS]]
            more = f" and {len(names) - MOST_CONFOUNDS} more" if len(names) > MOST_CONFOUNDS else ""
            notes.append(f"{label} and {first} differ in more than who decides: {', '.join(said)}{more}.")
    return notes


def _is_fixed(config: RunConfig) -> bool:
    return config.agent.policy in (*PATTERNS, GIVEN)


# -- recorded results --------------------------------------------------------------------------------------------------


def _of_results(entry: Entry, wish: Wish, left_out: list[str]) -> Answer:
    from ...analysis.statistics.compare import group_notes, held_against

    try:
        found = shipped.results(entry.place)
    except LayertieError as error:
        return Answer(str(error), left_out=left_out)
    here = found.filter(cell=entry.cell)
    done, again = here.filter(left_out=False), here.filter("left_out")
    if again.height:
        left_out = [
            *left_out,
            f"{again.height} {'run' if again.height == 1 else 'runs'} that train a found map again from its first step "
            "are left out: what a search costs is another question (data/study).",
        ]
    # The table holds losses after the last step alone.
    wish = Wish(first=wish.first or shipped.FIRST, other=wish.other or shipped.OTHER)
    members = _first_first(_members(done), wish)
    comparisons = held_against(members)
    first, other, comparison = _pick(comparisons, wish)
    sized = done.select(
        group="policy",
        run=_run_name(),
        seed="seed",
        parameters=pl.col("trainable_parameters").cast(pl.Float64),
        value="test_loss",
    )
    fixed = [label for label in members if label in PATTERNS]
    return Answer(
        headline=_plain(comparison, wish),
        told=_told(comparison),
        groups=_rows(dict.fromkeys(members, ()), members, comparisons),
        first=first,
        other=other,
        where=f"{shipped.in_words(entry.cell)}; test split, {_where(wish, shipped.steps_of(entry.cell))}",
        left_out=left_out,
        notes=[
            shipped.NOTES[0],
            *_elsewhere(found, entry.cell, first, other),
            *shipped.NOTES[1:],
            *_corrected(comparisons),
            *group_notes(members, comparisons),
        ],
        has_curves=False,
        pictures=_numbers_drawn(sized, members, comparisons, list(members), fixed, "test-loss")
        | {title: _no_picture("Not kept.", shipped.ENDS_ONLY) for title in (CURVES, MAPS)},
    )


def _members(done: pl.DataFrame) -> dict[str, list[Member]]:
    """Policy -> its recorded runs."""
    from ...analysis.statistics.compare import Member

    members: dict[str, list[Member]] = {}
    for row in done.with_columns(run=_run_name()).iter_rows(named=True):
        steps = float(shipped.steps_of(row["cell"]))
        member = Member(Path(row["run"]), row["seed"], 0, row["test_loss"], steps, steps)
        members.setdefault(row["policy"], []).append(member)
    return members


def _run_name() -> pl.Expr:
    return pl.format("{}, seed {}", "policy", "seed")


def _elsewhere(found: pl.DataFrame, cell: str, first: str, other: str) -> list[str]:
    """How the same two compare in the other recorded comparisons."""
    from ...analysis.statistics.compare import held_against

    said = []
    for elsewhere in shipped.cells(found):
        members = _members(found.filter(cell=elsewhere, left_out=False))
        if elsewhere == cell or not {first, other} <= members.keys():
            continue
        (comparison,) = held_against({label: members[label] for label in (first, other)})
        said.append(f"{shipped.in_words(elsewhere)}: {_difference(comparison, 'validation-loss')}")
    return [f"{other} minus {first} elsewhere (nats, 95 % intervals): {'; '.join(said)}."] if said else []


# -- both --------------------------------------------------------------------------------------------------------------


def _first_first(groups: Mapping[str, Any], wish: Wish) -> dict[str, Any]:
    """The groups, with the one that the others are held against first."""
    first = wish.first if wish.first in groups else _named(groups, CHANCE_FIRST, without=wish.other)
    return {first: groups[first], **{label: each for label, each in groups.items() if label != first}}


def _pick(comparisons: Sequence[Comparison], wish: Wish) -> tuple[str, str, Comparison]:
    """The first group, the one of the headline, and how they compare."""
    found = {comparison.other: comparison for comparison in comparisons}
    first = comparisons[0].first
    # Where a setting varies, who decides is told apart at one value of it.
    alike = {label: each for label, each in found.items() if label.partition(",")[2] == first.partition(",")[2]}
    other = wish.other if wish.other in found else _named(alike or found, AGENT_FIRST)
    return found[other].first, other, found[other]


def _named(labels: Mapping[str, Any], policies: Sequence[str], without: str = "") -> str:
    """The first label of the first of some policies that there is, else the first of all."""
    wanted = [label for policy in policies for label in labels if label.partition(",")[0] == policy]
    return next((label for label in (*wanted, *labels) if label != without), next(iter(labels)))


def _plain(comparison: Comparison, wish: Wish) -> str:
    from ...analysis.statistics.wording import plain_sentence

    return plain_sentence(comparison, wish.metric)


def _told(comparison: Comparison) -> str:
    if comparison.interval is None:
        return ""
    return "no" if float(comparison.interval.low) <= 0 <= float(comparison.interval.high) else "yes"


def _where(wish: Wish, where: float) -> str:
    from ...analysis.statistics.amounts import AXES

    amount = f"{where:,.0f}" if where >= 10 else f"{where:.3g}"
    return f"{'with at most' if wish.at == 'parameters' else 'after'} {amount} {AXES[wish.at]}"


def _corrected(comparisons: Sequence[Comparison]) -> list[str]:
    """With several comparisons: which of them stand when their number is taken into account."""
    tested = [comparison for comparison in comparisons if comparison.p_corrected is not None]
    if len(tested) < 2:
        return []
    stand = [comparison.other for comparison in tested if (comparison.p_corrected or 0.0) < 0.05]
    return [
        f"{len(tested)} groups are held against {tested[0].first}; each interval is by itself. Corrected for their "
        f"number (Holm, 5 %), what differs is: {', '.join(stand) or 'none of them'}."
    ]


def _rows(
    runs: Mapping[str, Sequence[Run]],
    members: Mapping[str, Sequence[Member]],
    comparisons: Sequence[Comparison],
    metric: Metric = "validation-loss",
) -> list[dict[str, Any]]:
    """The table of groups."""
    from ...analysis.statistics.intervals import mean_interval

    held = {comparison.other: comparison for comparison in comparisons}
    rows = []
    for label, each in runs.items():
        found = members.get(label, ())
        values = [member.value for member in found]
        mean = ""
        if len(values) > 1:
            around = mean_interval(values)
            mean = f"{float(around.value):.3f} [{float(around.low):.3f}, {float(around.high):.3f}]"
        elif values:
            mean = f"{values[0]:.3f} (one run)"
        seeds = [member.seed for member in found] or [run.config.seed for run in each]
        comparison = held.get(label)
        rows.append(
            {
                "group": label,
                "count": len(seeds),
                "seeds": " ".join(map(str, sorted(set(seeds)))),
                "mean": mean,
                "difference": "" if comparison is None else _difference(comparison, metric),
                "p": None if comparison is None else comparison.p_corrected,
                "runs": ", ".join([member.path.name for member in found] or [run.name for run in each]),
            }
        )
    return rows


def _difference(comparison: Comparison, metric: Metric) -> str:
    from ...analysis.statistics.wording import places

    digits = places(comparison, metric)
    value = f"{comparison.difference:+.{digits}f}"
    if comparison.interval is None:
        return f"{value}, no interval"
    return f"{value} [{float(comparison.interval.low):+.{digits}f}, {float(comparison.interval.high):+.{digits}f}]"


def _numbers_drawn(
    sized: pl.DataFrame,
    members: Mapping[str, Sequence[Member]],
    comparisons: Sequence[Comparison],
    labels: list[str],
    fixed: Sequence[str],
    metric: str,
) -> dict[str, dict[str, Any]]:
    """The pictures that need no curves."""
    from ...analysis.statistics import groups as numbers
    from ...charts.comparisons.groups import colours_of, loss_and_size, seed_differences

    colours = dict(zip(labels, colours_of(labels), strict=True))
    others = [comparison.other for comparison in comparisons]
    dots = seed_differences(
        numbers.by_seed(members, comparisons),
        numbers.differences(comparisons),
        first=comparisons[0].first,
        groups=others,
        colours=[colours[label] for label in others],
        metric=metric,
    )
    averages = numbers.means(sized)
    size = loss_and_size(
        sized,
        averages,
        numbers.front(averages, fixed),
        groups=labels,
        colours=[colours[label] for label in labels],
        metric=metric,
    )
    return {SEEDS: _captioned(dots, "seed_differences"), SIZE: _captioned(size, "loss_and_size")}


def _captioned(chart: Any, name: str) -> dict[str, Any]:
    """A chart's spec with how to read it; its title is the panel's."""
    from ...charts.captions import captioned
    from ...charts.comparisons.groups import CAPTIONS

    spec = chart.to_dict()
    spec.pop("title", None)
    return captioned(spec, CAPTIONS[name])


def _no_picture(words: str, why: str) -> dict[str, Any]:
    """A few words in a picture's place, which is as narrow as the page; why there is none stands below."""
    from ...charts.captions import captioned
    from ...charts.run.parts import words_only

    return captioned(words_only(words, height=60, width="container", dark=False).to_dict(), why)
