"""The registry, the offline corpora, local files and folders, and what each refuses."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from layertie_lab.core.config import TextConfig
from layertie_lab.core.errors import CorpusError
from layertie_lab.core.paths import PathError
from layertie_lab.text.corpora.lookup import load_corpus, refuse_unread, source_of
from layertie_lab.text.corpora.registry import builtin_corpora, offline_corpora
from layertie_lab.text.sources import SPLITS, Corpus


def load(corpus: str | Path, limit: int = 20_000_000, **settings: Any) -> Corpus:
    return load_corpus(TextConfig(corpus=str(corpus), limit_bytes=limit, **settings))


def refusal(corpus: str | Path, limit: int = 20_000_000) -> CorpusError:
    with pytest.raises(CorpusError) as caught:
        load(corpus, limit)
    assert caught.value.remedy
    return caught.value


def read_anew(corpus: str | Path) -> Corpus:
    """As a new run reads it."""
    refuse_unread(TextConfig(corpus=str(corpus)))
    return load(corpus)


def joined(corpus) -> str:
    return "".join(str(corpus.splits[split]) for split in SPLITS)


def test_the_registry_lists_offline_corpora_first() -> None:
    names = [name for name, _ in builtin_corpora()]
    assert names == ["pydoc", "pydoc-distinct", "stdlib", "wikitext-2", "wikitext-103", "lambada", "one-billion-words"]
    assert offline_corpora() == ["pydoc", "pydoc-distinct", "stdlib"]
    assert all(description for _, description in builtin_corpora())


def test_pydoc_is_half_a_megabyte_of_prose() -> None:
    corpus = load("pydoc")
    assert 300_000 < corpus.size < 1_000_000
    assert not corpus.notes
    assert load("pydoc").splits == corpus.splits
    assert source_of("pydoc").identity() == source_of("pydoc").identity()


def paragraphs(text: str) -> list[str]:
    return [found.strip() for found in re.split(r"\n\s*\n", text) if found.strip()]


def test_pydoc_distinct_has_each_paragraph_once() -> None:
    corpus, plain = load("pydoc-distinct"), load("pydoc")
    trained = set(paragraphs(str(corpus.splits["train"])))
    for split in ("reward", "validation", "test"):
        held_out = paragraphs(str(corpus.splits[split]))
        assert len(held_out) > 50
        assert trained.isdisjoint(held_out)
    assert not trained.isdisjoint(paragraphs(str(plain.splits["test"])))
    found = paragraphs(joined(corpus))
    assert sorted(found) == sorted(set(paragraphs(joined(plain))))
    assert f"of {plain.size:,} bytes, {corpus.size:,} are kept" in corpus.description
    assert f"{plain.size - corpus.size:,} in {len(paragraphs(joined(plain))) - len(found):,} para" in corpus.description
    assert not corpus.notes


def test_pydoc_distinct_is_the_same_each_time_and_another_text_than_pydoc() -> None:
    corpus = load("pydoc-distinct")
    assert load("pydoc-distinct").splits == corpus.splits
    assert source_of("pydoc-distinct").identity() == source_of("pydoc-distinct").identity()
    assert source_of("pydoc-distinct").identity() != source_of("pydoc").identity()
    assert load("pydoc-distinct").digest() == corpus.digest() != load("pydoc").digest()
    part = load("pydoc-distinct", 100_000)
    assert joined(corpus).startswith(joined(part))
    assert 98_000 < part.size <= 100_000
    assert f"the first {part.size:,} bytes were read" in part.notes[0]


def test_stdlib_reads_up_to_the_limit_in_a_fixed_order() -> None:
    corpus = load("stdlib", 500_000)
    assert 480_000 < corpus.size <= 500_000
    assert len(corpus.notes) == 1
    assert "limit_bytes is 500,000" in corpus.notes[0]
    assert joined(load("stdlib", 500_000)) == joined(corpus)
    short, long = (load("stdlib", limit, splits="bytes") for limit in (500_000, 600_000))
    assert joined(long).startswith(joined(short))
    names = [name for name, _ in source_of("stdlib").identity()[1]]
    assert names == sorted(names)
    assert "ast.py" in names
    assert "json/decoder.py" in names
    assert not [n for n in names if {"test", "tests", "idlelib", "site-packages", "__pycache__"} & set(n.split("/"))]
    assert sum(size for _, size in source_of("stdlib").identity()[1]) > 5_000_000


def test_a_file_with_a_limit(tmp_path: Path, prose: str) -> None:
    path = tmp_path / "prose.anything"
    path.write_text(prose, encoding="utf-8", newline="\n")
    corpus = load(path)
    assert joined(corpus) == prose
    assert f"{len(prose.encode()):,} bytes" in corpus.description
    part = load(path, 10_000)
    assert prose.startswith(joined(part))
    assert joined(part).endswith("\n")
    assert 9_900 < part.size <= 10_000
    assert part.notes


def test_line_ends_and_byte_order_mark_are_those_of_text_mode(tmp_path: Path) -> None:
    path = tmp_path / "windows.txt"
    path.write_bytes(b"\xef\xbb\xbf" + "größe\r\nline\rtwo\r\nlast".encode())
    assert joined(load(path)) == "größe\nline\rtwo\nlast\n"


def test_line_ends_and_characters_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "äöü語🙂\r\nxy\r\n\r" * 50
    (tmp_path / "a.txt").write_bytes(text.encode())
    for block in (1, 2, 3, 5, 7):
        monkeypatch.setattr("layertie_lab.text.corpora.files.PIECE", block)
        assert joined(load(tmp_path / "a.txt")) == text.replace("\r\n", "\n") + "\n"


def test_a_folder_is_read_by_path_without_hidden_and_other_files(tmp_path: Path) -> None:
    for name, text in {"b.txt": "bb", "a/z.md": "az\n", ".hidden/x.txt": "no", "c.png": "no", "a.txt": "a\n"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    corpus = load(tmp_path)
    assert joined(corpus) == "a\naz\nbb\n"
    assert "1 files" in corpus.notes[0]


def test_a_folder_of_official_splits_keeps_them(tmp_path: Path, prose: str) -> None:
    for name, text in {"wiki.train.tokens": prose, "wiki.valid.tokens": "v\n" * 500, "wiki.test.tokens": "t\n"}.items():
        (tmp_path / name).write_text(text, encoding="utf-8", newline="\n")
    corpus = load(tmp_path)
    assert str(corpus.splits["train"]) + str(corpus.splits["reward"]) == prose
    assert str(corpus.splits["validation"]) == "v\n" * 500
    assert sorted(corpus.official) == ["test", "train", "validation"]
    limited = load(tmp_path, 5_000)
    assert limited.splits["validation"].size == 500
    assert limited.size <= 5_000
    assert len(limited.notes) == 2


def test_an_unknown_name_is_answered_with_near_ones() -> None:
    error = refusal("wikitext2")
    assert "wikitext2" in error.message
    assert "stdlib" in error.message
    assert "wikitext-2" in error.remedy
    assert "pydoc or pydoc-distinct or stdlib" in refusal("qqqqqq").remedy
    refusal("")
    refusal("  ")
    refusal("a\0b")


def test_a_missing_path_is_answered_with_near_ones(tmp_path: Path) -> None:
    (tmp_path / "shakespeare.txt").write_text("x")
    error = refusal(tmp_path / "shakespear.txt")
    assert str(tmp_path / "shakespear.txt") in error.message
    assert "shakespeare.txt" in error.remedy
    assert "hf:owner/data" in refusal("owner/data").remedy
    assert "nothing is there" in refusal("C:\\texts\\a.txt").message


def test_empty_and_textless(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()
    assert "empty" in refusal(tmp_path / "empty.txt").message
    folder = tmp_path / "folder"
    folder.mkdir()
    assert "none of its 0 files" in refusal(folder).message
    (folder / "table.parquet").touch()
    assert f"hf:{folder}" in refusal(folder).remedy


def test_bytes_that_are_no_utf8_are_named_with_file_and_position(tmp_path: Path) -> None:
    bad = tmp_path / "texts" / "latin.txt"
    bad.parent.mkdir()
    (bad.parent / "fine.txt").write_text("fine")
    bad.write_bytes(b"a" * 1_500_000 + b"caf\xe9 noir")
    for corpus in (bad, bad.parent):
        error = refusal(corpus)
        assert str(bad) in error.message
        assert "byte 1,500,003 (0xe9)" in error.message
    assert load(bad, 1_000_000).notes  # what lies beyond the limit is not read
    bad.write_bytes("half a character: é".encode()[:-1])
    assert "byte 18 (0xc3)" in refusal(bad).message
    bad.write_bytes(b"\xef\xbb\xbfab\xff")
    assert "byte 5 (0xff)" in refusal(bad).message


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a file that may not be read")
def test_an_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "secret.txt"
    path.write_text("secret")
    path.chmod(0)
    assert "Permission denied" in refusal(path).message


@pytest.mark.skipif(os.name == "nt", reason="such names are not allowed there")
@pytest.mark.parametrize("name", ["hf:owner:config:text", "C:\\texts\\a.txt", "D:", "pre:fix"])
def test_a_path_that_exists_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prose: str, name: str) -> None:
    (tmp_path / name).write_text(prose, encoding="utf-8", newline="\n")
    monkeypatch.chdir(tmp_path)
    assert joined(load(name)) == prose


def test_a_registered_name_wins_over_a_file_and_the_file_is_reached_by_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prose: str
) -> None:
    (tmp_path / "pydoc").write_text(prose, encoding="utf-8", newline="\n")
    monkeypatch.chdir(tmp_path)
    assert joined(load("pydoc")) != prose
    assert joined(load("./pydoc")) == prose


def test_identity_changes_with_the_files(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("one")
    first = source_of(str(path)).identity(), source_of(str(tmp_path)).identity()
    assert first == (source_of(str(path)).identity(), source_of(str(tmp_path)).identity())
    path.write_text("two")
    os.utime(path, ns=(1, 1))
    assert source_of(str(path)).identity() != first[0]
    assert source_of(str(tmp_path)).identity() != first[1]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("rows.arrow", "hf:FOLDER"),
        ("text.txt.gz", "packed"),
        ("text.zip", "packed"),
    ],
)
def test_packed_files_are_not_read_as_text(name: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("a,b\n1,2\n")
    with pytest.raises(CorpusError, match=said) as caught:
        refuse_unread(TextConfig(corpus=str(path)))
    assert caught.value.remedy
    refuse_unread(TextConfig(corpus=str(tmp_path)))
    refuse_unread(TextConfig())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("some words".encode("utf-16"), "looks like UTF-16"),
        ("some words".encode("utf-16-le"), "looks like UTF-16"),
        (b"%PDF-1.7 \xff", "looks like a PDF"),
        (b"\x89PNG\r\n\x1a\n\0\0", "looks like a picture"),
        (bytes(range(1, 200)) + b"\0", "may be no text"),
        ("na\u00efve caf\u00e9".encode("latin-1"), "Convert the file to UTF-8"),
    ],
)
def test_another_encoding_and_what_is_no_text_are_told_by_their_beginning(
    content: bytes, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(content)
    with pytest.raises(CorpusError) as caught:
        read_anew(path)
    assert said in caught.value.remedy
    assert str(path) in caught.value.message


def test_one_number_says_how_much_was_read(tmp_path: Path, prose: str) -> None:
    path = tmp_path / "prose.txt"
    path.write_bytes(b"\xef\xbb\xbf" + prose.rstrip("\n").replace("\n", "\r\n").encode())
    corpus = load(path)
    assert corpus.description == f"the file prose.txt, {corpus.size:,} bytes"
    assert f"{path.stat().st_size:,}" not in corpus.description
    assert load(path, 10_000).description.endswith(f"bytes of {path.stat().st_size:,}")


@pytest.mark.parametrize(
    "corpus", ["http://a.b/c.txt", "https://a.b", "FILE:///etc/passwd", "hf://datasets/a/b", "s3://x"]
)
def test_a_url_is_not_read(corpus: str) -> None:
    with pytest.raises(CorpusError, match="URLs are not read"):
        source_of(corpus)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in the file system")
def test_a_pipe_and_a_device_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "text.txt").write_text("Some words.\n" * 500)
    with pytest.raises(PathError, match="a pipe"):
        source_of(str(tmp_path / "pipe.txt"))
    with pytest.raises(PathError, match="a device"):
        source_of("/dev/zero")
    # A folder's other files are read all the same.
    assert load_corpus(TextConfig(corpus=str(tmp_path))).size == 6000
