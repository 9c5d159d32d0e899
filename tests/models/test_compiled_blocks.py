"""torch.compile per block: one graph for owners, one for copies in owner mode, none for a re-tie."""

from __future__ import annotations

import copy

import pytest
import torch
from tied_models import loss_of, model_of, tokens
from torch._dynamo.testing import CompileCounterWithBackend

from layertie_lab.core.config import TieConfig, TrainingConfig
from layertie_lab.core.keys import RunKey
from layertie_lab.core.ties import TieMap
from layertie_lab.training.loop import Trainer
from layertie_lab.training.optimizer import Optimizer

# torch's tracer looks at the gradient of the residual stream, which is no leaf, and warns itself.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning"),
    pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning"),
]


@pytest.mark.parametrize(("gradient", "graphs"), [("shared", 1), ("owner", 2)])
def test_a_re_tie_does_not_recompile(gradient, graphs):
    torch._dynamo.reset()
    compiled = CompileCounterWithBackend("aot_eager")
    model = model_of(TieConfig(gradient=gradient), TieMap((0, 0, 2, 0)))
    plain = copy.deepcopy(model)
    model.stack.compile_blocks(backend=compiled)
    loss_of(model, tokens()).backward()
    for layer, source in ((1, 1), (2, 0), (3, 1), (2, 2), (3, 3), (1, 0)):
        for one in (model, plain):
            one.stack.retie(layer, source)
            one.zero_grad()
        loss, expected = (loss_of(one, tokens()) for one in (model, plain))
        loss.backward()
        expected.backward()
        torch.testing.assert_close(loss, expected)
        for ours, theirs in zip(model.parameters(), plain.parameters(), strict=True):
            torch.testing.assert_close(ours.grad, theirs.grad)
        model.stack.check_books()
    assert compiled.frame_count == graphs


def test_a_copy_of_a_compiled_model_is_compiled():
    model = model_of(TieConfig())
    model.stack.compile_blocks(backend="eager")
    twin = copy.deepcopy(model)
    assert all(block._compiled_call_impl is not None for block in twin.stack.layers)
    assert loss_of(twin, tokens()).equal(loss_of(model, tokens()))


def test_the_trainer_compiles_once_if_asked():
    model = model_of(TieConfig())
    config = TrainingConfig(compile=True)
    optimizer = Optimizer(model, config, TieConfig())
    Trainer(model, optimizer, config, RunKey(0), torch.device("cpu"))
    compiled = [block._compiled_call_impl for block in model.stack.layers]
    assert None not in compiled
    Trainer(model, optimizer, config, RunKey(0), torch.device("cpu"))
    assert [block._compiled_call_impl for block in model.stack.layers] == compiled


def test_with_the_default_backend():
    torch._dynamo.reset()
    model = model_of(TieConfig(gradient="owner"), TieMap((0, 0, 2, 0)))
    plain = loss_of(model, tokens()).detach()
    model.stack.compile_blocks()
    loss = loss_of(model, tokens())
    loss.backward()
    torch.testing.assert_close(loss.detach(), plain)
