"""Probe sets: from the validation split, or typed; what cannot be one is refused with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from layertie_lab.core.errors import AnalysisError, CorpusError, LayertieError
from layertie_lab.inspection.moment import Inspection
from layertie_lab.inspection.probe import probe_of
from layertie_lab.text.dataset import TokenData

CONTEXT = 16


@pytest.fixture(scope="module")
def data(recorded: Path) -> TokenData:
    return Inspection.of(recorded).data


def test_windows_of_the_validation_split(data: TokenData) -> None:
    probe = probe_of(data, CONTEXT, sequences=5)
    assert probe.tokens.shape == (5, CONTEXT + 1)
    assert not probe.warnings
    assert [len(pieces) for pieces in probe.pieces] == [CONTEXT + 1] * 5
    assert "5 sequences of 16 tokens" in probe.source


def test_a_typed_text_is_cut_into_sequences_that_share_a_token(data: TokenData) -> None:
    text = "zq jx " * 9  # 54 characters
    probe = probe_of(data, CONTEXT, text=text)
    assert probe.tokens.shape == (3, CONTEXT + 1)
    assert "".join(probe.pieces[0][:-1] + probe.pieces[1]) == text[: 2 * CONTEXT + 1]
    assert probe_of(data, CONTEXT, text="zq jx z").tokens.shape == (1, 7)


def test_equal_sets_have_equal_names(data: TokenData) -> None:
    names = {probe_of(data, CONTEXT, sequences=n).name for n in (2, 2, 3)}
    assert len(names) == 2


def test_a_text_out_of_the_training_split_is_warned_about(data: TokenData) -> None:
    learned = data.tokenizer.decode(data.splits["train"][1000:1060])
    (warning,) = probe_of(data, CONTEXT, text=learned).warnings
    assert warning.startswith("3 of the 3 probe sequences are in the training text")
    assert not probe_of(data, CONTEXT, text="zq jx zq jx zq jx zq jx zq jx").warnings


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"text": ""}, AnalysisError, "it is empty"),
        ({"text": " \n "}, AnalysisError, "it is empty"),
        ({"text": "abc"}, AnalysisError, "at least 5 tokens, but got 3"),
        ({"text": "a" * 5000}, AnalysisError, "at most 1,025 tokens"),
        ({"text": "what is \u2603?"}, CorpusError, "U\\+2603"),
        ({"sequences": 0}, AnalysisError, "1 to 64 probe sequences, but got 0"),
        ({"sequences": 65}, AnalysisError, "1 to 64 probe sequences, but got 65"),
    ],
)
def test_what_is_no_probe_is_refused(
    data: TokenData, options: dict[str, object], error: type[LayertieError], said: str
) -> None:
    with pytest.raises(error, match=said):
        probe_of(data, CONTEXT, **options)
