"""Why a policy acts as it does: its values, what they would be on another map, and what its inputs give to them.

Plain rows, which JSON can hold; nothing here changes a policy.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from ..core.errors import AgentError, LayertieError
from ..core.keys import RunKey
from .protocol import AgentState, GivesReasons, Policy

Row = dict[str, Any]

MOST_MAPS = 600
"""Maps that an ablation tries, at most; beyond, each entry is changed to three sources only."""
STEPS = 64
"""Points on the path of integrated gradients; the Q-network is small."""


@runtime_checkable
class Additive(Protocol):
    """A policy whose values are sums of parts."""

    def contributions(self, state: AgentState) -> dict[str, list[float]]:
        """What each part gives to the value of each action 0 .. layer."""
        ...


@runtime_checkable
class Differentiable(Protocol):
    """A policy whose values are a differentiable function of numbers."""

    def inputs(self, state: AgentState) -> Tensor:
        """[inputs] what it reads, a number per layer; all 0 on the all-tied map."""
        ...

    def action_values(self, inputs: Tensor, layer: int) -> Tensor:
        """[..., layer + 1] the values of a layer's actions, from [..., inputs]."""
        ...


def explain(policy: Policy, state: AgentState, key: RunKey) -> Row:
    """A proposal with what stands behind it.

    Returns:
        decision, layer, present, legal, q_values (per legal action; None where the policy has none), greedy, choice,
        explored, epsilon, policy, reasons (sentences, of a policy that gives some), and of its description: reads (what
        the values depend on), meaning, unit, learning.
        Where the policy has to try actions out
        and the state cannot (`AgentState.lookahead`), q_values, greedy and choice are None.
    """
    said = policy.description
    row: Row = {
        "decision": state.decision,
        "layer": state.layer,
        "present": state.present,
        "legal": list(state.legal),
        "q_values": None,
        "greedy": None,
        "choice": None,
        "explored": False,
        "epsilon": None,
        "policy": said.name,
        "reads": said.reads,
        "meaning": said.meaning,
        "unit": said.unit,
        "learning": dict(said.learning),
        "reasons": policy.reasons(state) if isinstance(policy, GivesReasons) else [],
    }
    if said.looks_ahead and state.lookahead is None:
        return row
    proposal = policy.propose(state, key)
    return row | {
        "q_values": None if proposal.q_values is None else list(proposal.q_values),
        "greedy": policy.greedy(state),
        "choice": proposal.choice,
        "explored": proposal.explored,
        "epsilon": proposal.epsilon,
    }


def state_ablation(policy: Policy, state: AgentState, key: RunKey) -> list[Row]:
    """How the values of the actions would change if one entry of the tie map were different.

    Each entry but that of the layer asked about is set to each of its other sources in turn, whatever rules stand
    (actions that the rules leave on one of the two maps only have no row); where these are more than `MOST_MAPS` maps,
    to itself, to layer 0 and to the layer before it.

    Returns:
        A row per entry, source and answer: entry, source, present (of the entry), answer, q_value, change (from the
        value on the present map). No rows for a policy without values, nor for one whose values are trials in the run
        itself, which is on the present map.
    """
    if policy.description.looks_ahead:
        return []
    now = _values(policy, state, key)
    if now is None:
        return []
    ties, entries = state.ties, [layer for layer in range(1, len(state.ties)) if layer != state.layer]
    few = sum(len(ties.legal(entry)) - 1 for entry in entries) > MOST_MAPS
    rows: list[Row] = []
    for entry in entries:
        sources = dict.fromkeys((entry, 0, entry - 1)) if few else ties.legal(entry)
        for source in sources:
            if source == ties[entry]:
                continue
            changed = _values(policy, replace(state, ties=ties.act(entry, source), blocks=None), key)
            rows += [
                {
                    "entry": entry,
                    "source": source,
                    "present": ties[entry],
                    "answer": action,
                    "q_value": value,
                    "change": value - now[action],
                }
                for action, value in (changed or {}).items()
                if action in now
            ]
    return rows


def input_attribution(policy: Policy, state: AgentState) -> list[Row]:
    """What each input of the policy gives to the value of each action.

    For a differentiable policy, such as one with a Q-network, integrated gradients on its inputs from the all-tied map,
    whose inputs are all 0; `total` is then the value less that on the all-tied map, and `completeness_error` how far
    the shares' sum is from it. For an additive one, what each part contributes, exactly; `total` is the value.

    Returns:
        A row per input and answer: input, answer, value, total, completeness_error, method. No rows for a
        policy that reads no map.

    Source: Sundararajan, Taly & Yan (ICML 2017), equation 1, by captum.
    """
    if isinstance(policy, Differentiable):
        return _integrated_gradients(policy, state)
    if isinstance(policy, Additive):
        parts = policy.contributions(state)
        return [
            {
                "input": name,
                "answer": action,
                "value": values[action],
                "total": sum(part[action] for part in parts.values()),
                "completeness_error": 0.0,
                "method": "contribution",
            }
            for name, values in parts.items()
            for action in state.legal
        ]
    return []


def _integrated_gradients(policy: Differentiable, state: AgentState) -> list[Row]:
    from captum.attr import IntegratedGradients

    inputs = policy.inputs(state)[None]
    method = IntegratedGradients(lambda x, action: policy.action_values(x, state.layer)[:, action])
    rows: list[Row] = []
    for action in state.legal:
        shares = method.attribute(
            inputs,
            baselines=torch.zeros_like(inputs),
            additional_forward_args=(action,),
            n_steps=STEPS,
            method="gausslegendre",
        ).detach()[0]
        with torch.no_grad():
            ends = policy.action_values(torch.cat([inputs, torch.zeros_like(inputs)]), state.layer)[:, action]
        total = float(ends[0] - ends[1])
        rows += [
            {
                "input": f"source of layer {entry}",
                "answer": action,
                "value": float(share),
                "total": total,
                "completeness_error": abs(float(shares.sum()) - total),
                "method": "integrated-gradients",
            }
            for entry, share in enumerate(shares)
        ]
    return rows


def _values(policy: Policy, state: AgentState, key: RunKey) -> dict[int, float] | None:
    try:
        proposal = policy.propose(state, key)
    except AgentError:
        raise
    except LayertieError:  # rules that leave no action on the other map
        return None
    if proposal.q_values is None:
        return None
    return dict(zip(proposal.legal, proposal.q_values, strict=True))
