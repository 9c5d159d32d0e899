from __future__ import annotations

import ast
import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

import layertie_lab.analysis
from layertie_lab.analysis.attribution import paths
from layertie_lab.analysis.attribution.captum_methods import Split
from layertie_lab.analysis.attribution.layer_attribution import layer_attribution
from layertie_lab.analysis.attribution.registry import COMPLETE, STEPS
from layertie_lab.analysis.attribution.replacement import loss_if_skipped
from layertie_lab.analysis.attribution.rows import SCHEMA
from layertie_lab.analysis.attribution.targets import Target
from layertie_lab.analysis.capture import hooked
from layertie_lab.analysis.statistics.intervals import mean_interval
from layertie_lab.core.config import ModelConfig
from layertie_lab.core.errors import AnalysisError
from layertie_lab.inspection.views.attribution import incomplete
from layertie_lab.models.gpt import GPT

METHODS = [method.described.name for method in paths.path_methods() if not method.described.misses]
SUMMING = ["conductance", "integrated-gradients"]

Maker = Callable[..., GPT]


@pytest.fixture
def few(probe: Tensor) -> Tensor:
    return probe[:3]


def losses(model: GPT, x: Tensor, targets: Tensor, layer: int | None = None, split: dict | None = None) -> Tensor:
    """[sequences] mean losses; with `layer`, its input and update are recorded in `split`, or replaced from it."""
    for position, block in enumerate(model.stack.layers):
        out = block(x)
        if position == layer and split is not None:
            split.setdefault("before", x)
            split.setdefault("update", out - x)
            out = split["before"] + split["update"]
        x = out
    return cross_entropy(model.head(x).mT, targets, reduction="none").mean(1)


def zero_baseline(model: GPT, tokens: Tensor) -> tuple[Tensor, Tensor]:
    x = model.embed(tokens).detach()
    return x, model.position_embedding.weight.detach()[: tokens.shape[1]].expand_as(x)


def test_the_frame(make: Maker, few: Tensor) -> None:
    model = make((0, 0, 2, 1))
    frame = pl.concat([layer_attribution(model, few, steps=4), loss_if_skipped(model, few)])
    assert dict(frame.schema) == SCHEMA
    assert frame["method"].to_list() == [m for m in (*METHODS, "skipped") for _ in range(4)]
    assert frame["owner"].to_list() == [0, 0, 2, 0] * (len(METHODS) + 1)
    assert (frame["low"] <= frame["value"]).all()
    assert (frame["value"] <= frame["high"]).all()
    assert frame["sequences"].unique().to_list() == [3]
    on_paths = frame.filter(pl.col("method") != "skipped").drop("neighbour", "target_sequence", "target_position")
    assert on_paths.drop("completeness_error").null_count().sum_horizontal().item() == 0
    summing = frame.filter(pl.col("completeness_error").is_not_null())["method"].unique(maintain_order=True)
    assert summing.to_list() == ["conductance", "integrated-gradients"]
    assert frame["baseline"].unique().sort().to_list() == [None, "zero"]


