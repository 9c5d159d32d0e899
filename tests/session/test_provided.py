"""Initial weights and batches that are handed in: what is used, what is refused, and how such a run is resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from plain_official import PlainGPT

from layertie_lab import RunConfig, Session
from layertie_lab.core.errors import ConfigError, LayertieError, RecordError
from layertie_lab.core.events import Stepped
from layertie_lab.records.log.recovery import repair
from layertie_lab.text.numbered import NumberTokenizer

VOCABULARY, CONTEXT = 30, 8


def config_of(**changes: Any) -> RunConfig:
    defaults = {
        "layers": 3,
        "width": 16,
        "context": CONTEXT,
        "batch_size": 2,
        "decisions": 6,
        "evaluate_every": 3,
        "sample_every": 2,
        "sample_tokens": 4,
        "steps_per_decision": 2,
        "algorithm": "official-code",
    }
    return RunConfig.preset("tiny", **(defaults | changes))


def batches(count: int, seed: int = 0, sequences: int = 2, length: int = CONTEXT + 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, VOCABULARY, (count, sequences, length))


def weights(vocabulary: int = VOCABULARY, **changes: Any) -> dict[str, torch.Tensor]:
    shape = {"context": CONTEXT, "layers": 3, "width": 16, "heads": 2} | changes
    return PlainGPT(vocabulary, **shape).state_dict()


def handed_in(count: int = 6) -> dict[str, Any]:
    return {"initial_weights": weights(), "batches": batches(2 * count), "reward_batches": batches(count, 1, 5)}


def losses_of(session: Session, decisions: int) -> list[float]:
    found: list[float] = []
    stop = session.subscribe(lambda event: found.append(event.loss) if isinstance(event, Stepped) else None)
    session.run(decisions)
    stop()
    return found


def test_any_integer_arrays_are_as_good() -> None:
    given = handed_in()
    first = losses_of(Session(config_of(), **given), 2)
    as_lists = given | {"batches": [torch.tensor(b, dtype=torch.int32) for b in given["batches"]]}
    assert first == losses_of(Session(config_of(), **as_lists), 2)
    as_bytes = given | {"batches": given["batches"].astype(np.uint16)}
    assert first == losses_of(Session(config_of(), **as_bytes), 2)


def test_with_both_kinds_no_text_is_read_and_the_run_says_so(tmp_path: Path) -> None:
    session = Session(config_of(corpus=str(tmp_path / "no-such-file")), **handed_in())
    session.run()
    assert session.data.vocabulary_size == VOCABULARY
    assert "handed in" in session.data.description
    assert "No text is held out" in session.data.notes[0]
    assert session.summary()["decisions"] == 6
    assert session.sample(3)[1].split()


def test_batches_alone_and_weights_alone_go_with_a_text(text_file: Path) -> None:
    plain = Session(config_of(corpus=str(text_file)))
    size = plain.data.vocabulary_size
    drawn = Session(config_of(corpus=str(text_file)), batches=batches(12) % size)
    assert drawn.data.description == plain.data.description
    assert drawn.components.batches.batch(0).tolist() == (batches(12)[0] % size).tolist()
    loaded = Session(config_of(corpus=str(text_file)), initial_weights=weights(size))
    assert loaded.run(1)[0].reward_loss != plain.run(1)[0].reward_loss


def test_accumulated_steps_take_as_many_batches() -> None:
    given = handed_in() | {"batches": batches(24)}
    session = Session(config_of(accumulate=2), **given)
    session.run()
    assert session.step == 12


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"batches": batches(12, length=CONTEXT)}, r"2 sequences x 9 tokens .*, but number 0 has the shape \(2, 8\)"),
        ({"batches": batches(12, sequences=3)}, r"number 0 has the shape \(3, 9\)"),
        ({"batches": [batches(1)[0], batches(1)]}, r"number 1 has the shape \(1, 2, 9\)"),
        ({"batches": batches(12) / 2}, "whole numbers in the training batches, but number 0 is of float64"),
        ({"batches": batches(12) - 5}, "token ids, 0 or more"),
        ({"batches": []}, "without any"),
        ({"batches": iter(batches(12))}, "without a length"),
        ({"batches": batches(12) + 1000, "reward_batches": None, "initial_weights": None}, "token ids below"),
        ({"reward_batches": batches(6, length=3)}, r"any number of sequences x 9 tokens"),
        ({"initial_weights": weights(VOCABULARY + 9), "batches": None}, "rows, one per token, but got 39"),
        ({"initial_weights": weights(layers=2)}, "missing"),
        ({"initial_weights": {}}, "missing"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], said: str, text_file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        Session(config_of(corpus=str(text_file)), tmp_path / "run", **(handed_in() | changes))
    assert caught.value.remedy
    assert not (tmp_path / "run").exists()


def test_reward_batches_need_a_reward_on_training_batches(text_file: Path) -> None:
    with pytest.raises(ConfigError, match=r"Expected reward.split=train"):
        Session(config_of(algorithm="lab", corpus=str(text_file)), reward_batches=batches(6))


def test_running_out_of_batches_changes_nothing(tmp_path: Path) -> None:
    with Session(config_of(), tmp_path / "run", **handed_in(2)) as session:
        session.run(2)
        log = (tmp_path / "run/events.jsonl").read_bytes()
        with pytest.raises(ConfigError, match="Expected 6 training batches by now, but 4 were handed in") as caught:
            session.commit(0)
        assert "Session.resume" in caught.value.remedy
        assert (session.phase, session.decision, session.step) == ("propose", 2, 4)
        assert (tmp_path / "run/events.jsonl").read_bytes() == log
    more = handed_in(6)
    with Session.resume(
        tmp_path / "run", batches=more["batches"], reward_batches=np.concatenate([batches(2, 1, 5), batches(1, 2, 5)])
    ) as session:
        session.run(1)
        with pytest.raises(ConfigError, match="Expected 4 reward batches by now, but 3"):
            session.run(1)


def test_a_resumed_run_is_given_the_same_again_and_goes_on_bit_for_bit(tmp_path: Path) -> None:
    given = handed_in()
    with Session(config_of(), tmp_path / "whole", **given) as whole:
        whole.run()
    with Session(config_of(), tmp_path / "stopped", **given) as stopped:
        stopped.run(3)
    again = {name: value for name, value in given.items() if name != "initial_weights"}
    with Session.resume(tmp_path / "stopped", **again) as resumed:
        assert resumed.data.vocabulary_size == VOCABULARY
        resumed.run()
        pairs = zip(resumed.model.parameters(), whole.model.parameters(), strict=True)
        assert all(value.equal(other) for value, other in pairs)
    assert (tmp_path / "whole/events.jsonl").read_bytes() == (tmp_path / "stopped/events.jsonl").read_bytes()


def test_a_run_without_a_checkpoint_needs_its_weights_again(tmp_path: Path) -> None:
    given = handed_in()
    with Session(config_of(), tmp_path / "run", **given) as session:
        session.run(2)
    log = (tmp_path / "run/events.jsonl").read_bytes()
    for path in (tmp_path / "run/checkpoints").iterdir():
        path.unlink()
    (tmp_path / "run/events.jsonl").write_bytes(b"".join(log.splitlines(keepends=True)[:4]))
    with pytest.raises(RecordError, match=r"Expected the initial weights .* but got none"):
        Session.resume(tmp_path / "run", batches=given["batches"], reward_batches=given["reward_batches"])
    with pytest.raises(RecordError, match=r"its end is missing\. .*layertie repair"):
        Session.resume(tmp_path / "run", **given)
    repair(tmp_path / "run")
    with Session.resume(tmp_path / "run", **given) as session:
        session.run(2 - session.decision)
    assert (tmp_path / "run/events.jsonl").read_bytes().startswith(log[:-1])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"batches": None}, "Expected 12 batches for the run in .*, but got none"),
        ({"batches": batches(12, 5)}, "Expected the 12 batches .* but got others"),
        ({"batches": batches(11)}, "Expected the 12 batches .* but got others"),
        ({"reward_batches": None}, "Expected 6 reward_batches"),
        ({"initial_weights": weights(seed=4)}, "Expected the initial weights .* but got others"),
    ],
)
def test_other_batches_or_weights_cannot_resume(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    with Session(config_of(), tmp_path / "run", **handed_in()):
        pass
    with pytest.raises(RecordError, match=said) as caught:
        Session.resume(tmp_path / "run", **(handed_in() | changes))
    assert "Session.resume" in caught.value.remedy
    with Session.resume(tmp_path / "run", **handed_in()) as session:  # the failed attempt let the run go
        assert session.decision == 0


def test_a_plain_run_takes_none_on_resume(text_file: Path, tmp_path: Path) -> None:
    with Session(config_of(corpus=str(text_file)), tmp_path / "run"):
        pass
    with pytest.raises(RecordError, match="Expected no batches"):
        Session.resume(tmp_path / "run", batches=batches(12))


def test_a_fork_goes_on_with_the_same_batches() -> None:
    trunk = Session(config_of(), **handed_in())
    trunk.run(1)
    assert losses_of(trunk.fork(), 2) == losses_of(trunk, 2)


def test_numbers_are_written_and_read() -> None:
    tokenizer = NumberTokenizer(12)
    assert tokenizer.encode(tokenizer.decode([3, 11, 0])).tolist() == [3, 11, 0]
    assert tokenizer.token_text(7) == "7"
    with pytest.raises(LayertieError, match="from 0 to 11"):
        tokenizer.encode("12")
