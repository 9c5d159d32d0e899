"""Hugging Face data sets, with the real library on local ones; only the look at the network is replaced."""

from __future__ import annotations

import http.server
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from layertie_lab.core.config import TextConfig
from layertie_lab.core.errors import CorpusError
from layertie_lab.text import reach
from layertie_lab.text.corpora.hub import HubName
from layertie_lab.text.corpora.lookup import load_corpus
from layertie_lab.text.dataset import prepare
from layertie_lab.text.sources import SPLITS

datasets = pytest.importorskip("datasets")
parquet = pytest.importorskip("pyarrow.parquet")

ROWS = {"train": 2000, "validation": 200, "test": 200}


def row(split: str, number: int) -> str:
    return f"{split} row {number} ties a layer" if number % 3 else ""


def text_of(split: str) -> str:
    return "".join(row(split, number) + "\n" for number in range(ROWS[split]))


def configuration(name: str, files: dict[str, str]) -> str:
    return f"- config_name: {name}\n  data_files:\n" + "".join(
        f"  - split: {split}\n    path: {path}\n" for split, path in files.items()
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of two configurations; one states its size, as most on the hub do."""
    import pyarrow

    root = tmp_path_factory.mktemp("data") / "rows"
    root.mkdir()
    for split, count in ROWS.items():
        numbers = range(count)
        table = {"id": list(numbers), "text": [row(split, n) for n in numbers], "title": ["t"] * count}
        parquet.write_table(pyarrow.table(table), root / f"{split}.parquet")
    sizes = "".join(
        f"  - name: {split}\n    num_bytes: {count * 30}\n    num_examples: {count}\n" for split, count in ROWS.items()
    )
    features = "".join(
        f"  - name: {name}\n    dtype: {kind}\n"
        for name, kind in (("id", "int64"), ("text", "string"), ("title", "string"))
    )
    (root / "README.md").write_text(
        "---\nconfigs:\n"
        + configuration("sized", {split: f"{split}.parquet" for split in ROWS})
        + configuration("unsized", {"train": "train.parquet", "test": "test.parquet"})
        + configuration("odd", {"left": "train.parquet", "right": "test.parquet"})
        + configuration("lone", {"everything": "train.parquet"})
        + f"dataset_info:\n- config_name: sized\n  features:\n{features}  splits:\n{sizes}---\n"
    )
    return root


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own for the library, and no network unless a test says so."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    datasets.disable_progress_bars()
    return tmp_path / "cache"


def load(corpus: str, limit: int = 1_000_000):
    return load_corpus(TextConfig(corpus=corpus, limit_bytes=limit))


def joined(corpus, *splits: str) -> str:
    return "".join(str(corpus.splits[split]) for split in splits or SPLITS)


def test_names() -> None:
    assert HubName.parse("a/b") == HubName("a/b")
    assert HubName.parse("a/b:c") == HubName("a/b", "c")
    assert HubName.parse("a/b::d") == HubName("a/b", None, "d")
    assert HubName.parse("a/b:c:d:e") == HubName("a/b", "c", "d", "e")
    assert HubName.parse("C:\\rows:c") == HubName("C:\\rows", "c")
    assert HubName.parse("d:/rows") == HubName("d:/rows")
    for bad in ("", ":c", "a:b:c:d:e"):
        with pytest.raises(CorpusError, match="hf:NAME"):
            HubName.parse(bad)


def test_official_splits_of_a_small_data_set_are_downloaded(folder: Path, cache: Path) -> None:
    corpus = load(f"hf:{folder}:sized")
    assert joined(corpus, "train", "reward") == text_of("train")
    assert joined(corpus, "validation") == text_of("validation")
    assert joined(corpus, "test") == text_of("test")
    assert sorted(corpus.official) == ["test", "train", "validation"]
    assert not corpus.notes
    assert list(cache.rglob("*-train.arrow"))


def test_a_data_set_larger_than_the_limit_is_streamed(folder: Path, cache: Path) -> None:
    corpus = load(f"hf:{folder}:sized:text", 20_000)
    assert corpus.size <= 20_000
    assert text_of("train").startswith(joined(corpus, "train", "reward"))
    assert 1_900 < corpus.splits["validation"].size <= 2_000
    assert len(corpus.notes) == 3
    assert not list(cache.rglob("*.arrow"))
    assert load(f"hf:{folder}:sized:text", 20_000).splits == corpus.splits


def test_a_missing_validation_split_comes_from_train(folder: Path) -> None:
    corpus = load(f"hf:{folder}:unsized")
    assert joined(corpus, "train", "reward", "validation") == text_of("train")
    assert joined(corpus, "test") == text_of("test")


def test_a_named_split_or_the_only_one_is_cut_into_four(folder: Path) -> None:
    assert joined(load(f"hf:{folder}:sized:text:validation")) == text_of("validation")
    assert joined(load(f"hf:{folder}:lone")) == text_of("train")
    assert joined(load(f"hf:{folder}:odd::right")) == text_of("test")
    with pytest.raises(CorpusError, match="has left, right") as caught:
        load(f"hf:{folder}:odd")
    assert f"hf:{folder}:odd::left" in caught.value.remedy


def test_columns(folder: Path, tmp_path: Path) -> None:
    assert joined(load(f"hf:{folder}:sized:title"), "test") == "t\n" * 200
    with pytest.raises(CorpusError, match=r"nope is none of its columns \(id, text, title\)"):
        load(f"hf:{folder}:sized:nope")
    with pytest.raises(CorpusError, match=r"column id .* found int"):
        load(f"hf:{folder}:sized:id")
    with pytest.raises(CorpusError, match=r"out of train, validation, test .* dev"):
        load(f"hf:{folder}:sized:text:dev")
    lines = tmp_path / "lines"
    lines.mkdir()
    (lines / "two.jsonl").write_text('{"left": "a", "right": "b", "n": 1}\n' * 9)
    with pytest.raises(CorpusError, match="it has left, right"):
        load(f"hf:{lines}")
    (lines / "two.jsonl").write_text('{"left": "a\\n", "n": 1}\n{"left": null, "n": 1}\n' * 9)
    assert joined(load(f"hf:{lines}")) == "a\n" * 9


def test_what_save_to_disk_wrote(tmp_path: Path) -> None:
    rows = datasets.Dataset.from_dict({"text": [row("train", n) for n in range(ROWS["train"])]})
    rows.save_to_disk(tmp_path / "one")
    datasets.DatasetDict({"train": rows, "test": rows}).save_to_disk(tmp_path / "two")
    assert joined(load(f"hf:{tmp_path / 'one'}")) == text_of("train")
    assert joined(load(f"hf:{tmp_path / 'two'}"), "test") == text_of("train")


def test_what_the_library_refuses_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"'nope' not found\. Available: .*sized") as caught:
        load(f"hf:{folder}:nope")
    assert "pydoc, pydoc-distinct, stdlib" in caught.value.remedy
    with pytest.raises(CorpusError):
        load(f"hf:{tmp_path}")


def test_tokens_of_a_data_set_are_prepared_once_and_follow_its_files(folder: Path, store, tmp_path: Path) -> None:
    import shutil

    here = tmp_path / "copy"
    shutil.copytree(folder, here)
    config = TextConfig(corpus=f"hf:{here}:sized", limit_bytes=30_000)
    data = prepare(config, 16, store)
    assert "official validation split" in data.description
    assert "configuration sized" in data.description
    prepare(config, 16, store)
    assert store.saves == 1
    shutil.copy(here / "validation.parquet", here / "test.parquet")
    prepare(config, 16, store)
    assert store.saves == 2


def test_a_cached_data_set_needs_no_hub(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(f"hf:{folder}:sized")
    (cache / "rows").rename(cache / "someone___rows")
    monkeypatch.setattr(reach, "hub_reachable", lambda: False)
    before = datasets.config.HF_HUB_OFFLINE
    corpus = load("hf:someone/rows:sized")
    assert joined(corpus, "train", "reward") == text_of("train")
    assert before is datasets.config.HF_HUB_OFFLINE
    with pytest.raises(CorpusError, match="does not answer") as caught:
        load("hf:someone/rows:other")
    assert "pydoc, pydoc-distinct, stdlib" in caught.value.remedy
    monkeypatch.setattr(reach, "hub_reachable", lambda: pytest.fail("downloads are forbidden"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert load("hf:someone/rows:sized").splits == corpus.splits
    with pytest.raises(CorpusError, match="forbids downloads"):
        load("hf:someone/else:sized")


@pytest.mark.parametrize(
    ("name", "of_the_hub"),
    [
        ("wikitext-2", "Salesforce/wikitext"),
        ("wikitext-103", "Salesforce/wikitext"),
        ("lambada", "cimec/lambada"),
        ("one-billion-words", "dvruette/lm1b"),
    ],
)
def test_short_names_without_a_network(name: str, of_the_hub: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "hub_reachable", lambda: False)
    with pytest.raises(CorpusError, match="does not answer") as caught:
        load(name)
    assert "pydoc, pydoc-distinct, stdlib" in caught.value.remedy
    assert of_the_hub in caught.value.message


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_silent_hub_is_given_up_within_five_seconds_from_a_cold_start(silent: str, tmp_path: Path) -> None:
    program = (
        "from layertie_lab.core.config import TextConfig\n"
        "from layertie_lab.core.errors import CorpusError\n"
        "from layertie_lab.text.corpora.lookup import load_corpus\n"
        "try:\n    load_corpus(TextConfig(corpus='wikitext-2'))\nexcept CorpusError as error:\n    print(error)"
    )
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=environment | {"HF_ENDPOINT": silent, "HF_HOME": str(tmp_path)},
    )
    assert time.perf_counter() - start < 5
    assert "does not answer" in done.stdout
    assert "pydoc, pydoc-distinct, stdlib" in done.stdout


class Answers(http.server.BaseHTTPRequestHandler):
    status = 200

    def do_HEAD(self) -> None:
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.mark.parametrize(("status", "reachable"), [(200, True), (401, True), (404, True), (503, False)])
def test_any_answer_but_a_gateways_counts(status: int, reachable: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Answers, "status", status)
    monkeypatch.setenv("no_proxy", "*")
    with http.server.HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        monkeypatch.setattr(reach, "hub_address", lambda: f"http://127.0.0.1:{server.server_port}")
        assert reach.hub_reachable() is reachable
        thread.join()


def test_a_closed_port_and_a_bad_address_are_not_reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    for address in ("http://127.0.0.1:9", "not an address"):
        monkeypatch.setattr(reach, "hub_address", lambda address=address: address)
        assert not reach.hub_reachable(1)
