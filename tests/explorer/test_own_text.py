"""The text of a new run on the page: brought, read before Start, refused in a sentence, and nobody else's."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from layertie_lab.core.config import RunConfig
from layertie_lab.core.errors import CorpusError
from layertie_lab.explorer import own_text
from layertie_lab.explorer.own_text import OwnText
from layertie_lab.explorer.terms import Terms
from layertie_lab.records.texts import folder_of, keep_text, own_texts
from layertie_lab.widgets.forms.form import Draft, config_of
from layertie_lab.widgets.forms.settings_form import SettingsForm

WORDS = "".join(f"line {number} of a text of somebody's own\n" for number in range(400))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("LAYERTIE_CACHE", str(tmp_path / "cache"))
    yield
    # What was read for nobody any more ends before its folder goes.
    for thread in threading.enumerate():
        if thread.name == "layertie text":
            thread.join(30)


def wait_for(condition: Callable[[], Any], words: str, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"waited {seconds:g} s for {words}"
        time.sleep(0.01)


class Page:
    """A form with its text, as a page that somebody looks at."""

    def __init__(self, root: Path, terms: Terms | None = None) -> None:
        self.form = SettingsForm(Draft(scale="tiny"))
        self.text = OwnText(self.form, terms or Terms(root), root)
        self.form.hear({"kind": "seen", "view": "a", "seen": True})

    def change(self, path: str, value: str) -> None:
        self.form.hear({"kind": "change", "path": path, "value": value})

    def bring(self, name: str, content: bytes) -> None:
        data = base64.b64encode(content).decode()
        self.form.hear({"kind": "upload", "name": name, "size": len(content), "at": 0, "data": data})

    def read(self) -> dict[str, Any]:
        """What is shown, once it is of what the form names."""
        wait_for(lambda: self.form.preview.get("reading") is False, "the text to be read")
        return self.form.preview

    def blamed(self, path: str = "text.corpus") -> str:
        wait_for(lambda: path in self.form.text_problems, f"a sentence at {path}: {self.form.text_problems}")
        return self.form.text_problems[path]

    @property
    def corpus(self) -> str:
        return config_of(self.form.draft).text.corpus


def test_a_text_that_is_brought_is_kept_chosen_and_read(tmp_path: Path) -> None:
    page = Page(tmp_path)
    page.read()
    page.bring("notes.txt", b"\xef\xbb\xbf" + WORDS.replace("\n", "\r\n").encode())
    wait_for(lambda: page.corpus != "pydoc", "the text to be chosen")
    shown = page.read()
    assert shown["head"].startswith("line 0 of a text of somebody's own\nline 1")
    assert shown["facts"][0] == ["Size", f"{len(WORDS):,} characters ({len(WORDS):,} bytes)"]
    assert [row[0] for row in shown["splits"]] == ["train", "reward", "validation", "test"]
    assert sum(int(row[1].replace(",", "")) for row in shown["splits"]) == len(WORDS)
    assert Path(page.corpus).parent == folder_of(tmp_path)
    assert [entry[1:] for entry in page.form.suggestions["text.corpus"] if entry[0] == page.corpus] == [
        ["notes.txt, 15 kB", "Your own"]
    ]
    # Another tokenizer, another number of tokens.
    page.change("text.tokenizer", "bpe")
    wait_for(lambda: "by bpe" in page.form.preview["facts"][1][1], "the tokens of another tokenizer")
    assert page.read()["facts"][0] == shown["facts"][0]
    assert page.read()["facts"][1] != shown["facts"][1]


def test_a_table_is_read_by_its_suggested_column_and_by_another(tmp_path: Path) -> None:
    page = Page(tmp_path)
    frame = pl.DataFrame({"id": list(range(400)), "body": WORDS.splitlines(), "tag": ["some other words here"] * 400})
    page.bring("rows.csv", frame.write_csv().encode())
    wait_for(lambda: config_of(page.form.draft).text.column == "body", "the column to be suggested")
    assert page.read()["head"].startswith("line 0 of a text")
    assert [[name, is_text] for name, _, is_text in page.form.columns] == [["id", False], ["body", True], ["tag", True]]
    page.change("text.column", "tag")
    wait_for(lambda: page.form.preview.get("head", "").startswith("some other"), "the other column")
    page.change("text.column", "id")
    assert "it holds numbers" in page.blamed("text.column")
    assert "the column id of" in page.blamed("text.column")
    page.change("text.column", "gone")
    assert "a column out of id, body, tag" in page.blamed("text.column")
    page.change("text.corpus", "pydoc")
    assert config_of(page.form.draft).text.column == ""
    assert page.read()["head"].startswith("The ")
    assert page.form.columns == []


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", b"\xff\xfe" + WORDS.encode("utf-16-le"), "looks like UTF-16"),
        ("a.txt", bytes(range(256)) * 50, "NUL bytes"),
        ("a.txt", WORDS.encode() + "caf\u00e9".encode("latin-1"), "Expected UTF-8 text"),
        ("a.pdf", b"%PDF-1.7\n\xff" + WORDS.encode(), "looks like a PDF"),
        ("a.zip", b"PK" + WORDS.encode(), "is packed"),
        ("a.txt", b"short", "Expected at least 33 tokens in every split"),
        ("a.csv", b"id,text\n1,a\n2,b,c\n", "has 3 cells, and its head 2"),
        ("a.csv", b"id,n\n1,2\n", "none of id, n holds any"),
        ("a.jsonl", b'{"text": "a"}\n{"text"\n', "line 2 is none"),
        ("a.parquet", WORDS.encode(), "Expected a Parquet file"),
    ],
)
def test_a_bad_file_gets_one_sentence_and_nothing_is_lost(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    page = Page(tmp_path)
    page.change("seed", "17")
    page.bring(name, content)
    sentence = page.blamed()
    assert said in sentence
    assert "\n" not in sentence
    # As the person knows it, and not as the file that is kept here.
    assert str(tmp_path) not in sentence
    assert own_texts(tmp_path)[0].path.name not in sentence
    assert config_of(page.form.draft).seed == 17
    assert page.form.preview == {}
    page.change("text.corpus", "pydoc")
    assert page.read()["facts"]
    assert page.form.text_problems == {}


def test_a_small_text_has_its_size_in_bytes(tmp_path: Path) -> None:
    keep_text(tmp_path, "notes.txt", b"ten bytes!")
    page = Page(tmp_path)
    assert ["notes.txt, 10 bytes", "Your own"] in [entry[1:] for entry in page.form.suggestions["text.corpus"]]


def test_nothing_is_read_for_a_form_that_nobody_looks_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(own_text, "_answer", lambda config, allowed: asked.append(config.text.corpus))
    form = SettingsForm(Draft(scale="tiny"))
    held = OwnText(form, Terms(tmp_path), tmp_path)
    form.put(RunConfig.preset("tiny", corpus="stdlib"))
    time.sleep(0.05)
    assert (asked, form.preview) == ([], {})
    assert held is not None


def test_the_answer_about_a_text_that_is_not_named_any_more_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, asked = threading.Event(), []

    def answer(config: RunConfig, allowed: object) -> own_text._Answer:
        asked.append(config.text.corpus)
        if config.text.corpus == "stdlib":
            go_on.wait(30)
        return own_text._Answer(shown={"reading": False, "head": config.text.corpus})

    monkeypatch.setattr(own_text, "_answer", answer)
    monkeypatch.setattr(own_text, "SLOW_SECONDS", 0.05)
    page = Page(tmp_path)
    assert page.read()["head"] == "pydoc"
    page.change("text.corpus", "stdlib")
    assert page.form.preview["reading"]
    wait_for(lambda: "so far" in page.form.preview["said"], "the word that it takes long")
    page.change("text.corpus", "pydoc-distinct")
    wait_for(lambda: page.form.preview["head"] == "pydoc-distinct", "the later text, before the earlier one")
    go_on.set()
    wait_for(lambda: threading.active_count() > 0 and asked.count("stdlib") == 1, "the earlier one")
    time.sleep(0.05)
    assert page.form.preview["head"] == "pydoc-distinct"


def test_a_hub_that_does_not_answer_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("layertie_lab.text.reach.hub_reachable", lambda: False)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "none"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    page = Page(tmp_path)
    page.change("text.corpus", "wikitext-2")
    assert "does not answer" in page.blamed() or "forbids downloads" in page.blamed()


def test_each_visitor_reads_their_own_texts_and_no_others(tmp_path: Path) -> None:
    mine, other = tmp_path / "visitor-1", tmp_path / "visitor-2"
    terms = Terms(tmp_path, remote=True, visitors="each")
    path = keep_text(mine, "mine.txt", WORDS.encode())
    own, theirs = Page(mine, terms), Page(other, terms)
    for page in (own, theirs):
        page.change("text.corpus", str(path))
    assert own.read()["head"].startswith("line 0")
    assert "Expected a built-in text" in theirs.blamed()
    assert "line 0" not in str(theirs.form.preview)
    config = RunConfig.preset("tiny", corpus=str(path))
    assert own.text.allowed(config).text.corpus == str(path)
    with pytest.raises(CorpusError, match="Expected a built-in text"):
        theirs.text.allowed(config)
    assert [text.name for text in own_texts(mine)] == ["mine.txt"]
    assert not [entry for entry in theirs.form.suggestions["text.corpus"] if entry[2] == "Your own"]
    # A path that leads out of the folder again, and files elsewhere, are read by nobody.
    outside = tmp_path / "outside.txt"
    outside.write_text(WORDS)
    for named in (str(outside), f"{folder_of(mine)}/../../outside.txt", "/etc/passwd"):
        own.change("text.corpus", named)
        assert "Expected a built-in text" in own.blamed()


def test_texts_that_the_owner_of_a_server_offers_are_in_the_list(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "offered.txt").write_text(WORDS)
    page = Page(tmp_path / "runs", Terms(tmp_path / "runs", texts=tmp_path / "texts", remote=True))
    assert ["offered.txt", "", "On this server"] in page.form.suggestions["text.corpus"]
    page.change("text.corpus", "offered.txt")
    assert page.read()["head"].startswith("line 0")
