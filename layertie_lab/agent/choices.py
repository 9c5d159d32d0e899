"""What a setting may name: the components that are registered, for the command line's help and for forms."""

from __future__ import annotations

from ..core.descriptions import Choices
from .policies.registry import POLICIES
from .rewards.registry import REWARDS


def choices() -> Choices:
    """Path of a setting of the config -> what is registered under the names that it may have."""
    return {"agent.policy": tuple(POLICIES), "reward.kind": tuple(REWARDS)}
