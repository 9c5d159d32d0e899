"""What can be typed: a class per command, a field per flag, and the sentence under it is its help.

Every run setting is a flag of its own name, generated from the config's dataclasses. A command's function is in the
file of its name (`twins.py` for `Twins`). What help alone needs is imported in the functions: no other command waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from ..core.config import Algorithm, RunConfig, Scale
from ..core.descriptions import Choices
from ..core.paths import path_of
from ..core.ranges import Range
from ..counterfactual.interim import FARTHEST, GroupSequential
from ..counterfactual.spec import StudyChoices
from ..inspection.views.registry import VIEWS, Field, ViewDescription
from .settings import PolicyName, PolicyNames, flags, preset_of
from .typed import check_command, check_words


def _similarities(default: str) -> str:
    """What help says of --similarities: those there are, some of which other packages may have brought."""
    from ..analysis.similarity.registry import SIMILARITIES

    return f"(out of: {', '.join(SIMILARITIES.names)})"


def _attributions(default: str) -> str:
    """What help says of --methods."""
    from ..analysis.attribution.registry import ATTRIBUTIONS

    return f"(out of: {', '.join(ATTRIBUTIONS.names)})"


def _numbers(words: list[str]) -> tuple[int, ...]:
    try:
        return tuple(int(number) for word in words for number in word.split(",") if number)
    except ValueError:
        raise ValueError(f"Expected numbers, as 4 8 16 or as 4,8,16, but got {' '.join(words)}.") from None


_Numbers = Annotated[
    tuple[int, ...],
    tyro.constructors.PrimitiveConstructorSpec(
        nargs="*",
        metavar="[INT [INT ...]]",
        instance_from_str=_numbers,
        is_instance=lambda value: isinstance(value, tuple) and all(isinstance(number, int) for number in value),
        str_from_instance=lambda value: [str(number) for number in value],
    ),
]
"""Numbers, as 4 8 16 or as 4,8,16."""


@dataclass(frozen=True)
class Explore:
    """Open the explorer in a browser: train, steer and look inside. Only this machine reaches it, and with a token."""

    runs: tyro.conf.Positional[Path] = Path("runs")
    """The folder of runs, or a run, which is then shown; nothing outside the folder is opened."""
    host: str = "127.0.0.1"
    """The address to listen at; 0.0.0.0 = all of this machine's, so that others reach the explorer."""
    port: Annotated[int, Range(0, 65_535)] = 2718
    """The port; 0 = one that is free."""
    names: tuple[str, ...] = ()
    """More names under which others reach it, such as a proxy's."""
    texts: Path | None = None
    """A folder of texts that may be trained on. Without it, texts are read by path only where nobody else comes in."""
    visitors: Literal["shared", "each"] = "shared"
    """shared: everybody sees all runs; each: those of one's own link."""
    most_runs: Annotated[int, Range(0, 100_000)] = 0
    """Runs, studies and looks at a time, each; 0 = what cores and memory allow."""
    token: bool = True
    """Ask for the token that is part of the link; only this machine may come in without."""
    browser: bool = True
    """Open a browser."""
    json: bool = False
    """Print the address as one JSON object on standard output."""


@dataclass(frozen=True)
class Train:
    """Train a tied transformer while an agent decides which layers to tie."""

    config: RunConfig
    directory: Path | None = None
    """Where the run is recorded; default runs/DATE-SCALE-ALGORITHM-SEED."""
    json: bool = False
    """Print the result as one JSON object on standard output; progress goes to standard error."""
    quiet: bool = False
    """No progress."""


@dataclass(frozen=True)
class Resume:
    """Go on with a run that was stopped, from its last decision."""

    run: tyro.conf.Positional[Path]
    """The run directory."""
    decisions: Annotated[int | None, Range(1, 10_000_000, unit="decisions")] = None
    """How many decisions to make; default what is left of the budget."""
    text: Path | None = None
    """Where the run's text lies now, if it was moved; compared by digest, and remembered in the run."""
    rules: str | None = None
    """Other rules that stand from here on, such as "independent=0,-1; most-owners=4"; "" = none."""
    json: bool = False
    """Print the result as one JSON object on standard output; progress goes to standard error."""
    quiet: bool = False
    """No progress."""


