"""The same on a CUDA device."""

from __future__ import annotations

import copy

import pytest
import torch
from small_runs import ALLOWED, assemble, batch, name, parts, random_answers, weights

from layertie_lab.core.config import TieConfig
from layertie_lab.models.memory import model_memory
from layertie_lab.training.device import choose_device, describe_device, uses_bf16
from layertie_lab.training.evaluation import evaluate

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]


def test_auto_is_cuda_and_bf16():
    device = choose_device("auto")
    assert device.type == "cuda"
    assert uses_bf16(device, "auto") == torch.cuda.is_bf16_supported(including_emulation=False)
    assert "GiB" in describe_device(device)


@pytest.mark.parametrize("ties", ALLOWED, ids=name)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_training_and_copies(ties, precision):
    run = parts(ties, device="cuda", dropout=0.1, precision=precision)
    assert run.optimizer.inner.defaults["fused"]
    for i, answer in enumerate(random_answers(5)):
        run.retie(*answer)
        run.check()
        run.step(i)
    twin = assemble(*copy.deepcopy((run.model, run.optimizer)), run.trainer.config)
    loaded = parts(ties, device="cuda", seed=5, dropout=0.1, precision=precision)
    loaded.model.load({k: t.cpu() for k, t in run.model.state()[0].items()}, run.model.state()[1])
    loaded.optimizer.load({k: t.cpu() for k, t in run.optimizer.state()[0].items()}, run.optimizer.state()[1])
    for i, answer in enumerate(random_answers(5, seed=1), start=5):
        losses = []
        for one in (run, twin, loaded):
            one.retie(*answer)
            one.check()
            losses.append(one.step(i).loss)
        assert losses[1:] == pytest.approx(losses[:1] * 2, rel=1e-3)


def test_close_to_the_cpu():
    here, there = parts(precision="fp32"), parts(device="cuda", precision="fp32")
    for i in range(4):
        assert there.step(i).loss == pytest.approx(here.step(i).loss, rel=1e-3)
    one, other = (evaluate(run.model, batch(9), 2) for run in (here, there))
    assert other.loss == pytest.approx(one.loss, rel=1e-3)


def test_dropout_leaves_cudas_generator_alone():
    run = parts(device="cuda", dropout=0.2)
    before = torch.cuda.get_rng_state()
    run.step(0)
    assert torch.cuda.get_rng_state().equal(before)


def test_real_lack_of_memory_is_survived():
    from layertie_lab.core.errors import DeviceMemoryError

    run = parts(device="cuda")
    run.step(0)
    before = weights(run.model)
    with pytest.raises(DeviceMemoryError):
        run.trainer.step(torch.zeros((1, 7), dtype=torch.long).expand(2_000_000_000, 7), 1)
    after = weights(run.model)
    assert all(after[key].equal(before[key]) for key in before)
    run.step(1)


def test_owner_mode_needs_less_memory_at_its_peak():
    peaks = {}
    for gradient in ("shared", "owner"):
        run = parts(TieConfig(gradient=gradient), device="cuda")
        run.trainer.step(batch(0, count=4096), 0)
        torch.cuda.reset_peak_memory_stats()
        run.trainer.step(batch(0, count=4096), 1)
        peaks[gradient] = torch.cuda.max_memory_allocated()
    predicted = [model_memory(parts(TieConfig(gradient=g)).model, 4096)["activations"] for g in ("shared", "owner")]
    assert peaks["owner"] < peaks["shared"]
    assert predicted[1] < predicted[0]
