"""Twins: the trunk is left alone, equal answers give equal futures, what a plan says happens, refusals."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from branching import ALGORITHMS, assert_equal, differ, everything, other_answer, trunk

from layertie_lab import Session
from layertie_lab.core.errors import ConfigError, LayertieError, TieError
from layertie_lab.counterfactual.branch import Branch
from layertie_lab.counterfactual.judging import ends_on_other_windows
from layertie_lab.counterfactual.pair import Pair, train_pair
from layertie_lab.counterfactual.replicates import values_of
from layertie_lab.counterfactual.spec import TwinPlan
from layertie_lab.session.moment import Moment

PLAN = TwinPlan(horizon=10, marks=(5,))


def forward(branch: Branch, steps: int) -> Branch:
    for _ in range(steps):
        branch.advance()
    return branch


@pytest.mark.parametrize("after", ["hold", "continue", "continue-locked"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_trunk_is_unchanged_after_its_branches_ran(algorithm: str, after: Any, text_file: Path) -> None:
    session, untouched = (trunk(text_file, algorithm=algorithm) for _ in range(2))
    session.propose()
    before, generator = everything(session), torch.random.get_rng_state()
    pair = train_pair(session, other_answer(session), replace(PLAN, after=after), replicate=1)
    assert_equal(before, everything(session))
    assert torch.equal(generator, torch.random.get_rng_state())
    assert pair.differences[-1] != 0
    for one in (session, untouched):
        one.run(3)
    assert_equal(everything(session), everything(untouched))


def test_a_recorded_trunk_keeps_its_log(text_file: Path, tmp_path: Path) -> None:
    session = trunk(text_file, 0)
    session.record(tmp_path / "run")
    session.run(4)
    session.save()
    files = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    train_pair(session, other_answer(session), PLAN, replicate=1)
    assert files == {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    session.close()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_equal_answers_give_equal_futures(algorithm: str, text_file: Path) -> None:
    session = trunk(text_file, algorithm=algorithm)
    plan = replace(PLAN, after="continue")
    for answer in session.propose().legal:
        pair = train_pair(session, answer, plan, replicate=1, proposed=answer)
        assert pair.proposed == pair.answered
        assert set(pair.differences) == {0.0} == set(pair.errors) == set(pair.metric_errors.values())


@pytest.mark.parametrize("after", ["hold", "continue", "continue-locked"])
def test_one_after_the_other_or_in_turn_is_the_same(after: Any, text_file: Path) -> None:
    session = trunk(text_file)
    plan, answer = replace(PLAN, after=after, horizon=9), other_answer(session)
    one = train_pair(session, answer, plan, replicate=2)
    assert one == train_pair(session, answer, plan, replicate=2, interleaved=True)
    assert one != train_pair(session, answer, plan, replicate=3)


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_equal_answers_are_equal_after_200_steps_by_any_path(algorithm: str, text_file: Path, tmp_path: Path) -> None:
    session = trunk(text_file, algorithm=algorithm)
    answer, plan = other_answer(session), TwinPlan(horizon=200, after="continue")
    one = forward(Branch(session, answer, plan, replicate=1), 200)
    wanted = everything(one.session)
    steps = [tensor for name, tensor in wanted[0].items() if name.endswith("/step")]
    assert one.session.step == session.step + 200
    assert steps
    # In turn, with draws of others in between.
    pair = [Branch(session, answer, plan, replicate=1), Branch(session, answer, plan, replicate=1)]
    for _ in range(200):
        for branch in pair:
            torch.rand(3)
            branch.advance()
    for branch in pair:
        assert_equal(wanted, everything(branch.session))
    # Through disk, stopped in the middle of a decision, which resuming completes.
    fork = session.fork(replicate=1)
    fork.record(tmp_path / "branch")
    fork.begin(answer)
    fork.complete()
    fork.run(24)
    fork.begin(fork.propose().choice, "agent")
    fork.advance()
    fork.close()
    with Session.resume(tmp_path / "branch") as resumed:
        resumed.run(23)
        resumed.begin(resumed.propose().choice, "agent")
        while resumed.pending_steps:
            resumed.advance()
        found = everything(resumed)
        assert_equal(wanted, (found[0], found[1] | {"best": wanted[1]["best"]}))
    # In another process.
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        tensors, meta, there = pool.apply(elsewhere, (Moment.of(session), answer, plan, torch.get_num_threads()))
    assert_equal(wanted, ({name: torch.from_numpy(values) for name, values in tensors.items()}, meta))
    assert there == train_pair(session, answer, plan, replicate=1)


def elsewhere(moment: Moment, answer: int, plan: TwinPlan, threads: int) -> tuple[dict[str, Any], Any, Pair]:
    """In a spawned process: the branch's state after its horizon, and the pair."""
    torch.set_num_threads(threads)
    session = moment.open()
    tensors, meta = everything(forward(Branch(session, answer, plan, replicate=1), plan.horizon).session)
    return {name: t.numpy() for name, t in tensors.items()}, meta, train_pair(session, answer, plan, replicate=1)


