"""What a model writes after a prompt: in Python and as a view, alone and beside what it wrote before a decision."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch

from layertie_lab.core.config import RunConfig
from layertie_lab.core.errors import AnalysisError, CancelledError, ConfigError, CorpusError, OptionError
from layertie_lab.inspection.answer import answer, asked, sentences, written
from layertie_lab.inspection.answering import Answering
from layertie_lab.inspection.moment import Inspection
from layertie_lab.inspection.question import Question
from layertie_lab.inspection.views.registry import VIEWS, Field
from layertie_lab.models.tied_model import Generates
from layertie_lab.session.session import Session

FIELDS = {field.option: field for field in VIEWS.describe("sample").fields}


@pytest.fixture(scope="module")
def later(recorded: Path) -> Inspection:
    return Inspection.of(recorded, 9)


@pytest.fixture(scope="module")
def bytes_run(config: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bytes") / "run"
    with Session(config.replace(tokenizer="bytes", decisions=3), directory=path) as session:
        session.run()
    return path


def asks(inspection: Inspection, **options: Any) -> dict[str, Any]:
    return answer(Question(str(inspection.path), "sample", inspection.decision, options=options), inspection)


def test_a_number_as_the_prompt_means_what_it_did(later: Inspection) -> None:
    """Written out as it was computed before a prompt could be a text."""
    ids = torch.as_tensor(later.data.splits["validation"][:5].astype("int64"))[None]
    assert isinstance(later.model, Generates)
    generator = torch.Generator().manual_seed(later.key.at(later.step, "sample"))
    expected = later.model.generate(ids, 70, generator=generator, temperature=0.8)[0].tolist()
    decode = later.data.tokenizer.decode
    assert later.sample(70, prompt=5) == (decode(expected[:5]), decode(expected[5:]))
    assert later.sample(70) == later.sample(70, prompt=16) == later.sample(70, prompt="")


def test_the_same_question_gets_the_same_text_and_another_another(later: Inspection) -> None:
    one = later.sample(60, prompt="the ", temperature=1.0)
    assert one == Inspection.of(later.path, 9).sample(60, prompt="the ", temperature=1.0)
    assert one[0] == "the "
    assert len(one[1]) == 60
    assert later.sample(30, prompt="the ", temperature=1.0)[1] == one[1][:30]
    assert one != later.sample(60, prompt="the ", temperature=0.9)


def test_the_model_reads_the_prompt(later: Inspection, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that has hardly learned writes nearly the same after any."""
    read: list[list[int]] = []
    generate = type(later.model).generate  # type: ignore[attr-defined]

    def spy(model: Any, tokens: torch.Tensor, *args: Any, **options: Any) -> torch.Tensor:
        read.append(tokens[0].tolist())
        return generate(model, tokens, *args, **options)

    monkeypatch.setattr(type(later.model), "generate", spy)
    later.sample(3, prompt="the ")
    later.sample(3, prompt="a list")
    assert [later.data.tokenizer.decode(ids) for ids in read] == ["the ", "a list"]


def test_temperature_nothing_takes_the_likeliest_and_next_to_nothing_the_same(later: Inspection) -> None:
    ids = later.data.tokenizer.encode("the ").tolist()
    for _ in range(20):
        logits = later.model(torch.tensor([ids[-later.model.context :]]))[0, -1]
        ids.append(int(logits.argmax()))
    greedy = later.sample(20, prompt="the ", temperature=0)
    assert greedy == ("the ", later.data.tokenizer.decode(ids[4:]))
    assert later.sample(20, prompt="the ", temperature=1e-300) == greedy
    assert later.sample(20, prompt="the ", temperature=10) != greedy


