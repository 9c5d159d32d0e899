"""The official code's eleven departures from the paper's text: each is a setting, and switching it changes a number."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from layertie_lab import RunConfig, Session
from layertie_lab.agent.choices import choices
from layertie_lab.agent.policies.qlearning import QLearner
from layertie_lab.agent.policies.registry import make_policy
from layertie_lab.agent.protocol import AgentState, Transition
from layertie_lab.agent.schedule import next_layer
from layertie_lab.core.events import Evaluated, Stepped
from layertie_lab.core.keys import RunKey
from layertie_lab.core.serialize import changed, settings_of
from layertie_lab.core.ties import TieMap

Measured = Callable[[RunConfig], Any]
DEEP = 48


def official(text: Path, **changes: Any) -> RunConfig:
    defaults = {
        "corpus": str(text),
        "layers": 4,
        "width": 16,
        "context": 16,
        "batch_size": 4,
        "decisions": 9,
        "evaluation_windows": 4,
        "evaluate_every": 0,
        "sample_every": 0,
        "sample_tokens": 4,
        "steps_per_decision": 1,
    }
    return RunConfig.preset("tiny", algorithm="official-code", **(defaults | changes))


def answered(config: RunConfig, *choices: int) -> Session:
    session = Session(config)
    for choice in choices:
        session.commit(choice)
    return session


def gradient_norm(config: RunConfig) -> float:
    """Of the first step with every layer tied to layer 0."""
    session = answered(config.replace(start="tied"))
    norms: list[float] = []
    session.subscribe(lambda event: norms.append(event.gradient_norm) if isinstance(event, Stepped) else None)
    session.commit(0)
    return round(norms[0], 6)


def steps_on_layer_0s_storage(config: RunConfig) -> int:
    """AdamW updates of layer 0's weights in one step, after layer 1 was tied to it and made independent again."""
    session = answered(config, 0, 1, 2, 1)
    block = session.model.stack.layers[0].mlp.up.weight
    return sum(p.requires_grad and p.data_ptr() == block.data_ptr() for p in session.components.optimizer.parameters())


def blocks_after_a_pass_of_ties_and_one_of_claims(config: RunConfig) -> int:
    """Distinct blocks once every layer has been tied to its predecessor and then made independent."""
    return len(set(answered(config, 0, 1, 2, 1, 2, 3).blocks))


def blocks_at_the_start(config: RunConfig) -> int:
    return len(set(Session(config).blocks))


def blocks_of_a_broken_chain(config: RunConfig) -> tuple[int, ...]:
    """Layer 2 is tied to 1, then 1 is tied to 0."""
    return answered(config, 1, 1, 0, 0).blocks.sources


def first_reward(config: RunConfig) -> float:
    return Session(config).commit(0).reward


def owners_of_a_first_pass(config: RunConfig) -> float:
    """Independent layers of 48 after the first pass, mean over seeds."""
    counts = []
    for seed in range(30):
        sized = config.replace(layers=DEEP, seed=seed)
        policy, ties = make_policy(sized), TieMap.all_tied(DEEP)
        for decision in range(1, DEEP):
            state = state_of(ties, decision)
            ties = ties.act(state.layer, policy.propose(state, RunKey(seed)).choice)
        counts.append(len(ties.independent_layers))
    return sum(counts) / len(counts)


def spread_of_values(config: RunConfig) -> float:
    """Standard deviation, over random maps of 48 layers, of what the fresh Q-network says of one answer."""
    policy, draw = make_policy(config.replace(layers=DEEP)), random.Random(0)
    assert isinstance(policy, QLearner)
    maps = [TieMap(tuple(draw.randint(0, layer) for layer in range(DEEP))) for _ in range(50)]
    return float(torch.tensor([policy.values(state_of(ties, 47))[0] for ties in maps]).std())


def parameters_reported(config: RunConfig) -> int:
    """Of a run in which layer 1 was tied to layer 0 and made independent."""
    return answered(config, 0, 0, 0, 1).summary()["reported_parameters"]


def moments(config: RunConfig) -> int:
    """Bytes of moments after layer 1 was independent once."""
    return answered(config, 1, 0, 0, 0).components.optimizer.bytes()


def memory_reported(config: RunConfig) -> int:
    return answered(config, 0).summary()["reported_memory_bytes"]


def splits_looked_at(config: RunConfig) -> set[str]:
    """By the scheduled evaluations, of which one chooses the best model."""
    session = Session(config.replace(decisions=1))
    seen: set[str] = set()
    session.subscribe(lambda event: seen.add(event.split) if isinstance(event, Evaluated) else None)
    session.run()
    return seen


def loss_of_the_last_label(config: RunConfig) -> float:
    """Held-out loss after some training."""
    session = Session(config.replace(learning_rate=1e-2, steps_per_decision=30))
    session.commit(0)
    return session.evaluate("validation", 16).loss


