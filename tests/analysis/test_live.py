from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from layertie_lab.analysis import live
from layertie_lab.core.config import RunConfig
from layertie_lab.core.errors import AnalysisError
from layertie_lab.core.ties import TieMap
from layertie_lab.models.gpt import GPT

Maker = Callable[..., GPT]
CALLS: list[tuple[Callable[..., list[dict[str, Any]]], dict[str, Any]]] = [
    (live.similarity, {}),
    (live.attribution, {"methods": ["skipped", "conductance", "integrated-gradients"], "steps": 2}),
    (live.memory, {}),
]
each_call = pytest.mark.parametrize(("function", "options"), CALLS, ids=["similarity", "attribution", "memory"])


@dataclass
class Standing:
    """What the functions ask of a session, and no more."""

    config: RunConfig
    model: GPT
    probe: Tensor

    @property
    def ties(self) -> TieMap:
        return self.model.stack.ties

    @property
    def blocks(self) -> TieMap:
        return self.model.stack.blocks

    def probe_tokens(self) -> Tensor:
        return self.probe


@pytest.fixture
def session(make: Maker, probe: Tensor) -> Standing:
    config = RunConfig.preset("tiny", layers=4, width=16, heads=2, context=16, dropout=0.1, batch_size=4)
    return Standing(config, make(config=config.model, gradient="owner"), probe)


def picture(model: GPT) -> Iterator[Any]:
    """Everything about a model that looking at it could change."""
    yield [module.training for module in model.modules()]
    yield [p.detach().clone() for p in model.parameters()]
    yield [None if p.grad is None else p.grad.clone() for p in model.parameters()]
    yield [(p.requires_grad, id(p)) for p in model.parameters()]
    yield torch.get_rng_state()
    yield [(len(m._forward_hooks), len(m._forward_pre_hooks), len(m._backward_hooks)) for m in model.modules()]
    yield torch.is_grad_enabled()


def same(before: Any, after: Any) -> bool:
    if isinstance(before, Tensor):
        return torch.equal(before, after)
    if isinstance(before, list | tuple):
        return len(before) == len(after) and all(map(same, before, after))
    return before == after


@each_call
def test_rows_are_plain_and_the_session_is_as_it_was(
    session: Standing, function: Callable[..., list[dict[str, Any]]], options: dict[str, Any]
) -> None:
    model = session.model
    model(session.probe[:, :-1], session.probe[:, 1:]).backward()
    model.stack.layers[2].eval()
    before = list(picture(model))
    ticks: list[float] = []
    rows = function(session, tick=ticks.append, **options)
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    assert ticks == sorted(ticks)
    assert ticks[-1] == pytest.approx(1.0)
    assert same(before, list(picture(model)))
    assert function(session, **options)[0] == rows[0]


@each_call
def test_a_cancelled_call_leaves_the_session_as_it_was(
    session: Standing, function: Callable[..., list[dict[str, Any]]], options: dict[str, Any]
) -> None:
    before = list(picture(session.model))

    def cancel(done: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        function(session, tick=cancel, **options)
    assert same(before, list(picture(session.model)))


def test_each_method_can_be_asked_for_alone(session: Standing) -> None:
    assert {row["method"] for row in live.similarity(session, ["updates"])} == {"updates"}
    assert {row["method"] for row in live.attribution(session, ["skipped"])} == {"skipped"}
    assert {row["method"] for row in live.attribution(session, ["conductance"], steps=2)} == {"conductance"}
    found = live.attribution(session, ["replaced", "skipped", "conductance"], target=(0, 3), steps=2)
    assert [row["method"] for row in found if row["layer"] == 0] == [
        "skipped", "replaced-before", "replaced-after", "conductance",
    ]  # fmt: skip
    assert all(row["low"] is None for row in found)
    with pytest.raises(AnalysisError, match="saliency"):
        live.attribution(session, ["saliency"])
    with pytest.raises(AnalysisError, match="none"):
        live.attribution(session, [])


def test_a_run_that_is_looked_at_writes_the_same_log(tmp_path: Path, text_file: Path) -> None:
    from layertie_lab.engine.session import Session

    config = RunConfig.preset("tiny", corpus=str(text_file), dropout=0.1, decisions=4, sample_every=0, threads=1)
    logs = []
    for looked_at in (False, True):
        with Session(config, tmp_path / str(looked_at)) as session:
            session.run(1)
            session.begin(session.propose().choice)
            session.advance()  # in the middle of a decision, gradients of the last step still there
            if looked_at:
                for function, options in CALLS:
                    function(session, **options)
                moments = [
                    row for row in live.memory(session) if (row["component"], row["when"]) == ("optimizer", "now")
                ]
                assert (
                    sum(row["bytes"] for row in moments if row["kind"] == "counted") == session.parts.optimizer.bytes()
                )
            session.run(3)
        logs.append((tmp_path / str(looked_at) / "events.jsonl").read_bytes())
    assert logs[0] == logs[1]


@pytest.mark.slow
def test_in_the_training_process(tmp_path: Path, text_file: Path) -> None:
    from layertie_lab.engine.worker import Worker

    config = RunConfig.preset("tiny", corpus=str(text_file), decisions=4, threads=1)
    with Worker(config, tmp_path / "run") as worker:
        for function, options in CALLS:
            assert worker.call(function, timeout=120, **options)
        with pytest.raises(AnalysisError, match="Name one of these"):
            worker.call(live.similarity, methods=["none of them"], timeout=120)
