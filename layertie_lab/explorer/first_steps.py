"""What a newcomer is told, and what the tour points at."""

from __future__ import annotations

from ..widgets.layout import Stop
from ..widgets.panel import Panel

ABOUT = (
    "While a transformer trains, an agent goes over its layers and decides of each whether to train it on its own or "
    "to tie it to an earlier one, whose parameters it then shares. Here you watch that, take single decisions in the "
    "agent's place, and ask whether they mattered."
)
PAPER = ("Dynamic Layer Tying, Hay & Wolf, ICLR 2024", "https://arxiv.org/abs/2401.12819")

TRIES = {
    "Watch": "pause, press another block of the map than the agent proposes, and Run: a yellow diamond marks what you "
    "decided.",
    "Look inside": "set Look at decision to 1, then to Now, in Similarity: which layers have become alike?",
    "Did it matter?": "state that your last override makes no difference that matters, and let the pairs tell.",
    "Compare": "tick two runs that differ in their seed alone: how far apart do they end?",
    "Audit": "open the example of the official code, audit it, and count the departures that it exhibits.",
    "Rules": "allow three independent layers at most, Apply, Run, and see which ones the agent keeps.",
    "Decisions": "sort by Reward and press the worst: was it a random draw?",
}
"""Title of a view -> one thing to try there, as it goes on after "To try: "."""


def tour(*, tie_map: Panel, signs: Panel, steer: Panel, menu: Panel) -> tuple[Stop, ...]:
    """Six stops at most, each at something that is on the page."""
    return (
        Stop(
            "The tie map: a block per layer. A filled one trains parameters of its own, a hollow one shares those of "
            "the layer that its arc leads to. Below it, the same over time.",
            tie_map,
        ),
        Stop("Where the run stands: loss, layers of their own, parameters, and what tying saves.", signs),
        Stop(
            "Step takes one decision, Run lets the agent go on. While it is paused, press an action, or a block of "
            "the map, to act in the agent's place.",
            steer,
        ),
        Stop("Watch: the loss, what trains, the reward of each decision, and memory, as they come.", "Watch", "Watch"),
        Stop(
            "The other views ask questions: what the layers compute, whether a decision mattered, how the code "
            "departs from the paper."
        ),
        Stop("New run: choose a text, an agent and a size, and start your own.", "New run"),
    )
