"""A run's settings as a form and as a link: plain functions between `RunConfig`, fields and query parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ...core.config import Algorithm, RunConfig, Scale
from ...core.descriptions import Choices
from ...core.errors import ConfigError
from ...core.presets import ALGORITHMS, SCALES
from ...core.serialize import Setting, changed, coerce, settings_of
from .wording import Departure, group_of, help_of, in_labels, label_of

MAIN = ("scale", "algorithm", "seed", "decisions", "text.corpus", "text.column")
"""Settings that matter most, by path; a form shows them first, and they stay when one goes back to the preset."""

_SETTINGS = {setting.path: setting for setting in settings_of(RunConfig)}
_PRESET = ("scale", "algorithm")
_NAMES = [setting.name for setting in _SETTINGS.values()]
_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True)
class Draft:
    """What a form holds: a scale, an algorithm, and the settings that differ from theirs.

    Args:
        scale: Of the model and the run.
        algorithm: Whose semantics and settings.
        changes: Path of a setting -> its value, or the text that was typed where it is not one. The latest change is
            last.
    """

    scale: Scale = "laptop"
    algorithm: Algorithm = "lab"
    changes: Mapping[str, Any] = field(default_factory=dict)


def draft_of(config: RunConfig) -> Draft:
    """A config as a draft."""
    base = RunConfig.preset(config.scale, algorithm=config.algorithm)
    return Draft(config.scale, config.algorithm, changed(config, base))


def config_of(draft: Draft) -> RunConfig:
    """The config that a draft describes.

    Raises:
        ConfigError: A text that is not a value of its setting, or a combination that cannot be run.
    """
    changes = {path.replace(".", "__"): value for path, value in draft.changes.items()}
    return RunConfig.preset(draft.scale, algorithm=draft.algorithm, **changes)


def change(draft: Draft, path: str, value: Any) -> Draft:
    """A draft with one setting changed.

    Another scale keeps what was changed by hand, another algorithm what does not belong to an algorithm: its own
    settings are what it is. Another text is read without the column of the one before. A setting that is back at its
    preset's value no longer counts as changed.

    Args:
        draft: What the form holds.
        path: The setting.
        value: A value, or a text as typed or as in a link. A text that cannot be read stays, so that it can be
            corrected; `problems` says what is wrong with it.

    Raises:
        ConfigError: No such setting, scale or algorithm.
    """
    setting = _setting(path)
    value = _read(setting, value)
    if path in _PRESET:
        value = coerce(setting, value)
        kept = draft.changes if path == "scale" or value == draft.algorithm else _not_of_algorithms(draft.changes)
        return replace(draft, changes=kept, **{path: value})
    # A column is one of its file's.
    dropped = (path, "text.column") if path == "text.corpus" and value != _value(draft, path) else (path,)
    others = {name: old for name, old in draft.changes.items() if name not in dropped}
    return replace(draft, changes=others if value == preset_value(draft, path) else {**others, path: value})


def preset_value(draft: Draft, path: str) -> Any:
    """What a setting is where nothing was changed."""
    value: Any = RunConfig.preset(draft.scale, algorithm=draft.algorithm)
    for part in path.split("."):
        value = getattr(value, part)
    return value


def problems(draft: Draft, choices: Choices | None = None) -> dict[str, str]:
    """What keeps a draft from being run: path of the setting to change -> sentence. "" where several would do."""
    found: dict[str, str] = {}
    for path, value in draft.changes.items():
        try:
            coerce(_SETTINGS[path].naming((choices or {}).get(path, ())), value)
        except ConfigError as error:
            found[path] = str(error)
    if found:
        return found
    try:
        config_of(draft)
    except ConfigError as error:
        # Where a combination is wrong, point at the latest change without which it would be right.
        guilty = [path for path in draft.changes if _runs(_without(draft, path))]
        return {guilty[-1] if guilty else "": str(error)}
    return {}


def fields(draft: Draft, choices: Choices | None = None, departures: Sequence[Departure] = ()) -> list[dict[str, Any]]:
    """The form's fields, as plain values, those of `MAIN` first.

    Args:
        draft: What the form holds.
        choices: What is registered under the names that a setting may have; the help says what the chosen one is.
        departures: Those of the official code, by which the help names them.

    Returns:
        One dict per setting: path, group (`wording.GROUPS`), label, kind (flag, choice, whole, number, rules, text),
        choices, options (name, title and about of each component to choose from), help, departures (which, counted from
        0), main, value (flags as bool, all others as text), changed, preset (the text of the preset's value).
    """
    ordered = [_SETTINGS[path] for path in MAIN] + [s for path, s in _SETTINGS.items() if path not in MAIN]
    presets = dict(_values(RunConfig.preset(draft.scale, algorithm=draft.algorithm)))
    made: list[dict[str, Any]] = []
    for plain in ordered:
        named = (choices or {}).get(plain.path, ())
        setting = plain.naming(named)
        value = draft.changes.get(setting.path, presets[setting.path])
        chosen = [f"{each.name}: {in_labels(each.about)}" for each in named if each.name == value]
        words, departs = help_of(setting, departures)
        made.append(
            {
                "path": setting.path,
                "group": group_of(setting),
                "label": label_of(setting),
                "kind": _kind(setting),
                "choices": _choices(setting),
                "options": [{"name": each.name, "title": each.title, "about": in_labels(each.about)} for each in named],
                "help": " ".join([words, *chosen]),
                "departures": departs,
                "main": setting.path in MAIN,
                "value": value if setting.kind is bool else _text(value),
                "changed": setting.path in draft.changes,
                "preset": _text(presets[setting.path]),
            }
        )
    return made


def to_query(draft: Draft) -> dict[str, str]:
    """A draft as query parameters of a link: scale, algorithm, and each change by the setting's name."""
    changes = {_query_name(_SETTINGS[path]): _text(value) for path, value in draft.changes.items()}
    return {"scale": draft.scale, "algorithm": draft.algorithm, **changes}


def from_query(query: Mapping[str, Any]) -> tuple[Draft, list[str]]:
    """A draft from a link's query parameters; those that name no setting are left alone.

    Returns:
        The draft, and a sentence for each parameter that could not be used. A bad value of a setting is kept in the
        draft, for `problems` to point at.
    """
    draft, sentences = Draft(), []
    by_name = {_query_name(setting): setting.path for setting in _SETTINGS.values()}
    known = {by_name[name]: _last(value) for name, value in query.items() if name in by_name}
    # A column after its file.
    for path in (*_PRESET, *sorted(known, key=lambda path: path == "text.column")):
        if path in known:
            try:
                draft = change(draft, path, known.pop(path))
            except ConfigError as error:
                sentences.append(f"The link was not used in full. {error}")
    return draft, sentences


def query_names() -> tuple[str, ...]:
    """The query parameters that stand for settings."""
    return tuple(map(_query_name, _SETTINGS.values()))


def back_to_preset(draft: Draft) -> Draft:
    """A draft whose settings in the fold are the preset's; the main ones stay as they are."""
    return replace(draft, changes={path: value for path, value in draft.changes.items() if path in MAIN})


def _not_of_algorithms(changes: Mapping[str, Any]) -> dict[str, Any]:
    theirs = {name for settings in ALGORITHMS.values() for name in settings}
    return {path: value for path, value in changes.items() if _SETTINGS[path].name not in theirs}


def _setting(path: str) -> Setting:
    if path not in _SETTINGS:
        raise ConfigError(f"Expected a setting, but got {path!r}.", f"Settings: {', '.join(_SETTINGS)}.")
    return _SETTINGS[path]


def _read(setting: Setting, value: Any) -> Any:
    """A text as the setting's kind, where it is one."""
    if not isinstance(value, str) or setting.kind is str:
        return value.strip() if isinstance(value, str) else value
    text = value.strip().lower()
    if setting.kind is bool:
        return _FLAGS.get(text, value)
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return value


def _runs(draft: Draft) -> bool:
    try:
        config_of(draft)
    except ConfigError:
        return False
    return True


def _without(draft: Draft, path: str) -> Draft:
    return replace(draft, changes={name: value for name, value in draft.changes.items() if name != path})


def _values(config: RunConfig) -> Iterable[tuple[str, Any]]:
    whole = config.to_dict()
    for path, setting in _SETTINGS.items():
        yield path, (whole[setting.group] if setting.group else whole)[setting.name]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _last(value: Any) -> Any:
    return value[-1] if isinstance(value, list) and value else value


def _query_name(setting: Setting) -> str:
    return setting.name if _NAMES.count(setting.name) == 1 else setting.path.replace(".", "__")


def _value(draft: Draft, path: str) -> Any:
    return draft.changes.get(path, preset_value(draft, path))


def _kind(setting: Setting) -> str:
    if setting.choices:
        return "choice"
    if setting.path == "ties.rules":
        return "rules"
    return {bool: "flag", int: "whole", float: "number"}.get(setting.kind, "text")


def _choices(setting: Setting) -> list[str]:
    """In the presets' own order where there is one, so that sizes go from small to large."""
    return list({"scale": SCALES, "algorithm": ALGORITHMS}.get(setting.path, setting.choices))
