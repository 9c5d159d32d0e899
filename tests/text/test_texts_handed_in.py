"""Texts that are handed in: every form gives the same tokens, and what is no text is refused in a sentence."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import datasets
import numpy as np
import pandas
import polars
import pytest

from layertie_lab.core.config import TextConfig
from layertie_lab.core.errors import CorpusError
from layertie_lab.text.dataset import TokenData
from layertie_lab.text.provided import token_data

TEXTS = [f"Text {number} says {number * number}, which is {'odd' if number % 2 else 'even'}." for number in range(120)]
SOME = [*TEXTS[:50], None, *TEXTS[50:]]
FORMS: dict[str, Any] = {
    "a list": TEXTS,
    "a tuple with a missing one": tuple(SOME),
    "a generator": (text for text in TEXTS),
    "a polars column": polars.Series("text", SOME),
    "a pandas column": pandas.Series(SOME),
    "a pandas column of strings": pandas.Series(SOME, dtype="string"),
    "rows of datasets": datasets.Dataset.from_dict({"label": list(range(121)), "text": SOME}),
    "rows with one column of strings": datasets.Dataset.from_dict({"label": list(range(120)), "body": TEXTS}),
    "a column of datasets": datasets.Dataset.from_dict({"body": TEXTS, "title": TEXTS})["body"],
    "a mapping": {"train": TEXTS},
}


def made(given: object, **settings: Any) -> TokenData:
    return token_data(given, TextConfig(**settings), context=16)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_tokens(form: str) -> None:
    expected, data = made(TEXTS), made(FORMS[form])
    assert data.digest == expected.digest
    assert all(np.array_equal(data.splits[split], expected.splits[split]) for split in expected.splits)
    whole = "".join(data.tokenizer.decode(data.splits[split]) for split in ("train", "reward", "validation", "test"))
    assert whole == "".join(f"{text}\n" for text in TEXTS)
    assert "handed in: 120 texts" in data.description
    assert data.origin is None


def test_token_data_is_taken_as_it_is() -> None:
    data = made(TEXTS)
    assert made(data) is data


def test_splits_that_come_divided_stay_so() -> None:
    rows = datasets.DatasetDict(
        {
            "train": datasets.Dataset.from_dict({"text": TEXTS[:100]}),
            "test": datasets.Dataset.from_dict({"text": TEXTS[100:]}),
        }
    )
    data = made(rows)
    assert data.tokenizer.decode(data.splits["test"]) == "".join(f"{text}\n" for text in TEXTS[100:])
    assert "reward = bytes" in data.description


def test_the_limit_is_kept_and_told() -> None:
    data = made(TEXTS, limit_bytes=1500)
    assert sum(map(len, data.splits.values())) <= 1500
    assert "left out" in data.notes[0]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("one text", "one string"),
        (3, "int 3"),
        ([], "holds none"),
        ([None], "holds none"),
        ([b"bytes"], "bytes"),
        (["a", 3], "one of them is int 3"),
        (pandas.DataFrame({"text": TEXTS}), "DataFrame"),
        (polars.DataFrame({"text": TEXTS}), "DataFrame"),
        ({"text": TEXTS}, "but got text"),
        ([{"a": "x", "b": "y"}], "a column of text, but the rows have a, b"),
        (["short"], "at least 17 tokens in every split"),
    ],
)
def test_what_is_no_text_is_refused(given: object, said: str) -> None:
    with pytest.raises(CorpusError, match=said) as told:
        made(given)
    assert told.value.remedy


def test_nothing_is_imported_that_was_not_handed_in() -> None:
    code = (
        "import sys\nfrom layertie_lab.core.config import TextConfig\n"
        "from layertie_lab.text.provided import token_data\n"
        "token_data(['some words'] * 100, TextConfig(), 8)\n"
        "print(*sorted({'datasets', 'pandas', 'polars', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
