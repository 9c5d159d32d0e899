"""The departures of the official code from the paper's text (Hay & Wolf, ICLR 2024), each as text beside code."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Departure:
    """One point in which the code does not do what the text says.

    Args:
        title: What it is about, in a few words.
        paper: What the text says, or lets one understand.
        code: What the code does.
        where: Where it does that: file, and the functions in it.
    """

    title: str
    paper: str
    code: str
    where: str


REPOSITORY = "tamirdh/Dynamic-Layer-Tying"
"""The official code, on GitHub; the places below are in it."""
_MODEL, _TRAINER = "global_attn/quantum_models.py", "global_attn/dqn_trainer.py"
_ACTION, _LOOP = f"{_MODEL}: DynamicGPT.apply_action", f"{_TRAINER}: q_learn_loop"


DEPARTURES = (
    Departure(
        "the gradient at a copy",
        "A tied layer uses the weights of an earlier one: one weight serves at both positions.",
        "The copy shares the storage but is frozen, so that its part of the gradient is dropped: that is not the "
        "gradient of a shared weight.",
        _ACTION,
    ),
    Departure(
        "what independent means",
        "A layer that becomes independent is trained with weights of its own.",
        "It is only unfrozen. It goes on sharing its old source's storage, which the optimizer then steps more than "
        "once.",
        _ACTION,
    ),
    Departure(
        "merging storages",
        "Each decision may tie a layer or train it on its own, so that sharing goes both ways.",
        "Nothing gives a layer a storage of its own again: storages can only merge, in the end into one.",
        _ACTION,
    ),
    Departure(
        "the start",
        "At the start the tie map says that all layers copy layer 0.",
        "The layers are distinct random blocks then, frozen until the agent comes to them.",
        f"{_MODEL}: DynamicGPT.__init__",
    ),
    Departure(
        "chains of ties",
        "A layer that copies another has that layer's weights.",
        "When the source of a copy is tied elsewhere, the copy stays on the storage that it had, and nobody trains "
        "that until the sweep comes round.",
        _ACTION,
    ),
    Departure(
        "the reward",
        "The reward is the negative perplexity that a decision leads to.",
        "It is clipped at -10, so that above a perplexity of 10 all actions earn the same.",
        _LOOP,
    ),
    Departure(
        "the number of independent layers",
        "That few layers stay independent is what the agent has found.",
        "Actions drawn at random leave 4.46 ± 1.68 of 48 layers independent, and 3.10 ± 1.24 of 12.",
        f"{_TRAINER}: epsilon_greedy_action_selector",
    ),
    Departure(
        "what the Q-network sees",
        "A network learns from the tie map what each action is worth.",
        "It reads the layers' numbers as they are and is taught by negative targets alone: its hidden units can fall "
        "silent, and then its values no longer depend on the map.",
        f"{_TRAINER}: get_dqn_net, q_learn_loop",
    ),
    Departure(
        "trainable parameters",
        "Trainable parameters are those that training changes.",
        "They are counted layer by layer: a storage that several unfrozen layers share counts several times.",
        _LOOP,
    ),
    Departure(
        "memory",
        "Training takes less memory, since few layers train.",
        "Memory is read when an episode begins, not at the peak of a step, and the optimizer keeps the moments of "
        "layers that train no more.",
        _LOOP,
    ),
    Departure(
        "selection of the best model",
        "Perplexity is reported on held-out text.",
        "The best model is chosen on the test split too, and the last label of each chunk is an end-of-text mark that "
        "is trivial to predict.",
        f"{_LOOP}; global_attn/loaders.py: preprocess_causal_lm",
    ),
)
"""Departures 1 to 11, in the numbering of the audit."""