def test_of_a_long_prompt_the_end_is_read_and_that_is_said(later: Inspection) -> None:
    context = later.model.context
    end = "of the text that the model read" * 9
    long = asks(later, prompt="a" * 500 + end)
    short = asks(later, prompt=end[-context:])
    assert long["facts"]["text"] == short["facts"]["text"]
    assert long["facts"]["prompt"] == short["facts"]["prompt"] == end[-context:]
    unread = 500 + len(end) - context
    assert sentences(long["facts"]) == [
        f"The model reads the last {context} of the prompt's {unread + context:,} tokens, as many as its context holds."
    ]
    assert sentences(short["facts"]) == []
    # In Python the whole comes back.
    assert later.sample(5, prompt="a" * 500 + end)[0] == "a" * 500 + end


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tokens": 0}, "Expected tokens to be between 1 and 10_000"),
        ({"tokens": True}, "whole number of tokens, but got True"),
        ({"tokens": 2.5}, "whole number of tokens, but got 2.5"),
        ({"temperature": -0.1}, "temperature to be between 0 and 10, but got -0.1"),
        ({"temperature": float("nan")}, "temperature to be between 0 and 10, but got nan"),
        ({"temperature": "hot"}, "a number as the temperature, but got 'hot'"),
        ({"prompt": 0}, "or a number of tokens from 1 on, as the prompt, but got 0"),
        ({"prompt": True}, "as the prompt, but got True"),
    ],
)
def test_what_cannot_be_asked_is_refused(later: Inspection, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        later.sample(**options)
    assert words in str(refused.value)


def test_a_character_that_the_tokenizer_does_not_know_is_named(later: Inspection) -> None:
    with pytest.raises(CorpusError, match=r"got '\u2603' \(U\+2603\) at position 5"):
        later.sample(prompt="snow \u2603")
    with pytest.raises(OptionError, match=r"got '\\u202e' \(U\+202E\) at position 0") as refused:
        asks(later, prompt="\u202eabc")
    assert refused.value.option == "prompt"


@pytest.mark.parametrize(
    "prompt",
    [
        "<script>x</script>",
        "\u202eabc\x1b[2J\0",
        " ",
        "\n",
        "caf\u00e9 \U0001f600",
        "\ud800",
        "x\u0301" * 50_000,
    ],
    ids=range(7),
)
def test_any_text_is_a_prompt_to_bytes(bytes_run: Path, prompt: str) -> None:
    inspection = Inspection.of(bytes_run, 3)
    found = asks(inspection, prompt=prompt[:100_000], tokens=20, before=True)
    assert json.loads(json.dumps(found)) == found
    same, texts = found["facts"]["same"], written(found)
    assert [each.text + each.differs for each in texts] == [found["facts"]["other_text"], found["facts"]["text"]]
    assert texts[0].text == texts[1].text
    assert 0 <= same <= 20


# -- before and after --------------------------------------------------------------------------------------------------


def test_before_and_after_share_prompt_temperature_and_draws(later: Inspection) -> None:
    earlier = Inspection.of(later.path, 8)
    found = asks(later, prompt="the ", temperature=0.7, tokens=90, before=True)
    facts = found["facts"]
    assert asked(facts) == "One run, after decision 9, beside this run after decision 8."
    ids = later.data.tokenizer.encode("the ").tolist()
    mine = later.continued(ids, 90, temperature=0.7)
    theirs = earlier.continued(ids, 90, temperature=0.7, seed=later.draws)
    decode = later.data.tokenizer.decode
    assert (facts["text"], facts["other_text"]) == (decode(mine), decode(theirs))
    assert theirs != earlier.continued(ids, 90, temperature=0.7)  # its own draws are others
    same = facts["same"]
    assert mine[:same] == theirs[:same]
    assert mine[same] != theirs[same]
    before, after = written(found)
    assert (before.title, after.title) == ("Before: this run after decision 8", "After: this run after decision 9")
    assert (before.given, before.text, before.differs) == ("the ", decode(mine[:same]), decode(theirs[same:]))
    assert (after.given, after.text, after.differs) == ("the ", decode(mine[:same]), decode(mine[same:]))
    said = " ".join(sentences(facts))
    assert f"The first {same} tokens are the same; from the next on they differ" in said
    assert f"{later.step - earlier.step} steps of training" in said


def test_what_lies_between_is_said(config: RunConfig, tmp_path: Path) -> None:
    with Session(config, directory=tmp_path / "run") as session:
        session.commit(next(answer for answer in session.propose().legal if answer != session.ties[1]))
        session.commit(session.ties[session.propose().layer])
    moved, stayed = (Inspection.of(tmp_path / "run", decision) for decision in (1, 2))
    asked = {"tokens": 1, "before": True}
    steps = config.training.steps_per_decision
    assert asks(moved, **asked)["facts"]["between"] == (
        f"Between the two: layer 1 tied to 0 (on its own before); {steps} steps of training."
    )
    assert asks(stayed, **asked)["facts"]["between"] == (f"Between the two: no tie changed; {steps} steps of training.")


def test_the_same_model_writes_the_same(later: Inspection) -> None:
    found = asks(later, prompt="the ", other={"run": str(later.path), "decision": 9})
    assert sentences(found["facts"]) == ["Both wrote the same 200 tokens, drawn with the same random numbers."]
    one, other = written(found)
    assert (one.title, other.title) == ("This run after decision 9", "This run after decision 9")
    assert one.text == other.text == found["facts"]["text"]
    assert one.differs == other.differs == ""


def test_before_the_first_decision_nothing_lies(recorded: Path) -> None:
    with pytest.raises(AnalysisError, match="this one is before the first"):
        asks(Inspection.of(recorded, 0), before=True)


def test_where_the_decision_before_is_not_stored_the_last_that_is_stands_beside(
    later: Inspection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("layertie_lab.inspection.moment.stored_decisions", lambda run: [2, 5, 9, 10])
    assert asks(later, before=True)["facts"]["other"] == "this run after decision 5"


def test_a_model_to_which_ids_mean_something_else_is_refused(later: Inspection, bytes_run: Path) -> None:
    with pytest.raises(AnalysisError, match="same tokenizer"):
        asks(later, other={"run": str(bytes_run), "decision": 3})


# -- answers that are kept ---------------------------------------------------------------------------------------------


def test_answers_to_other_prompts_are_not_confused(recorded: Path) -> None:
    answering = Answering(1)
    draw = random.Random(1)
    options = [
        {},
        {"prompt": "the "},
        {"prompt": "the"},
        {"prompt": "the ", "temperature": 0.0},
        {"prompt": "the ", "tokens": 9},
        {"prompt": "the ", "before": True},
        {"prompt": '", "tokens": 9'},
    ]
    texts = []
    for each in options:
        question = Question(str(recorded), "sample", 9, options=each)
        texts.append(answering.answer(question, lambda share: None)["facts"])
    assert len({json.dumps(facts) for facts in texts}) == len(options)
    order = [*range(len(options))]
    draw.shuffle(order)
    for place in order:
        question = Question(str(recorded), "sample", 9, options=options[place])
        assert answering.answer(question, lambda share: None)["facts"] == texts[place]


def test_writing_says_how_far_it_is_and_can_be_cancelled(later: Inspection) -> None:
    shares: list[float] = []
    question = Question(str(later.path), "sample", 9, options={"tokens": 100, "before": True})
    answer(question, later, shares.append)
    assert shares == sorted(shares)
    assert len(shares) > 10
    assert (shares[0], shares[-1]) == (0.0, 1.0)

    def stop(share: float) -> None:
        if share > 0.3:
            raise CancelledError("No more.", "")

    with pytest.raises(CancelledError):
        answer(question, later, stop)
    assert not later.model.training


# -- fields ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "typed", "value"),
    [
        ("prompt", None, ""),
        ("prompt", "", ""),
        ("prompt", " ", " "),
        ("prompt", "\n", "\n"),
        ("temperature", "", 0.8),
        ("temperature", " ", 0.8),
        ("temperature", " 0 ", 0.0),
        ("temperature", "1e-1", 0.1),
        ("temperature", 2, 2),
        ("tokens", "17", 17),
    ],
)
def test_what_is_typed_is_read(option: str, typed: Any, value: Any) -> None:
    assert FIELDS[option].read(typed) == value


@pytest.mark.parametrize(
    ("option", "typed", "words"),
    [
        ("prompt", 3, "Expected a text as prompt, but got 3."),
        ("prompt", "x" * 100_001, "at most 100,000 characters, but got 100,001. Take a part of it."),
        ("temperature", "warm", "Expected a number between 0 and 10 as temperature, but got 'warm'."),
        ("temperature", "0,8", "but got '0,8'. Type one, such as 0.8."),
        ("temperature", "nan", "temperature to be between 0 and 10, but got nan"),
        ("temperature", "1e999", "but got inf. Use 10 (the nearest) or 0.8 (the default)."),
        ("temperature", True, "but got True"),
        ("tokens", "2.5", "Expected a whole number between 1 and 10_000 as tokens, but got '2.5'."),
        ("tokens", 2.0, "but got 2.0"),
        ("tokens", "0", "but got 0. Use 1 (the nearest) or 200 (the default)."),
        ("tokens", "9" * 5_000, f"but got '{'9' * 39}... (5,000 characters). Type"),
    ],
)
def test_what_cannot_stand_is_refused_with_the_field(option: str, typed: Any, words: str) -> None:
    with pytest.raises(OptionError) as refused:
        FIELDS[option].read(typed)
    assert refused.value.option == option
    assert words in str(refused.value)
    assert len(str(refused.value)) < 200


def test_a_field_of_another_view_reads_alike() -> None:
    assert Field("depth", "Depth", 3).read("4") == "4"  # a text, since it has no range
