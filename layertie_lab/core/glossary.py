"""Words that a newcomer does not know, each explained once; whatever shows one of them takes its sentence from here."""

from __future__ import annotations

GLOSSARY: dict[str, str] = {
    "decision": (
        "One question about one layer, and its answer: train it on its own, or tie it to an earlier one. A few "
        "optimizer steps follow, and then the agent is told a reward."
    ),
    "episode": "One pass over the layers from 1 to the last, with a decision about each.",
    "tied": "Said of a layer that uses the parameters of an earlier one.",
    "independent": "Said of a layer that has parameters of its own.",
    "owner": "The layer whose parameters a layer uses: the one at the end of its ties, or itself if it is independent.",
    "proposal": "What the agent would do, before anybody has acted on it.",
    "override": "A decision that differs from the agent's proposal, because a person chose otherwise.",
    "epsilon": "The chance, from 0 to 1, that the agent's proposal is a random draw and not what looks best to it.",
    "value": "What the agent expects of an action; only the differences between a layer's actions count.",
    "probe set": "Sequences that stay the same, on which layers and moments are compared.",
}
"""Word -> what it means."""
