"""A run at a moment is what the session was then, whether from a snapshot or a checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from layertie_lab.core.config import RunConfig
from layertie_lab.core.errors import RecordError
from layertie_lab.counterfactual.tree import branch_at
from layertie_lab.inspection.moment import Inspection
from layertie_lab.inspection.stored import stored_decisions
from layertie_lab.records.directory import RunDirectory
from layertie_lab.records.state.snapshots import snapshot_decisions
from layertie_lab.session.session import Session


@pytest.mark.parametrize("algorithm", ["lab", "paper", "official-code"])
def test_a_look_back_is_the_session_as_it_was(text_file: Path, tmp_path: Path, algorithm: str) -> None:
    config = RunConfig.preset("tiny", algorithm=algorithm, corpus=str(text_file), decisions=8)
    tokens = torch.arange(config.model.context)[None] % 7
    seen, asked = {}, {}
    with Session(config, directory=tmp_path / "run") as session:
        for decision in range(9):
            if decision:
                session.run(1)
            proposal = session.propose()
            with torch.no_grad():
                seen[decision] = session.model.eval()(tokens), session.ties, session.blocks, session.step
            asked[decision] = proposal
    assert stored_decisions(tmp_path / "run") == list(range(9))
    for decision, (logits, ties, blocks, step) in seen.items():
        found = Inspection.of(tmp_path / "run", decision)
        assert (found.decision, found.step, found.ties, found.blocks) == (decision, step, ties, blocks)
        with torch.no_grad():
            assert torch.equal(found.model(tokens), logits)
        assert found.policy.propose(found.asked, found.key) == asked[decision]


def test_snapshots_change_nothing_of_a_run(config: RunConfig, recorded: Path, tmp_path: Path) -> None:
    with Session(config.replace(snapshot_mebibytes=0), directory=tmp_path / "run") as session:
        session.run()
    assert snapshot_decisions(RunDirectory.open(tmp_path / "run")) == []
    assert (tmp_path / "run" / "events.jsonl").read_bytes() == (recorded / "events.jsonl").read_bytes()
    # What is left to look at are the checkpoints.
    assert stored_decisions(tmp_path / "run")[-1] == config.decisions
    with torch.no_grad():
        tokens = torch.arange(8)[None]
        assert torch.equal(Inspection.of(tmp_path / "run").model(tokens), Inspection.of(recorded).model(tokens))


def test_a_resumed_run_and_a_branch_can_be_looked_back_at(config: RunConfig, tmp_path: Path) -> None:
    path = tmp_path / "run"
    with Session(config, directory=path) as session:
        session.run(5)
    with Session.resume(path) as session:
        session.run(2)
    assert stored_decisions(path) == list(range(8))
    made = branch_at(path, 4, rebuild=True)
    assert snapshot_decisions(RunDirectory.open(made)) == [0, 1, 2, 3]


def test_a_text_that_is_another_one_by_now_is_refused(config: RunConfig, text_file: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text(text_file.read_text())
    for kept in (0, 2_000_000):
        changes = {"corpus": str(text), "keep_text_bytes": kept}
        with Session(config.replace(**changes), directory=tmp_path / f"{kept}") as session:
            session.run(1)
        assert Inspection.of(tmp_path / f"{kept}").decision == 1
    # As long as before, and of the same characters.
    words = text_file.read_text()
    text.write_text(words[20_000:] + words[:20_000])
    with pytest.raises(RecordError, match=r"Expected the text that the run in .* read, .*, but .* holds another one"):
        Inspection.of(tmp_path / "0")
    found = Inspection.of(tmp_path / "2000000")
    assert found.decision == 1
    assert "is another text by now" in found.notes[0]


def test_what_cannot_be_looked_at_is_said(recorded: Path, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"got 99; the nearest is 12.*13 are stored, from 0 to 12"):
        Inspection.of(recorded, 99)
    with pytest.raises(RecordError, match="does not exist"):
        Inspection.of(tmp_path / "nothing")
