"""What a view is: it says of itself where it stands and what it asks, finds its answer, words, draws and tabulates it.

    @VIEWS.register(ViewDescription("norms", "How long the weights are", about="Norms of the weights.", tab="Norms"))
    class Norms(View):
        def find(self, inspection, probe, options, tick): ...

The list of views is shown (flags of `layertie show`, tabs of the explorer) before anything is looked at. So the
modules of views import what computes and what draws in their functions: it takes seconds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...core.columns import Column
from ...core.descriptions import Description, Registry
from ...core.errors import ConfigError, OptionError
from ...core.ranges import Range
from ..ticks import Tick

if TYPE_CHECKING:
    import polars as pl

    from ..moment import Inspection
    from ..probe import Probe

_SHOWN = 40
"""Characters of what was typed in a sentence about it."""
Rows = list[dict[str, Any]]
Facts = Mapping[str, Any]
Found = dict[str, Any]
"""`{"frames": {name: rows}, "facts": {...}}`, which JSON can hold; facts may be left out."""
Pictures = dict[str, dict[str, Any]]
"""Title -> Vega-Lite spec, as wide as its container, with `usermeta.caption`."""


@dataclass(frozen=True)
class Ask:
    """A button of a view in the explorer.

    Args:
        words: On the button.
        options: What the view is asked with.
        back: Decisions before the moment on the page: what the agent saw before a decision is stored with the last.
    """

    words: str
    options: Mapping[str, Any] = field(default_factory=dict)
    back: int = 0


@dataclass(frozen=True)
class Choice:
    """An option that is chosen from a list.

    Args:
        option: Its name.
        words: Before the list.
        values: Value -> words for it; the first is the view's own.
    """

    option: str
    words: str
    values: Mapping[str, str]


@dataclass(frozen=True)
class Field:
    """An option that is typed: a number where it has a range, else a text.

    Args:
        option: Its name.
        words: Before the field.
        value: The view's own, where nothing is typed; where it is a whole number, only whole ones may stand.
        help: What is said below the field.
        range: Of a number.
        most: Characters of a text, at most.
    """

    option: str
    words: str
    value: str | int | float = ""
    help: str = ""
    range: Range | None = None
    most: int = 100_000

    def read(self, typed: object) -> Any:
        """What was typed or given, as the option's value; the view's own for None and for an empty field.

        Raises:
            OptionError: It cannot stand.
        """
        if typed is None or (isinstance(typed, str) and not (typed if self.range is None else typed.strip())):
            return self.value
        return self._text(typed) if self.range is None else self._number(typed, self.range)

    def _text(self, typed: object) -> str:
        if not isinstance(typed, str):
            raise OptionError(self.option, f"Expected a text as {self._name}, but got {_short(typed)}.", "Type one.")
        if len(typed) > self.most:
            raise OptionError(
                self.option,
                f"Expected a {self._name} of at most {self.most:,} characters, but got {len(typed):,}.",
                "Take a part of it.",
            )
        return typed

    def _number(self, typed: object, range: Range) -> int | float:
        whole, default = isinstance(self.value, int), self.value
        number = typed
        if isinstance(typed, str):
            try:
                number = (int if whole else float)(typed) if len(typed) <= _SHOWN else None
            except ValueError:
                number = None
        kinds = int if whole else int | float
        if isinstance(number, bool) or not isinstance(number, kinds):
            kind = "a whole number" if whole else "a number"
            raise OptionError(
                self.option,
                f"Expected {kind} {range.words} as {self._name}, but got {_short(typed)}.",
                f"Type one, such as {self.value}.",
            )
        try:
            range.check(self._name, number, default if isinstance(default, int | float) else 0)
        except ConfigError as error:
            raise OptionError(self.option, error.message, error.remedy) from None
        return number

    @property
    def _name(self) -> str:
        return self.words.lower()


def _short(typed: object) -> str:
    """What was typed, as it may stand in a sentence."""
    words = ascii(typed)
    return words if len(words) <= _SHOWN else f"{words[:_SHOWN]}... ({len(str(typed)):,} characters)"


@dataclass(frozen=True)
class ViewDescription(Description):
    """What a view says of itself; `title` heads its answer, `about` is the help of its flag.

    Args:
        tab: Title of its tab in the explorer; "" = its title.
        beside: The view whose tab it shares, its buttons behind that one's.
        asks: Its buttons; none where it is asked by picking a token.
        reads_probe: Whether the probe text matters.
        next_decision: Whether it is about the decision that follows the moment.
        picks: Whether it needs the options sequence and position, a picked token; it has no flag then.
        options: Of the options that several views know, those that it heeds: other (a second model), before (the
            model before the decision as the second), methods and baseline (of attribution), similarities (its option
            methods), until (the last decision known of).
        choices: Lists to choose from.
        fields: Options that are typed.
        writes: Whether its answer has texts that a model wrote (`View.written`).
        repeats: Words on a button that asks again every so many decisions; "" for none.
        across: Pictures beside one another.
        text: Title over the text whose tokens it colours; "" for none.
        table: Columns of its first table, which the explorer shows; none for none.
        by: The column it is sorted by at first.
    """

    tab: str = ""
    beside: str = ""
    asks: tuple[Ask, ...] = ()
    reads_probe: bool = True
    next_decision: bool = False
    picks: bool = False
    options: tuple[str, ...] = ()
    choices: tuple[Choice, ...] = ()
    fields: tuple[Field, ...] = ()
    writes: bool = False
    repeats: str = ""
    across: int = 3
    text: str = ""
    table: tuple[Column, ...] = ()
    by: str = ""


@dataclass(frozen=True)
class Table:
    """Rows with their columns; a row may lack some."""

    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Any]]
    sentence: str = ""


@dataclass(frozen=True)
class ColouredText:
    """Sequences of tokens, each with a number that becomes its colour.

    Args:
        pieces: The text of each token.
        values: A number for each, or None.
        tips: A sentence for each.
        legend: What the colour means, with its unit.
        picked: The place of the token that is marked.
    """

    pieces: Sequence[Sequence[str]]
    values: Sequence[Sequence[float | None]]
    tips: Sequence[Sequence[str]]
    legend: str
    picked: int | None = None


@dataclass(frozen=True)
class WrittenText:
    """A text that a model wrote.

    Args:
        title: Whose; "" where there is only one.
        given: What it began with.
        text: What the model wrote, up to where it differs from another.
        differs: The rest; "" where nothing differs.
    """

    title: str
    given: str
    text: str
    differs: str = ""


class View(ABC):
    """A view. Only `find` is needed; what the others do not give is not shown."""

    @abstractmethod
    def find(self, inspection: Inspection, probe: Probe, options: dict[str, Any], tick: Tick) -> Found:
        """Frames as rows and facts, computed from the run at the moment; nothing is changed.

        Raises:
            AnalysisError: A question that has no sound answer as asked.
        """

    def words(self, facts: Facts) -> list[str]:
        """The facts that a reader should know, a sentence or two each."""
        return []

    def pictures(self, frames: Mapping[str, pl.DataFrame], facts: Facts) -> Pictures:
        """The pictures of an answer, in their order."""
        return {}

    def tables(self, frames: Mapping[str, Rows], facts: Facts) -> list[Table]:
        """The tables of an answer."""
        return []

    def written(self, facts: Facts) -> list[WrittenText]:
        """The texts of an answer (`ViewDescription.writes`), to stand side by side."""
        return []

    def coloured(self, frames: Mapping[str, Rows], facts: Facts) -> ColouredText | None:
        """The text of an answer (`ViewDescription.text`)."""
        return None


VIEWS: Registry[ViewDescription, type[View]] = Registry(
    "view",
    [
        f"layertie_lab.inspection.views.{module}"
        for module in (
            "similarity",
            "profile",
            "weights",
            "attribution",
            "tokens",
            "token",
            "costs",
            "reasons",
            "memory",
            "sample",
        )
    ],
    "layertie_lab.views",
)
"""Name -> view, in the order of the page; a package brings its own in the entry-point group `layertie_lab.views`."""
