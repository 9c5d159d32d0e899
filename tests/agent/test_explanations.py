"""Why a policy answers so: what is told agrees with what it does, with brute force and with closed forms."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from walks import Walk, config_of, state_at

from layertie_lab.agent import explanations
from layertie_lab.agent.explanations import explain, input_attribution, state_ablation
from layertie_lab.agent.policies.registry import POLICIES, make_policy
from layertie_lab.agent.protocol import AgentState
from layertie_lab.core.errors import AgentError
from layertie_lab.core.rules import Rules
from layertie_lab.core.ties import TieMap

NAMES = [*POLICIES.names, "lab:gaussian", "lab:advantage"]
LEARNED = ["lab", "lab-1", "lab:gaussian", "lab:advantage", "paper", "official-code", "ucb"]
"""Those whose values are a function of the map."""
VALUELESS = [name for name in NAMES if name not in LEARNED and name != "look-ahead"]
Q_LEARNERS = ["paper", "official-code"]
LAYERS = 6


def make(name: str, layers: int = LAYERS, **changes: object) -> Any:
    policy, _, learner = name.partition(":")
    return make_policy(config_of(policy, layers, **({"learner": learner} if learner else {}), **changes))


def walked(name: str, decisions: int = 23, layers: int = LAYERS, **changes: object) -> tuple[Walk, AgentState]:
    """A policy that has learned for a while, also from a person, and what it is asked next."""
    walk = Walk(make(name, layers, **changes), layers)
    walk.go(decisions, override=6)
    return walk, state_at(walk.ties, walk.decision + 1)


def two_layers(weights: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    hidden = np.maximum(weights["first.weight"] @ x + weights["first.bias"], 0)
    return weights["second.weight"] @ hidden + weights.get("second.bias", 0.0)


def weights_of(policy: Any) -> dict[str, np.ndarray]:
    return {name: t.numpy().astype(np.float64) for name, t in policy.state()[0].items()}


def q_values(policy: Any, sources: list[int], layer: int, scale: float = 1.0) -> np.ndarray:
    """The Q-network's values of a layer's answers, by hand: all outputs, then this layer's slice of them."""
    outputs = two_layers(weights_of(policy), np.array(sources) * scale)
    return np.split(outputs, np.cumsum(np.arange(1, len(sources) + 1))[:-1])[layer]


def advantage_values(policy: Any, sources: list[int], layer: int) -> tuple[np.ndarray, np.ndarray]:
    """(table's part, network's part) of the values in the advantage form, by hand."""
    weights, scale = weights_of(policy), policy.state()[1]["square"] ** 0.5
    depth = len(sources)
    others = sum(source == at and at != layer for at, source in enumerate(sources)) / depth
    own = two_layers(weights, np.array([*(float(at == layer) for at in range(depth)), others, others**2]))
    table = weights["table"][layer, : layer + 1]
    network = np.array([0.0] * layer + [own.item()])
    return (table - table[sources[layer]]) * scale, (network - network[sources[layer]]) * scale


# What is proposed


@pytest.mark.parametrize("name", NAMES)
def test_an_explanation_says_what_the_policy_proposes(name: str) -> None:
    walk = Walk(make(name), LAYERS)
    for _ in range(25):
        state = state_at(walk.ties, walk.decision + 1)
        told, proposal = explain(walk.policy, state, walk.key), walk.policy.propose(state, walk.key)
        assert told["choice"] == proposal.choice
        assert told["explored"] is proposal.explored
        assert told["epsilon"] == proposal.epsilon
        assert tuple(told["legal"]) == proposal.legal == tuple(range(state.layer + 1))
        assert told["q_values"] == (None if proposal.q_values is None else list(proposal.q_values))
        assert told["greedy"] == walk.policy.greedy(state)
        assert (told["decision"], told["layer"], told["present"]) == (
            walk.decision + 1,
            walk.decision % (LAYERS - 1) + 1,
            walk.ties[state.layer],
        )
        assert json.loads(json.dumps(told, allow_nan=False)) == told
        # What is explained is what the policy then does.
        assert walk.go(1)[0].choice == told["choice"]


