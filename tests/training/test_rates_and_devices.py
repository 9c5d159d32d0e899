"""The learning rate over the steps; which device and arithmetic."""

from __future__ import annotations

import pytest
import torch

from layertie_lab.core.config import TrainingConfig
from layertie_lab.core.errors import ConfigError
from layertie_lab.training.device import autocast, choose_device, describe_device, uses_bf16
from layertie_lab.training.schedule import learning_rate


def rates(total, count=None, **changes):
    config = TrainingConfig(learning_rate=1.0, **changes)
    return [learning_rate(step, config, total) for step in range(count or total)]


def test_constant():
    assert rates(5) == [1.0] * 5


def test_warm_up_rises_linearly_to_the_peak():
    assert rates(6, warmup_steps=4) == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]


def test_cosine_falls_from_the_peak_to_its_end_and_stays():
    found = rates(11, count=14, schedule="cosine", final_rate=0.2)
    assert found[0] == 1.0
    assert found[5] == pytest.approx(0.6)
    assert found[10:] == pytest.approx([0.2] * 4)
    assert found == sorted(found, reverse=True)


def test_cosine_after_warm_up():
    found = rates(10, schedule="cosine", warmup_steps=3, final_rate=0.0)
    assert found[:4] == pytest.approx([1 / 3, 2 / 3, 1.0, 1.0])
    assert found[-1] == pytest.approx(0.0)


def test_a_budget_shorter_than_the_warm_up():
    assert all(0 <= rate <= 1 for rate in rates(2, count=8, schedule="cosine", warmup_steps=4))


def test_devices():
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("auto").type in ("cpu", "cuda", "mps")
    with pytest.raises(ConfigError, match="a device of this machine"):
        choose_device("cuda:99")
    assert describe_device(torch.device("cpu"))


def test_precision():
    cpu = torch.device("cpu")
    assert not uses_bf16(cpu, "auto")
    with autocast(cpu, "bf16"):
        assert torch.is_autocast_enabled("cpu")
    with autocast(cpu, "auto"):
        assert not torch.is_autocast_enabled("cpu")
