"""Books under any sequence of answers, overrides, saves, kills, resumes and forks, against a re-enactment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from layertie_lab import RunConfig, Session
from layertie_lab.core.decisions import Outcome
from layertie_lab.core.events import DecisionFinished, parse
from layertie_lab.models.counts import block_parameters, claimed_parameters, outer_parameters, trainable_parameters

LAYERS = 4
ALGORITHMS = ("lab", "paper", "official-code")
Action = tuple[str, int]


def config_of(text: Path, algorithm: Any) -> RunConfig:
    return RunConfig.preset(
        "tiny",
        algorithm=algorithm,
        corpus=str(text),
        layers=LAYERS,
        width=8,
        context=8,
        batch_size=2,
        decisions=6,
        evaluation_windows=2,
        evaluate_every=0,
        sample_every=0,
        sample_tokens=2,
        steps_per_decision=1,
        checkpoint_seconds=1e6,
    )


class Books:
    """What is true, kept beside the run as sets and lists.

    In the algorithms that clone, a layer's storage is its owner's. In the official code storage is what a layer points
    at, and only the flag says whether it trains.
    """

    def __init__(self, session: Session) -> None:
        config = session.config
        self.official = config.algorithm == "official-code"
        self.ties = list(session.ties)
        self.storage = list(range(LAYERS)) if self.official else list(session.ties.owners)
        self.block = sum(block_parameters(config.model).values())
        self.outside = sum(outer_parameters(config.model, session.data.vocabulary_size).values())
        self.fits(session)

    def answer(self, layer: int, choice: int) -> None:
        self.ties[layer] = choice
        if not self.official:
            for i in range(LAYERS):
                source = i
                while self.ties[source] != source:
                    source = self.ties[source]
                self.storage[i] = source
        elif choice < layer:
            self.storage[layer] = self.storage[choice]

    @property
    def claimants(self) -> list[int]:
        return [i for i, source in enumerate(self.ties) if source == i]

    @property
    def figures(self) -> tuple[int, int, int]:
        """(claimed, trained, stored) parameters."""
        trained = {self.storage[i] for i in self.claimants}
        return tuple(
            self.outside + self.block * count for count in (len(self.claimants), len(trained), len(set(self.storage)))
        )

    def fits(self, session: Session) -> None:
        model = session.model
        model.stack.check_books()
        session.components.optimizer.check_books()
        stored = sum({p.data_ptr(): p.numel() for p in model.parameters()}.values())
        assert (claimed_parameters(model), trainable_parameters(model), stored) == self.figures
        assert list(session.ties) == self.ties
        assert list(session.blocks) == [self.storage.index(s) for s in self.storage]
        if not self.official:
            assert len(set(self.figures)) == 1, "one count, however it is made"

    def fits_outcome(self, outcome: Outcome) -> None:
        assert (outcome.claimed_parameters, outcome.trainable_parameters) == self.figures[:2]
        # False in exactly this way: each claimant beyond the first on a storage is counted again.
        shared = len(self.claimants) - len({self.storage[i] for i in self.claimants})
        assert outcome.claimed_parameters - outcome.trainable_parameters == shared * self.block
        assert self.official or shared == 0


def last_came(directory: Path) -> DecisionFinished | None:
    lines = (directory / "events.jsonl").read_bytes().splitlines()
    found = [event for event in map(parse, lines) if isinstance(event, DecisionFinished)]
    return found[-1] if found else None


def play(config: RunConfig, directory: Path, actions: Sequence[Action]) -> None:
    session = Session(config, directory)
    try:
        books = Books(session)
        for kind, number in actions:
            if kind == "answer":
                layer = session.propose().layer
                outcome = session.commit(number % (layer + 1))
                books.answer(layer, number % (layer + 1))
                books.fits_outcome(outcome)
                came = last_came(directory)
                assert came is not None
                assert (came.claimed_parameters, came.trainable_parameters) == books.figures[:2]
                assert (came.owners, came.ties) == (len(books.claimants), books.ties)
            elif kind == "agent":
                (outcome,) = session.run(1) or [None]
                if outcome is not None:
                    books.answer(outcome.decision.proposal.layer, outcome.decision.choice)
                    books.fits_outcome(outcome)
            elif kind == "save":
                session.save(f"named-{number}")
            elif kind == "fork":
                twin = session.fork()
                twin.commit(0)
                twin.model.stack.check_books()
                twin.components.optimizer.check_books()
            else:
                session.close(save=kind == "resume")
                session = Session.resume(directory)
            books.fits(session)
    finally:
        session.close(save=False)


ACTIONS = st.lists(
    st.tuples(st.sampled_from(["answer"] * 5 + ["agent", "save", "fork", "resume", "kill"]), st.integers(0, 11)),
    min_size=1, max_size=12,
)  # fmt: skip


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=ACTIONS)
def test_books_balance_whatever_happens(algorithm: str, actions: list[Action], text_file: Path) -> None:
    with TemporaryDirectory() as folder:
        play(config_of(text_file, algorithm), Path(folder) / "run", actions)


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=ACTIONS)
def test_books_balance_whatever_happens_many_times(algorithm: str, actions: list[Action], text_file: Path) -> None:
    with TemporaryDirectory() as folder:
        play(config_of(text_file, algorithm), Path(folder) / "run", actions)


def test_false_books_are_false_as_stated(text_file: Path, tmp_path: Path) -> None:
    """Every layer tied to 0 and made independent: four claims on one block."""
    ties = [("answer", 0)] * 3 + [("kill", 0)] + [("answer", layer) for layer in (1, 2, 3)] + [("resume", 0)]
    play(config_of(text_file, "official-code"), tmp_path / "run", ties)
    came = last_came(tmp_path / "run")
    assert came is not None
    assert (came.owners, came.blocks) == (4, [0, 0, 0, 0])
