"""A study as a file to keep: all that a reader needs, as a page without a network and as JSON."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import pytest

from layertie_lab.counterfactual.judging import verdicts_of_run
from layertie_lab.counterfactual.report import left_out, values_of
from layertie_lab.counterfactual.study import Study
from layertie_lab.counterfactual.study_page import kept
from layertie_lab.counterfactual.wording import sentence_of

RUN = Path(__file__).parents[2] / "data" / "hypotheses" / "laptop-lab"
EXAMPLE = RUN.parents[1] / "examples" / "found-four-owners"


@pytest.fixture(scope="module")
def studies() -> list[Study]:
    found, damaged = Study.all_of(RUN)
    assert not damaged
    return found


def test_the_page_has_all_of_a_study_and_asks_for_nothing(studies: list[Study]) -> None:
    study = studies[0]
    page = unescape(kept(study, "html").decode())
    words = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"(src|href)=|@import|url\(", words)
    verdict = verdicts_of_run(studies)[study.name]
    assert verdict is not None
    spec = study.spec
    for said in (spec.statement, study.stated_at, spec.hash, sentence_of(verdict), "What was left out", "The plan"):
        assert said in words, said
    came = list(spec.numbers)[: len(study.replicates())]
    # Each row is numbered once: its number in the run is that of its order.
    assert [int(place) for place in re.findall(r"<tr><td>(\d+)</td><td>\d+\.\d+</td>", words)] == came
    assert words.count("class='plot'") == page.count("vegaEmbed('#picture") == 3
    for other in studies[1:]:
        assert other.name in words


def test_a_study_whose_numbers_in_the_run_are_others_has_both(studies: list[Study]) -> None:
    study = studies[1]
    first = study.spec.numbers[0]
    assert first > 1
    assert f"<tr><td>1</td><td>{first}</td>" in kept(study, "html").decode()


def test_where_the_charts_end_at_other_numbers_than_the_table_both_say_so() -> None:
    (study,) = Study.all_of(EXAMPLE)[0]
    (values, *_) = study.replicates()
    assert values["proposed"]["losses"][-1] != values["proposed"]["metrics"]["last"]
    page = unescape(kept(study, "html").decode())
    assert page.count("32 of the 329 that the verdict goes by, so that it ends at another number") == 2
    assert "on all 329 windows. The lines of the charts are drawn from 32 of these" in page
    # Where each future is the same the difference is no number with a sign.
    assert not re.search(r"<td>[+-]0(\.0*)?</td>", page)


def test_the_same_as_json(studies: list[Study]) -> None:
    for study in studies:
        values = json.loads(kept(study, "json"))
        assert values["statement"] == study.statement
        assert values["stated_at"] == study.stated_at
        assert values["every_replicate"] == study.replicates()
        assert values["config"] == study.config.to_dict()
        assert values["outcome"] == values_of(study, verdicts_of_run(studies)[study.name])["outcome"]
        assert values["left_out"]


def test_what_is_not_in_a_verdict_is_named(studies: list[Study]) -> None:
    study = studies[0]
    said = " ".join(left_out(study, verdicts_of_run(studies)[study.name]))
    assert "The other hypotheses of this run, which the correction (Holm) counts all the same: study-002" in said
    assert "on fewer windows than there" in said