@dataclass(frozen=True)
class Runs:
    """List the runs in a folder."""

    root: tyro.conf.Positional[Path] = Path("runs")
    """The folder."""
    json: bool = False
    """Print one JSON object on standard output."""


@dataclass(frozen=True)
class Label:
    """Give a run a name and a note of your own, or print those it has; its folder and its log stay as they are."""

    run: tyro.conf.Positional[Path]
    """The run directory."""
    title: str | None = None
    """What lists and the explorer shall call it; "" = as its settings say."""
    note: str | None = None
    """What is to be remembered of it; "" = nothing."""
    json: bool = False
    """Print one JSON object on standard output."""


@dataclass(frozen=True)
class Repair:
    """Cut a run's damaged log before its first damaged line, and keep the whole old log beside it."""

    run: tyro.conf.Positional[Path]
    """The run directory."""
    json: bool = False
    """Print one JSON object on standard output."""


@dataclass(frozen=True)
class Show:
    """Show a run, live or finished: its tie map, losses and decisions."""

    run: tyro.conf.Positional[Path]
    """The run directory."""
    json: bool = False
    """Print one JSON object on standard output."""
    decisions: Annotated[int, Range(0, 100_000, unit="decisions")] = 10
    """How many of the latest decisions to list."""
    at: Annotated[int | None, Range(0, 10_000_000)] = None
    """Look at the state after this decision; default the latest that is stored."""
    other: Path | None = None
    """Compare the similarity with the layers of this run, and what it writes with this run's (may be the same one)."""
    other_at: Annotated[int | None, Range(0, 10_000_000)] = None
    """The other run's state after this decision; default the latest that is stored."""
    before: bool = False
    """Set what the model writes beside what it wrote before the decision, with the same draws."""
    similarities: Annotated[tuple[str, ...], tyro.conf.arg(help_behavior_hint=_similarities)] = ()
    """Similarity by these; default all that can compare the two models."""
    methods: Annotated[tuple[str, ...], tyro.conf.arg(help_behavior_hint=_attributions)] = ()
    """Attribution by these ("replaced" stands for both of its name, "all" for all); default skipped, conductance."""
    baseline: Literal["zero", "mean", "pad"] = "zero"
    """What attribution along a path starts from: zero embedding, mean embedding, or the commonest token."""
    probe_sequences: Annotated[int, Range(1, 64, unit="sequences")] = 8
    """Validation sequences in the probe set."""
    probe_text: Path | None = None
    """A text file as the probe set, in place of validation sequences."""
    text: Path | None = None
    """Where the run's text lies now, if it was moved; compared by digest, and remembered in the run."""
    html: Path | None = None
    """Write the charts as a page that needs no network; without a view: similarity, attribution, memory."""

    @property
    def views(self) -> list[str]:
        """The views whose flags were typed."""
        return [each.name for each in VIEWS if getattr(self, _flag(each), False)]


def _flag(view: ViewDescription) -> str:
    return view.name.replace("-", "_")


def flag_of_field(view: ViewDescription, typed: Field) -> str:
    """The flag of an option that is typed, with the view's name before it where a view is called as the option."""
    return f"{_flag(view)}_{typed.option}" if typed.option in VIEWS else typed.option


def show_with_views() -> type[Show]:
    """`Show` with a flag for each view that needs no picked token, and for each option that is typed."""
    flags: list[tuple[str, Any, Any]] = [
        (_flag(each), Annotated[bool, tyro.conf.arg(help=each.about)], field(default=False))
        for each in VIEWS
        if not each.picks
    ]
    for each in VIEWS:
        for typed in each.fields:
            marks = (tyro.conf.arg(help=typed.help), *([] if typed.range is None else [typed.range]))
            kind: Any = Annotated[(type(typed.value), *marks)]
            flags.append((flag_of_field(each, typed), kind, field(default=typed.value)))
    return make_dataclass("Show", flags, bases=(Show,), frozen=True, namespace={"__doc__": Show.__doc__})


