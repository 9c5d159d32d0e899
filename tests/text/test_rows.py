"""Columns of CSV, TSV, JSON lines and Parquet as texts, what is suggested, and what each bad file is told."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from layertie_lab.core.config import RunConfig, TextConfig
from layertie_lab.core.errors import CorpusError
from layertie_lab.records.io.store import Store
from layertie_lab.session.door import RunText
from layertie_lab.session.session import Session
from layertie_lab.text.corpora.lookup import load_corpus, refuse_unread, source_of
from layertie_lab.text.corpora.rows import columns_of, suggested
from layertie_lab.text.dataset import prepare, store_key
from layertie_lab.text.preview import preview
from layertie_lab.text.sources import SPLITS

KINDS = ("csv", "tsv", "jsonl", "ndjson", "parquet")
TEXTS = ['one, "two"\r\nthree', None, "  ", "a\tb", "gr\u00f6\u00dfe\n", "last"]
READ = 'one, "two"\nthree\na\tb\ngr\u00f6\u00dfe\nlast\n'


def written(path: Path, texts: list[str | None], **more: list) -> Path:
    frame = pl.DataFrame({"id": [str(n) for n in range(len(texts))], "body": texts, **more})
    match path.suffix:
        case ".csv":
            frame.write_csv(path)
        case ".tsv":
            frame.write_csv(path, separator="\t")
        case ".parquet":
            frame.write_parquet(path)
        case _:
            frame.write_ndjson(path)
    return path


def joined(path: Path, column: str, **settings: int) -> str:
    corpus = load_corpus(TextConfig(corpus=str(path), column=column, **settings))
    return "".join(str(corpus.splits[split]) for split in SPLITS)


def read_anew(path: Path, column: str) -> None:
    """As a new run reads it."""
    config = TextConfig(corpus=str(path), column=column)
    refuse_unread(config)
    load_corpus(config)


def refusal(path: Path, column: str = "text") -> CorpusError:
    with pytest.raises(CorpusError) as caught:
        read_anew(path, column)
    assert caught.value.remedy
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_is_read_row_by_row(kind: str, tmp_path: Path) -> None:
    path = written(tmp_path / f"rows.{kind}", TEXTS)
    assert joined(path, "body") == READ
    corpus = load_corpus(TextConfig(corpus=str(path), column="body"))
    assert len(corpus.documents) == 4
    assert corpus.notes[0] == "2 of the 6 rows read have no text in the column body."
    assert corpus.description == f"the column body of the file rows.{kind}, 4 rows of text, {len(READ.encode())} bytes"


@pytest.mark.parametrize("kind", KINDS)
def test_a_limit_ends_the_reading(kind: str, tmp_path: Path) -> None:
    path = written(tmp_path / f"rows.{kind}", [f"row {number}" for number in range(5_000)])
    corpus = load_corpus(TextConfig(corpus=str(path), column="body", limit_bytes=1_000))
    assert 980 < corpus.size <= 1_000
    assert "limit_bytes is 1,000" in corpus.notes[0]


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_column_of_prose_is_suggested_and_text_before_it(kind: str, tmp_path: Path) -> None:
    words = ["some words in a row"] * 3
    path = written(tmp_path / f"rows.{kind}", words, tag=["x", "y", "z"])
    columns = columns_of(path)
    assert [column.name for column in columns] == ["id", "body", "tag"]
    assert [column.is_text for column in columns] == [False, True, True]
    assert suggested(columns) == "body"
    assert columns[1].sample == words[0]
    also = written(tmp_path / f"also.{kind}", words, text=["x", "y", "z"])
    assert suggested(columns_of(also)) == "text"
    numbers = written(tmp_path / f"numbers.{kind}", ["1", "2.5", None])
    assert suggested(columns_of(numbers)) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_column_and_none_are_refused_with_those_there_are(kind: str, tmp_path: Path) -> None:
    path = written(tmp_path / f"rows.{kind}", TEXTS)
    assert "a column out of id, body" in refusal(path, "bodi").message
    assert refusal(path, "bodi").remedy == "Did you mean body?"
    assert "none is named; it has id, body" in refusal(path, "").message
    assert "--column body" in refusal(path, "").remedy
    bare = written(tmp_path / f"bare.{kind}", [None, " ", None])
    assert "none of its rows has any" in refusal(bare, "body").message


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"", "it is empty"),
        ("a.tsv", b"", "it is empty"),
        ("a.jsonl", b"", "it is empty"),
        ("a.parquet", b"", "it is empty"),
        ("a.csv", b"id,text\n", "it has none"),
        ("a.jsonl", b"\n\n", "has none"),
        ("a.csv", b"id,text\n1,a\n2,b,c\n3,d\n", "line 3 has 3 cells, and its head 2"),
        ("a.tsv", b"id\ttext\n1\ta\n2\tb\tc\n", "line 3 has 3 cells"),
        ("a.csv", b'id,text\n1,"never closed\n2,b\n', "cannot be read as one"),
        ("a.csv", "id,text\n1,caf\u00e9\n".encode("latin-1"), "another encoding"),
        ("a.csv", bytes(range(256)) * 20, "another encoding"),
        ("a.parquet", b"id,text\n1,a\n", "Expected a Parquet file"),
        ("a.parquet", b"PAR1" + b"x" * 50 + b"PAR1", "Expected a Parquet file"),
        ("a.jsonl", b'{"text": "a"}\n{"text": \n', "line 2 is none"),
        ("a.jsonl", b'{"text": "a"}\n[1, 2]\n', "line 2 is none"),
        ("a.jsonl", b'{"text": "\xff"}\n', "it is not UTF-8"),
        ("a.jsonl", b'{"text": "a"}\n{"text": 7}\n', "row 2 has a number"),
    ],
)
def test_a_bad_file_gets_one_sentence(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    error = refusal(path)
    assert said in error.message
    assert len(str(error)) < 500


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_of_numbers_is_no_text(kind: str, tmp_path: Path) -> None:
    for count in (3, 500):
        path = written(tmp_path / f"rows.{kind}", [f"{number}.5" for number in range(count)])
        assert "it holds numbers" in refusal(path, "body").message


def test_numbers_of_parquet_are_no_text(tmp_path: Path) -> None:
    pl.DataFrame({"text": [1, 2]}).write_parquet(tmp_path / "a.parquet")
    assert "row 1 has a number" in refusal(tmp_path / "a.parquet").message


def test_a_mark_and_line_ends_of_windows_are_no_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xef\xbb\xbftext,id\r\na,1\r\nb,2\r\n")
    assert [column.name for column in columns_of(path)] == ["text", "id"]
    assert joined(path, "text") == "a\nb\n"
    lines = tmp_path / "a.jsonl"
    lines.write_bytes(b'\xef\xbb\xbf{"text": "a"}\r\n{"other": 1}\r\n{"text": "b"}')
    assert joined(lines, "text") == "a\nb\n"


def test_a_column_of_what_has_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("words")
    for corpus in ("pydoc", str(tmp_path / "a.txt"), str(tmp_path), "hf:some/set"):
        with pytest.raises(CorpusError, match="a file of rows"):
            source_of(corpus, "text")
    with pytest.raises(CorpusError, match="nothing is there"):
        source_of(str(tmp_path / "gone.csv"), "text")


def test_old_settings_keep_their_name_and_their_reading(tmp_path: Path) -> None:
    config = RunConfig.preset("tiny")
    values = config.to_dict()
    del values["text"]["column"]
    assert RunConfig.from_dict(values) == config
    assert RunConfig.from_dict(values).hash == config.hash
    assert config.replace(corpus="a.csv", column="text").hash != config.replace(corpus="a.csv").hash
    # A run from before rows were read goes on with what it read then.
    path = written(tmp_path / "rows.csv", ["a", "b"])
    assert joined(path, "") == "id,body\n0,a\n1,b\n"


def test_each_column_is_another_text_and_is_found_again(tmp_path: Path) -> None:
    store = Store(tmp_path / "cache")
    path = written(tmp_path / "rows.csv", ["some words in a row"] * 500, other=["quite other words"] * 500)
    one, two = (TextConfig(corpus=str(path), column=name) for name in ("body", "other"))
    keys = [store_key(config, source_of(config.corpus, config.column).identity()) for config in (one, two)]
    assert keys[0] != keys[1]
    assert prepare(one, 16, store).digest != prepare(two, 16, store).digest


def test_a_run_of_a_column_goes_on_without_its_file(tmp_path: Path) -> None:
    path = written(tmp_path / "rows.parquet", [f"some words in row {number}" for number in range(300)])
    config = RunConfig.preset("tiny", corpus=str(path), column="body", decisions=2, threads=1, snapshot_mebibytes=0)
    with Session(config, tmp_path / "run") as session:
        session.run(1)
    for text in (None, path):
        assert RunText.of(tmp_path / "run").find(text=text).data.vocabulary_size
    path.unlink()
    with Session.resume(tmp_path / "run") as session:
        session.run()
        assert session.finished


def test_a_preview_tells_what_a_run_would_read(tmp_path: Path, prose: str) -> None:
    store = Store(tmp_path / "cache")
    path = tmp_path / "prose.txt"
    path.write_text(prose, encoding="utf-8", newline="\n")
    for tokenizer in ("characters", "bytes", "bpe"):
        config = TextConfig(corpus=str(path), tokenizer=tokenizer)
        found, data = preview(config, 64, store), prepare(config, 64, store)
        assert found.head == prose[: len(found.head)]
        assert found.characters == len(prose)
        assert found.bytes == len(prose.encode())
        assert found.tokens == {split: len(ids) for split, ids in data.splits.items()}
        assert found.notes == data.notes
        for split, share in found.overlap.items():
            assert f"{share:.2%} of {split}" in data.description
        assert found.tokenizer in data.description
    json.dumps(dict(found.overlap))
    short = tmp_path / "short.txt"
    short.write_text("too short")
    with pytest.raises(CorpusError, match="Expected at least 65 tokens in every split"):
        preview(TextConfig(corpus=str(short)), 64, store)