def test_an_untie_changes_nothing_before_the_first_step(text_file: Path) -> None:
    session = trunk(text_file, 1, policy="all-tied")
    pair = train_pair(session, 2, replace(PLAN, after="hold"), replicate=1)  # layer 2, tied to 0
    assert (pair.layer, pair.proposed.action, pair.answered.action) == (2, 0, 2)
    assert pair.differences[0] == 0.0 == pair.errors[0]
    assert pair.differences[-1] != 0.0 < pair.errors[-1]
    block = sum(p.numel() for p in session.model.stack.layers[0].parameters())
    assert pair.difference("trainable_parameters") == block
    tie = train_pair(trunk(text_file, 1, policy="independent"), 0, replace(PLAN, after="hold"), replicate=1)
    assert tie.differences[0] != 0.0
    assert tie.difference("trainable_parameters") == -block


def choices(pair: Pair) -> list[tuple[int, int, str]]:
    return [(d.proposal.layer, d.choice, d.by) for d in pair.answered.decisions]


def test_what_happens_after_the_fork_is_what_was_chosen(text_file: Path) -> None:
    session = trunk(text_file, policy="random", seed=4)  # asked about layer 2 of 4
    answer, pairs = other_answer(session), {}
    for after, answers in [("hold", ()), ("continue", ()), ("continue-locked", ()), ("recorded", (3, 1, 0, 3))]:
        plan = TwinPlan(horizon=20, after=after, answers=answers, marks=(20,))
        pairs[after] = train_pair(session, answer, plan, replicate=1)
    first = (2, answer, "human")
    assert choices(pairs["hold"]) == [first]
    assert pairs["hold"].answered.ties == session.ties.act(2, answer)
    assert choices(pairs["recorded"]) == [first, (3, 3, "replay"), (1, 1, "replay"), (2, 0, "replay"), (3, 3, "replay")]
    free, locked = choices(pairs["continue"]), choices(pairs["continue-locked"])
    assert [layer for layer, _, _ in free] == [2, 3, 1, 2, 3]
    assert free[3][1:] != (answer, "agent")  # for this seed the agent would undo it
    assert locked[3] == (2, answer, "lock")
    assert pairs["continue-locked"].answered.ties[2] == answer
    assert [d.choice for d in pairs["continue-locked"].proposed.decisions][3] == session.propose().choice
    # A policy that does not learn draws the same in both branches.
    assert free[1:] == [(d.proposal.layer, d.choice, d.by) for d in pairs["continue"].proposed.decisions][1:]


