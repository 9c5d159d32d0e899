"""Chosen runs as groups: those that differ in their seed alone stand together, unless each is to stand by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from ...core.config import RunConfig
from ...records.sweeps import given_maps, label_of, varied_settings
from .entries import BRANCH, Entry

NO_MATTER = ("training.threads", "training.device")
"""Settings that make no other run of one, but for the last digits."""
LONGEST = 44
"""Characters of a label, about."""


def grouped(chosen: Sequence[Entry], among: Collection[Path], *, apart: bool = False) -> dict[str, list[Path]]:
    """Label -> runs, in the order in which they were chosen.

    A group is a policy and the settings that differ within a policy. A branch is never put with others: it differs in
    its decisions. Nor are runs of one group that share a seed, since they too differ in what was decided.

    Args:
        chosen: What was chosen; no recorded comparison.
        among: Those of its runs that can be compared.
        apart: Whether each run stands by itself.
    """
    configs: dict[Path, RunConfig] = {}
    alone: set[Path] = set()
    for entry in chosen:
        configs |= {path: config for path, config in entry.runs.items() if path in among}
        if apart or entry.kind == BRANCH:
            alone |= entry.runs.keys()
    together = {path: config for path, config in configs.items() if path not in alone}
    settings = [name for name in varied_settings(list(together.values())) if name not in NO_MATTER]
    several = len(given_maps(list(together.values()))) > 1
    labels = {path: label_of(config, settings, several_maps=several) for path, config in together.items()}
    draws = Counter((label, configs[path].seed, configs[path].replicate) for path, label in labels.items())
    members, names = Counter(labels.values()), names_of(chosen)
    groups: dict[str, list[Path]] = {}
    for path, config in configs.items():
        label = labels.get(path)
        lonely = label is None or draws[label, config.seed, config.replicate] > 1
        if lonely or label is None or (members[label] == 1 and len(label) > LONGEST):
            label = f"{names[path]} (a run)" if names[path] in members else names[path]
        groups.setdefault(label, []).append(path)
    return groups


def names_of(chosen: Sequence[Entry]) -> dict[Path, str]:
    """Each run's folder -> what it is called beside the others, no two alike."""
    names: dict[Path, str] = {}
    for entry in chosen:
        for path in entry.runs:
            names[path] = entry.name if len(entry.runs) == 1 and path == entry.place else path.name
    twice = {name for name, count in Counter(names.values()).items() if count > 1}
    return {path: f"{path.parent.name}/{path.name}" if name in twice else name for path, name in names.items()}
