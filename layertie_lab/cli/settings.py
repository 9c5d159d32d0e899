"""A run's settings and a study's as flags, made from their fields: choices, unit and range are those beside the field.

The names of policies are imported when a flag shows them, and the records where a run is named: start-up has no need
of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import tyro
from tyro.constructors import PrimitiveConstructorSpec, PrimitiveTypeInfo, StructConstructorSpec, StructTypeInfo
from tyro.extras import literal_type_from_choices

from ..core.config import RunConfig
from ..core.descriptions import Choices
from ..core.paths import path_of
from ..core.patterns import GIVEN
from ..core.serialize import Setting, settings_of
from ..counterfactual.spec import StudyChoices


def _policy() -> Any:
    from ..agent.policies.registry import POLICIES

    return literal_type_from_choices(POLICIES.names)


def _policies() -> Any:
    return tuple[_policy(), ...]


def _map(words: list[str]) -> str:
    from ..records.maps import sources_of

    return sources_of(words[0])


_Map = Annotated[
    str,
    tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar="SOURCES|RUN",
        instance_from_str=_map,
        is_instance=lambda value: isinstance(value, str),
        str_from_instance=lambda value: [value],
    ),
]
"""A tie map's sources, also where a run was named: what is recorded means the same tomorrow."""
_PATH = PrimitiveConstructorSpec(
    nargs=1,
    metavar="PATH",
    instance_from_str=lambda words: path_of(words[0]),
    is_instance=lambda value: isinstance(value, Path),
    str_from_instance=lambda value: [str(value)],
)
_READ = {"agent.map": _Map}
"""Path of a setting whose words are read in a way of its own -> that way."""


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


def flags(choices: Choices, *, sweep: bool = False) -> tyro.constructors.ConstructorRegistry:
    """How tyro makes flags of a `RunConfig` and of `StudyChoices`, and paths of words.

    Args:
        choices: What can be named.
        sweep: Whether the settings are what a sweep's runs have in common.
    """
    registry = tyro.constructors.ConstructorRegistry()
    settings = {(setting.group, setting.name): setting for setting in settings_of(RunConfig)}
    groups: dict[Any, str] = {type(getattr(RunConfig(), group)): group for group, _ in settings if group}
    groups[RunConfig] = ""
    settings |= {("study", setting.name): setting for setting in settings_of(StudyChoices)}
    groups[StudyChoices] = "study"

    @registry.primitive_rule
    def _(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Path] | None:
        return _PATH if info.type is Path else None

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
        return StructConstructorSpec(_in_common if sweep and info.type is RunConfig else info.type, tuple(fields))

    return registry


def _in_common(**given: Any) -> RunConfig:
    """A sweep's settings: its map is the policy map's, whichever policies it names."""
    agent, preset = given["agent"], RunConfig.preset(given["scale"], algorithm=given["algorithm"])
    if agent.map and agent.policy == preset.agent.policy:
        given["agent"] = dataclasses.replace(agent, policy=GIVEN)
    return RunConfig(**given)


def _field(plain: Setting, value: Any, choices: Choices) -> tyro.constructors.StructFieldSpec:
    named = choices.get(plain.path, ())
    setting = plain.naming(named)
    # A recorded run may name what is not registered here; that is told where it is made.
    names = (*setting.choices, *((value,) if named and value not in setting.choices else ()))
    kind = literal_type_from_choices(names) if names else _READ.get(plain.path, setting.kind)
    return _spec(setting.name, kind, value, " ".join([setting.explained, *(f"{n.name}: {n.about}" for n in named)]))


def _spec(name: str, kind: Any, value: Any, words: str | None = None) -> tyro.constructors.StructFieldSpec:
    return tyro.constructors.StructFieldSpec(name, kind, value, words)
