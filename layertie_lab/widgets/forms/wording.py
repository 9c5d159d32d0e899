"""The words of a form for settings: labels, groups and help that need no knowledge of the settings' own names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from ...core.config import RunConfig
from ...core.serialize import Setting, settings_of

GROUPS = {
    "text": "Text",
    "model": "Model",
    "agent": "Agent",
    "ties": "Ties",
    "training": "Training",
    "records": "Records",
}
"""Groups of a form, in their order."""
_GROUP_OF = {"": "training", "reward": "agent"}
_LABELS = {
    "text.corpus": "Text",
    "text.vocabulary_size": "Vocabulary of a trained bpe tokenizer",
    "text.limit_bytes": "Most text to read",
    "text.splits": "Where the text is cut",
    "text.chunk_end": "End of a sequence",
    "model.mlp_ratio": "Hidden width of the MLP",
    "model.bias": "Biases",
    "model.tie_head": "Head is the embedding",
    "ties.on_untie": "When a tie ends",
    "ties.chain": "Chains of ties",
    "ties.moments": "Optimizer state on a re-tie",
    "ties.rules": "Constraints",
    "agent.map": "Given tie map",
    "agent.epsilon_start": "Exploration at the start",
    "agent.epsilon_floor": "Exploration at the end",
    "agent.explore_share": "Share of the run that explores",
    "agent.epsilon_decay": "Decay of epsilon",
    "agent.q_learning_rate": "Learning rate of the Q-network",
    "agent.q_weight_decay": "Weight decay of the Q-network",
    "agent.hidden": "Hidden units of the Q-network",
    "agent.inputs": "Inputs of the Q-network",
    "agent.unshare_at": "When to unshare",
    "agent.prior": "Known beforehand",
    "reward.kind": "Reward",
    "reward.split": "Text of the reward",
    "reward.windows": "Sequences of the reward",
    "reward.clip": "Largest reward",
    "reward.price": "Price of parameters",
    "reward.price_of": "Parameters that are priced",
    "reward.target_share": "Target share of parameters",
    "training.beta1": "Beta 1",
    "training.beta2": "Beta 2",
    "training.gradient_clip": "Largest gradient norm",
    "training.evaluation_windows": "Sequences of an evaluation",
    "training.accumulate": "Batches per step",
    "records.checkpoint_seconds": "Checkpoint every",
    "records.moment_every": "Moments for branches every",
    "records.snapshot_mebibytes": "Snapshots to look back at",
    "records.keep_text_bytes": "Text kept with the run",
    "records.sample_every": "Text sample every",
    "records.sample_tokens": "Length of a text sample",
}
_HELP = {
    "text.column": "The column that is read of a CSV, TSV, JSON lines or Parquet file.",
    "ties.rules": "Constraints that stand from the start and mask the legal actions of agent and person alike; layer "
    "-1 is the last. They can be changed later, in the view Rules.",
}
"""Help in place of a setting's own where that explains how to write it on a command line."""
_DEPARTURE = re.compile(r"PAPER departure (\d+)")


class Departure(NamedTuple):
    """A point in which the official code does not do what the paper says."""

    title: str
    paper: str
    code: str


def label_of(setting: Setting) -> str:
    """The setting's name in a form."""
    words = setting.name.replace("_", " ")
    return _LABELS.get(setting.path, words[:1].upper() + words[1:])


def group_of(setting: Setting) -> str:
    """The group of a form that the setting stands in, one of `GROUPS`."""
    return _GROUP_OF.get(setting.group, setting.group)


def help_of(setting: Setting, departures: Sequence[Departure]) -> tuple[str, list[int]]:
    """The setting's help with departures by their names, and which these are, counted from 0.

    Args:
        setting: The setting.
        departures: In the order of their numbers; none leaves the numbers.
    """
    words = setting.explained
    if setting.path in _HELP:
        words = _HELP[setting.path]
    found = [int(number) - 1 for number in _DEPARTURE.findall(words) if int(number) <= len(departures)]
    if departures:
        words = _DEPARTURE.sub(lambda match: f"departure: {departures[int(match[1]) - 1].title}", words)
    return in_labels(re.sub(r"(?<=\d)_(?=\d)", ",", words)), list(dict.fromkeys(found))


def in_labels(sentence: str) -> str:
    """A sentence about settings with their labels in place of their names, and without words for a command line."""
    bare = re.sub(r" \((--|`layertie)[^)]*\)", "", sentence)
    return _NAMED.sub(lambda match: f"\u201c{_BY_NAME[match[1]]}\u201d{' = ' if match[2] else ''}", bare)


_SETTINGS = settings_of(RunConfig)
_BY_NAME = {setting.name: label_of(setting) for setting in _SETTINGS}
_BY_NAME |= {setting.path: label_of(setting) for setting in _SETTINGS}
_PATHS = "|".join(re.escape(setting.path) for setting in _SETTINGS if setting.group)
_NAMES = "|".join(rf"{re.escape(setting.name)}(?==)" for setting in _SETTINGS)
_NAMED = re.compile(rf"(?<![\w./])({_PATHS}|{_NAMES})(?![\w-])(=)?")
