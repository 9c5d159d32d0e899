"""Events as rows of tidy tables: the one place that says which columns a run has, with units.

Both the stored frames (`records`) and the live charts get their rows here, so that they cannot differ.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from .events import DecisionFinished, DecisionMade, Evaluated, Event, Opened, Sampled, Stepped
from .measures import perplexity
from .ties import TieMap

COLUMNS: dict[str, dict[str, tuple[type, str]]] = {
    "steps": {
        "step": (int, "optimizer steps done, counted from 1"),
        "decision": (int, "the decision the step belongs to, counted from 1"),
        "loss": (float, "training loss of the batch before the update, nats per token"),
        "perplexity": (float, "exp(loss)"),
        "learning_rate": (float, "learning rate of the step"),
        "gradient_norm": (float, "norm of all gradients before clipping"),
    },
    "decisions": {
        "decision": (int, "counted from 1"),
        "step": (int, "optimizer steps done when the outcome was measured"),
        "episode": (int, "sweep over layers 1 .. L-1, counted from 1"),
        "layer": (int, "the layer asked about"),
        "present": (int, "its source before"),
        "proposed": (int, "what the agent proposed"),
        "choice": (int, "what was committed"),
        "by": (str, "who acted: agent, human, replay"),
        "overridden": (bool, "whether the action differs from the proposal"),
        "explored": (bool, "whether the proposal was a random draw"),
        "epsilon": (float, "probability of a random draw; null where the policy has none"),
        "q_choice": (float, "the agent's value of the committed action; null where it has none"),
        "q_highest": (float, "the highest of its values of the legal actions; null where it has none"),
        "reward": (float, "what the agent was told"),
        "reward_loss": (float, "loss behind the reward, nats per token"),
        "train_loss": (float, "mean training loss over the decision's steps, nats per token"),
        "owners": (int, "independent layers after the decision"),
        "blocks": (int, "distinct blocks after it, counted by storage"),
        "trainable_parameters": (int, "parameters that receive gradients, counted once per storage"),
        "claimed_parameters": (int, "what the official code's count would print"),
        "trainable_share": (float, "trainable_parameters / parameters of the untied model"),
    },
    "q_values": {
        "decision": (int, "counted from 1"),
        "layer": (int, "the layer asked about"),
        "answer": (int, "a legal action"),
        "q_value": (float, "the agent's value of it, in units of (discounted) reward"),
        "q_deviation": (float, "standard deviation of that value, of an agent that has one"),
        "proposed": (bool, "whether it is the agent's proposal"),
        "chosen": (bool, "whether it was committed"),
    },
    "evaluations": {
        "step": (int, "optimizer steps done"),
        "decision": (int, "decisions begun"),
        "split": (str, "train, reward, validation or test"),
        "loss": (float, "nats per token"),
        "standard_error": (float, "of the loss, over windows"),
        "perplexity": (float, "exp(loss)"),
        "bits_per_byte": (float, "loss / ln 2 / (UTF-8 bytes per token)"),
        "windows": (int, "sequences evaluated"),
    },
    "ties": {
        "decision": (int, "the map after this decision; 0 = the start"),
        "layer": (int, "0 .. L-1"),
        "source": (int, "the layer's source in the tie map"),
        "owner": (int, "the independent layer at the end of the chain"),
        "block": (int, "first layer that truly has the same storage"),
    },
    "memory": {
        "decision": (int, "after this decision"),
        "step": (int, "optimizer steps done"),
        "component": (str, "parameters, gradients, optimizer or activations"),
        "bytes": (int, "bytes"),
    },
    "samples": {
        "step": (int, "optimizer steps done"),
        "decision": (int, "decisions begun"),
        "prompt": (str, "what the model was given"),
        "text": (str, "what it added"),
    },
}
"""Table -> column -> (type, meaning with unit)."""

STUDY_COLUMNS: dict[str, list[str]] = {
    "twin_curves": ["replicate", "steps", "branch", "loss"],
    "twin_differences": ["replicate", "steps", "difference"],
    "twin_curve": ["steps", "value", "low", "high", "count"],
    "twin_values": ["replicate", "order", "difference", "mean"],
    "twin_looks": ["order", "value", "low", "high"],
}
"""Table of a study -> its columns. Losses in nats per token; steps count optimizer steps after the fork; order counts
the study's replicates from 1; value is a mean (in twin_looks, the interim analyses, a median where the sign test
decides), low and high the ends of its interval."""


class Tabulator:
    """Turns a run's events, in order, into rows of `COLUMNS`.

    It holds only what a later row needs: the action under way and the constants of the opening event.
    """

    def __init__(self) -> None:
        self._decided: dict[int, DecisionMade] = {}
        self._bytes_per_token = 1.0
        self._untied = 1

    def rows(self, event: Event) -> Iterator[tuple[str, dict[str, Any]]]:
        """(table, row) pairs that an event adds."""
        if isinstance(event, Stepped):
            yield (
                "steps",
                {
                    "step": event.step,
                    "decision": event.decision,
                    "loss": event.loss,
                    "perplexity": perplexity(event.loss),
                    "learning_rate": event.learning_rate,
                    "gradient_norm": event.gradient_norm,
                },
            )
        elif isinstance(event, DecisionMade):
            self._decided[event.decision] = event
            values = event.q_values or ()
            deviations = event.q_deviations or (None,) * len(values)
            for action, value, deviation in zip(event.legal, values, deviations, strict=False):
                yield (
                    "q_values",
                    {
                        "decision": event.decision,
                        "layer": event.layer,
                        "answer": action,
                        "q_value": value,
                        "q_deviation": deviation,
                        "proposed": action == event.proposed,
                        "chosen": action == event.choice,
                    },
                )
        elif isinstance(event, DecisionFinished):
            yield from self._outcome(event)
        elif isinstance(event, Evaluated):
            yield (
                "evaluations",
                {
                    "step": event.step,
                    "decision": event.decision,
                    "split": event.split,
                    "loss": event.loss,
                    "standard_error": event.standard_error,
                    "perplexity": perplexity(event.loss),
                    "bits_per_byte": event.loss / math.log(2) / self._bytes_per_token,
                    "windows": event.windows,
                },
            )
        elif isinstance(event, Sampled):
            yield (
                "samples",
                {"step": event.step, "decision": event.decision, "prompt": event.prompt, "text": event.text},
            )
        elif isinstance(event, Opened):
            self._bytes_per_token, self._untied = event.bytes_per_token, event.untied_parameters
            yield from _ties(0, event.ties, event.blocks)

    def _outcome(self, event: DecisionFinished) -> Iterator[tuple[str, dict[str, Any]]]:
        decided = self._decided.pop(event.decision)
        values = dict(zip(decided.legal, decided.q_values or (), strict=False))
        yield (
            "decisions",
            {
                "decision": event.decision,
                "step": event.step,
                "episode": decided.episode,
                "layer": decided.layer,
                "present": decided.present,
                "proposed": decided.proposed,
                "choice": decided.choice,
                "by": decided.by,
                "overridden": decided.choice != decided.proposed,
                "explored": decided.explored,
                "epsilon": decided.epsilon,
                "q_choice": values.get(decided.choice),
                "q_highest": max(values.values(), default=None),
                "reward": event.reward,
                "reward_loss": event.reward_loss,
                "train_loss": event.train_loss,
                "owners": event.owners,
                "blocks": len(set(event.blocks)),
                "trainable_parameters": event.trainable_parameters,
                "claimed_parameters": event.claimed_parameters,
                "trainable_share": event.trainable_parameters / self._untied,
            },
        )
        yield from _ties(event.decision, event.ties, event.blocks)
        for component, size in event.memory.items():
            yield "memory", {"decision": event.decision, "step": event.step, "component": component, "bytes": size}


def _ties(decision: int, ties: list[int], blocks: list[int]) -> Iterator[tuple[str, dict[str, Any]]]:
    owners = TieMap(tuple(ties)).owners
    for layer, source in enumerate(ties):
        yield (
            "ties",
            {"decision": decision, "layer": layer, "source": source, "owner": owners[layer], "block": blocks[layer]},
        )
