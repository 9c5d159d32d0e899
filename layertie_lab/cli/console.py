"""The one way to print: names and texts as they are, on any terminal and into any file.

Names of runs, statements of studies and samples of text come from others. They are never read as markup, and what
would steer a terminal (control characters, direction marks) is written out. A stream whose encoding lacks a character
gets a picture of it in ASCII, so that a table reads on an old terminal and in a redirected file, too.
"""

from __future__ import annotations

import codecs
import io
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

WIDTH = 160
"""Columns where there is no terminal: a pipe has no width, and a name that is cut is of no use to whoever reads it."""

_STEERING = re.compile(
    # C0 and C1 controls but for tab and line end, marks of direction and of line ends, what has no width, and halves
    # of characters.
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_PICTURES = str.maketrans(
    dict(zip("▁▂▃▄▅▆▇█", "_.-~=+*#", strict=True))
    | dict.fromkeys("╭╮╰╯┌┐└┘├┤┬┴┼╞╡╪┏┓┗┛┡┩┳┻╇", "+")
    | dict.fromkeys("─━╴╶═╌┄", "-")
    | dict.fromkeys("│┃║╎┆", "|")
    | dict.fromkeys("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏•●", "*")
    | {"±": "+-", "…": "...", "×": "x", "–": "-", "—": "-", "−": "-", "→": "->", "≤": "<=", "≥": ">=", "·": "."}
    | dict.fromkeys("“”„", '"')
    | dict.fromkeys("‘’", "'")
)
_HANDLER = "layertie.pictures"


def plain(words: str) -> str:
    """Words with every character that would steer a terminal written out, as \\x1b or \\u202e."""
    return _STEERING.sub(lambda found: _escape(found[0]), words)


def _escape(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}" if number < 65536 else f"\\U{number:08x}"


def _picture(error: UnicodeError) -> tuple[str, int]:
    """What stands for characters that an encoding lacks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    drawn = "".join(each if each.isascii() else _escape(each) for each in lacking.translate(_PICTURES))
    return drawn, error.end


codecs.register_error(_HANDLER, _picture)


@contextmanager
def tolerant_streams() -> Iterator[None]:
    """Let standard output and standard error draw in ASCII what their encodings lack."""
    changed: list[tuple[io.TextIOWrapper, str]] = []
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not stream.closed:
            changed.append((stream, stream.errors or "strict"))
            stream.reconfigure(errors=_HANDLER)
    try:
        yield
    finally:
        for stream, before in changed:
            if not stream.closed:
                stream.reconfigure(errors=before)


class Plain(Console):
    """A console on which every string is text: no markup, no emoji codes, no steering characters."""

    def render_str(self, text: str, **settings: Any) -> Text:
        """The string as text."""
        settings |= {"markup": False, "emoji": False, "highlight": False}
        return super().render_str(plain(text), **settings)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Segments, of which those that hold words hold nothing else."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(plain(text), style, control)


def output() -> Plain:
    """Where results go: standard output."""
    return Plain(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else WIDTH)


def progress() -> Plain:
    """Where everything else goes: standard error."""
    return Plain(stderr=True, highlight=False, markup=False, emoji=False)


def refused(console: Console, words: str) -> None:
    """Print why something was not done."""
    said = Text("layertie: ", style=Style(bold=True, color="red"))
    console.print(said.append(plain(words), style=Style.null()), soft_wrap=True)
