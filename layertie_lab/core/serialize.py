"""Config dataclasses to and from plain values, and their settings by name."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import hashlib
import inspect
import itertools
import json
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from .descriptions import Description
from .errors import ConfigError
from .ranges import Range


@dataclass(frozen=True)
class Setting:
    """One setting of a config, as a form or a help page shows it.

    Args:
        group: The config field it lives in ("model", "training", ...); "" for the run itself.
        name: Its own name.
        kind: bool, int, float or str.
        choices: The allowed values, or () where any value of the kind may stand.
        default: The default.
        help: Its documentation, one or two sentences.
        range: The values that a number may have; None for what is no number.
    """

    group: str
    name: str
    kind: type
    choices: tuple[str, ...]
    default: Any
    help: str
    range: Range | None = None

    @property
    def path(self) -> str:
        """`group.name`, or the bare name."""
        return f"{self.group}.{self.name}" if self.group else self.name

    @property
    def explained(self) -> str:
        """Its documentation, with unit and bounds where it is a number."""
        return self.help if self.range is None else f"{self.help} [{self.range.hint}]"

    def naming(self, components: Sequence[Description]) -> Setting:
        """As the setting of a name, whose choices are what is registered; itself where there is nothing to choose."""
        return dataclasses.replace(self, choices=tuple(each.name for each in components)) if components else self


@cache
def _docs(cls: type) -> dict[str, str]:
    """Field name -> the string literal that follows it in the class body, its bases' included."""
    docs: dict[str, str] = {}
    for base in cls.__bases__:
        if dataclasses.is_dataclass(base):
            docs |= _docs(base)
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    assert isinstance(definition, ast.ClassDef)
    body = definition.body
    for statement, following in itertools.pairwise(body):
        if (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and isinstance(following, ast.Expr)
            and isinstance(following.value, ast.Constant)
        ):
            docs[statement.target.id] = " ".join(str(following.value.value).split())
    return docs


@cache
def settings_of(cls: type, group: str = "") -> tuple[Setting, ...]:
    """All settings of a config class, depth first, in the order they are declared."""
    hints = get_type_hints(cls, include_extras=True)
    found: list[Setting] = []
    for entry in dataclasses.fields(cls):
        hint, range = hints[entry.name], None
        if get_origin(hint) is Annotated:
            hint, *beside = get_args(hint)
            range = next((value for value in beside if isinstance(value, Range)), None)
        if dataclasses.is_dataclass(hint):
            found.extend(settings_of(hint, entry.name))  # type: ignore[arg-type]
            continue
        literal = get_origin(hint) is Literal
        found.append(
            Setting(
                group=group,
                name=entry.name,
                kind=str if literal else hint,
                choices=get_args(hint) if literal else (),
                default=entry.default,
                help=_docs(cls).get(entry.name, ""),
                range=range,
            )
        )
    return tuple(found)


def _resolve(cls: type, name: str) -> Setting:
    settings = settings_of(cls)
    wanted = name.replace("__", ".")
    exact = [s for s in settings if s.path == wanted]
    matches = exact or [s for s in settings if s.name == wanted]
    if len(matches) == 1:
        return matches[0]
    if not matches:
        raise ConfigError(f"Expected a setting's name, but got {name!r}.", _near(settings, wanted))
    raise ConfigError(
        f"Expected one setting, but {name!r} could mean {' or '.join(s.path for s in matches)}.",
        f"Write {matches[0].path.replace('.', '__')}.",
    )


def _near(settings: tuple[Setting, ...], wanted: str) -> str:
    """What may have been meant: there are too many settings to list them all."""
    group, dot, name = wanted.rpartition(".")
    near = difflib.get_close_matches(name, dict.fromkeys(s.name for s in settings), n=3, cutoff=0.7)
    # A name of its own group first: another group's of the same name was hardly meant.
    found = [s for each in near for s in settings if s.name == each]
    paths = [s.path for s in found if s.group == group] or [s.path for s in found]
    if paths:
        return f"Did you mean {' or '.join(paths[:3])}?"
    inside = [s.name for s in settings if dot and s.group == group]
    if inside:
        return f"Settings of {group}: {', '.join(inside)}."
    return "`layertie train --help` lists the settings; so does RunConfig().to_dict()."


