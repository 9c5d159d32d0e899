"""A session as tensors and plain values, and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..agent.protocol import AgentState
from ..core.decisions import Decision, Proposal
from ..core.errors import CancelledError, RecordError
from ..core.events import DecisionMade, Event, RulesChanged
from ..core.rules import Rules
from ..core.ties import TieMap

if TYPE_CHECKING:  # a session captures and restores itself through this module
    from .session import Session

Watch = Callable[[int, int], object]
"""Called with (decisions trained again, of how many) before each of them; False ends it."""


def capture(session: Session) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """All that a later `apply` needs to go on exactly: weights, moments, agent, reward, position.

    No random state is among it: every draw is keyed by its position in the run.
    """
    parts = session.parts
    model, model_meta = parts.model.state()
    optimizer, optimizer_meta = parts.optimizer.state()
    policy, policy_meta = parts.policy.state()
    tensors = {
        f"{part}/{name}": tensor
        for part, group in (("model", model), ("optimizer", optimizer), ("policy", policy))
        for name, tensor in group.items()
    }
    meta = {
        "config_hash": session.config.hash,
        "step": session.step,
        "decision": session.decision,
        "best": session.best,
        "threads": torch.get_num_threads(),
        "model": model_meta,
        "optimizer": optimizer_meta,
        "policy": policy_meta,
        "reward": parts.reward.state(),
        "under_way": _under_way(session),
        "rules": str(session.rules),
    }
    return tensors, meta


def snapshot(session: Session) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    """What looking back at a session needs: its model, a group of tensors per owner, and its agent.

    Returns:
        ("outer", "layer N" and "policy" -> tensors by name, the live ones; meta, JSON-able).
    """
    tensors, model_meta = session.parts.model.state()
    policy, policy_meta = session.parts.policy.state()
    groups: dict[str, dict[str, Tensor]] = {"outer": {}, "policy": policy}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        group = f"layer {rest.split('.')[0]}" if part == "stack" else "outer"
        groups.setdefault(group, {})[name] = tensor
    meta = {
        "config_hash": session.config.hash,
        "step": session.step,
        "decision": session.decision,
        "model": model_meta,
        "policy": policy_meta,
        "rules": str(session.rules),
    }
    return {group: held for group, held in groups.items() if held}, meta


def apply(session: Session, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
    """Put a captured state into a freshly built session.

    Raises:
        RecordError: The state belongs to another config.
    """
    if meta["config_hash"] != session.config.hash:
        raise RecordError(
            f"Expected a checkpoint of config {session.config.hash}, but it was saved with {meta['config_hash']}.",
            "The run's config.json was edited after it began: restore it, or start a new run.",
        )
    parts = session.parts
    groups: dict[str, dict[str, Tensor]] = {"model": {}, "optimizer": {}, "policy": {}}
    for name, tensor in tensors.items():
        part, _, rest = name.partition("/")
        groups[part][rest] = tensor
    # The model first: the optimizer's groups follow its ties.
    before = parts.model.stack.ties
    parts.model.load(groups["model"], meta["model"])
    parts.optimizer.load(groups["optimizer"], meta["optimizer"])
    parts.policy.load(groups["policy"], meta["policy"])
    parts.reward.load(meta["reward"])
    assert len(before) == len(parts.model.stack.ties), "a checkpoint of the same config has the same depth"
    # Checkpoints from before there were rules have none.
    rules = Rules.parse(meta.get("rules", session.config.ties.rules))
    session.position(meta["step"], meta["decision"], meta["best"], *_resumed(meta["under_way"]), rules=rules)


def restore(session: Session, watch: Watch | None = None) -> None:
    """The latest checkpoint (or the start, where there is none), and then again what the log says was answered after.

    Raises:
        RecordError: No whole checkpoint, or a log that does not fit it.
        CancelledError: `watch` ended it; the log is as it was.
    """
    journal = session.journal
    if journal.is_to_be_repeated:
        tail = journal.rewind(0)
        session._open()
        return repeat(session, tail, watch)
    checkpoint = journal.latest()
    apply(session, checkpoint.tensors, checkpoint.meta)
    tail = journal.rewind(checkpoint.meta["offset"])
    if session.phase == "training":
        session.complete()
    return repeat(session, tail, watch)


def repeat(session: Session, tail: list[Event], watch: Watch | None = None) -> None:
    """Answer again as a rewound log says, and end the rewind.

    Raises:
        RecordError: The log is of another run.
        CancelledError: `watch` ended it.
    """
    done, wanted = 0, sum(isinstance(event, DecisionMade) for event in tail)
    for event in tail:
        if isinstance(event, RulesChanged):
            session.set_rules(event.rules)
        if not isinstance(event, DecisionMade):
            continue
        if watch is not None and watch(done, wanted) is False:
            raise CancelledError(
                f"Trained {done} of {wanted} decisions of {session.directory} again, then was asked to stop.",
                "Nothing is lost; it can be begun again.",
            )
        done += 1
        proposal = session.propose()
        if (event.decision, event.layer) != (proposal.decision, proposal.layer):
            raise RecordError(
                f"Expected decision {proposal.decision} about layer {proposal.layer} next in the log of "
                f"{session.directory}, but it has decision {event.decision} about layer {event.layer}.",
                "The log and the checkpoint belong to different runs: restore them together from a copy.",
            )
        session.commit(event.choice, by=event.by)
    session.journal.settle()


def _under_way(session: Session) -> dict[str, Any] | None:
    pending, asked, losses = session.under_way
    if pending is None or asked is None:
        return None
    return {
        "proposal": asdict(pending.proposal),
        "choice": pending.choice,
        "by": pending.by,
        "step": pending.step,
        "losses": losses,
        "asked": {
            "ties": list(asked.ties),
            "blocks": None if asked.blocks is None else list(asked.blocks),
            "trainable_share": asked.trainable_share,
            "budget": asked.budget,
        },
    }


def _resumed(values: dict[str, Any] | None) -> tuple[Decision | None, AgentState | None, list[float]]:
    if values is None:
        return None, None, []
    raw = dict(values["proposal"])
    raw["legal"] = tuple(raw["legal"])
    raw["q_values"] = None if raw["q_values"] is None else tuple(raw["q_values"])
    proposal = Proposal(**raw)
    asked = values["asked"]
    agent_state = AgentState(
        ties=TieMap(tuple(asked["ties"])),
        layer=proposal.layer,
        decision=proposal.decision,
        episode=proposal.episode,
        budget=asked["budget"],
        blocks=None if asked["blocks"] is None else TieMap(tuple(asked["blocks"])),
        trainable_share=asked["trainable_share"],
    )
    decision = Decision(proposal, values["choice"], values["by"], values["step"])
    return decision, agent_state, list(values["losses"])
