"""A policy or a reward of somebody's own: handed in as an object or as what makes it, recorded by name and import path.

One that is registered (`agent.policies.registry`, `agent.rewards.registry`) is named in the config and need not be
handed in.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..agent.descriptions import PolicyDescription, RewardDescription
from ..agent.policies.registry import POLICIES, Maker, make_policy
from ..agent.protocol import Policy
from ..agent.rewards.measurement import Reward
from ..agent.rewards.registry import REWARDS, charged, make_reward
from ..core.config import RunConfig
from ..core.descriptions import Registry, import_path
from ..core.errors import AgentError, ConfigError, RecordError

OwnPolicy = Policy | Maker
"""A policy in its initial state, or a class or function that makes one of (config, description of the reward)."""
OwnReward = Reward | Callable[[], Reward]
"""A reward in its initial state, or a class or function that makes one."""

_SETTINGS = {"policy": "agent.policy", "reward": "reward.kind"}


@dataclass(frozen=True)
class Own:
    """What was handed in, in its initial state. Make it with `Own.check`.

    Args:
        policy: A policy; None = the one that the config names.
        reward: A reward, without clip and prices; None = the one that the config names.
        identity: "policy" and "reward" -> name and import path, of those that are not this package's.
    """

    policy: Policy | None = None
    reward: Reward | None = None
    identity: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def check(cls, config: RunConfig, policy: OwnPolicy | None = None, reward: OwnReward | None = None) -> Own:
        """Make what makes, and check what is made.

        Raises:
            AgentError: Something that is no policy or no reward.
            ConfigError: One that goes under the name of another.
        """
        own_reward = None if reward is None else _made(reward, Reward, RewardDescription, ())
        told = own_reward.description if own_reward else REWARDS.find(config.reward.kind)
        own_policy = None
        if policy is not None:
            # Of a reward that nobody knows here, whoever opens the run is told.
            told = told or RewardDescription(config.reward.kind, config.reward.kind)
            own_policy = _made(policy, Policy, PolicyDescription, (config, told))
        found = {
            "policy": _identity(POLICIES, own_policy, config.agent.policy),
            "reward": _identity(REWARDS, own_reward, config.reward.kind),
        }
        return cls(own_policy, own_reward, {kind: names for kind, names in found.items() if names})

    def named(self, config: RunConfig) -> RunConfig:
        """The settings, in which what was handed in goes under its own name."""
        changes = {}
        if self.policy is not None:
            changes["agent__policy"] = self.policy.description.name
        if self.reward is not None:
            changes["reward__kind"] = self.reward.description.name
        return config.replace(**changes)

    def made(self, config: RunConfig) -> tuple[Policy, Reward]:
        """Policy and reward of a run, in their initial state; what was handed in stays as it is.

        Raises:
            ConfigError: A name that nobody registered, of what was not handed in.
        """
        reward = make_reward(config) if self.reward is None else charged(copy.deepcopy(self.reward), config)
        policy = make_policy(config, reward.description) if self.policy is None else copy.deepcopy(self.policy)
        return policy, reward

    def check_same(self, recorded: Mapping[str, Any], config: RunConfig, where: object) -> None:
        """Refuse to go on with a run that was begun with another policy or reward.

        Args:
            recorded: What was handed in at the run's start.
            config: Its settings.
            where: Its directory.

        Raises:
            RecordError: Something is missing, was not there at the start, or is another one.
        """
        for kind, path in _SETTINGS.items():
            was, now = recorded.get(kind), self.identity.get(kind)
            begun = config.agent.policy if kind == "policy" else config.reward.kind
            if was is None and now is not None:
                raise RecordError(
                    f"Expected the {kind} {begun} that the run in {where} was begun with, but got {_said(now)}.",
                    f"Leave {kind}= out; to use another one, start a new run.",
                )
            if was is not None and now is None:
                raise RecordError(
                    f"Expected the {kind} {_said(was)} that the run in {where} was begun with, but it is neither "
                    f"registered here nor handed in.",
                    f"Hand it in: Session.resume(directory, {kind}=...); or import the module that registers it under "
                    f"the name that {path} has.",
                )
            if was is not None and now is not None and _place(was) != _place(now):
                raise RecordError(
                    f"Expected the {kind} {_said(was)} that the run in {where} was begun with, but got {_said(now)}.",
                    f"Hand in the same one, or start a new run with {now['name']}.",
                )


def _made(given: Any, kind: type[Any], described: type[Any], arguments: tuple[Any, ...]) -> Any:
    """The object itself, or what a class or function makes."""
    if isinstance(given, str):
        word = kind.__name__.lower()
        raise AgentError(
            f"Expected a {word}, or a class or function that makes one, but got the name {given!r}.",
            f"Name one that is registered in the settings: RunConfig.preset(..., {_SETTINGS[word].split('.')[1]}="
            f"{given!r}).",
        )
    # A class has the methods and often the description of its objects, too.
    makes = isinstance(given, type) or (callable(given) and not hasattr(given, "description"))
    if isinstance(given, type):
        _check_members(given, kind, _members(kind))
    found: Any = _called(given, arguments) if makes else given
    _check_members(found, kind, [*_members(kind), "description"])
    if not isinstance(found.description, described) or not found.description.name:
        raise AgentError(
            f"Expected {import_path(found)}.description to be a {described.__name__} with a name, but got "
            f"{found.description!r}.",
            f'Write description = {described.__name__}("my-name", "My title").',
        )
    return found


def _check_members(found: Any, kind: type[Any], wanted: list[str]) -> None:
    lacking = [name for name in wanted if not hasattr(found, name)]
    if lacking:
        raise AgentError(
            f"Expected a {kind.__name__.lower()}, but {import_path(found)} lacks {', '.join(lacking)}.",
            f"Hand in an object that has what {import_path(kind)} has, or a class that makes one.",
        )


def _called(maker: Any, arguments: tuple[Any, ...]) -> Any:
    try:
        inspect.signature(maker).bind(*arguments)
    except TypeError as error:
        wanted = "the run's config and the description of its reward" if arguments else "nothing"
        raise AgentError(
            f"Expected {import_path(maker)} to take {wanted}, but it does not ({error}).",
            "Hand in an object, made as you like.",
        ) from None
    return maker(*arguments)


def _members(kind: type[Any]) -> list[str]:
    return [name for name, value in vars(kind).items() if callable(value) and not name.startswith("_")]


def _identity(registry: Registry[Any, Any], handed_in: Any, named: str) -> dict[str, str] | None:
    """Name and import path; None for what is this package's, and for what is not known here."""
    if handed_in is None:
        path = registry.path(named)
        return {"name": named, "path": path} if path and not registry.is_built_in(named) else None
    name, path = handed_in.description.name, import_path(handed_in)
    taken = registry.path(name)
    if taken and _module(taken) != _module(path):
        raise ConfigError(
            f"Expected a name for {path} that no other {registry.kind} has, but {name!r} is {taken}.",
            "Give its description another name.",
        )
    return {"name": name, "path": path}


def _place(identity: Mapping[str, str]) -> tuple[str, str]:
    # What is registered may be a function beside the class.
    return identity["name"], _module(identity["path"])


def _module(path: str) -> str:
    return path.rpartition(".")[0]


def _said(identity: Mapping[str, str]) -> str:
    return f"{identity['name']} ({identity['path']})"