@dataclass(frozen=True)
class Export:
    """Write a run's tables (steps, decisions, evaluations, ties, ...) as Parquet or CSV files."""

    run: tyro.conf.Positional[Path]
    """The run directory."""
    directory: Path
    """Where the files go."""
    format: Literal["parquet", "csv"] = "parquet"
    """parquet or csv."""
    json: bool = False
    """Print one JSON object on standard output."""


@dataclass(frozen=True)
class Audit:
    """Set what a run claimed beside what was true of it, decision by decision, with the departures it exhibits."""

    run: tyro.conf.Positional[Path | None] = None
    """The run directory, live or finished; or name an algorithm."""
    algorithm: Algorithm | None = None
    """Make a short run of this algorithm in a temporary folder, and audit it."""
    scale: Scale = "tiny"
    """Size of the short run."""
    decisions: Annotated[int, Range(1, 10_000_000, unit="decisions")] = 60
    """Decisions of the short run."""
    seed: Annotated[int, Range(0, 2**63 - 1)] = 0
    """Seed of the short run."""
    corpus: str = "pydoc"
    """Text of the short run."""
    rows: Annotated[int, Range(0, 100_000, unit="rows")] = 10
    """How many of the latest decisions to list."""
    chart: Path | None = None
    """Write the charts to this HTML file, too."""
    json: bool = False
    """Print all of it as one JSON object on standard output."""
    quiet: bool = False
    """No progress."""


@dataclass(frozen=True)
class Bench:
    """Measure, in one run and interleaved, what the toolkit costs against plain loops, as ratios."""

    json: bool = False
    """Print one JSON object on standard output; progress goes to standard error."""
    quick: bool = False
    """Fewer repetitions: wider intervals in less time."""
    device: str = "cpu"
    """cpu, cuda or mps."""
    only: str = ""
    """Run only the rows whose name contains this text."""


@dataclass(frozen=True)
class Sweep:
    """Compare policies: policies x seeds (x settings) at equal decisions, several runs at a time.

    lab, paper and official-code run as the algorithms of that name, all other policies under --algorithm; --map is for
    the policy map alone. After Ctrl-C or a kill the same command goes on where it was.
    """

    config: RunConfig
    policies: PolicyNames = ("lab", "paper", "official-code", "annealing")
    """Whom to compare."""
    baselines: bool = True
    """Also run random and the fixed patterns, which every comparison needs."""
    seeds: Annotated[_Numbers, Range(0, 2**63 - 1)] = (1, 2, 3, 4, 5)
    """Each policy is run once with each of these; runs of one seed read the same batches."""
    vary: tuple[str, ...] = ()
    """Settings to vary, each as NAME=VALUE,VALUE,...; all combinations are run."""
    directory: Path | None = None
    """The sweep's folder, each run a folder inside; default runs/DATE-sweep-SCALE."""
    resume: bool = False
    """Go on with the sweep in --directory as it was planned; only --processes, --text and what is printed can be
    given."""
    text: Path | None = None
    """With --resume: where the runs' text lies now, if it was moved; compared by digest, and remembered in the runs."""
    summarize: bool = False
    """Train nothing: print (and report) how far the sweep in --directory is, also while it goes on."""
    processes: Annotated[int, Range(0, 1_024, unit="processes")] = 0
    """Runs at a time, each on one core; 0 = one per core."""
    reference: PolicyName = "independent"
    """The policy that differences are against."""
    report: Path | None = None
    """Also write results, table, charts and how they were made to this folder."""
    json: bool = False
    """Print the result as one JSON object on standard output; progress goes to standard error."""
    quiet: bool = False
    """No progress."""


