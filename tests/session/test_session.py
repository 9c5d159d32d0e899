"""Sessions: determinism, resuming, forking, books, refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from layertie_lab import RunConfig, Session
from layertie_lab.core.errors import LayertieError, RecordError, TieError
from layertie_lab.core.events import DecisionFinished, DecisionMade
from layertie_lab.core.keys import Purpose, RunKey
from layertie_lab.records.log.reader import load_run
from layertie_lab.records.log.recovery import repair
from layertie_lab.session.capture import capture, restored
from layertie_lab.workers.worker import Worker

ALGORITHMS = ("lab", "paper", "official-code")


def small(text: Path, **changes: Any) -> RunConfig:
    defaults = {
        "corpus": str(text),
        "layers": 4,
        "width": 16,
        "context": 16,
        "batch_size": 4,
        "decisions": 7,
        "evaluation_windows": 4,
        "evaluate_every": 3,
        "sample_every": 4,
        "sample_tokens": 8,
    }
    return RunConfig.preset("tiny", **(defaults | changes))


def everything(session: Session) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    tensors, meta = capture(session.state)
    return {name: tensor.clone() for name, tensor in tensors.items()}, meta


def assert_equal(one: Session, other: Session) -> None:
    tensors, meta = everything(one)
    others, other_meta = everything(other)
    assert tensors.keys() == others.keys()
    assert all(torch.equal(tensors[name], others[name]) for name in tensors)
    assert meta == other_meta


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_same_config_gives_the_same_log_and_weights(algorithm: str, text_file: Path, tmp_path: Path) -> None:
    config = small(text_file, algorithm=algorithm, seed=5, dropout=0.1)
    with Session(config, tmp_path / "a") as one, Session(config, tmp_path / "b") as other:
        one.run()
        other.run(2)
        torch.rand(7)  # somebody else draws from the global generator meanwhile
        other.run()
        assert_equal(one, other)
    assert (tmp_path / "a/events.jsonl").read_bytes() == (tmp_path / "b/events.jsonl").read_bytes()


def test_another_seed_or_replicate_gives_another_run(text_file: Path) -> None:
    def losses(**changes: int) -> list[float]:
        return [outcome.train_loss for outcome in Session(small(text_file, **changes)).run(2)]

    assert losses() == losses()
    assert losses() != losses(seed=1)
    assert losses() != losses(replicate=1)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("stop_after", [0, 1, 3, 9, 14, 27])
def test_a_run_stopped_at_any_step_goes_on_bit_for_bit(
    algorithm: str, stop_after: int, text_file: Path, tmp_path: Path
) -> None:
    config = small(text_file, algorithm=algorithm)
    whole = Session(config, tmp_path / "whole")
    whole.run()
    whole.close()
    steps = iter(range(1_000))
    stopped = Session(config, tmp_path / "stopped")
    stopped.run(should_stop=lambda: next(steps) >= stop_after)
    stopped.close(save=stop_after % 2 == 0)  # unsaved ones are repeated from the checkpoint at the start
    resumed = Session.resume(tmp_path / "stopped")
    resumed.run()
    assert_equal(whole, resumed)
    resumed.close()
    assert (tmp_path / "whole/events.jsonl").read_bytes() == (tmp_path / "stopped/events.jsonl").read_bytes()


def test_a_persons_answer_survives_without_a_checkpoint(text_file: Path, tmp_path: Path) -> None:
    session = Session(small(text_file), tmp_path / "run")
    session.run(2)
    answer = next(a for a in session.propose().legal if a != session.propose().choice)
    session.begin(answer, by="human")
    session.recorder.close()  # as after a kill: no save, no close
    resumed = Session.resume(tmp_path / "run")
    assert (resumed.decision, resumed.ties[3]) == (3, answer)
    assert resumed.phase == "propose"
    resumed.close()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_state_says_where_its_random_streams_are(
    algorithm: str, text_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(small(text_file, algorithm=algorithm, dropout=0.1, decisions=12))
    at, drawn = RunKey.at, set()

    def spy(key: RunKey, step: int, purpose: Purpose) -> int:
        if purpose != "data":  # keyed by the epoch of its batches
            assert step == session.state.streams[purpose], purpose
            drawn.add(purpose)
        return at(key, step, purpose)

    monkeypatch.setattr(RunKey, "at", spy)
    session.run()
    # The lab agent draws nothing in a run that measures ties.
    assert {"dropout", "sample"} | ({"agent"} if algorithm != "lab" else set()) <= drawn
    assert session.state.streams["data"] == session.step == 48


def test_a_checkpoint_whose_streams_are_elsewhere_is_refused(text_file: Path) -> None:
    session = Session(small(text_file))
    session.run(1)
    tensors, meta = everything(session)
    state = restored(session.state.fork().components, tensors, meta)
    assert (state.streams, state.step) == (session.state.streams, 4)
    meta["streams"]["dropout"] += 1
    with pytest.raises(RecordError, match=r"random streams are at .*'dropout': 4.*, but they are at .*'dropout': 5"):
        restored(session.state.fork().components, tensors, meta)


def test_a_fork_goes_on_alone_and_alike(text_file: Path) -> None:
    trunk = Session(small(text_file))
    trunk.run(2)
    before = everything(trunk)
    one, other = trunk.fork(), trunk.fork()
    one.run(3)
    other.run(3)
    assert_equal(one, other)
    after = everything(trunk)
    assert all(torch.equal(before[0][name], after[0][name]) for name in before[0])
    trunk.run(3)
    assert_equal(trunk, one)


def test_a_fork_in_the_middle_of_a_decision(text_file: Path) -> None:
    trunk = Session(small(text_file))
    trunk.begin(1)
    trunk.advance()
    twin = trunk.fork()
    assert twin.pending_steps == trunk.pending_steps == 3
    assert twin.complete() == trunk.complete()


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), algorithm=st.sampled_from(ALGORITHMS))
def test_books_balance_after_any_sequence_of_decisions(data: st.DataObject, algorithm: str, text_file: Path) -> None:
    session = Session(small(text_file, algorithm=algorithm, steps_per_decision=1, evaluate_every=0, sample_every=0))
    for _ in range(data.draw(st.integers(1, 8))):
        proposal = session.propose()
        answer = data.draw(st.sampled_from([*proposal.legal, None]))
        outcome = session.commit(proposal.choice if answer is None else answer)
        session.model.stack.check_books()
        session.components.optimizer.check_books()
        storages = {p.data_ptr(): p.numel() for p in session.model.parameters()}
        assert len(set(outcome.blocks)) == len(
            {session.model.stack.layers[layer].attention.qkv.weight.data_ptr() for layer in range(4)}
        )
        if algorithm != "official-code":
            assert outcome.blocks == outcome.ties.flattened()
            assert outcome.trainable_parameters == sum(storages.values()) == outcome.claimed_parameters


def test_an_illegal_answer_changes_nothing(text_file: Path, tmp_path: Path) -> None:
    session = Session(small(text_file), tmp_path / "run")
    before = everything(session)
    for answer in (2, -1, 99):
        with pytest.raises(TieError, match="Expected an action from 0 to 1 for layer 1"):
            session.commit(answer)
    assert session.phase == "propose"
    after = everything(session)
    assert all(torch.equal(before[0][name], after[0][name]) for name in before[0])
    assert before[1] == after[1]
    session.close()


def test_calls_out_of_turn_are_refused(text_file: Path) -> None:
    session = Session(small(text_file))
    with pytest.raises(LayertieError, match="none is under way"):
        session.advance()
    with pytest.raises(LayertieError, match="no steps are left"):
        session.finish()
    session.begin(1)
    with pytest.raises(LayertieError, match="is under way"):
        session.propose()
    with pytest.raises(LayertieError, match="4 steps are left"):
        session.finish()


def test_steps_outside_of_decisions_are_for_forks_at_a_proposal(text_file: Path, tmp_path: Path) -> None:
    with Session(small(text_file), tmp_path / "run") as session:
        with pytest.raises(LayertieError, match="this one is recorded"):
            session.advance_held()
        fork = session.fork()
        fork.advance_held()
        assert (fork.step, fork.decision, session.step) == (1, 0, 0)
        fork.begin(0)
        with pytest.raises(LayertieError, match="this one is within a decision"):
            fork.advance_held()


def test_events_tell_what_was_proposed_what_was_done_and_by_whom(text_file: Path) -> None:
    session = Session(small(text_file))
    heard: list[Any] = []
    stop = session.subscribe(heard.append)
    proposal = session.propose()
    answer = next(a for a in proposal.legal if a != proposal.choice)
    outcome = session.commit(answer)
    decided = next(event for event in heard if isinstance(event, DecisionMade))
    came = next(event for event in heard if isinstance(event, DecisionFinished))
    assert (decided.proposed, decided.choice, decided.by) == (proposal.choice, answer, "human")
    assert outcome.decision.overridden
    assert came.ties == list(session.ties)
    stop()
    session.run(1)
    assert heard[-1] != session.decision
    assert not [event for event in heard if isinstance(event, DecisionMade) and event.decision == 2]


def test_one_writer_at_a_time(text_file: Path, tmp_path: Path) -> None:
    with Session(small(text_file), tmp_path / "run"):
        with pytest.raises(RecordError, match="Expected"):
            Session.resume(tmp_path / "run")
        with pytest.raises(RecordError, match="already holds a run"):
            Session(small(text_file), tmp_path / "run")


def test_the_summary_holds_what_was_promised(text_file: Path, tmp_path: Path) -> None:
    with Session(small(text_file), tmp_path / "run") as session:
        session.run()
        found = session.summary()
    wanted = {
        "final_validation_loss",
        "best_validation_loss",
        "unigram_entropy",
        "perplexity",
        "bits_per_byte",
        "owners",
        "trainable_parameters",
        "peak_memory_bytes",
        "steps_per_second",
        "decisions",
        "directory",
    }
    assert wanted <= found.keys()
    assert found["decisions"] == 7
    assert found["owners"] == len(session.ties.independent_layers)


def test_looking_at_a_session_changes_nothing(text_file: Path) -> None:
    session = Session(small(text_file, dropout=0.1))
    session.run(1)
    before, generator = everything(session), torch.random.get_rng_state()
    session.evaluate("test")
    session.sample(5, seed=3)
    session.sample(5, prompt="a", temperature=0.0)
    session.probe_tokens()
    session.propose()
    session.summary()
    after = everything(session)
    assert all(torch.equal(before[0][name], after[0][name]) for name in before[0])
    assert before[1] == after[1]
    assert torch.equal(generator, torch.random.get_rng_state())


def test_a_prompt_of_ones_own_is_continued(text_file: Path) -> None:
    session = Session(small(text_file))
    session.run(1)
    prompt, text = session.sample(12, prompt="the ", temperature=0.5)
    assert (prompt, len(text)) == ("the ", 12)
    assert session.sample(12, prompt="the ", temperature=0.5) == (prompt, text)
    assert session.sample(12, prompt="the ", temperature=0.5, seed=1) != (prompt, text)
    assert session.sample(12, prompt="the ", temperature=0, seed=1) == session.sample(12, prompt="the ", temperature=0)
    assert session.sample(12) == session.sample(12, prompt="") == session.sample(12, prompt=None, temperature=0.8)
    for options, words in (
        ({"prompt": "\u2603"}, "U+2603"),
        ({"temperature": 11}, "between 0 and 10, but got 11"),
        ({"tokens": 0}, "between 1 and 10_000, but got 0"),
    ):
        with pytest.raises(LayertieError) as refused:
            session.sample(**options)
        assert words in str(refused.value)


def test_fixed_patterns_start_as_they_stay(text_file: Path) -> None:
    session = Session(small(text_file, policy="sandwich"))
    assert session.ties.sources == (0, 1, 1, 3)
    session.run(5)
    assert session.ties.sources == (0, 1, 1, 3)


def test_a_run_that_was_killed_while_it_was_set_up_begins_again(text_file: Path, tmp_path: Path) -> None:
    whole, blank = Session(small(text_file), tmp_path / "whole"), tmp_path / "blank"
    whole.close()
    Session(small(text_file), blank).close(save=False)
    for path in (blank / "checkpoints").iterdir():
        path.unlink()
    (blank / "events.jsonl").write_bytes((blank / "events.jsonl").read_bytes()[:100])
    (blank / "telemetry.jsonl").unlink()  # which comes after both
    with Session.resume(blank) as session:
        assert (blank / "events.jsonl").read_bytes() == (tmp_path / "whole/events.jsonl").read_bytes()
        session.run(2)
        assert session.decision == 2


def test_a_log_cut_before_every_checkpoint_is_trained_again_from_the_start(text_file: Path, tmp_path: Path) -> None:
    with Session(small(text_file), tmp_path / "run") as session:
        session.run(4)
    log = tmp_path / "run/events.jsonl"
    whole = log.read_bytes()
    lines = whole.splitlines(keepends=True)
    latest = max((tmp_path / "run/checkpoints").glob("rolling-*"))
    for path in (tmp_path / "run/checkpoints").iterdir():
        if path != latest:
            path.unlink()
    log.write_bytes(b"".join(lines[:15]))
    kept = sum(b'"decided"' in line for line in lines[:15])
    with pytest.raises(RecordError, match=r"its end is missing\. .*layertie repair"):
        Session.resume(tmp_path / "run")
    assert repair(tmp_path / "run") is not None
    assert repair(tmp_path / "run") is None
    with Session.resume(tmp_path / "run") as session:
        assert session.decision == kept
    assert whole.startswith(log.read_bytes())


def test_text_that_cannot_be_used_leaves_no_run_behind(tmp_path: Path) -> None:
    (tmp_path / "short.txt").write_text("Too short.")
    with pytest.raises(LayertieError, match="Expected"):
        Session(RunConfig.preset("tiny", corpus=str(tmp_path / "short.txt")), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("count", [-1, 1.5, "x"])
def test_a_number_of_decisions_is_a_number(count: Any, text_file: Path) -> None:
    with pytest.raises(LayertieError, match="a number of decisions"):
        Session(small(text_file)).run(count)


def test_a_closed_session_takes_no_more_answers(text_file: Path, tmp_path: Path) -> None:
    session = Session(RunConfig.preset("tiny", corpus=str(text_file), decisions=4), tmp_path / "run")
    session.run(2)
    session.close()
    ties = session.ties
    with pytest.raises(LayertieError, match=r"was closed.*resume"):
        session.run(1)
    assert (session.decision, session.ties) == (2, ties)


def test_decisions_beyond_the_budget_end_with_an_evaluation(text_file: Path, tmp_path: Path) -> None:
    with Session(RunConfig.preset("tiny", corpus=str(text_file), decisions=4), tmp_path / "run") as session:
        session.run(3)
        session.run(3)
    with Worker.resume(tmp_path / "run") as worker:
        worker.run(1)
        worker.step()
        worker.run(2)
    run = load_run(tmp_path / "run")
    assert run.status == "finished"
    assert run.evaluations["decision"].unique(maintain_order=True).to_list() == [0, 4, 5, 6, 7, 10]