APART = {"moments": "reset"}
CLONING = APART | {"on_untie": "clone"}
PLAIN: dict[str, Any] = {}
# Number, what else is set, the setting and its other value, what is measured, and what it must come to.
TABLE: list[tuple[int, dict[str, Any], dict[str, Any], Measured, Callable[[Any, Any], bool]]] = [
    (1, PLAIN, {"gradient": "shared"}, gradient_norm, lambda code, text: abs(code - text) > 0.05 * text),
    (2, APART, {"on_untie": "clone"}, steps_on_layer_0s_storage, lambda code, text: (code, text) == (2, 1)),
    (3, APART, {"on_untie": "clone"}, blocks_after_a_pass_of_ties_and_one_of_claims,
     lambda code, text: (code, text) == (1, 4)),
    (4, PLAIN, {"start": "tied"}, blocks_at_the_start, lambda code, text: (code, text) == (4, 1)),
    (5, CLONING, {"chain": "follow"}, blocks_of_a_broken_chain,
     lambda code, text: (code, text) == ((0, 0, 2, 0), (0, 0, 0, 0))),
    (6, PLAIN, {"clip": 0.0}, first_reward, lambda code, text: code == -10 and text < -30),
    (7, PLAIN, {"policy": "all-tied"}, owners_of_a_first_pass,
     lambda code, text: abs(code - 4.46) < 3 * 1.68 / 30**0.5 and text == 1),
    (8, PLAIN, {"inputs": "scaled"}, spread_of_values, lambda code, text: code > 10 * text),
    (9, PLAIN, {"parameters_reported": "per-storage"}, parameters_reported, lambda code, text: code > text),
    (10, PLAIN, {"moments": "reset"}, moments, lambda code, text: code > text),
    (10, PLAIN, {"memory_reported": "peak"}, memory_reported, lambda code, text: 0 < code < text),
    (11, PLAIN, {"selection_split": "validation"}, splits_looked_at,
     lambda code, text: (code, text) == ({"validation", "test"}, {"validation"})),
    (11, {"chunk_end": "end-of-text"}, {"chunk_end": "text"}, loss_of_the_last_label,
     lambda code, text: code < text - 0.02),
]  # fmt: skip


@pytest.mark.parametrize(
    ("number", "others", "switch", "measured", "as_expected"),
    TABLE,
    ids=[f"{row[0]}-{next(iter(row[2]))}" for row in TABLE],
)
def test_each_can_be_switched_alone_and_changes_a_number(
    number: int, others: dict[str, Any], switch: dict[str, Any], measured: Measured, as_expected: Any, text_file: Path
) -> None:
    code = official(text_file, **others)
    text = code.replace(**switch)
    assert len(changed(text, code)) == 1, "switched alone"
    found = measured(code), measured(text)
    assert as_expected(*found), found
    (setting,) = (setting for setting in settings_of(RunConfig) if setting.name in switch)
    named = choices().get(setting.path, ())
    assert f"PAPER departure {number}" in " ".join([setting.help, *(each.about for each in named)])


def test_all_eleven_are_in_the_table_and_in_the_settings_docstrings() -> None:
    words = " ".join(" ".join(setting.help.split()) for setting in settings_of(RunConfig))
    assert {int(number) for number in re.findall(r"PAPER departure (\d+)", words)} == set(range(1, 12))
    assert {row[0] for row in TABLE} == set(range(1, 12))


@pytest.mark.slow
def test_hidden_units_die_on_raw_inputs(text_file: Path) -> None:
    """Departure 8, at 48 layers with the constant reward of departure 6, after 50 passes."""

    def dead(inputs: str) -> int:
        config = official(text_file, layers=DEEP, inputs=inputs)
        policy, ties, draw = make_policy(config), TieMap.all_tied(DEEP), random.Random(0)
        for decision in range(1, 50 * (DEEP - 1) + 1):
            state = state_of(ties, decision)
            choice = policy.propose(state, RunKey(0)).choice
            ties = ties.act(state.layer, choice)
            policy.learn(Transition(state, choice, -10.0, state_of(ties, decision + 1)), RunKey(0))
        tensors, _ = policy.state()
        scale = 1.0 if inputs == "raw" else 1 / (DEEP - 1)
        maps = torch.tensor([[float(draw.randint(0, layer)) for layer in range(DEEP)] for _ in range(200)]) * scale
        active = maps @ tensors["first.weight"].T + tensors["first.bias"] > 0
        return int((~active.any(0)).sum())

    raw, scaled = dead("raw"), dead("scaled")
    assert raw > 128 / 2 > scaled


def state_of(ties: TieMap, decision: int) -> AgentState:
    episode, layer = next_layer(decision, DEEP)
    return AgentState(ties, layer, decision, episode, 1_000)