@dataclass(frozen=True)
class Twins:
    """Ask whether one action mattered: state a hypothesis, train both futures in paired runs, and get a verdict."""

    run: tyro.conf.Positional[Path]
    """The run directory; a moment before the decision has to be stored there."""
    hypothesis: StudyChoices = field(default_factory=StudyChoices)
    decision: Annotated[int | None, Range(1, 10_000_000)] = None
    """Which decision; default the latest override of a person, else the one that waits for its action."""
    answer: Annotated[int | None, Range(0, 1_023)] = None
    """The action to hold against the agent's; default the one that was taken."""
    looks: Annotated[_Numbers, Range(1, FARTHEST, unit="replicates")] = GroupSequential().replicates
    """Numbers of replicates at which an interim analysis is made; the last is the most that are run."""
    open_ended: bool = False
    """In place of these: an analysis after every replicate, by a confidence sequence, 64 at most."""
    exploratory: bool = False
    """Without a hypothesis: what comes of it is labelled exploratory."""
    pilot: Annotated[int, Range(0, FARTHEST, unit="replicates")] = 0
    """Run only so many replicates, and say how many it would take to see how much."""
    resume: str | None = None
    """Go on with this study, such as study-001."""
    extend: str | None = None
    """Make the plan of this study longer, which was used up without a verdict, under the error that it has, and go on
    with it. It says so, where it cannot be."""
    show: str | None = None
    """Run nothing: say what this study has come to."""
    text: Path | None = None
    """Where the run's text lies now, if it was moved; compared by digest, and remembered in the run."""
    list: bool = False
    """Run nothing: list the run's studies and their verdicts."""
    workers: Annotated[int, Range(0, 1_024, unit="processes")] = 0
    """Processes at a time; 0 = one per core."""
    chart: Path | None = None
    """Write the charts to this HTML file, too."""
    page: Path | None = None
    """Write the study to this file, to keep: with what was stated and when, the plan, every replicate, charts and
    verdict; a page that needs no network, or JSON where the name ends in .json."""
    json: bool = False
    """Print the result as one JSON object on standard output; progress goes to standard error."""
    quiet: bool = False
    """No progress."""


@dataclass(frozen=True)
class Branch:
    """Make a branch of a run from before a decision, undo the last one, or show the tree."""

    run: tyro.conf.Positional[Path]
    """The run directory, or that of one of its branches."""
    decision: Annotated[int | None, Range(1, 10_000_001)] = None
    """The decision that the branch will make anew; default the next one."""
    undo: bool = False
    """From before the last decision."""
    answer: Annotated[int | None, Range(0, 1_023)] = None
    """Take this action there at once, in the agent's place."""
    decisions: Annotated[int, Range(0, 10_000_000, unit="decisions")] = 0
    """Let the agent go on for so many decisions."""
    text: Path | None = None
    """Where the run's text lies now, if it was moved; compared by digest, and remembered in the run."""
    name: str | None = None
    """Name of its folder; default branch-001, ..."""
    why: str = ""
    """Why it leaves, in words."""
    tree: bool = False
    """Make nothing: show the tree."""
    json: bool = False
    """Print the result as one JSON object on standard output; progress goes to standard error."""
    quiet: bool = False
    """No progress."""


@dataclass(frozen=True)
class Replay:
    """Give a run's actions again to a new run: another seed, corpus, depth or semantics, or with edits.

    Every setting is the recorded run's unless another one is given. At another depth an action goes to the layer at the
    same relative position, in the same episode. Rules that the record changed on the way are changed again, whatever
    --rules the new run begins with.
    """

    run: tyro.conf.Positional[Path]
    """The run whose actions are given again."""
    config: RunConfig
    directory: Path | None = None
    """Where the new run is recorded; default runs/DATE-replay-of-NAME."""
    until: Annotated[int | None, Range(1, 10_000_000)] = None
    """The last decision of the new run that is replayed; default all that the record reaches."""
    edit: tuple[str, ...] = ()
    """Other actions for some decisions, each as DECISION=ACTION; the record's actions follow."""
    only: Literal["all", "human", "agent"] = "all"
    """Whose actions are replayed; the new run's own agent gives the others."""
    text: Path | None = None
    """Where the record's text lies now, if it was moved; compared by digest, and remembered in the run."""
    json: bool = False
    """Print the result as one JSON object on standard output; progress goes to standard error."""
    quiet: bool = False
    """No progress."""


