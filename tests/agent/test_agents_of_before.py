"""Agents that version 0.1.0 stored go on: after 40 decisions of a walk, the 20 that followed there follow here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors.torch import load_file
from walks import Walk, config_of

from layertie_lab.agent.policies.registry import make_policy

BEFORE = Path(__file__).parent / "version_before"
AGENTS = {
    "paper": config_of("paper"),
    "advantage": config_of("lab", learner="advantage", discount=0.5),
}


@pytest.mark.parametrize("name", AGENTS)
def test_a_stored_agent_goes_on_as_it_did(name: str) -> None:
    kept = json.loads((BEFORE / f"{name}.json").read_text(encoding="utf-8"))
    walk = Walk(make_policy(AGENTS[name]))
    walk.go(40, override=7)
    tensors = load_file(BEFORE / f"{name}.safetensors")
    walk.policy.load(tensors, kept["values"])
    walk.learning.clear()
    assert [proposal.choice for proposal in walk.go(20)] == kept["choices"]
    assert [found["td_error"] for found in walk.learning] == pytest.approx(kept["td_errors"], rel=1e-4)


@pytest.mark.parametrize("name", AGENTS)
def test_its_walk_up_to_there_is_the_same(name: str) -> None:
    walk = Walk(make_policy(AGENTS[name]))
    walk.go(40, override=7)
    found, wanted = walk.policy.state()[0], load_file(BEFORE / f"{name}.safetensors")
    assert found.keys() == wanted.keys()
    for key, tensor in found.items():
        assert tensor.reshape(-1).tolist() == pytest.approx(wanted[key].reshape(-1).tolist(), rel=1e-3, abs=1e-6), key