def test_the_curve_and_the_metrics(text_file: Path) -> None:
    session = trunk(text_file)
    plan = TwinPlan(horizon=12, marks=(1, 2, 4, 8, 10, 11), after="hold", decay=0.5)
    action = other_answer(session)
    pair = train_pair(session, action, plan, replicate=1, also=("last-five", "averaged"), curve_windows=512)
    assert plan.evaluated_at == (0, 1, 2, 4, 8, 10, 11, 12)
    assert len(pair.differences) == len(pair.errors) == 8
    assert pair.difference() == pair.difference("last") == pair.differences[-1]
    assert pair.difference("last-five") == pytest.approx(sum(pair.differences[-5:]) / 5, abs=1e-12)
    assert pair.metric_errors["last"] == pair.errors[-1]
    # By hand: the branch again, its weights averaged after each step.
    branch = Branch(session, pair.answered.action, plan, replicate=1)
    total: dict[str, torch.Tensor] = {}
    for step in range(1, 13):
        branch.advance()
        for name, p in branch.session.model.named_parameters():
            total[name] = total.get(name, torch.zeros_like(p)) + p.detach() * 0.5 ** (12 - step)
    assert branch.session.evaluate(count=512).loss == pytest.approx(pair.answered.metric("last"), abs=1e-12)
    for name, p in branch.session.model.named_parameters():
        p.data.copy_(total[name] / sum(0.5**i for i in range(12)))
    assert branch.session.evaluate(count=512).loss == pytest.approx(pair.answered.metric("averaged"), abs=1e-6)
    assert pair.windows == min(512, (len(session.data.splits["validation"]) - 1) // 16)


def test_all_points_of_a_curve_are_on_the_same_windows_also_the_last(text_file: Path) -> None:
    session = trunk(text_file)
    plan = TwinPlan(horizon=8, marks=(4,), after="hold")
    pair = train_pair(session, other_answer(session), plan, replicate=1, also=("last-five",), curve_windows=5)
    every = session.evaluator.windows("validation", 512)
    some = every[torch.arange(5) * (len(every) - 1) // 4]
    branch, losses = Branch(session, pair.answered.action, plan, replicate=1), []
    for step in range(9):
        if step in plan.evaluated_at:
            losses.append(float(branch.losses(some).mean()))
        if step < 8:
            branch.advance()
    assert pair.answered.losses == pytest.approx(losses, abs=1e-6)
    assert pair.answered.metric("last") == pytest.approx(float(branch.losses(every).mean()), abs=1e-6)
    assert abs(pair.answered.metric("last") - losses[-1]) > 1e-5  # all that count, and some of them
    assert (pair.windows, pair.curve_windows, len(pair.errors)) == (len(every), 5, 3)
    values = values_of(pair)
    assert values["curve_to_end"]
    assert not ends_on_other_windows([values])
    assert ends_on_other_windows([{name: said for name, said in values.items() if name != "curve_to_end"}])


def test_the_average_is_put_back_bit_for_bit_and_follows_the_ties(text_file: Path) -> None:
    for algorithm in ALGORITHMS:
        session = trunk(text_file, algorithm=algorithm, policy="random")
        plan = TwinPlan(horizon=40, after="continue")
        plain, looked_at = (Branch(session, 1, plan, replicate=1, averaged=True) for _ in range(2))
        tokens = session.probe_tokens()
        for _ in range(40):
            plain.advance()
            looked_at.advance()
            assert torch.isfinite(looked_at.losses(tokens, averaged=True)).all()
        assert_equal(everything(plain.session), everything(looked_at.session))


def test_refusals_leave_the_trunk_alone(text_file: Path) -> None:
    session = trunk(text_file)
    before = everything(session)
    recorded = TwinPlan(horizon=12, after="recorded", answers=(0,))
    with pytest.raises(TieError, match="an action from 0 to 2 for layer 2"):
        train_pair(session, 3, PLAN, replicate=1)
    with pytest.raises(ConfigError, match="2 recorded actions"):
        train_pair(session, 0, recorded, replicate=1)
    with pytest.raises(ConfigError, match=r"out of \[0, 1\] for decision 7 \(layer 1\), but got 2"):
        train_pair(session, 0, replace(recorded, answers=(0, 2)), replicate=1)
    with pytest.raises(ConfigError, match="a replicate"):
        train_pair(session, 0, PLAN, replicate=-1)
    with pytest.raises(ConfigError, match="a metric out of"):
        train_pair(session, 0, PLAN, replicate=1, also=("beauty",))
    with pytest.raises(ConfigError, match="at least 2 windows for the curve"):
        train_pair(session, 0, PLAN, replicate=1, curve_windows=1)
    assert_equal(before, everything(session))
    session.begin(0)
    with pytest.raises(LayertieError, match="decision 5 is under way"):
        train_pair(session, 0, PLAN, replicate=1)


def test_replicates_differ_in_their_key_only(text_file: Path) -> None:
    session = trunk(text_file)
    branches = [Branch(session, 0, PLAN, replicate=r) for r in (1, 2)]
    assert not differ(*(branch.session for branch in branches))
    for branch in branches:
        branch.advance()
    assert differ(*(branch.session for branch in branches))