def coerce(setting: Setting, value: Any) -> Any:
    """The value as the setting's kind.

    Raises:
        ConfigError: Not of that kind, or not among the choices.
    """
    if setting.choices:
        if value not in setting.choices:
            raise ConfigError(
                f"Expected {setting.path} to be one of {', '.join(setting.choices)}, but got {value!r}.",
                "Choose one of these.",
            )
        return value
    if setting.kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if setting.kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if type(value) is not setting.kind:
        raise ConfigError(
            f"Expected {setting.path} to be {_kind_name(setting.kind)}, but got {value!r}.", f"{setting.help}"
        )
    return value


def _kind_name(kind: type) -> str:
    return {int: "a whole number", float: "a number", bool: "true or false", str: "text"}.get(kind, kind.__name__)


def _leaves(config: Any, group: str = "") -> Iterator[tuple[str, Any]]:
    for entry in dataclasses.fields(config):
        value = getattr(config, entry.name)
        if dataclasses.is_dataclass(value):
            yield from _leaves(value, entry.name)
        else:
            yield (f"{group}.{entry.name}" if group else entry.name), value


def value_at(config: Any, path: str) -> Any:
    """The value of a setting by its path (`Setting.path`)."""
    for part in path.split("."):
        config = getattr(config, part)
    return config


def check_ranges(config: Any) -> None:
    """Refuse a config one of whose numbers is outside the range beside its field.

    Raises:
        ConfigError: One is.
    """
    for setting in settings_of(type(config)):
        if setting.range is not None:
            group = getattr(config, setting.group) if setting.group else config
            setting.range.check(setting.path, getattr(group, setting.name), setting.default)


def replace(config: Any, changes: dict[str, Any]) -> Any:
    """A copy of a config with settings replaced by name (see `RunConfig.replace`)."""
    grouped: dict[str, dict[str, Any]] = {}
    whole: dict[str, Any] = {}
    for name, value in changes.items():
        current = getattr(config, name, None) if name.isidentifier() else None
        if dataclasses.is_dataclass(current) and type(value) is type(current):
            whole[name] = value
            continue
        setting = _resolve(type(config), name)
        grouped.setdefault(setting.group, {})[setting.name] = coerce(setting, value)
    top = grouped.pop("", {})
    for group, values in grouped.items():
        whole[group] = dataclasses.replace(whole.get(group, getattr(config, group)), **values)
    return dataclasses.replace(config, **top, **whole)


def to_dict(config: Any) -> dict[str, Any]:
    """As nested plain values."""
    return dataclasses.asdict(config)


ADDED_LATER = {
    "ties.rules": "",
    "agent.map": "",
    "text.splits": "bytes",
    "text.column": "",
    "agent.prior": "recorded",
    "agent.owners": 0,
    "agent.parameters": 0.0,
}
"""Setting -> what it would have been in runs of the first format, which do not have it."""
_NEVER = object()

# Compiling the annotations is most of the cost of reading a config; a list of runs reads hundreds.
_hints = cache(get_type_hints)


def from_dict(cls: type, values: dict[str, Any], group: str = "") -> Any:
    """Back from `to_dict`, checked. A setting that came later and is missing is as it was before there was one."""
    if not isinstance(values, dict):
        raise ConfigError(f"Expected {group or 'a config'} to be a JSON object, but got {values!r}.")
    hints = _hints(cls)
    settings = {s.name: s for s in settings_of(cls, group) if s.group == group}
    later = {name: ADDED_LATER.get(f"{group}.{name}", _NEVER) for name in settings}
    arguments: dict[str, Any] = {name: value for name, value in later.items() if value is not _NEVER}
    for name, value in values.items():
        if name not in hints:
            raise ConfigError(
                f"Expected settings that this version knows, but got {group + '.' if group else ''}{name}.",
                "The config may come from a newer version: update layertie_lab.",
            )
        if dataclasses.is_dataclass(hints[name]):
            arguments[name] = from_dict(hints[name], value, name)  # type: ignore[arg-type]
        else:
            arguments[name] = coerce(settings[name], value)
    return cls(**arguments)


def changed(config: Any, base: Any) -> dict[str, Any]:
    """The settings (by path) in which `config` differs from `base`."""
    before = dict(_leaves(base))
    return {path: value for path, value in _leaves(config) if before[path] != value}


def digest(config: Any) -> str:
    """16 hexadecimal digits over all settings except those of `records`.

    Settings of `ADDED_LATER` count only where they are not at their default, so that runs from before keep their name.
    """
    values = {
        path: value
        for path, value in _leaves(config)
        if not path.startswith("records.") and ADDED_LATER.get(path, _NEVER) != value
    }
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