@pytest.mark.parametrize("target", [None, Target(1, 7)], ids=["mean", "token"])
@pytest.mark.parametrize("gradient", ["shared", "owner"])
@pytest.mark.parametrize("ties", [(0, 0, 0, 0), (0, 0, 2, 0)])
def test_positions_of_a_tied_model_equal_those_of_an_untied_copy(
    make: Maker,
    untie: Callable[[GPT], GPT],
    few: Tensor,
    ties: tuple[int, ...],
    gradient: str,
    target: Target | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(paths, "LARGEST_ERROR", 1e9)  # here deeplift has to agree, not to be right
    model, methods = make(ties, gradient=gradient), (*METHODS, "deeplift")
    pair = [layer_attribution(each, few, methods, target=target, steps=8) for each in (model, untie(model))]
    skips = [loss_if_skipped(each, few, target=target) for each in (model, untie(model))]
    for tied, free in (pair, skips):
        for column in ("value", "low", "high", "completeness_error", "total"):
            np.testing.assert_allclose(
                tied[column].fill_null(0).to_numpy(), free[column].fill_null(0).to_numpy(), atol=1e-5
            )
    assert all(pair[0].filter(method=method)["value"].n_unique() == 4 for method in methods)


def test_shares_sum_to_the_difference_of_the_loss(make: Maker, few: Tensor) -> None:
    model = make()
    x, start = zero_baseline(model, few[:, :-1])
    with torch.no_grad():
        total = (losses(model, x, few[:, 1:]) - losses(model, start, few[:, 1:])).mean().item()
    errors = []
    for steps in (8, 16, 32, 64):
        frame = layer_attribution(model, few, SUMMING, steps=steps)
        np.testing.assert_allclose(frame["total"], total, atol=1e-5)
        errors.append([frame.filter(method=m)["completeness_error"].max() for m in SUMMING])
    conductance, gradients = np.transpose(errors)
    assert abs(total) > 1e-3
    assert gradients[-1] < 1e-5
    assert conductance[-1] < 1e-3
    assert conductance[-1] < conductance[0] / 8  # second order: steps times 8, error far below an eighth


@pytest.mark.parametrize("layer", [0, 2])
def test_conductance_equals_its_definition(make: Maker, few: Tensor, layer: int) -> None:
    """Sum over the path of the mean gradient at both ends of each interval times what the update moves over it."""
    model, steps = make((0, 0, 2, 0)).eval(), 6
    inputs, targets = few[:, :-1], few[:, 1:]
    x, start = zero_baseline(model, inputs)
    points = []
    for share in torch.linspace(0, 1, steps + 1):
        split: dict[str, Tensor] = {}
        with torch.no_grad():
            losses(model, start + share * (x - start), targets, layer, split)
        leaf = {name: tensor.detach().requires_grad_() for name, tensor in split.items()}
        found = losses(model, start + share * (x - start), targets, layer, leaf)
        (gradient,) = torch.autograd.grad(found.sum(), leaf["update"])
        points.append((leaf["update"].detach(), gradient))
    value = sum(((g0 + g1) / 2 * (u1 - u0)).sum((1, 2)) for (u0, g0), (u1, g1) in itertools.pairwise(points))
    expected = mean_interval(value.numpy())
    row = layer_attribution(model, few, ["conductance"], steps=steps).row(layer, named=True)
    assert [row["value"], row["low"], row["high"]] == pytest.approx(
        [float(expected.value), float(expected.low), float(expected.high)], abs=1e-5
    )


@pytest.mark.parametrize("gradient", ["shared", "owner"])
def test_conductance_is_captums_walking_there_and_back(make: Maker, few: Tensor, gradient: str) -> None:
    from captum.attr import LayerConductance

    model, steps = make((0, 0, 2, 0), gradient=gradient).eval(), 6
    targets = few[:, 1:]
    x, start = zero_baseline(model, few[:, :-1])
    found = layer_attribution(model, few, ["conductance"], steps=steps)
    for position, layer in enumerate(model.stack.layers):
        split = Split()
        with hooked([split.on(layer)]):
            there, back = (
                LayerConductance(lambda x, targets: losses(model, x, targets), split).attribute(
                    end.clone().requires_grad_(),
                    baselines=begin,
                    additional_forward_args=(targets,),
                    n_steps=steps,
                    method="riemann_trapezoid",
                )
                for begin, end in ((start, x), (x, start))
            )
        expected = mean_interval((there[1] - back[1]).detach().sum((1, 2)).numpy() / 2)
        row = found.row(position, named=True)
        assert [row["value"], row["low"], row["high"]] == pytest.approx(
            [float(expected.value), float(expected.low), float(expected.high)], abs=1e-5
        )


@pytest.mark.parametrize("gradient", ["shared", "owner"])
def test_internal_influence_is_captums(make: Maker, few: Tensor, gradient: str) -> None:
    from captum.attr import InternalInfluence

    model, steps = make((0, 0, 2, 0), gradient=gradient).eval(), 6
    targets = few[:, 1:]
    x, start = zero_baseline(model, few[:, :-1])
    found = layer_attribution(model, few, ["internal-influence"], steps=steps)
    for position, layer in enumerate(model.stack.layers):
        split, seen = Split(), {}
        with torch.no_grad():
            losses(model, x, targets, position, seen)
        with hooked([split.on(layer)]):
            influence = InternalInfluence(lambda x, targets: losses(model, x, targets), split).attribute(
                x.clone().requires_grad_(),
                baselines=start,
                additional_forward_args=(targets,),
                n_steps=steps + 1,
                method="riemann_trapezoid",
            )
        # captum's trapezoid weights of n points are 1/n with half at both ends, which sum to (n - 1)/n.
        expected = (influence[1].detach() * seen["update"]).sum((1, 2)).mean().item() * (steps + 1) / steps
        assert found["value"][position] == pytest.approx(expected, abs=1e-5)


def test_feature_ablation_puts_the_update_on_the_baseline_in_its_place(make: Maker, few: Tensor) -> None:
    model = make((0, 0, 2, 0)).eval()
    x, start = zero_baseline(model, few[:, :-1])
    found = layer_attribution(model, few, ["feature-ablation"])
    with torch.no_grad():
        whole = losses(model, x, few[:, 1:])
        for layer in range(4):
            there: dict[str, Tensor] = {}
            losses(model, start, few[:, 1:], layer, there)
            here: dict[str, Tensor] = {}
            losses(model, x, few[:, 1:], layer, here)
            ablated = losses(model, x, few[:, 1:], layer, {"before": here["before"], "update": there["update"]})
            assert found["value"][layer] == pytest.approx((whole - ablated).mean().item(), abs=1e-5)
    assert not any(layer._forward_hooks for layer in model.stack.layers)


def test_deeplift_is_refused_with_what_it_misses(make: Maker, few: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make()
    with pytest.raises(AnalysisError, match=r"within 10%, but they miss it by up to .*no rule for GELU"):
        layer_attribution(model, few, ["deeplift"])
    monkeypatch.setattr(paths, "LARGEST_ERROR", 1e9)
    frame = layer_attribution(model, few, ["deeplift"])
    assert frame["method"].to_list() == ["deeplift"] * 4
    # Without a rule it is the gradient times the difference from the baseline.
    x, start = zero_baseline(model.eval(), few[:, :-1])
    ends: list[dict[str, Tensor]] = [{}, {}]
    with torch.no_grad():
        for point, end in zip((start, x), ends, strict=True):
            losses(model, point, few[:, 1:], 2, end)
    first, last = ends
    leaf = {name: tensor.clone().requires_grad_() for name, tensor in last.items()}
    (gradient,) = torch.autograd.grad(losses(model, x, few[:, 1:], 2, leaf).sum(), leaf["update"])
    expected = (gradient * (last["update"] - first["update"])).sum((1, 2)).mean().item()
    assert frame["value"][2] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("layer", [0, 2])
def test_integrated_gradients_equal_their_definition(make: Maker, few: Tensor, layer: int) -> None:
    model, steps = make((0, 0, 2, 0)).eval(), 10
    inputs, targets = few[:, :-1], few[:, 1:]
    ends: list[dict[str, Tensor]] = [{}, {}]
    with torch.no_grad():
        for point, end in zip(reversed(zero_baseline(model, inputs)), ends, strict=True):
            losses(model, point, targets, layer, end)
    first, last = ends
    value = torch.zeros(len(few))
    for node, weight in zip(*np.polynomial.legendre.leggauss(steps), strict=True):
        leaf = {name: torch.lerp(first[name], last[name], (1 + node) / 2).requires_grad_() for name in first}
        found = losses(model, model.embed(inputs).detach(), targets, layer, leaf)
        (gradient,) = torch.autograd.grad(found.sum(), leaf["update"])
        value += weight / 2 * (gradient * (last["update"] - first["update"])).sum((1, 2))
    found = layer_attribution(model, few, ["integrated-gradients"], steps=steps)
    assert found["value"][layer] == pytest.approx(value.mean().item(), abs=1e-5)


def test_baselines_are_what_they_are_called(make: Maker, few: Tensor) -> None:
    model = make()
    inputs, targets = few[:, :-1], few[:, 1:]
    x, zero = zero_baseline(model, inputs)
    with torch.no_grad():
        weight = model.token_embedding.weight
        common = int(inputs.flatten().mode().values)
        starts = (zero, zero + weight.mean(0), zero + weight[5], zero + weight[common])
        expected = [(losses(model, x, targets) - losses(model, at, targets)).mean().item() for at in starts]
    options = [{"baseline": "zero"}, {"baseline": "mean"}, {"baseline": "pad", "pad_token": 5}, {"baseline": "pad"}]
    found = [layer_attribution(model, few, ["integrated-gradients"], **each) for each in options]
    assert [frame["total"][0] for frame in found] == pytest.approx(expected, abs=1e-5)
    names = ["zero", "mean", "pad (token 5)", f"pad (token {common})"]
    assert [frame["baseline"][0] for frame in found] == names


def test_a_token_has_its_own_loss_and_no_interval(make: Maker, few: Tensor) -> None:
    model = make().eval()
    x, start = zero_baseline(model, few[:, :-1])
    with torch.no_grad():
        # [text or baseline, sequences, time]
        each = torch.stack(
            [cross_entropy(model.head(model.stack(at)).mT, few[:, 1:], reduction="none") for at in (x, start)]
        )
    frame = layer_attribution(model, few, SUMMING, target=Target(2, 5), steps=64)
    np.testing.assert_allclose(frame["total"], (each[0] - each[1])[2, 5].item(), atol=1e-5)
    assert frame["completeness_error"].max() < 5e-3
    for one in (frame, loss_if_skipped(model, few, target=Target(2, 5))):
        assert one["low"].null_count() == one["high"].null_count() == len(one)
        assert one.select("sequences", "target_sequence", "target_position").unique().row(0) == (1, 2, 5)
    assert layer_attribution(model, few[:1], ["conductance"], target=Target(0, 0))["value"].is_finite().all()


def test_the_mean_over_tokens_is_the_mean_of_the_tokens(make: Maker, few: Tensor) -> None:
    """Along one path every method is linear in the loss."""
    model, few = make(), few[:2]
    methods = ["conductance", "internal-influence", "feature-ablation"]
    whole = layer_attribution(model, few, methods, steps=4)
    tokens = [
        layer_attribution(model, few, methods, steps=4, target=Target(sequence, position))["value"]
        for sequence, position in itertools.product(range(2), range(16))
    ]
    np.testing.assert_allclose(np.mean(tokens, axis=0), whole["value"], atol=1e-5)


def test_loss_if_skipped_equals_a_model_without_the_layer(make: Maker, probe: Tensor) -> None:
    model = make((0, 0, 2, 0)).eval()
    frame = loss_if_skipped(model, probe, batch_size=4)
    inputs, targets = probe[:, :-1], probe[:, 1:]
    with torch.no_grad():
        whole = losses(model, model.embed(inputs), targets)
        for layer, row in enumerate(frame.iter_rows(named=True)):
            x = model.embed(inputs)
            for position, block in enumerate(model.stack.layers):
                x = x if position == layer else block(x)
            rise = cross_entropy(model.head(x).mT, targets, reduction="none").mean(1) - whole
            expected = mean_interval(rise.numpy())
            assert [row["value"], row["low"], row["high"]] == pytest.approx(
                [float(expected.value), float(expected.low), float(expected.high)], abs=1e-5
            )
    assert not any(layer._forward_hooks for layer in model.stack.layers)


def test_rotary_positions_and_compiled_blocks(make: Maker, few: Tensor) -> None:
    model = make(config=ModelConfig(layers=4, width=16, heads=2, context=16, positions="rotary"))
    expected = layer_attribution(model, few, ["integrated-gradients"], baseline="mean")
    for block in model.stack.layers:
        block.compile(backend="eager")
    with torch.no_grad():
        model(few[:, :-1])
    assert layer_attribution(model, few, ["integrated-gradients"], baseline="mean").equals(expected)
    assert expected["completeness_error"].max() < 0.01


def test_progress_is_told_and_a_cancelled_call_leaves_no_trace(make: Maker, few: Tensor) -> None:
    model = make()
    ticks: list[float] = []
    layer_attribution(model, few, steps=2, tick=ticks.append)
    assert len(ticks) == 3 * (1 + 1 + 4 + 4)  # conductance and internal influence walk once for all layers
    assert ticks == sorted(ticks)
    assert ticks[-1] == 1.0

    def cancel(done: float) -> None:
        if done > 0.3:
            raise KeyboardInterrupt

    model.stack.layers[1].eval()
    for analysis in (layer_attribution, loss_if_skipped):
        with pytest.raises(KeyboardInterrupt):
            analysis(model, few, tick=cancel)
        assert model.training
        assert model.stack.layers[0].training
        assert not model.stack.layers[1].training
        assert not any(layer._forward_hooks for layer in model.stack.layers)


BAD_OPTIONS = [
    ({"baseline": "noise"}, "zero, mean, pad"),
    ({"baseline": "pad", "pad_token": 29}, "0 to 28, but got 29"),
    ({"pad_token": 3}, "no pad token"),
    ({"target": Target(3, 0)}, "sequence 3"),
    ({"target": Target(0, 16)}, "position 16"),
    ({"target": Target(0, -1)}, "position -1"),
]


def test_bad_input_is_refused(make: Maker, few: Tensor) -> None:
    model = make()
    for analysis in (layer_attribution, loss_if_skipped):
        with pytest.raises(AnalysisError, match="2 independent units"):
            analysis(model, few[:1])
        with pytest.raises(AnalysisError, match="2 to 17 tokens, but got 1"):
            analysis(model, few[:, :1])
    with pytest.raises(AnalysisError, match="skipped"):
        layer_attribution(model, few, ["skipped"])
    for options, words in BAD_OPTIONS:
        with pytest.raises(AnalysisError, match=words):
            layer_attribution(model, few, **options)
    with pytest.raises(AnalysisError, match="position 16"):
        loss_if_skipped(model, few, target=Target(0, 16))
    with pytest.raises(AnalysisError, match="2 points"):
        layer_attribution(model, few, steps=1)
    with torch.no_grad():
        model.stack.layers[2].mlp.up.weight.fill_(torch.nan)
    for analysis, target in itertools.product((layer_attribution, loss_if_skipped), (None, Target(0, 0))):
        with pytest.raises(AnalysisError, match="diverged"):
            analysis(model, few, target=target)


def test_captum_is_imported_when_it_is_needed() -> None:
    """It takes a second and a half, which similarity, memory and skipping need not wait for."""
    for path in Path(layertie_lab.analysis.__path__[0]).glob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.startswith("captum")]


def steep(make: Maker) -> GPT:
    """With rotary positions the zero baseline is all but 0, where a first norm is steep."""
    model = make(config=ModelConfig(layers=4, width=16, heads=2, context=16, positions="rotary"))
    with torch.no_grad():
        model.token_vectors.mul_(4)
    return model


def test_points_are_added_until_the_shares_sum_up(make: Maker, few: Tensor) -> None:
    model = steep(make)
    begun, grown = (layer_attribution(model, few, SUMMING, steps=steps) for steps in (STEPS, None))
    scale = abs(grown["total"][0])
    first = begun.filter(method="conductance")
    assert first["completeness_error"].max() > 0.1 * scale
    assert first["points"].unique().to_list() == [STEPS]
    found = grown.filter(method="conductance")
    (points,) = found["points"].unique()
    assert points > STEPS
    assert grown["completeness_error"].max() <= COMPLETE * scale
    # As many even ones would not do, and a walk in pieces is the whole one.
    even = layer_attribution(model, few, ["conductance"], steps=points)
    assert even["completeness_error"].max() > 0.1 * scale
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(paths, "PIECE", 10_000)
        once = layer_attribution(model, few, ["conductance"], steps=points)
    np.testing.assert_allclose(even["value"], once["value"], atol=1e-5)
    assert grown.filter(method="integrated-gradients")["points"].unique().to_list() == [STEPS]


def test_at_the_most_points_it_is_said_what_is_missed(
    make: Maker, few: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "MOST_STEPS", 2 * STEPS)
    found = layer_attribution(steep(make), few, ["conductance"])
    (said,) = incomplete(found.to_dicts())
    assert "The shares of conductance miss the loss difference" in said
    assert f"with {2 * STEPS} points on the path, the most that are taken" in said
    monkeypatch.undo()
    assert incomplete(layer_attribution(make(), few, METHODS).to_dicts()) == []
