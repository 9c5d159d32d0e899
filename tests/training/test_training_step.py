"""One step: its numbers, its randomness, its failures."""

from __future__ import annotations

import pytest
import torch
from small_runs import VOCABULARY, batch, parts, weights

from layertie_lab.core.config import TieConfig
from layertie_lab.core.errors import DeviceMemoryError, DivergedError
from layertie_lab.core.ties import TieMap
from layertie_lab.training.evaluation import evaluate


def state_of(run):
    return weights(run.model) | {key: value.clone() for key, value in run.optimizer.state()[0].items()}


def unchanged(run, before):
    after = state_of(run)
    return after.keys() == before.keys() and all(after[key].equal(before[key]) for key in before)


def test_the_loss_falls():
    run = parts(learning_rate=1e-2)
    losses = [run.trainer.step(batch(0), i).loss for i in range(30)]
    assert losses[-1] < losses[0] - 0.5


def test_equals_a_plain_loop():
    run, other = parts(tie_map=TieMap.independent(4)), parts(tie_map=TieMap.independent(4))
    plain = torch.optim.AdamW(other.model.parameters(), lr=1e-3, weight_decay=0.01)
    for i in range(3):
        result = run.step(i)
        loss = other.model(batch(i)[:, :-1], batch(i)[:, 1:])
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(other.model.parameters(), 1.0)
        plain.step()
        plain.zero_grad()
        assert result.loss == pytest.approx(loss.item(), rel=1e-5)
        assert result.gradient_norm == pytest.approx(norm.item(), rel=1e-4)


def test_clipping_is_to_the_norm_of_all_gradients():
    seen = []
    for limit in (0.0, 0.1):
        run = parts(gradient_clip=limit, beta1=0.75)
        norm = run.step(0).gradient_norm
        moments = run.optimizer.state()[0]
        # After one step the first moment is the gradient that the update used, times 1 - beta1.
        used = torch.cat([value.flatten() for key, value in moments.items() if key.endswith("/exp_avg")]) / 0.25
        seen.append(used.norm().item())
    assert seen[0] == pytest.approx(norm)
    assert seen[1] == pytest.approx(0.1)
    assert norm > 0.1


def test_a_tied_parameter_counts_once_in_the_norm():
    run = parts(gradient_clip=0.0)
    run.model(batch(0)[:, :-1], batch(0)[:, 1:]).backward()
    expected = torch.cat([p.grad.flatten() for p in run.model.parameters()]).norm().item()
    run.optimizer.zero_grad()
    assert run.step(0).gradient_norm == pytest.approx(expected)


def test_accumulation_equals_one_large_batch():
    run, other = parts(), parts()
    large = batch(0, count=8)
    one, several = run.trainer.step(large, 0), other.trainer.step(large.view(4, 2, 7), 0)
    assert one.loss == pytest.approx(several.loss, rel=1e-5)
    assert one.gradient_norm == pytest.approx(several.gradient_norm, rel=1e-4)


def test_arrays_are_as_good_as_tensors():
    run, other = parts(), parts()
    assert run.trainer.step(batch(0).numpy().astype("uint16"), 0) == other.trainer.step(batch(0), 0)


def test_dropout_is_keyed_by_the_step_and_disturbs_nobody():
    run, other = parts(dropout=0.3), parts(dropout=0.3)
    before = torch.random.get_rng_state()
    first = run.step(0)
    assert torch.random.get_rng_state().equal(before)
    torch.rand(5)
    assert other.step(0) == first
    twin = parts(dropout=0.3)
    assert twin.trainer.step(batch(0), 1) != first


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_divergence_updates_nothing(what):
    run = parts()
    run.step(0)
    with torch.no_grad():
        if what == "loss":
            run.model.norm.weight.fill_(float("nan"))
        else:
            run.model.norm.weight.register_hook(lambda g: g * float("inf"))
    before = state_of(run)
    with pytest.raises(DivergedError, match=rf"finite loss at step 5, but got a {what}.* Lower the learning rate"):
        run.step(4)
    after = state_of(run)
    assert all(torch.equal(after[key].nan_to_num(), before[key].nan_to_num()) for key in before)
    assert all(p.grad is None for p in run.model.parameters())


@pytest.mark.parametrize("where", ["forward", "backward", "update"])
@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
              RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
              MemoryError()],
)  # fmt: skip
@pytest.mark.parametrize("steps", [0, 1])
def test_out_of_memory_leaves_a_savable_state(where, error, steps):
    run = parts(gradient_clip=1e-3)

    def fail(*_):
        raise error

    for i in range(steps):
        run.step(i)
    before = state_of(run)
    if where == "forward":
        hook = run.model.stack.layers[2].register_forward_pre_hook(fail)
    elif where == "backward":
        hook = run.model.stack.layers[2].register_full_backward_pre_hook(fail)
    else:
        hook = run.optimizer.inner.register_step_pre_hook(fail)
    with pytest.raises(DeviceMemoryError, match=rf"cpu ran out of memory at step {steps + 1} .*smaller batch_size"):
        run.step(steps)
    assert unchanged(run, before)
    assert all(p.grad is None for p in run.model.parameters())
    run.check()
    hook.remove()
    run.step(steps)


def test_out_of_memory_while_state_is_made(monkeypatch):
    run = parts(TieConfig("owner", "alias", "snapshot", "tied", "keep"))
    run.retie(2, 2)
    before, zeros_like, made = state_of(run), torch.zeros_like, []

    def scarce(*args, **kwargs):
        made.append(1)
        if len(made) == 40:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return zeros_like(*args, **kwargs)

    monkeypatch.setattr(torch, "zeros_like", scarce)
    with pytest.raises(DeviceMemoryError):
        run.step(0)
    assert unchanged(run, before)
    monkeypatch.undo()
    run.step(0)
    run.check()


def test_other_errors_are_not_hidden():
    run = parts()
    run.model.stack.layers[0].register_forward_pre_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run.step(0)
    assert all(p.grad is None for p in run.model.parameters())


def test_bf16_on_the_cpu():
    plain, half = parts(precision="fp32"), parts(TieConfig(gradient="owner"), precision="bf16")
    one, other = plain.step(0), half.step(0)
    assert one.loss == pytest.approx(other.loss, rel=2e-2)
    assert one.loss != other.loss
    assert all(p.dtype == torch.float32 for p in half.model.parameters())


def test_evaluation():
    run = parts(dropout=0.5)
    windows = batch(3, count=10)
    result = evaluate(run.model, windows, batch_size=4)
    assert result == evaluate(run.model, windows.numpy(), batch_size=4, device=torch.device("cpu"))
    assert run.model.training
    run.model.eval()
    with torch.no_grad():
        losses = torch.stack([run.model(w[None, :-1], w[None, 1:]) for w in windows])
    assert result.loss == pytest.approx(float(losses.mean()), rel=1e-6)
    assert result.standard_error == pytest.approx(float(losses.std()) / 10**0.5, rel=1e-4)
    assert result.windows == 10
    assert result.perplexity == pytest.approx(VOCABULARY, rel=0.1)
    assert evaluate(run.model, windows[:1], 4).standard_error == 0
    assert not run.model.training