@dataclass(frozen=True)
class Compare:
    """Compare runs, branches and groups of runs with the first of them: table, interval, chart."""

    groups: tyro.conf.Positional[tuple[str, ...]]
    """Two or more, each [NAME=]RUN[,RUN...]: run folders, folders of runs, or patterns with *. Runs of one seed are
    paired."""
    metric: Literal[
        "validation-loss", "perplexity", "bits-per-byte", "train-loss", "trainable-parameters", "memory"
    ] = "validation-loss"
    """What they are compared by."""
    at: Literal["steps", "tokens", "parameters", "flops", "time"] = "steps"
    """What is the same for all: optimizer steps, tokens, (at most so many) trainable parameters, operations, or
    seconds."""
    horizon: Annotated[float | None, Range(0, 1e30)] = None
    """How much of it; default the most that all runs have."""
    chart: Path | None = None
    """Write the chart to this HTML file, too."""
    json: bool = False
    """Print one JSON object on standard output."""


Command = (
    Explore
    | Sweep
    | Train
    | Resume
    | Label
    | Repair
    | Runs
    | Show
    | Export
    | Audit
    | Bench
    | Twins
    | Branch
    | Replay
    | Compare
)


def parse(argv: Sequence[str]) -> Command:
    """The command that was typed.

    Raises:
        ConfigError: A value that is refused.
        SystemExit: 2 after a usage message, 0 after `--help`.
    """
    check_words(argv)
    base = preset_of(argv)

    def named(command: type, **more: Any) -> Any:
        return Annotated[command, tyro.conf.subcommand(command.__name__.lower(), prefix_name=False, **more)]

    texts = _texts() if {"-h", "--help"} & set(argv[1:]) else ""

    def trained(command: type, default: Any) -> Any:
        return named(command, default=default, description=f"{command.__doc__}{texts}")

    commands = (
        named(Explore)
        | trained(Train, Train(base))
        | named(Resume)
        | named(Repair)
        | named(Label)
        | named(Runs)
        | named(show_with_views() if list(argv[:1]) == ["show"] else Show)
        | named(Export)
        | named(Audit)
        | named(Bench)
        | trained(Sweep, Sweep(base))
        | named(Twins)
        | named(Branch)
        | named(Compare)
        | trained(Replay, Replay(tyro.MISSING, _recorded(argv, base)))
    )
    registry = flags(_choices(argv), sweep=list(argv[:1]) == ["sweep"])
    command = tyro.cli(
        commands,
        prog="layertie",
        description="Dynamic layer tying. layertie --version says which version this is.",
        args=list(argv),
        config=(tyro.conf.OmitArgPrefixes,),
        registry=registry,
    )
    check_command(command, argv)
    return command


def _choices(argv: Sequence[str]) -> Choices:
    """What can be named, for the commands that have such flags."""
    if not argv or argv[0] not in ("train", "sweep", "replay"):
        return {}
    from ..agent.choices import choices

    return choices()


def _texts() -> str:
    """The corpora and tokenizers there are, for help alone: other packages may have brought some, and looking takes
    a moment."""
    from ..text.corpora.registry import builtin_corpora
    from ..text.tokenizers.registry import TOKENIZERS

    corpora = "".join(f"\n- {name}: {about}" for name, about in builtin_corpora())
    tokenizers = "".join(f"\n- {each.name}: {each.about}" for each in TOKENIZERS)
    return f"\n\nCorpora{corpora}\n\nTokenizers{tokenizers}"


def _recorded(argv: Sequence[str], base: RunConfig) -> RunConfig:
    """The settings of the run that is to be replayed, which `--help` shows and other flags change."""
    if list(argv[:1]) != ["replay"] or len(argv) < 2 or argv[1].startswith("-"):
        return base
    from ..records.directory import RunDirectory

    return RunDirectory.open(path_of(argv[1])).config
