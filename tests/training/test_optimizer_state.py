"""Exactly one state per owner, whatever is answered."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_runs import ALLOWED, Parts, assemble, name, parts, random_answers, weights

from layertie_lab.core.config import TieConfig, TrainingConfig
from layertie_lab.core.errors import RecordError
from layertie_lab.core.ties import TieMap
from layertie_lab.training.optimizer import YOUNG, Optimizer

answers = st.lists(st.integers(1, 3), max_size=10).flatmap(
    lambda layers: st.tuples(*(st.tuples(st.just(layer), st.integers(0, layer)) for layer in layers))
)


def state_of(run: Parts, layer: int) -> dict:
    return run.optimizer.inner.state[run.model.stack.layers[layer].mlp.up.weight]


@pytest.mark.parametrize("ties", ALLOWED, ids=name)
@settings(max_examples=6, deadline=None)
@given(steps=answers)
def test_books_balance_after_any_answers(ties, steps):
    run = parts(ties)
    for i, answer in enumerate(steps):
        run.retie(*answer)
        run.check()
        if i % 2:
            run.step(i)
            run.check()
    held = [id(p) for p in run.optimizer.parameters()]
    assert len(held) == len(set(held))
    if ties.on_untie == "clone":
        wanted = {id(p) for p in run.model.parameters() if p.requires_grad}
        assert set(held) == wanted
        assert {id(p) for p in run.optimizer.inner.state} <= wanted


def test_a_new_owner_inherits_the_state_it_used():
    run = parts(TieConfig(moments="clone"))
    run.step(0)
    run.step(1)
    old = state_of(run, 0)
    run.retie(2, 2)
    new = state_of(run, 2)
    assert new is not old
    for key in ("exp_avg", "exp_avg_sq", "step"):
        assert new[key].equal(old[key])
        assert new[key].data_ptr() != old[key].data_ptr()
    run.step(2)
    assert float(new["step"]) == 3


def estimates(state: dict, betas: tuple[float, float] = (0.9, 0.999)) -> tuple[torch.Tensor, torch.Tensor]:
    """Adam's estimates of the gradient's mean and mean square, without the bias of their start."""
    first, second = betas
    steps = float(state["step"])
    return state["exp_avg"] / (1 - first**steps), state["exp_avg_sq"] / (1 - second**steps)


@pytest.mark.parametrize("steps", [1, 15])
def test_scaled_follows_the_number_of_layers_that_a_gradient_sums_over(steps: int) -> None:
    run = parts(TieConfig(moments="scaled"))
    for index in range(steps):
        run.step(index)
    mean, square = (found.clone() for found in estimates(state_of(run, 0)))
    run.retie(2, 2)  # one of four layers leaves
    for layer, share in ((0, 3 / 4), (2, 1 / 4)):
        now = estimates(state_of(run, layer))
        torch.testing.assert_close(now[0], mean * share)
        torch.testing.assert_close(now[1], square * share**2)
        assert float(state_of(run, layer)["step"]) == min(steps, YOUNG)
    run.retie(2, 0)  # and comes back
    now = estimates(state_of(run, 0))
    torch.testing.assert_close(now[0], mean)
    torch.testing.assert_close(now[1], square)


def test_scaled_changes_no_step_where_the_layers_gradients_are_equal():
    """Layers that add nothing but a bias get the same gradient; a block of four then steps as each by itself would."""

    def after(first: TieMap) -> torch.Tensor:
        run = parts(TieConfig(moments="scaled"), gradient_clip=0.0, weight_decay=0.0, tie_map=first)
        with torch.no_grad():
            for block in {id(b.mlp.down.weight): b for b in run.model.stack.layers}.values():
                block.mlp.down.weight.zero_()
                block.attention.projection.weight.zero_()
        for p in run.model.stack.parameters():
            p.requires_grad_(False)
        biases = {id(b.mlp.down.bias): b.mlp.down.bias for b in run.model.stack.layers}.values()
        for bias in biases:
            bias.requires_grad_(True)
        run.step(0)
        run.retie(3, 3)
        run.step(1)
        return run.model.stack.layers[3].mlp.down.bias.detach()

    shared, alone = after(TieMap.all_tied(4)), after(TieMap((0, 0, 0, 3)))
    torch.testing.assert_close(shared, alone, rtol=1e-3, atol=1e-6)


def test_scaled_leaves_the_state_alone_where_only_the_owner_has_a_gradient():
    run = parts(TieConfig(gradient="owner", moments="scaled"))
    run.step(0)
    before = state_of(run, 0)["exp_avg_sq"].clone()
    run.retie(2, 2)
    assert state_of(run, 0)["exp_avg_sq"].equal(before)
    assert state_of(run, 2)["exp_avg_sq"].equal(before)


def test_reset_starts_from_nothing():
    run = parts(TieConfig(moments="reset"))
    run.step(0)
    run.retie(2, 2)
    run.check()
    assert not state_of(run, 2)
    run.step(1)
    assert float(state_of(run, 2)["step"]) == 1
    assert float(state_of(run, 0)["step"]) == 2


def test_rebuild_starts_all_of_them_anew_whenever_the_map_changes():
    run = parts(TieConfig(moments="rebuild"))
    run.step(0)
    run.retie(2, 0)  # as it is
    assert float(state_of(run, 0)["step"]) == 1
    run.retie(2, 2)
    run.check()
    assert not run.optimizer.inner.state
    run.step(1)
    assert float(state_of(run, 0)["step"]) == float(state_of(run, 2)["step"]) == 1
    run.retie(2, 0)
    assert not run.optimizer.inner.state


def test_a_layer_that_becomes_tied_loses_its_state():
    run = parts(tie_map=TieMap.independent(4))
    run.step(0)
    before = run.optimizer.bytes()
    up = run.model.stack.layers[2].mlp.up.weight
    run.retie(2, 0)
    assert up not in run.optimizer.inner.state
    assert up.grad is None
    assert run.optimizer.bytes() < before
    run.retie(2, 2)
    assert run.optimizer.bytes() == before


def test_alias_keeps_every_moment_and_steps_a_storage_twice():
    ties = TieConfig("owner", "alias", "snapshot", "tied", "keep")
    run = parts(ties, gradient_clip=0.0, weight_decay=0.0)
    run.retie(1, 1)
    first, second = (run.model.stack.layers[i].mlp.up.weight for i in (0, 1))
    before = first.detach().clone()
    run.step(0)
    assert first.data_ptr() == second.data_ptr()
    # Adam's first step is the learning rate per element and Parameter: two of them, on one storage.
    moved = (first.detach() - before).abs()
    assert float(moved.max()) == pytest.approx(2e-3, rel=1e-2)
    run.retie(1, 0)
    kept = run.optimizer.inner.state[second]
    run.step(1)
    assert run.optimizer.inner.state[second] is kept
    assert float(kept["step"]) == 1, "frozen: not stepped"
    run.check()


@pytest.mark.parametrize("ties", ALLOWED, ids=name)
@pytest.mark.parametrize("how", ["state", "deepcopy"])
@pytest.mark.parametrize("fused", [True, False])
def test_a_copy_goes_on_bit_for_bit(ties, how, fused):
    def build(seed: int = 0) -> Parts:
        run = parts(ties, seed=seed, dropout=0.1)
        if not fused:
            for group in (run.optimizer.inner.defaults, *run.optimizer.inner.param_groups):
                group.update(fused=False, foreach=ties.on_untie == "clone")
        return run

    run = build()
    for i, answer in enumerate(random_answers(5)):
        run.retie(*answer)
        run.step(i)
    if how == "deepcopy":
        twin = assemble(*copy.deepcopy((run.model, run.optimizer)), run.trainer.config)
    else:
        twin = build(seed=7)
        twin.retie(3, 3)
        twin.model.load(*run.model.state())
        twin.optimizer.load(*run.optimizer.state())
    for i, answer in enumerate(random_answers(5, seed=1), start=5):
        run.retie(*answer)
        twin.retie(*answer)
        twin.check()
        assert run.step(i) == twin.step(i)
    ours, theirs = weights(run.model), weights(twin.model)
    assert all(ours[key].equal(theirs[key]) for key in ours)


def test_the_order_of_answers_leaves_no_trace_in_the_optimizer():
    one, other = parts(), parts()
    for layer in (1, 2, 3):
        one.retie(layer, layer)
    for layer in (3, 1, 2):
        other.retie(layer, layer)
    assert [one.step(i) for i in range(3)] == [other.step(i) for i in range(3)]


def test_the_state_is_named_by_owner_and_slot():
    run = parts(tie_map=TieMap((0, 0, 2, 2)))
    run.step(0)
    tensors, _ = run.optimizer.state()
    assert "stack.2.mlp.up.weight/exp_avg" in tensors
    assert "token_embedding.weight/step" in tensors
    assert not any(key.startswith(("stack.1.", "stack.3.")) for key in tensors)


def test_state_of_another_model_are_refused():
    run, other = parts(tie_map=TieMap.independent(4)), parts()
    run.step(0)
    with pytest.raises(RecordError, match=r"stack\.1\..*Load the model first"):
        other.optimizer.load(*run.optimizer.state())
    tensors, meta = run.optimizer.state()
    tensors["norm.weight/exp_avg"] = torch.zeros(3)
    with pytest.raises(RecordError, match=r"norm\.weight.*\(3,\)"):
        run.optimizer.load(tensors, meta)


def test_bytes_are_two_moments_and_a_counter():
    run = parts()
    assert run.optimizer.bytes() == 0
    run.step(0)
    held = run.optimizer.parameters()
    assert run.optimizer.bytes() == sum(8 * p.numel() + 4 for p in held)


def test_check_books_finds_a_stranger():
    run = parts()
    run.optimizer.inner.param_groups[0]["params"].pop()
    with pytest.raises(AssertionError, match="parameters held"):
        run.optimizer.check_books()


def test_any_model_with_a_stack_can_be_trained():
    run = parts()
    twin = Optimizer(run.model, TrainingConfig(), TieConfig())
    assert len(twin.parameters()) == len(list(run.model.parameters()))
