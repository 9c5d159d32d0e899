"""What a page may reach: runs below the folder of runs, texts that the owner offers, and nothing by way of a link."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from layertie_lab.core.config import RunConfig
from layertie_lab.core.errors import ConfigError, CorpusError, LayertieError, RecordError
from layertie_lab.explorer.query import NoAddress
from layertie_lab.explorer.run_list import names, rows
from layertie_lab.explorer.terms import EACH, Terms, place_of
from layertie_lab.explorer.visitors import VISITOR, own_folder

EXAMPLES = Path(__file__).parents[2] / "data" / "examples"
NAMES = [
    "/etc",
    "..",
    "../x",
    "a/../../x",
    "a/../b",
    ".",
    "./a",
    "",
    "a//b",
    "a/",
    "a\0b",
    "a\nb",
    "x" * 300,
    "x" * 5_000,
    "a/" * 3_000 + "a",
    "C:\\x",
    "\\\\host\\x",
    "..\\x",
    "a\u202eb",
    "\ud800",
    "~/../x\x1b[2J",
    "link",
    "link/run",
    "loop",
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of runs with a run, and with links that lead out of it and round in a circle."""
    for folder in ("runs/mine/branches/one", "outside/run", "examples/shown"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "runs" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "runs" / "loop").symlink_to(tmp_path / "runs" / "loop")
    (tmp_path / "runs" / "inner").symlink_to(tmp_path / "runs" / "mine")
    return tmp_path / "runs"


@pytest.mark.parametrize("name", NAMES)
def test_no_name_leads_out_of_the_folder(root: Path, name: str) -> None:
    with pytest.raises(RecordError) as refused:
        place_of(name, root, root.parent / "examples")
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 600


def test_names_of_runs_branches_and_examples_are_found(root: Path) -> None:
    examples = root.parent / "examples"
    assert place_of("mine", root, examples) == root / "mine"
    assert place_of("mine/branches/one", root, examples) == root / "mine" / "branches" / "one"
    assert place_of("shown", root, examples) == examples / "shown"
    assert place_of("inner", root) == root / "inner"
    assert place_of("not-there", root, examples) == root / "not-there"


def test_a_link_that_leads_out_is_listed_and_not_opened(tmp_path: Path) -> None:
    example = next(path for path in EXAMPLES.iterdir() if path.is_dir())
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "shortcut").symlink_to(example)
    assert [(row["name"], row["status"], row["policy"]) for row in rows(tmp_path / "runs")] == [
        ("shortcut", "elsewhere", "")
    ]
    assert names(tmp_path / "runs") == []
    with pytest.raises(RecordError, match="leads out of it"):
        place_of("shortcut", tmp_path / "runs")


def config(**text: str) -> RunConfig:
    return RunConfig.preset("tiny", **text)


def test_texts_by_path_are_read_where_the_owner_is_the_visitor_or_has_named_their_folder(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    inside, outside = tmp_path / "texts" / "open.txt", tmp_path / "private.txt"
    for path in (inside, outside):
        path.write_text("text")
    (tmp_path / "texts" / "link.txt").symlink_to(outside)
    here = Terms(tmp_path)
    assert here.allowed(config(corpus=str(outside))).text.corpus == str(outside)
    closed, offering = Terms(tmp_path, remote=True), Terms(tmp_path, texts=tmp_path / "texts", remote=True)
    for terms in (closed, offering):
        assert terms.allowed(config(corpus="pydoc")).text.corpus == "pydoc"
        for bad in (
            str(outside),
            "../private.txt",
            "link.txt",
            "hf:someone/set",
            f"hf:{outside}",
            "/dev/zero",
            "a\0b",
            "~",
        ):
            with pytest.raises(CorpusError):
                terms.allowed(config(corpus=bad))
        with pytest.raises(CorpusError):
            terms.allowed(config(tokenizer=f"hf:{outside}"))
    with pytest.raises(CorpusError, match="LAYERTIE_TEXTS"):
        closed.allowed(config(corpus=str(inside)))
    for name in ("open.txt", str(inside)):
        assert offering.allowed(config(corpus=name)).text.corpus == str(inside)


def test_the_environment_has_the_terms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RUNS": tmp_path, "TEXTS": tmp_path / "t", "HOSTS": "A.example,b", "VISITORS": "each"}.items():
        monkeypatch.setenv(f"LAYERTIE_{name}", str(value))
    terms = Terms.of_environment()
    assert terms == Terms(tmp_path, tmp_path / "t", ("a.example", "b"), False, EACH)
    assert Terms.of_environment(tmp_path / "other").runs == tmp_path / "other"
    monkeypatch.setenv("LAYERTIE_VISITORS", "some")
    with pytest.raises(ConfigError, match="shared or each"):
        Terms.of_environment()


def test_each_visitor_has_a_folder_by_a_key_that_stays_in_the_address(tmp_path: Path) -> None:
    terms = Terms(tmp_path, visitors=EACH)
    first, second = NoAddress(), NoAddress({VISITOR: "../../etc"})
    mine, other = own_folder(terms, first), own_folder(terms, second)
    assert mine.parent == other.parent == tmp_path
    assert mine != other
    assert own_folder(terms, first) == mine
    assert own_folder(Terms(tmp_path), first) == tmp_path


def test_a_page_opens_nothing_outside(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The menu, the link, the tree, what is compared with, the studies and the tie map's field: all by one rule."""
    from layertie_lab.explorer import Explorer
    from layertie_lab.explorer.tabs.did_it_matter import DidItMatter
    from layertie_lab.explorer.tabs.look_inside import LookInside
    from layertie_lab.workers.worker import Worker

    monkeypatch.setattr(Worker, "prepare", lambda: None)
    opened: list[Path] = []
    outside = str(root.parent / "outside" / "run")
    for name in [*NAMES, outside]:
        explorer = Explorer(root, query=NoAddress(run=name))
        monkeypatch.setattr(explorer, "_open", lambda path, *rest: opened.append(path))
        looking, matters = explorer.tabs["look-inside"], explorer.tabs["did-it-matter"]
        assert isinstance(looking, LookInside)
        assert isinstance(matters, DidItMatter)
        explorer._run.path = root / "mine"
        with pytest.raises(LayertieError):
            explorer._open_here(Path(outside))
        messages: list[tuple[Any, dict[str, Any]]] = [
            (explorer.menu, {"kind": "open", "name": name}),
            (looking.probe, {"kind": "other", "name": name, "decision": None}),
            (matters.studies, {"kind": "show", "name": name}),
            (matters.studies, {"kind": "resume", "name": name}),
            (matters.tree, {"kind": "open", "id": name}),
            (explorer.form, {"kind": "change", "path": "agent.map", "value": name}),
        ]
        for widget, message in messages:
            widget.hear(message)
        assert not looking.probe.other
    assert opened == []
    assert sorted(os.listdir(root.parent / "outside" / "run")) == []
