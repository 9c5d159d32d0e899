"""What the tests of forks, moments and twins share: a small run at a moment, and states held against each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from layertie_lab import RunConfig, Session
from layertie_lab.counterfactual.study import Study
from layertie_lab.session.capture import capture
from layertie_lab.session.moment import Moment

ALGORITHMS = ("lab", "paper", "official-code")


def small(text: Path, **changes: Any) -> RunConfig:
    defaults = {
        "corpus": str(text),
        "layers": 4,
        "width": 16,
        "context": 16,
        "batch_size": 4,
        "decisions": 60,
        "evaluation_windows": 4,
        "evaluate_every": 0,
        "sample_every": 0,
        "dropout": 0.1,
    }
    return RunConfig.preset("tiny", **(defaults | changes))


def trunk(text: Path, decisions: int = 4, **changes: Any) -> Session:
    """A run of 4 layers after some decisions; after 4 it is asked about layer 2."""
    session = Session(small(text, **changes))
    session.run(decisions)
    return session


def other_answer(session: Session) -> int:
    """Train on its own, or where that is proposed, tie to layer 0."""
    proposal = session.propose()
    return proposal.layer if proposal.choice != proposal.layer else 0


def made_up(study: Study, values: list[float], **more: float) -> None:
    """Replicates that say what a test wants, with more values beside."""
    have = {each["replicate"] for each in study.replicates()}
    wanted = [number for number in study.numbers if number not in have]
    for number, value in zip(wanted, values, strict=True):
        one, other = ({"metrics": {"last": loss}, "losses": [2.0, loss]} for loss in (2.0, 2.0 + value))
        study.append({"replicate": number, "marks": [0, study.spec.horizon], "proposed": one, "answered": other} | more)


def everything(session: Session) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """All that a session is, copied: weights, moments and step counts, agent, reward, position."""
    moment = Moment.of(session)
    return moment.tensors, moment.meta


def assert_equal(one: tuple[dict[str, torch.Tensor], Any], other: tuple[dict[str, torch.Tensor], Any]) -> None:
    """Bit for bit."""
    assert one[0].keys() == other[0].keys()
    assert not [name for name in one[0] if not torch.equal(one[0][name], other[0][name])]
    assert one[1] == other[1]


def differ(one: Session, other: Session) -> bool:
    """Whether any weight, moment or agent's number differs."""
    first, second = capture(one.state)[0], capture(other.state)[0]
    return first.keys() != second.keys() or any(not torch.equal(first[name], second[name]) for name in first)
