"""A model that is no GPT goes through training, evaluation, analysis, the books, a session and a look at it."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
import torch
from encoder import Encoder, make_encoder
from torch import Tensor

from layertie_lab import RunConfig, Session, load_run
from layertie_lab.analysis.attribution.attention import attention_maps
from layertie_lab.analysis.attribution.layer_attribution import layer_attribution
from layertie_lab.analysis.attribution.logit_lens import logit_lens
from layertie_lab.analysis.attribution.replacement import loss_if_replaced, loss_if_skipped
from layertie_lab.analysis.attribution.tie_costs import tie_costs
from layertie_lab.analysis.attribution.tokens import token_attribution, token_losses
from layertie_lab.analysis.memory.ledger import ledger
from layertie_lab.analysis.memory.peak import measured_step, predicted_step
from layertie_lab.analysis.similarity.fresh import freshly_initialised
from layertie_lab.analysis.similarity.layer_similarity import layer_similarity
from layertie_lab.analysis.similarity.profile import update_profile
from layertie_lab.analysis.similarity.spectra import spectra
from layertie_lab.core.config import TieConfig, TrainingConfig
from layertie_lab.core.errors import AnalysisError, ConfigError
from layertie_lab.core.keys import RunKey
from layertie_lab.core.ties import TieMap
from layertie_lab.inspection import moment
from layertie_lab.inspection.answer import answer
from layertie_lab.inspection.question import Question
from layertie_lab.models.counts import claimed_parameters, trainable_parameters, untied_parameters
from layertie_lab.models.memory import model_memory
from layertie_lab.models.tied_model import TiedModel
from layertie_lab.models.weightless import without_memory
from layertie_lab.session import components
from layertie_lab.training.evaluation import evaluate
from layertie_lab.training.loop import Trainer
from layertie_lab.training.optimizer import Optimizer

LAYERS, VOCABULARY = 4, 11
ALIASED = {"gradient": "owner", "on_untie": "alias", "moments": "keep", "chain": "snapshot"}


def made(ties: tuple[int, ...] = (0, 0, 2, 0), **settings: str) -> Encoder:
    return Encoder(LAYERS, VOCABULARY, TieConfig(**settings), TieMap(ties))


@pytest.fixture
def probe() -> Tensor:
    """[10, 13] a text in which each token follows from the one before."""
    return (torch.arange(13) + torch.arange(10)[:, None] * 2) % VOCABULARY


@pytest.mark.parametrize("gradient", ["shared", "owner"])
def test_it_trains_under_changing_ties_and_the_books_balance(probe: Tensor, gradient: str) -> None:
    model, config, ties = made(gradient=gradient), TrainingConfig(learning_rate=3e-3), TieConfig(gradient=gradient)
    optimizer = Optimizer(model, config, ties)
    trainer = Trainer(model, optimizer, config, RunKey(1), torch.device("cpu"), total_steps=60)
    before = evaluate(model, probe, 4)
    for step in range(60):
        if step % 20 == 10:
            optimizer.apply(model.stack.retie(1 + step // 20, step // 20))
        trainer.step(probe, step)
        model.stack.check_books()
        optimizer.check_books()
    after = evaluate(model, probe, 4)
    assert after.loss < 0.7 * before.loss
    block = sum(p.numel() for p in model.stack.layers[0].parameters())
    outer = sum(p.numel() for name, p in model.named_parameters() if not name.startswith("stack."))
    assert untied_parameters(model) == outer + LAYERS * block
    owners = len(model.stack.ties.independent_layers)
    assert trainable_parameters(model) == claimed_parameters(model) == outer + owners * block
    twin = made()
    twin.load(*model.state())
    assert evaluate(twin, probe, 4).loss == after.loss


def test_similarity_reads_it(probe: Tensor) -> None:
    model = made()
    found = layer_similarity(model, model.inputs(probe), permutations=2)
    tied = found.filter(pl.col("owner_a") == pl.col("owner_b"))
    for method in ("function", "weights"):
        assert tied.filter(method=method)["value"].to_list() == pytest.approx([1.0] * 10, abs=1e-5)
    assert found["fresh"].is_null().all()
    assert update_profile(model, model.inputs(probe)).height == 3 * LAYERS
    assert set(spectra(model)["tensor"]) >= {"self_attn.in_proj_weight", "linear1.weight"}
    with pytest.raises(AnalysisError, match="Encoder has no method `fresh`"):
        freshly_initialised(model)


def test_attribution_explains_it(probe: Tensor) -> None:
    model = made()
    paths = layer_attribution(model, probe, ["conductance", "integrated-gradients"], steps=32)
    assert set(paths["unit"]) == {"nats per hidden token, of loss(text) - loss(baseline)"}
    assert paths["completeness_error"].max() < 0.02
    loss = evaluate(model, probe, 4).loss
    assert logit_lens(model, probe)["loss"][-1] == pytest.approx(loss, abs=1e-5)
    skipped, replaced = loss_if_skipped(model, probe), loss_if_replaced(model, probe)
    assert set(skipped["unit"]) == {"nats per hidden token, loss(skipped) - loss"}
    assert replaced.drop_nulls("value").height == 5
    costs = tie_costs(model, probe)
    assert costs.filter(layer=1, answer=1)["change"].to_list() == pytest.approx([0.0], abs=1e-6)


def test_later_tokens_have_a_share_where_it_reads_both_ways(probe: Tensor) -> None:
    model = made()
    found = token_attribution(model, probe[:1], 4)
    shares = found.filter(method="integrated-gradients")
    assert shares["position"].to_list() == list(range(12))
    assert shares["completeness_error"][0] < 0.01 * abs(shares["total"][0])
    assert shares.filter(pl.col("position") > 4)["value"].abs().max() > 0
    assert shares["target"][0] == int(probe[0, 4])
    assert token_losses(model, probe[:1]).filter(position=4)["target"][0] == int(probe[0, 4])
    with pytest.raises(AnalysisError, match="whose attention can be looked at"):
        attention_maps(model, model.inputs(probe[:1]))


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("settings", [{"gradient": "shared"}, {"gradient": "owner"}, ALIASED], ids=str)
@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_its_memory_is_predicted_to_the_byte(
    settings: dict[str, str], dropout: float, bf16: bool, probe: Tensor
) -> None:
    model = Encoder(LAYERS, VOCABULARY, TieConfig(**settings), TieMap((0, 0, 2, 0)), dropout=dropout)
    model.stack.retie(1, 1)
    measured = measured_step(model, probe, batch_size=5, bf16=bf16, accumulate=2)
    with without_memory(model) as twin:
        assert predicted_step(twin, 5, bf16=bf16, accumulate=2) == measured
    assert model_memory(model, 5, bf16=bf16)["activations"] == sum(measured.saved.values())


def test_its_ledger_adds_up(probe: Tensor) -> None:
    frame = ledger(made(), probe, batch_size=3)
    totals = frame.filter(when="peak", map="as is").group_by("kind").agg(pl.col("bytes").sum())
    assert len(set(totals["bytes"])) == 1
    peaks = dict(frame.filter(when="peak", kind="predicted").group_by("map").agg(pl.col("bytes").sum()).iter_rows())
    assert peaks["all tied"] < peaks["as is"] < peaks["untied"]


def test_a_session_trains_it_and_a_look_sees_it(
    text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(components, "make_model", make_encoder)
    monkeypatch.setattr(moment, "make_model", make_encoder)
    config = RunConfig.preset("tiny", corpus=str(text_file), decisions=6, checkpoint_seconds=0.0)
    with Session(config, tmp_path / "run") as session:
        model: TiedModel = session.model
        assert isinstance(model, Encoder)
        session.run(4)
        with pytest.raises(ConfigError, match="continues a text"):
            session.sample()
    with Session.resume(tmp_path / "run") as session:
        session.run()
        assert session.finished
    run = load_run(tmp_path / "run")
    assert run.decisions.height == 6
    inspection = moment.Inspection.of(tmp_path / "run")
    for view in ("similarity", "attribution", "profile", "weights", "memory", "costs", "tokens"):
        assert answer(Question(str(tmp_path / "run"), view, 6), inspection)["frames"], view
