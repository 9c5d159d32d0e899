"""Departures 6 to 11 in a run's two books: reward, chance, Q-network, counts, memory, selection.

They are numbered in `audit_findings`. Rows are those of `audit_rows`; `made` are the ones after a decision.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from ...core.measures import perplexity
from .findings import Told, some
from .rows import Auditor, Row

QNetwork = tuple[int, torch.Tensor, torch.Tensor]
"""(decision it was saved at, first layer's weight [hidden, layers], its bias [hidden])."""
Q_LEARNERS = ("paper", "official-code")
"""The two policies that the departure is about."""
SWEEPS = 10
"""Sweeps over the layers from which on a mean count of layers that is near chance says something."""


def constant_reward(made: Sequence[Row]) -> Told:
    """6: whether clipping makes different losses one reward."""
    rewards = [row["reward"] for row in made]
    usual = max(set(rewards), key=rewards.count)
    same = [row for row in made if row["reward"] == usual]
    evidence = {"decisions": len(made), "distinct_rewards": len(set(rewards)), "equal": len(same)}
    # Losses differ in some digit, so a reward that comes up again with another loss was clipped.
    if len(same) > 1 and len({row["reward_loss"] for row in same}) > 1:
        perplexities = [perplexity(row["reward_loss"]) for row in same]
        low, high = min(perplexities), max(perplexities)
        words = (
            f"The reward was {usual:g} at {len(same):,} of {some(len(made), 'decision')}, whether the perplexity was "
            f"{low:.1f} or {high:.1f}."
        )
        return "exhibited", words, {**evidence, "reward": usual, "lowest_perplexity": low, "highest_perplexity": high}
    if len(made) < 2:
        return "cannot be told", "One reward alone cannot be constant.", evidence
    words = f"The rewards of {some(len(made), 'decision')} took {some(len(set(rewards)), 'value')}."
    return "not exhibited", words, evidence


def chance(made: Sequence[Row]) -> Told:
    """7: whether uniform draws claim as many independent layers as the run does, to two standard errors."""
    layers = len(made[0]["true_map"])
    ends = [row["claimed_independent"] for row in made if row["layer"] == layers - 1]
    # Layer l is left independent by one in l + 1 uniform draws.
    shares = [1 / (layer + 1) for layer in range(layers)]
    expected, spread = sum(shares), math.sqrt(sum(share * (1 - share) for share in shares))
    evidence = {"episodes": len(ends), "random_mean": expected, "random_deviation": spread}
    if not ends:
        return "cannot be told", "No sweep over the layers is complete.", evidence
    mean = sum(ends) / len(ends)
    away = abs(mean - expected) / (spread / math.sqrt(len(ends)))
    drawn = sum(row["explored"] for row in made) / len(made)
    evidence |= {"mean": mean, "standard_errors": away, "share_of_random_answers": drawn}
    words = (
        f"At the end of {some(len(ends), 'episode')} the map claimed {mean:.2f} independent layers on average; uniform "
        f"draws give {expected:.2f} (standard deviation {spread:.2f}), {away:.1f} standard errors away"
    )
    if away <= 2 and len(ends) < SWEEPS:
        return "cannot be told", f"{words}; so few cannot tell an agent from chance.", evidence
    if away <= 2:
        return "exhibited", f"{words}: the count does not tell this agent from chance.", evidence
    return "not exhibited", f"{words}.", evidence


def silent_units(rows: Sequence[Row], policy: str, network: QNetwork | None) -> Told:
    """8: whether at least half of the Q-network's hidden units are silent at all maps of the run."""
    if policy not in Q_LEARNERS:
        return "not exhibited", f"The policy {policy} has no Q-network.", {}
    if network is None:
        return "cannot be told", "No whole checkpoint holds the Q-network.", {}
    decision, weight, bias = network
    maps = sorted({tuple(row["claimed_map"]) for row in rows})
    active = torch.tensor(maps, dtype=weight.dtype) @ weight.T + bias > 0  # [maps, hidden]
    silent = int((~active.any(0)).sum())
    evidence = {"hidden_units": len(bias), "silent": silent, "maps": len(maps), "decision": decision}
    words = (
        f"Of the Q-network's {some(len(bias), 'hidden unit')} {silent} were silent at all {len(maps)} maps of the run "
        f"(checkpoint at decision {decision}); whether it learned from its rewards is not on record."
    )
    return ("exhibited" if 2 * silent >= len(bias) else "not exhibited"), words, evidence


def counted_twice(made: Sequence[Row]) -> Told:
    """9: whether the count by layer is above the parameters that are trained."""
    above = [row for row in made if row["claimed_parameters"] > row["true_parameters"]]
    evidence = {"decisions": len(made), "claimed_above_true": len(above)}
    if not above:
        equal = all(row["claimed_parameters"] == row["true_parameters"] for row in made)
        words = f"The count by layer was {'' if equal else 'at most '}what was trained ({some(len(made), 'decision')})."
        return "not exhibited", words, evidence
    worst = max(above, key=lambda row: row["claimed_parameters"] / row["true_parameters"])
    claimed, true = worst["claimed_parameters"], worst["true_parameters"]
    evidence |= {"decision": worst["decision"], "claimed_parameters": claimed, "true_parameters": true}
    words = (
        f"At {len(above):,} of {some(len(made), 'decision')} the count by layer was above what was trained: at most "
        f"{claimed:,} claimed for {true:,} true ({claimed / true:.2f} times, decision {worst['decision']})."
    )
    return "exhibited", words, evidence


def memory(made: Sequence[Row]) -> Told:
    """10: whether optimizer state outlives training, and what a reading at an episode's start leaves out."""
    known = [row for row in made if row.get("states") is not None]
    if not known:
        return "cannot be told", "The decisions do not explain the log.", {}
    idle = [row["idle_states"] for row in known]
    times = sum(count > 0 for count in idle)
    evidence = {"decisions": len(known), "with_idle_moments": times, "most_idle_layers": max(idle)}
    if times:
        words = (
            f"At {times:,} of {some(len(known), 'decision')} Adam's state was kept for layers no longer trained (up "
            f"to {some(max(idle), 'layer')})."
        )
    else:
        words = f"Adam's state was held for what was trained and nothing else ({some(len(known), 'decision')})."
    sized = [row for row in known if row.get("true_bytes") is not None]
    if sized:
        worst = max(sized, key=lambda row: row["true_bytes"])
        evidence |= {"claimed_bytes": worst["claimed_bytes"], "true_bytes": worst["true_bytes"]}
        words += (
            f" What is allocated when an episode begins was {worst['claimed_bytes'] / 1e6:.2f} MB where a step needed "
            f"{worst['true_bytes'] / 1e6:.2f} MB (predicted from shapes, decision {worst['decision']})."
        )
    peak = max((row.get("device_peak_bytes") or 0 for row in known), default=0)
    if peak:
        evidence["device_peak_bytes"] = peak
        words += f" The CUDA allocator's measured peak was {peak / 1e6:.1f} MB."
    return ("exhibited" if times else "not exhibited"), words, evidence


def selection(auditor: Auditor) -> Told:
    """11: whether the best model is chosen on the test split, or sequences end in a trivial label."""
    split, losses = auditor.config.training.selection_split, auditor.evaluations
    evidence = {f"evaluations_on_{name}": len(values) for name, values in losses.items()}
    best = {f"best_{name}_loss": min(values) for name, values in losses.items()}
    words = f"The best model is chosen on the {split} split"
    if split in losses:
        words += f" ({min(losses[split]):.3f} nats per token, the best of {some(len(losses[split]), 'evaluation')})"
    fixed = auditor.config.text.chunk_end == "end-of-text"
    if fixed:
        words += (
            "; every sequence ends in the end-of-text token (text.chunk_end), a label that is soon trivial and lowers "
            f"each loss by up to 1 part in {auditor.config.model.context}."
        )
        evidence["sequences_end_in_a_fixed_token"] = 1
    else:
        words += "; sequences end where the text's chunk does, in no label of their own."
    return ("exhibited" if split == "test" or fixed else "not exhibited"), words, {**evidence, **best}
