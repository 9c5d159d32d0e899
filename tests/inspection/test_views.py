"""Views of a run at a moment: their answers agree with analysis, can be JSON, have pictures and words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import altair as alt
import polars as pl
import pytest
import torch

from layertie_lab.analysis.attribution.tokens import token_losses
from layertie_lab.charts import CAPTIONS
from layertie_lab.core.config import RunConfig
from layertie_lab.core.errors import AnalysisError, LayertieError
from layertie_lab.inspection.answer import answer, pictures, sentences
from layertie_lab.inspection.moment import Inspection
from layertie_lab.inspection.question import Question
from layertie_lab.inspection.views.registry import VIEWS
from layertie_lab.records.log.reader import load_run
from layertie_lab.session.session import Session

OPTIONS: dict[str, dict[str, Any]] = {"token": {"sequence": 1, "position": 5}}


def look(run: Path, view: str, decision: int = 7, **options: Any) -> dict[str, Any]:
    """A view of a run, with the options it needs."""
    inspection = Inspection.of(run, decision)
    return answer(Question(str(run), view, decision, options=OPTIONS.get(view, {}) | options), inspection)


@pytest.mark.parametrize("view", VIEWS.names)
def test_an_answer_is_json_with_pictures_that_vega_takes(recorded: Path, view: str) -> None:
    found = look(recorded, view)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert (found["facts"]["decision"], found["facts"]["view"]) == (7, view)
    drawn = pictures(found)
    assert bool(drawn) == (view != "sample")
    for title, spec in drawn.items():
        alt.Chart.from_dict(spec)
        assert spec["usermeta"]["caption"].endswith(tuple(CAPTIONS.values())), title
    assert all(isinstance(words, str) and words for words in sentences(found["facts"]))


def test_shares_done_never_fall(recorded: Path) -> None:
    for view in VIEWS.names:
        shares: list[float] = []
        question = Question(str(recorded), view, 7, options=OPTIONS.get(view, {}))
        answer(question, Inspection.of(recorded, 7), shares.append)
        assert shares == sorted(shares)
        assert shares
        assert all(0 <= share <= 1 for share in shares)


def test_a_cancelled_look_leaves_the_model_as_it_was(recorded: Path) -> None:
    inspection = Inspection.of(recorded, 7)
    before = {name: tensor.clone() for name, tensor in inspection.model.state_dict().items()}
    for view in VIEWS.names:

        def stop(share: float) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            answer(Question(str(recorded), view, 7, options=OPTIONS.get(view, {})), inspection, stop)
        assert not inspection.model.training
        assert all(not p._backward_hooks for p in inspection.model.parameters())
        for module in inspection.model.modules():
            assert not module._forward_hooks, view
            assert not module._forward_pre_hooks, view
    for name, tensor in inspection.model.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_attribution_says_which_method_has_no_sound_answer(recorded: Path) -> None:
    found = look(recorded, "attribution", methods=["skipped", "deeplift"])
    refused = found["facts"]["refused"]
    methods = {row["method"] for row in found["frames"]["attribution"]}
    assert "skipped" in methods
    assert ("deeplift" in refused) != ("deeplift" in methods)
    assert len(sentences(found["facts"])) == len(refused)
    with pytest.raises(AnalysisError, match="Expected methods out of"):
        look(recorded, "attribution", methods=["guessing"])


def test_another_moment_and_another_depth_are_compared(recorded: Path, config: RunConfig, tmp_path: Path) -> None:
    found = look(recorded, "similarity", other={"run": str(recorded), "decision": 2})
    assert found["facts"]["other"] == "this run after decision 2"
    assert {row["method"] for row in found["frames"]["similarity"]} >= {"cka", "weights"}
    with Session(config.replace(layers=config.model.layers + 2), directory=tmp_path / "deep") as session:
        session.run(2)
    found = look(recorded, "similarity", other={"run": str(tmp_path / "deep"), "decision": 2})
    frame = pl.DataFrame(found["frames"]["similarity"], infer_schema_length=None)
    assert frame["layer_b"].n_unique() == frame["layer_a"].n_unique() + 2 == found["facts"]["other_layers"]
    assert found["frames"]["aligned"]


def test_a_run_with_another_tokenizer_is_refused_with_the_reason(
    recorded: Path, config: RunConfig, tmp_path: Path
) -> None:
    other = RunConfig.preset("tiny", corpus="pydoc", decisions=2)
    with Session(other, directory=tmp_path / "other") as session:
        session.run(1)
    with pytest.raises(LayertieError, match=r"okenize|vocabulary"):
        look(recorded, "similarity", other={"run": str(tmp_path / "other"), "decision": 1})


def test_tokens_and_one_of_them_agree(recorded: Path) -> None:
    inspection = Inspection.of(recorded, 7)
    losses = token_losses(inspection.model, inspection.windows(8))
    found = look(recorded, "tokens")
    assert found["frames"]["tokens"] == losses.to_dicts()
    assert len(found["facts"]["names"]) == losses.height
    one = look(recorded, "token")
    row = losses.filter(sequence=1, position=4).row(0, named=True)
    assert one["facts"]["target"] == one["facts"]["pieces"][5] == found["facts"]["pieces"][1][5]
    assert one["frames"]["lens"][-1]["loss"] == pytest.approx(row["loss"], abs=1e-5)
    shares = one["frames"]["shares"]
    assert [share["position"] for share in shares] == list(range(5))
    for wanted, said in (
        ({}, "none is picked"),
        ({"sequence": 0, "position": 0}, "got the first"),
        ({"sequence": 8, "position": 3}, "sequences 0 to 7"),
    ):
        with pytest.raises(AnalysisError, match=said):
            answer(Question(str(recorded), "token", 7, options=wanted), inspection)


@pytest.mark.parametrize("algorithm", ["lab", "paper", "official-code"])
def test_reasons_of_a_decision_are_those_it_had(text_file: Path, tmp_path: Path, algorithm: str) -> None:
    config = RunConfig.preset("tiny", algorithm=algorithm, corpus=str(text_file), decisions=16)
    with Session(config, directory=tmp_path / "run") as session:
        session.run(6)
        session.commit(session.propose().legal[0])
        session.run()
    run = load_run(tmp_path / "run")
    for before in (4, 6, 9):
        found = look(tmp_path / "run", "reasons", before)
        facts, row = found["facts"], run.decisions.filter(decision=before + 1).row(0, named=True)
        proposal = facts["proposal"]
        assert (proposal["decision"], proposal["layer"], proposal["choice"]) == (
            before + 1,
            row["layer"],
            row["proposed"],
        )
        logged = run.q_values.filter(decision=before + 1).sort("answer")["q_value"].to_list()
        assert proposal["q_values"] == logged
        assert facts["answered"]["choice"] == row["choice"]
        since = found["frames"]["since"]
        assert [point["learned"] for point in since] == list(range(before, 17))
        assert since[0]["value"] == logged[proposal["legal"].index(row["choice"])] == row["q_choice"]
        later = Inspection.of(tmp_path / "run", 16).policy
        asked = Inspection.of(tmp_path / "run", before)
        values = later.propose(asked.asked, asked.key).q_values
        assert values is not None
        assert since[-1]["value"] == values[proposal["legal"].index(row["choice"])]
        assert facts["came"]["learning"]
        early = look(tmp_path / "run", "reasons", before, until=before)
        assert early["facts"]["came"] is None
        assert len(early["frames"]["since"]) == 1
    words = " ".join(sentences(look(tmp_path / "run", "reasons", 6)["facts"]))
    assert "Decision 7 asks about layer" in words
    last = look(tmp_path / "run", "reasons", 16)
    assert last["facts"]["answered"] is None
    assert "since" not in last["frames"]
    assert "It has not been decided yet." in sentences(last["facts"])


@pytest.mark.parametrize("policy", ["look-ahead", "random", "cycle", "annealing", "hill-climbing", "ucb", "human"])
def test_every_agent_has_reasons_in_words(text_file: Path, tmp_path: Path, policy: str) -> None:
    config = RunConfig.preset("tiny", corpus=str(text_file), decisions=6, policy=policy)
    with Session(config, directory=tmp_path / "run") as session:
        session.run()
    found = look(tmp_path / "run", "reasons", 3)
    asked, *said = sentences(found["facts"])
    assert asked.startswith("Decision 4 asks about layer")
    assert said[0].startswith(f"The agent ({policy}) proposed: ")
    assert any(words.startswith("Decided: ") for words in said)
    assert pictures(found)
    run, proposal = load_run(tmp_path / "run"), found["facts"]["proposal"]
    values = run.q_values.filter(decision=4).sort("answer")["q_value"].to_list()
    assert (proposal["q_values"] or []) == values
    assert proposal["choice"] == run.decisions.filter(decision=4)["proposed"][0]
    following = sentences(look(tmp_path / "run", "reasons", 6)["facts"])
    ahead = "The agent (look-ahead) trains each action ahead before it proposes, so that"
    assert following[1].startswith(ahead if policy == "look-ahead" else f"The agent ({policy}) proposed: ")


def test_a_view_that_there_is_not_is_refused(recorded: Path) -> None:
    with pytest.raises(AnalysisError, match="Expected a view out of similarity, profile, weights"):
        look(recorded, "x-ray")
