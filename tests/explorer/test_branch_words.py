"""What the tab "Did it matter?" reads of a run for its branches, and says of them, without a page."""

from __future__ import annotations

from pathlib import Path

import pytest
from branching import other_answer

from layertie_lab import RunConfig, Session
from layertie_lab.core.errors import RecordError
from layertie_lab.counterfactual.questions import question, spec_about, state
from layertie_lab.counterfactual.spec import StudyChoices
from layertie_lab.explorer import counterfactual_words as inquiries
from layertie_lab.explorer.study_form import PRESENT
from layertie_lab.records.tree import leaving_of


@pytest.fixture(scope="module")
def run(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 decisions, of which few are stored."""
    path = tmp_path_factory.mktemp("runs") / "mine"
    with Session(RunConfig.preset("tiny", corpus=str(text_file), decisions=60, threads=1), path) as session:
        session.run()
    return path


def test_a_branch_can_leave_from_before_each_decision_also_one_that_is_not_stored(run: Path) -> None:
    found = inquiries.read(run)
    assert found.last == 60
    assert found.stored == sorted(found.stored, reverse=True)
    assert 7 not in found.stored
    made = inquiries.branch(run, "branch", 7, None)
    left = leaving_of(made)
    assert left is not None
    assert left.decision == 7
    assert inquiries.read(made).last == 6
    with pytest.raises(RecordError, match="Expected a decision from 1 to 61 to branch before, but got 62"):
        inquiries.branch(run, "branch", 62, None)


def test_an_undo_says_where_the_page_has_gone(run: Path) -> None:
    made = inquiries.branch(run, "undo", None, None)
    said = inquiries.undone(run, made)
    assert said.startswith(f"The page now shows {made.name}, a new branch, from before decision 60. ")
    assert "mine stays as it is; click its line to go back." in said


def test_a_new_hypothesis_about_a_decision_fills_the_form_or_says_what_is_missing(
    text_file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "asked"
    with Session(RunConfig.preset("tiny", corpus=str(text_file), decisions=60, threads=1), path) as session:
        session.run(4)
        session.save("decision-00005")
        found = question(path, 5)
        spec = spec_about(found, other_answer(session), path, StudyChoices(statement="It matters.", horizon=40))
        study = state(path, spec, found)
        # Before it is made it can be asked about while it is at hand, which it is not in a run that was stopped.
        assert inquiries.fresh_form(study, [PRESENT], 5)["moment"] == PRESENT
        with pytest.raises(RecordError, match="this run was stopped before it"):
            inquiries.fresh_form(study, [], None)
        session.run(1)
    filled = inquiries.fresh_form(study, [moment["id"] for moment in inquiries.read(path).moments], None)
    assert (filled["moment"], filled["horizon"], filled["expected"]) == ("decision-00005", "40", "")
    with pytest.raises(RecordError, match="to be stored still, but it is not"):
        inquiries.fresh_form(study, [], None)
