"""A look-ahead policy in a real session: it tries every answer, and the session is none the wiser."""

from __future__ import annotations

from pathlib import Path

import pytest

from layertie_lab import RunConfig, Session


def config(text: Path) -> RunConfig:
    return RunConfig.preset("tiny", corpus=str(text), policy="look-ahead", decisions=5, dropout=0.1, learning_rate=3e-3)


def test_what_was_tried_is_what_comes(text_file: Path) -> None:
    session = Session(config(text_file))
    windows = session.config.reward.windows
    for _ in range(5):
        before = {name: p.clone() for name, p in session.model.named_parameters()}
        proposal = session.propose()
        assert all(p.equal(before[name]) for name, p in session.model.named_parameters())
        assert proposal.q_values is not None
        assert max(proposal.q_values) == proposal.q_values[proposal.legal.index(proposal.choice)]
        twins = [session.fork(proposed=True) for _ in proposal.legal]
        came = []
        for twin, answer in zip(twins, proposal.legal, strict=True):
            twin.begin(answer)
            twin.complete()
            came.append(twin.evaluate("reward", windows).loss)
        kept = came[proposal.legal.index(proposal.present)]
        assert proposal.q_values == pytest.approx([kept - loss for loss in came], abs=1e-6)
        session.commit(proposal.choice, by="agent")


def test_it_is_saved_and_resumed(text_file: Path, tmp_path: Path) -> None:
    whole = Session(config(text_file))
    whole.run()
    with Session(config(text_file), tmp_path / "run") as session:
        session.run(2)
        session.propose()
    with Session.resume(tmp_path / "run") as session:
        session.run(3)
        assert session.ties == whole.ties
        assert session.evaluate().loss == whole.evaluate().loss
