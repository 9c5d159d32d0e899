"""A run's state as tensors and plain values, and back."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from ..agent.protocol import AgentState
from ..core.decisions import Decision, Proposal
from ..core.errors import RecordError
from ..core.rules import Rules
from ..core.ties import TieMap
from .components import Components
from .state import RunState


def capture(state: RunState) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """All that a later `restored` needs to go on exactly: weights, optimizer state, agent, reward, position.

    No random state is among it: every draw is keyed by its position in the run (`RunState.streams`).

    Returns:
        (tensors by name, the live ones; meta, JSON-able).
    """
    components = state.components
    model, model_meta = components.model.state()
    optimizer, optimizer_meta = components.optimizer.state()
    policy, policy_meta = components.policy.state()
    tensors = {
        f"{part}/{name}": tensor
        for part, group in (("model", model), ("optimizer", optimizer), ("policy", policy))
        for name, tensor in group.items()
    }
    meta = {
        "config_hash": state.config.hash,
        "step": state.step,
        "decision": state.decision,
        "best": dict(state.best),
        "threads": torch.get_num_threads(),
        "model": model_meta,
        "optimizer": optimizer_meta,
        "policy": policy_meta,
        "reward": components.reward.state(),
        "under_way": _under_way(state),
        "rules": str(state.rules),
        "streams": dict(state.streams),
    }
    return tensors, meta


def snapshot(state: RunState) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    """What looking back at a run needs: its model, a group of tensors per owner, and its agent.

    Returns:
        ("outer", "layer N" and "policy" -> tensors by name, the live ones; meta, JSON-able).
    """
    tensors, model_meta = state.components.model.state()
    policy, policy_meta = state.components.policy.state()
    groups: dict[str, dict[str, Tensor]] = {"outer": {}, "policy": policy}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        group = f"layer {rest.split('.')[0]}" if part == "stack" else "outer"
        groups.setdefault(group, {})[name] = tensor
    meta = {
        "config_hash": state.config.hash,
        "step": state.step,
        "decision": state.decision,
        "model": model_meta,
        "policy": policy_meta,
        "rules": str(state.rules),
    }
    return {group: held for group, held in groups.items() if held}, meta


def restored(components: Components, tensors: dict[str, Tensor], meta: dict[str, Any]) -> RunState:
    """A captured state, put into freshly built machinery.

    Raises:
        RecordError: It belongs to another config, or to a version that draws its random numbers elsewhere.
    """
    config = components.config
    if meta["config_hash"] != config.hash:
        raise RecordError(
            f"Expected a checkpoint of config {config.hash}, but it was saved with {meta['config_hash']}.",
            "The run's config.json was edited after it began: restore it, or start a new run.",
        )
    groups: dict[str, dict[str, Tensor]] = {"model": {}, "optimizer": {}, "policy": {}}
    for name, tensor in tensors.items():
        part, _, rest = name.partition("/")
        groups[part][rest] = tensor
    # The model first: the optimizer's groups follow its ties.
    before = components.model.stack.ties
    components.model.load(groups["model"], meta["model"])
    components.optimizer.load(groups["optimizer"], meta["optimizer"])
    components.policy.load(groups["policy"], meta["policy"])
    components.reward.load(meta["reward"])
    assert len(before) == len(components.model.stack.ties), "a checkpoint of the same config has the same depth"
    # Checkpoints from before there were rules have none.
    rules = Rules.parse(meta.get("rules", config.ties.rules))
    state = RunState(components, rules, meta["step"], meta["decision"], best=dict(meta["best"]))
    if meta["under_way"] is not None:
        _resume_decision(state, meta["under_way"])
    # Checkpoints from before they were kept have none.
    if meta.get("streams", state.streams) != state.streams:
        raise RecordError(
            f"Expected a checkpoint whose random streams are at {state.streams}, but they are at {meta['streams']}.",
            "It was written by another version, or edited: go on with the version that wrote it.",
        )
    return state


def _under_way(state: RunState) -> dict[str, Any] | None:
    pending, asked = state.pending, state.asked
    if pending is None or asked is None:
        return None
    return {
        "proposal": asdict(pending.proposal),
        "choice": pending.choice,
        "by": pending.by,
        "step": pending.step,
        "losses": list(state.losses),
        "asked": {
            "ties": list(asked.ties),
            "blocks": None if asked.blocks is None else list(asked.blocks),
            "trainable_share": asked.trainable_share,
            "budget": asked.budget,
            "rules": str(asked.rules),
        },
    }


def _resume_decision(state: RunState, values: dict[str, Any]) -> None:
    """Put the decision under way, and what the agent was asked for it, back into a state."""
    raw = dict(values["proposal"])
    raw["legal"] = tuple(raw["legal"])
    for name in ("q_values", "q_deviations"):  # the second came later
        raw[name] = None if raw.get(name) is None else tuple(raw[name])
    proposal = Proposal(**raw)
    asked = values["asked"]
    state.pending = Decision(proposal, values["choice"], values["by"], values["step"])
    state.losses = list(values["losses"])
    state.asked = AgentState(
        ties=TieMap(tuple(asked["ties"])),
        layer=proposal.layer,
        decision=proposal.decision,
        episode=proposal.episode,
        budget=asked["budget"],
        blocks=None if asked["blocks"] is None else TieMap(tuple(asked["blocks"])),
        trainable_share=asked["trainable_share"],
        # Checkpoints from before they were kept: those of the run, which are the same unless they were changed since.
        rules=Rules.parse(asked["rules"]) if "rules" in asked else state.rules,
    )