@pytest.mark.parametrize("name", ["lab:gaussian", "lab:advantage", "ucb", *Q_LEARNERS])
def test_an_unexplored_choice_is_the_greedy_one_and_has_the_highest_value(name: str) -> None:
    walk = Walk(make(name), LAYERS)
    seen = set()
    for _ in range(120):
        told = explain(walk.policy, state_at(walk.ties, walk.decision + 1), walk.key)
        assert told["q_values"][told["greedy"]] == max(told["q_values"])
        if not told["explored"]:
            assert told["choice"] == told["greedy"]
        seen.add(told["explored"])
        walk.go(1)
    assert seen == {True, False}


@pytest.mark.parametrize("name", Q_LEARNERS)
def test_the_exploration_told_is_the_papers_schedule(name: str) -> None:
    policy = make(name)
    for decision in (1, 5, 6, 50, 600):
        told = explain(policy, state_at(TieMap.all_tied(LAYERS), decision), Walk(policy).key)
        assert told["epsilon"] == pytest.approx(max(0.01, 0.95 ** ((decision - 1) // (LAYERS - 1))))


@pytest.mark.parametrize("name", LEARNED)
def test_under_rules_only_legal_answers_are_explained(name: str) -> None:
    walk, state = walked(name)
    free = explain(walk.policy, state, walk.key)
    assert state.layer == 4
    ruled = replace(state, rules=Rules(neighbours=True))
    told = explain(walk.policy, ruled, walk.key)
    assert told["legal"] == [3, 4]
    assert told["q_values"] == [free["q_values"][3], free["q_values"][4]]
    assert told["choice"] in (3, 4)
    assert told["greedy"] in (3, 4)
    assert {row["answer"] for row in state_ablation(walk.policy, ruled, walk.key)} == {3, 4}
    assert {row["answer"] for row in input_attribution(walk.policy, ruled)} <= {3, 4}


def test_what_values_depend_on_is_told_by_kind() -> None:
    told = {
        name: explain(make(name), state_at(TieMap.all_tied(LAYERS), 1), Walk(make(name)).key)["reads"] for name in NAMES
    }
    assert "planned" in told["lab"]
    assert "not the rest of the map" in told["lab:gaussian"]
    assert "number of owners" in told["lab:advantage"]
    assert told["paper"] == told["official-code"]
    assert "network of the whole tie map" in told["paper"]
    assert "trial" in told["look-ahead"]
    assert told["lab"] == told["lab-1"]  # from rewards alone both model the whole map
    assert len({told[name] for name in [*LEARNED, "look-ahead"]}) == 5
    assert all("no values" in told[name] for name in VALUELESS)


# Policies without values, and those that try answers out


@pytest.mark.parametrize("name", VALUELESS)
def test_a_policy_without_values_has_no_rows_and_says_so(name: str) -> None:
    walk, state = walked(name)
    assert state_ablation(walk.policy, state, walk.key) == []
    assert input_attribution(walk.policy, state) == []
    told = explain(walk.policy, state, walk.key)
    assert told["q_values"] is None
    assert "no values" in told["reads"]
    assert told["choice"] in told["legal"]


def test_looking_ahead_is_explained_by_its_trials() -> None:
    walk, state = walked("look-ahead")
    told = explain(walk.policy, state, walk.key)
    # `walks.state_at`: the loss after an answer is 1 + answer / 10.
    assert told["q_values"] == pytest.approx([(state.present - answer) / 10 for answer in range(state.layer + 1)])
    assert told["choice"] == told["greedy"] == 0
    # The trials are of the map as it stands: on another one they would say that nothing changes.
    assert state_ablation(walk.policy, state, walk.key) == []


def test_looking_ahead_is_explained_without_an_exception_where_nothing_can_be_tried() -> None:
    walk, state = walked("look-ahead")
    told = explain(walk.policy, replace(state, lookahead=None), walk.key)
    assert (told["choice"], told["greedy"], told["q_values"]) == (None, None, None)
    assert told["legal"] == list(range(state.layer + 1))
    assert state_ablation(walk.policy, replace(state, lookahead=None), walk.key) == []
    assert input_attribution(walk.policy, replace(state, lookahead=None)) == []


# Nothing changes


@pytest.mark.parametrize("name", NAMES)
def test_explaining_changes_nothing(name: str) -> None:
    walk, state = walked(name)
    twin, _ = walked(name)
    tensors, values = walk.policy.state()
    tensors, values = {key: tensor.clone() for key, tensor in tensors.items()}, json.dumps(values)
    proposed, drawn = walk.policy.propose(state, walk.key), torch.get_rng_state()
    for _ in range(2):
        explain(walk.policy, state, walk.key)
        state_ablation(walk.policy, state, walk.key)
        input_attribution(walk.policy, state)
    assert walk.policy.propose(state, walk.key) == proposed
    assert torch.equal(torch.get_rng_state(), drawn)
    after, values_after = walk.policy.state()
    assert json.dumps(values_after) == values
    assert after.keys() == tensors.keys()
    assert all(torch.equal(after[key], tensors[key]) for key in tensors)
    assert walk.go(20) == twin.go(20)


@pytest.mark.parametrize("name", Q_LEARNERS)
def test_attribution_leaves_no_gradients_on_the_weights(name: str) -> None:
    walk, state = walked(name)
    kept = {key: None if p.grad is None else p.grad.clone() for key, p in walk.policy.network.named_parameters()}
    input_attribution(walk.policy, state)
    for key, p in walk.policy.network.named_parameters():
        assert (p.grad is None) == (kept[key] is None)
        assert kept[key] is None or torch.equal(p.grad, kept[key])


# Other maps


@pytest.mark.parametrize("name", LEARNED)
@pytest.mark.parametrize("decisions", [4, 23, 38])
def test_an_ablation_is_what_the_policy_says_when_asked_on_the_changed_map(name: str, decisions: int) -> None:
    walk, state = walked(name, decisions)
    policy, key = walk.policy, walk.key
    now = policy.propose(state, key).q_values
    expected = {}
    for entry in range(1, LAYERS):
        for source in range(entry + 1):
            if entry == state.layer or source == state.ties[entry]:
                continue
            sources = list(state.ties)
            sources[entry] = source
            there = AgentState(TieMap(tuple(sources)), state.layer, state.decision, state.episode, state.budget)
            for answer, value in enumerate(policy.propose(there, key).q_values):
                expected[entry, source, answer] = (value, value - now[answer])
    rows = state_ablation(policy, state, key)
    assert {(r["entry"], r["source"], r["answer"]): (r["q_value"], r["change"]) for r in rows} == expected
    assert len(rows) == len(expected) == (sum(range(1, LAYERS)) - state.layer) * (state.layer + 1)
    assert all(r["present"] == state.ties[r["entry"]] for r in rows)
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows


@pytest.mark.parametrize("name", Q_LEARNERS)
def test_an_ablation_of_the_q_network_is_its_forward_pass_by_hand(name: str) -> None:
    walk, state = walked(name)
    now = q_values(walk.policy, list(state.ties), state.layer)
    rows = state_ablation(walk.policy, state, walk.key)
    assert max(abs(row["change"]) for row in rows) > 0.01
    for row in rows:
        sources = [row["source"] if layer == row["entry"] else source for layer, source in enumerate(state.ties)]
        value = q_values(walk.policy, sources, state.layer)[row["answer"]]
        assert row["q_value"] == pytest.approx(value, abs=1e-5)
        assert row["change"] == pytest.approx(value - now[row["answer"]], abs=1e-5)


def test_an_ablation_of_the_advantage_form_is_its_table_and_network_by_hand() -> None:
    walk, state = walked("lab:advantage", 38)
    rows = state_ablation(walk.policy, state, walk.key)
    for row in rows:
        sources = [row["source"] if layer == row["entry"] else source for layer, source in enumerate(state.ties)]
        table, network = advantage_values(walk.policy, sources, state.layer)
        assert row["q_value"] == pytest.approx((table + network)[row["answer"]], abs=1e-6)
    # Only the number of owners is read, which a change among tied layers leaves as it is.
    tied = [row for row in rows if row["entry"] not in (row["source"], row["present"])]
    owns = [row for row in rows if (row["entry"] == row["source"]) != (row["entry"] == row["present"])]
    assert {row["change"] for row in tied} == {0.0}
    assert any(row["change"] for row in owns if row["answer"] == state.layer)


def test_nothing_on_another_map_moves_a_policy_that_reads_layer_and_answer_alone() -> None:
    walk, state = walked("lab:gaussian")
    rows = state_ablation(walk.policy, state, walk.key)
    assert {row["change"] for row in rows} == {0.0}
    assert len({row["q_value"] for row in rows}) > 1


def test_deep_maps_are_changed_to_three_sources_per_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    walk, state = walked("lab")
    everything = state_ablation(walk.policy, state, walk.key)
    tried = sum(range(1, LAYERS)) - state.layer
    monkeypatch.setattr(explanations, "MOST_MAPS", tried)
    assert state_ablation(walk.policy, state, walk.key) == everything
    monkeypatch.setattr(explanations, "MOST_MAPS", tried - 1)
    few = state_ablation(walk.policy, state, walk.key)
    assert {(row["entry"], row["source"]) for row in few} == {
        (entry, source)
        for entry in range(1, LAYERS)
        for source in (entry, 0, entry - 1)
        if entry != state.layer and source != state.ties[entry]
    }
    assert all(row in everything for row in few)
    assert len(few) < len(everything)


def test_an_answer_that_rules_forbid_on_the_changed_map_has_no_row_there() -> None:
    policy = make("lab:gaussian")
    state = replace(state_at(TieMap((0, 0, 0, 0, 0, 0)), 8), rules=Rules(most_owners=2))
    assert state.layer == 3
    rows = state_ablation(policy, state, Walk(policy).key)
    # The present map has one owner. A second, elsewhere, leaves no room for layer 3.
    with_own = {(row["entry"], row["source"]) for row in rows if row["answer"] == 3}
    assert {(row["entry"], row["source"]) for row in rows} - with_own == {(1, 1), (2, 2), (4, 4), (5, 5)}
    assert with_own


# What inputs give


def map_features(sources: list[int]) -> dict[str, np.ndarray]:
    """`MapFeatures` by its description, a layer at a time."""
    depth, owners = len(sources), []
    for layer, source in enumerate(sources):
        owners.append(layer if source == layer else owners[source])
    places = [-1 + 2 * layer / (depth - 1) for layer in range(depth)]
    own = [layer for layer in range(depth) if sources[layer] == layer]
    jumps = [float(sources[at] != at and owners[at] != owners[at - 1]) for at in range(1, depth)]
    distance = sum(layer - owner for layer, owner in enumerate(owners)) / depth
    return {
        "table": np.array([float(sources[at] == answer) for at in range(1, depth) for answer in range(at + 1)]),
        "count": np.array([len(own) / depth, (len(own) / depth) ** 2]),
        "position": np.array([sum(places[at] for at in own), sum(places[at] ** 2 for at in own)]) / depth,
        "jumps": np.array(jumps),
        "pooled": np.array([sum(jumps), distance]) / depth,
    }


def posterior_mean(policy: Any) -> np.ndarray:
    """Of Bayesian linear regression: (X'X / noise + 1 / prior)^-1 X'y / noise, solved afresh from what is saved."""
    tensors, _ = policy.state()
    gram, moment = tensors["gram"].numpy(), tensors["moment"].numpy()
    depth = policy.layers
    sizes = [sum(range(2, depth + 1)), 2, 2, depth - 1, 2, 3, 2]
    prior = np.repeat(tensors["variances"].numpy(), sizes)
    return np.linalg.solve(gram + np.diag(1 / prior), moment)


@pytest.mark.parametrize("after", [0, 5, 10, 17, 25, 33])
def test_contributions_of_the_linear_agent_are_its_weights_times_the_change_of_each_feature(after: int) -> None:
    walk = Walk(make("lab-1"), LAYERS)
    walk.go(after)
    state = state_at(walk.ties, after + 1)
    plan = walk.policy.state()[1]["plan"]
    layer, mean = state.layer, posterior_mean(walk.policy)
    # Nobody has chosen on the way, so that the layers before are as planned.
    whole = [*state.ties.sources[: layer + 1], *plan[layer + 1 :]]
    found = walk.policy.contributions(state)
    before, start = map_features(whole), 0
    expected: dict[str, list[float]] = {}
    answers = range(layer + 1)
    moved = [map_features([*whole[:layer], answer, *whole[layer + 1 :]]) for answer in answers]
    for group, features in before.items():
        weights = mean[start : start + len(features)]
        expected[group] = [float(weights @ (moved[answer][group] - features)) for answer in answers]
        start += len(features)
    change, given_up, new = mean[start : start + 3]
    expected["changing a tie"] = [
        0.0 if answer == state.present else change + given_up * (state.present == layer) + new * (answer == layer)
        for answer in answers
    ]
    assert found.keys() == expected.keys()
    for group in expected:
        assert found[group] == pytest.approx(expected[group], rel=1e-6, abs=1e-9)
        assert found[group][state.present] == 0.0
    if after > LAYERS:
        assert max(abs(value) for values in found.values() for value in values) > 1e-3


@pytest.mark.parametrize(
    ("name", "layers"), [("lab", 6), ("lab-1", 3), ("lab-1", 6), ("lab-1", 11), ("lab:advantage", 6)]
)
def test_contributions_add_up_to_the_value_whoever_answered_before(name: str, layers: int) -> None:
    walk = Walk(make(name, layers), layers)
    largest = 0.0
    for step in range(50):
        state = state_at(walk.ties, walk.decision + 1)
        told = explain(walk.policy, state, walk.key)
        rows = input_attribution(walk.policy, state)
        for answer, value in zip(told["legal"], told["q_values"], strict=True):
            mine = [row for row in rows if row["answer"] == answer]
            assert sum(row["value"] for row in mine) == pytest.approx(value, rel=1e-9, abs=1e-12)
            assert all(row["total"] == pytest.approx(value, rel=1e-9, abs=1e-12) for row in mine)
            assert {(row["method"], row["completeness_error"]) for row in mine} == {("contribution", 0.0)}
            assert len({row["input"] for row in mine}) == len(mine) == {"lab": 5, "lab-1": 6}.get(name, 2)
            largest = max(largest, abs(value))
        assert json.loads(json.dumps(rows, allow_nan=False)) == rows
        walk.go(1, override=1 if step % 4 == 0 else None)
    assert largest > 1e-3


def test_contributions_in_the_advantage_form_are_the_table_and_the_network() -> None:
    walk = Walk(make("lab:advantage"), LAYERS)
    told = set()
    for _ in range(40):
        walk.go(1, override=7)
        state = state_at(walk.ties, walk.decision + 1)
        found = walk.policy.contributions(state)
        table, network = advantage_values(walk.policy, list(state.ties), state.layer)
        assert found["table"] == pytest.approx(table.tolist(), abs=1e-6)
        assert found["number of owners"] == pytest.approx(network.tolist(), abs=1e-6)
        told |= {key for key, values in found.items() if max(map(abs, values)) > 1e-4}
    assert told == {"table", "number of owners"}


@pytest.mark.parametrize("name", Q_LEARNERS)
@pytest.mark.parametrize(("inputs", "scale"), [("raw", 1.0), ("scaled", 1 / (LAYERS - 1))])
def test_the_q_network_reads_sources_and_answers_from_a_layers_own_slice(name: str, inputs: str, scale: float) -> None:
    walk, state = walked(name, inputs=inputs)
    policy = walk.policy
    assert policy.inputs(state).tolist() == pytest.approx([source * scale for source in state.ties])
    assert policy.inputs(state_at(TieMap.all_tied(LAYERS), 1)).tolist() == [0.0] * LAYERS
    maps = [[0, 1, 2, 3, 4, 5], [0, 0, 1, 1, 3, 2], list(state.ties)]
    batch = torch.tensor(maps, dtype=torch.float32) * scale
    for layer in range(LAYERS):
        found = policy.action_values(batch, layer).detach()
        assert found.shape == (3, layer + 1)
        for row, sources in zip(found, maps, strict=True):
            assert row.tolist() == pytest.approx(q_values(policy, sources, layer, scale).tolist(), abs=1e-5)
    assert policy.values(state) == pytest.approx(q_values(policy, list(state.ties), state.layer, scale), abs=1e-5)


def exact_shares(policy: Any, state: AgentState, scale: float) -> np.ndarray:
    """[layer + 1, L] integrated gradients from 0 in closed form. A hidden unit turns on or off once at most on the way,
    so that its gradient counts for the share of the way on which it is on."""
    weights, x = weights_of(policy), np.array(list(state.ties)) * scale
    slope, bias = weights["first.weight"] @ x, weights["first.bias"]
    turn = np.clip(-bias / np.where(slope == 0, 1.0, slope), 0.0, 1.0)
    on = np.where(slope > 0, 1 - turn, np.where(slope < 0, turn, (bias > 0) * 1.0))
    start = state.layer * (state.layer + 1) // 2
    return (weights["second.weight"][start : start + state.layer + 1] * on) @ weights["first.weight"] * x


@pytest.mark.parametrize("name", Q_LEARNERS)
@pytest.mark.parametrize("layers", [4, 6, 12])
@pytest.mark.parametrize("inputs", ["raw", "scaled"])
def test_integrated_gradients_are_those_of_the_closed_form_and_complete(name: str, layers: int, inputs: str) -> None:
    scale = 1.0 if inputs == "raw" else 1 / (layers - 1)
    walk, state = walked(name, 38, layers, inputs=inputs)
    rows = input_attribution(walk.policy, state)
    exact = exact_shares(walk.policy, state, scale)
    value = q_values(walk.policy, list(state.ties), state.layer, scale)
    gained = value - q_values(walk.policy, [0] * layers, state.layer, scale)
    assert exact.sum(axis=1) == pytest.approx(gained, abs=1e-9)
    close = 0.02 * np.abs(gained).max()
    for answer in range(state.layer + 1):
        mine = [row for row in rows if row["answer"] == answer]
        assert [row["input"] for row in mine] == [f"source of layer {entry}" for entry in range(layers)]
        shares = [row["value"] for row in mine]
        assert shares == pytest.approx(exact[answer], abs=close)
        # An input that is as on the all-tied map has no share.
        assert all(share == 0 for share, source in zip(shares, state.ties, strict=True) if source == 0)
        error = abs(gained[answer] - sum(shares))
        for row in mine:
            assert row["total"] == pytest.approx(gained[answer], abs=1e-5)
            assert row["completeness_error"] == pytest.approx(error, abs=1e-5)
            assert row["completeness_error"] < close
            assert row["method"] == "integrated-gradients"
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows


def test_integrated_gradients_come_nearer_to_the_closed_form_with_more_points(monkeypatch: pytest.MonkeyPatch) -> None:
    walk, state = walked("paper", 38, 12)
    exact = exact_shares(walk.policy, state, 1.0)
    wrong, error = [], []
    for steps in (4, 32, 256):
        monkeypatch.setattr(explanations, "STEPS", steps)
        rows = input_attribution(walk.policy, state)
        wrong.append(max(abs(row["value"] - exact[row["answer"], at % 12]) for at, row in enumerate(rows)))
        error.append(max(row["completeness_error"] for row in rows))
    assert wrong[0] > 3 * wrong[1] > 9 * wrong[2]
    assert error[0] > 3 * error[1] > 9 * error[2]


@pytest.mark.parametrize("name", Q_LEARNERS)
def test_on_the_all_tied_map_no_input_has_a_share(name: str) -> None:
    policy = walked(name)[0].policy
    rows = input_attribution(policy, state_at(TieMap.all_tied(LAYERS), 9))
    assert len(rows) == LAYERS * 5
    assert {(row["value"], row["total"], row["completeness_error"]) for row in rows} == {(0.0, 0.0, 0.0)}


@pytest.mark.parametrize("name", LEARNED)
def test_a_state_of_another_depth_is_refused(name: str) -> None:
    policy = make(name)
    with pytest.raises(AgentError, match="6 layers"):
        explain(policy, state_at(TieMap.all_tied(LAYERS + 1), 1), Walk(policy).key)
