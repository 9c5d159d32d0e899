"""What was typed, flag by flag: each heeded, each number within the range beside its field.

A flag that would change nothing is refused: whoever typed it expects something of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from ..core.errors import ConfigError
from ..core.presets import ALGORITHMS
from ..core.ranges import Range

_TELLING = {"json", "quiet"}
"""Flags of how a command speaks, which every mode heeds."""
_SEVERAL = frozenset({"edit", "vary", "policies", "seeds", "looks", "answers", "marks", "similarities", "methods"})
"""Flags that take several values: given twice, the last would stand for all."""
_SINGLE = {"policy": "policies", "seed": "seeds"}
"""Setting of one run -> the flag of a sweep that names several."""


@dataclass(frozen=True)
class _Mode:
    """What a command does when something is typed, and the flags that it then heeds or leaves aside.

    Args:
        command: Its name.
        words: How the mode is typed.
        chosen: Whether a command is in it.
        heeds: The only flags that count then; empty where all but `ignores` do.
        ignores: Flags that do not.
    """

    command: str
    words: str
    chosen: Callable[[Any], bool]
    heeds: frozenset[str] = frozenset()
    ignores: frozenset[str] = frozenset()

    def unheeded(self, typed: Iterable[str]) -> list[str]:
        """Those of the typed flags that would change nothing."""
        return [
            name
            for name in typed
            if name in self.ignores or (self.heeds and name not in self.heeds and name not in _TELLING)
        ]


_MODES = (
    _Mode("audit", "a run", lambda it: it.run is not None, ignores=frozenset({"scale", "decisions", "seed", "corpus"})),
    _Mode("branch", "--tree", lambda it: it.tree, heeds=frozenset({"tree"})),
    _Mode("twins", "--list", lambda it: it.list, heeds=frozenset({"list"})),
    _Mode(
        "twins",
        "--resume",
        lambda it: it.resume is not None,
        # Another --looks is for the forecast that ends a pilot.
        heeds=frozenset({"resume", "text", "workers", "chart", "page", "looks"}),
    ),
    _Mode(
        "twins",
        "--extend",
        lambda it: it.extend is not None,
        heeds=frozenset({"extend", "text", "workers", "chart", "page"}),
    ),
    _Mode("twins", "--show", lambda it: it.show is not None, heeds=frozenset({"show", "chart", "page", "looks"})),
    _Mode("twins", "--open-ended", lambda it: it.open_ended, ignores=frozenset({"looks", "pilot"})),
    _Mode("twins", "--pilot", lambda it: bool(it.pilot), ignores=frozenset({"exploratory"})),
    _Mode(
        "sweep",
        "--summarize",
        lambda it: it.summarize,
        heeds=frozenset({"summarize", "directory", "reference", "report"}),
    ),
    _Mode(
        "sweep",
        "--resume",
        lambda it: it.resume,
        heeds=frozenset({"resume", "directory", "processes", "text", "reference", "report"}),
    ),
)


def flags_of(argv: Sequence[str]) -> list[str]:
    """The flags that were typed, in order, without dashes, a leading no- and what follows an equals sign."""
    found = []
    for word in argv:
        if word.startswith("--") and len(word) > 2:
            name = word[2:].partition("=")[0].replace("_", "-")
            found.append(name.removeprefix("no-"))
    return found


def check_words(argv: Sequence[str]) -> None:
    """Refuse words whose order or number would change what is run, before they are read.

    Raises:
        ConfigError: --algorithm or --scale twice, a flag that takes several values twice, or a replay whose run does
            not come first or that names an algorithm or a scale.
    """
    typed, several = (
        flags_of(argv),
        {"edit", "vary", "policies", "seeds", "looks", "answers", "similarities", "methods"},
    )
    for name in dict.fromkeys(typed):
        if typed.count(name) > 1 and name in {"algorithm", "scale", *several}:
            remedy = f"Write all values after one --{name}." if name in several else "Keep one of them."
            raise ConfigError(f"Expected --{name} once, but got it {typed.count(name)} times.", remedy)
    if list(argv[:1]) == ["replay"] and not {"-h", "--help"} & set(argv):
        _check_replay(argv, typed)


def _check_replay(argv: Sequence[str], typed: list[str]) -> None:
    # The recorded run's settings are what the other flags change: it has to be known before them.
    if len(argv) > 1 and argv[1].startswith("-"):
        raise ConfigError(
            f"Expected the run right after the word replay, but got {argv[1]}.",
            "Write layertie replay RUN, then the flags.",
        )
    if "algorithm" in typed:
        # The preset's settings lie under the recorded ones: the flag would change the name alone.
        raise ConfigError(
            "Expected the settings of another algorithm in a replay, but got --algorithm, which would change the new "
            "run's name for them alone.",
            f"Write those that differ: {_settings_of('paper')} (as for paper), for example.",
        )
    if "scale" in typed:
        raise ConfigError(
            "Expected the settings of another size in a replay, but got --scale, which would change the new run's name "
            "for them alone.",
            "Write those that differ, such as --layers 6.",
        )


def _settings_of(algorithm: str) -> str:
    semantics = ("gradient", "on_untie", "chain", "start", "moments")
    return " ".join(f"--{name.replace('_', '-')} {ALGORITHMS[algorithm][name]}" for name in semantics)


def check_command(command: Any, argv: Sequence[str]) -> None:
    """Refuse a number out of its range, and flags that nothing would heed.

    Raises:
        ConfigError: There is one.
    """
    name = type(command).__name__.lower()
    typed = list(dict.fromkeys(flags_of(argv)))
    for flag, (range, default) in ranges_of(type(command)).items():
        value = getattr(command, flag)
        for number in value if isinstance(value, tuple) else [] if value is None else [value]:
            range.check(f"--{flag.replace('_', '-')}", number, default)
    if name == "sweep":
        _check_single(command, typed)
    for mode in _MODES:
        if mode.command == name and mode.chosen(command) and (lost := mode.unheeded(typed)):
            flags = " and ".join(f"--{flag}" for flag in lost)
            raise ConfigError(
                f"Expected no {flags} with {mode.words}, which would not heed {'it' if len(lost) == 1 else 'them'}.",
                f"Leave {flags} out.",
            )


def _check_single(command: Any, typed: list[str]) -> None:
    for single, several in _SINGLE.items():
        if single in typed:
            value = command.config.agent.policy if single == "policy" else command.config.seed
            raise ConfigError(
                f"Expected --{several} in a sweep, but got --{single} {value}.", f"Write --{several} {value}."
            )


@cache
def ranges_of(command: type) -> dict[str, tuple[Range, Any]]:
    """Field of a command -> its range and default, of its own numbers (a run's settings have theirs in the config)."""
    found = {}
    hints = get_type_hints(command, include_extras=True)
    for entry in fields(command):
        hint = hints[entry.name]
        if get_origin(hint) is Annotated:
            for beside in get_args(hint)[1:]:
                if isinstance(beside, Range):
                    found[entry.name] = (beside, entry.default)
    return found
