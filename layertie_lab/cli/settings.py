"""A run's settings and a study's as flags, made from their fields: choices, unit and range are those beside the field.

The names of policies are imported when a flag shows them: start-up has no need of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Annotated, Any

import tyro
from tyro.constructors import StructConstructorSpec, StructTypeInfo
from tyro.extras import literal_type_from_choices

from ..core.config import RunConfig
from ..core.descriptions import Choices
from ..core.serialize import Setting, settings_of
from ..counterfactual.spec import StudyChoices


def _policy() -> Any:
    from ..agent.policies.registry import POLICIES

    return literal_type_from_choices(POLICIES.names)


def _policies() -> Any:
    return tuple[_policy(), ...]


def _default(shown: str) -> str:
    """As tyro writes the defaults of other names: without the brackets and quotes of a list."""
    return f"(default: {shown.translate(str.maketrans('', '', '[],' + chr(39)))})"


PolicyName = Annotated[str, tyro.conf.arg(constructor_factory=_policy, help_behavior_hint=_default)]
"""The name of a policy, among a command's own flags."""
PolicyNames = Annotated[tuple[str, ...], tyro.conf.arg(constructor_factory=_policies, help_behavior_hint=_default)]
"""The names of some."""


@dataclasses.dataclass(frozen=True)
class _Preset:
    scale: str = "laptop"
    algorithm: str = "lab"


def preset_of(argv: Sequence[str]) -> RunConfig:
    """The preset that `--scale` and `--algorithm` name, wherever they stand: the defaults that other flags change.

    tyro's own presets (`overridable_config_cli`, subcommands) were tried: each of the 12 becomes a word that must come
    before all flags, `--help` lists these words in place of the settings, and a `--scale` after one changes nothing
    but the label. So the two flags are read first, by tyro too, and the rest is left for the commands.
    """
    preset, _ = tyro.cli(_Preset, prog="layertie", args=list(argv), add_help=False, return_unknown_args=True)
    return RunConfig.preset(preset.scale, algorithm=preset.algorithm)


def flags(choices: Choices) -> tyro.constructors.ConstructorRegistry:
    """How tyro makes flags of a `RunConfig` and of `StudyChoices`."""
    registry = tyro.constructors.ConstructorRegistry()
    settings = {(setting.group, setting.name): setting for setting in settings_of(RunConfig)}
    groups: dict[Any, str] = {type(getattr(RunConfig(), group)): group for group, _ in settings if group}
    groups[RunConfig] = ""
    settings |= {("study", setting.name): setting for setting in settings_of(StudyChoices)}
    groups[StudyChoices] = "study"

    @registry.struct_rule
    def _(info: StructTypeInfo) -> StructConstructorSpec | None:
        if info.type not in groups:
            return None
        given = info.default if isinstance(info.default, info.type) else info.type()
        fields = []
        for entry in dataclasses.fields(info.type):
            value = getattr(given, entry.name)
            setting = settings.get((groups[info.type], entry.name))
            made = _field(setting, value, choices) if setting else _spec(entry.name, type(value), value)
            fields.append(made)
        return StructConstructorSpec(info.type, tuple(fields))

    return registry


def _field(plain: Setting, value: Any, choices: Choices) -> tyro.constructors.StructFieldSpec:
    named = choices.get(plain.path, ())
    setting = plain.naming(named)
    # A recorded run may name what is not registered here; that is told where it is made.
    names = (*setting.choices, *((value,) if named and value not in setting.choices else ()))
    kind = literal_type_from_choices(names) if names else setting.kind
    return _spec(setting.name, kind, value, " ".join([setting.explained, *(f"{n.name}: {n.about}" for n in named)]))


def _spec(name: str, kind: Any, value: Any, words: str | None = None) -> tyro.constructors.StructFieldSpec:
    return tyro.constructors.StructFieldSpec(name, kind, value, words)
