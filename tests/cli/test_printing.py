"""Names and texts of others are shown as text, on any terminal and in any file; what an encoding lacks is drawn."""

from __future__ import annotations

import io
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from finished_runs import finished
from rich.table import Table

from layertie_lab.cli import main
from layertie_lab.cli.console import Plain, plain, tolerant_streams
from layertie_lab.cli.display import BLOCKS, sparkline

HOSTILE = {
    "markup": "[/] [bold]x[/bold] [link=http://a.b]y[/link] :smile:",
    "script": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "closing": "</script><script>alert(2)</script>",
    "controls": "a\x1b[31m\x1b]0;title\x07\x9b2Jb\x08\r",
    "directions": "\u202egnp.exe\u2066\u2069\u200b\ufeff",
    "halves": "\udcff\ud800",
    "long": "<b>[i]" * 20_000,
}
NAMES = {name: words.replace("/", "|")[:80] for name, words in HOSTILE.items() if name not in ("long", "halves")}
"""As they can be names of folders."""


class Tags(HTMLParser):
    """The tags of a page, with what they hold."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("width", [1, 20, 80])
def test_strings_in_prints_and_tables_are_text(name: str, width: int) -> None:
    words, stream = HOSTILE[name], io.StringIO()
    if name == "long" and width == 1:
        words = words[:200]
    console = Plain(file=stream, width=width, force_terminal=True, highlight=False, markup=False, emoji=False)
    console.print(words, soft_wrap=True)
    table = Table(words[:30], "b", box=None)
    table.add_row(words, "1")
    console.print(table)
    shown = stream.getvalue()
    assert plain(words) in shown
    # What rich itself writes in a terminal are styles, which end in m.
    controls = [part for part in shown.split("\x1b")[1:] if not part.startswith("[") or "m" not in part[:8]]
    assert not controls
    assert not {*"\x07\x08\x9b\u202e\u2066\u200b\udcff"} & {*shown}


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437", "latin-1", "utf-8"])
def test_what_an_encoding_lacks_is_drawn(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
    monkeypatch.setattr(sys, "stdout", stream)
    picture = f"{sparkline(range(8))} ± 1 … \u202e \udcff 😀 │─╭"
    with tolerant_streams():
        print(picture, flush=True)
    assert isinstance(stream.buffer, io.BytesIO)
    shown = stream.buffer.getvalue().decode(encoding)
    if encoding == "ascii":
        assert shown == "_.-~=+*# +- 1 ... \\u202e \\udcff \\U0001f600 |-+\n"
    elif encoding == "utf-8":
        assert BLOCKS in shown
    assert stream.errors == "strict"
    with pytest.raises(UnicodeEncodeError):
        print("\udcff", flush=True)
    stream.buffer.truncate(0)


@pytest.fixture(scope="module")
def hostile_run(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs with odd names."""
    root = tmp_path_factory.mktemp("odd")
    for name in NAMES.values():
        finished(root / name, text_file)
    return root


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
@pytest.mark.parametrize("columns", ["10", "80"])
def test_commands_show_odd_names(
    encoding: str, columns: str, hostile_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    for name in NAMES.values():
        run = str(hostile_run / name)
        for words in (["show", run], ["runs", str(hostile_run)], ["twins", run, "--list"], ["branch", run, "--tree"]):
            stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
            monkeypatch.setattr(sys, "stdout", stream)
            assert main(words) == 0
            stream.flush()
            assert isinstance(stream.buffer, io.BytesIO)
            shown = stream.buffer.getvalue().decode(encoding)
            assert not {*"\x1b\x07\x08\x9b\u202e\u2066\u200b"} & {*shown}
            if words[0] == "runs" and columns == "80":
                assert plain(name)[:40] in shown


@pytest.mark.slow
def test_pages_show_odd_names_as_text(hostile_run: Path, tmp_path: Path) -> None:
    for number, name in enumerate(NAMES.values()):
        run, page = str(hostile_run / name), tmp_path / f"page{number}.html"
        other = str(hostile_run / next(each for each in NAMES.values() if each != name))
        for words in (
            ["audit", run, "--chart", str(page)],
            ["compare", run, other, "--chart", str(page)],
            ["show", run, "--memory", "--html", str(page)],
        ):
            assert main(words) == 0
            tags = Tags()
            tags.feed(page.read_text(encoding="utf-8", errors="surrogateescape"))
            assert not [tag for tag, _ in tags.found if tag == "img"]
            assert not [attributes for _, attributes in tags.found if "onerror" in attributes or "src" in attributes]
            scripts = [attributes for tag, attributes in tags.found if tag == "script"]
            page.unlink()
            assert len(scripts) < 10, "no script but ours"
