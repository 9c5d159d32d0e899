"""Commands as nobody should type them: every flag of every command with values of other kinds, sizes and characters.

Each command runs in this process, on streams of some encoding. One that trains is stopped like by Ctrl-C after a
while; whatever it was given, it has to end soon, by a code that is documented, and without a trace.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import os
import random
import re
import shutil
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from layertie_lab.cli import arguments, main
from layertie_lab.core.config import RunConfig
from layertie_lab.core.serialize import settings_of
from layertie_lab.counterfactual.spec import StudyChoices

CODES = (0, 1, 2, 130)
PATIENCE = 1.5
"""Seconds after which a command is interrupted."""
HANG = 30.0
"""Seconds after which it hangs, interrupted or not."""
SMALL = (
    *("--scale", "tiny", "--layers", "3", "--width", "16", "--context", "16", "--batch-size", "2", "--decisions", "2"),
    *("--evaluation-windows", "2", "--windows", "2", "--sample-tokens", "4"),
)
NUMBERS = [
    *("0", "-1", "1", "2", "3", "7", "64", "1000", "2147483647", "2147483648", "9223372036854775807"),
    *("9223372036854775808", "18446744073709551616", "1000000000000000000000000", "-1000000000000000000000000"),
    *("1e300", "1e-300", "nan", "inf", "-inf", "1e999", "abc", "0x10", "1_000", "１２", "007", "+3", "3.0"),
    *("0.5", "-0.0", "", " ", "9" * 5000),
]
WORDS = [
    *("", " ", ".", "..", "/", "-", "--", "=", "[/]", "[red]", "[/red]x", "[bold]x[/]", ":smile:", "a\0b", "\0"),
    *("x" * 300, "x/" * 3000, "~nobody-here/x", "~", "\x1b[31mred", "\x9b2J", "a\nb", "a\rb", "\u202egnp.exe"),
    *("\u2066\u2069", "<script>alert(1)</script>", "{0}", "%s%n", "\udcff\udcfe", "\ud800", "\U0001f600" * 50),
    *("\xe9" * 200, "x" * 100_000, "$(id)", "\ufeff", "hf:", "hf:nobody/nothing", "hf:::::", "http://a.b/c"),
    *("file:///etc/passwd", "CON", "null", "None", "true", "[]"),
]
OWN = [
    *("pipe", "table.csv", "folder", "loop", "missing", "missing/deep", "text.txt.gz", "./folder/", "folder/../folder"),
]
DEVICES = ["/dev/zero", "/dev/null", "/dev/stdin", "/proc/self/mem", "/proc/self/fd", "/"]
COMMANDS = [
    *("train", "resume", "runs", "repair", "show", "export", "audit", "sweep", "twins", "branch", "compare", "replay"),
]
LATE = [
    *(f"layertie_lab.cli.{command}" for command in COMMANDS),
    *(
        "layertie_lab.cli.show_views",
        "layertie_lab.cli.sweep_report",
        "layertie_lab.charts",
        "layertie_lab.charts.page",
    ),
    *("layertie_lab.inspection.moment", "layertie_lab.analysis.statistics.intervals", "layertie_lab.bench.runner"),
    *("scipy.stats", "polars", "altair", "vl_convert", "datasets", "captum.attr", "torch._dynamo"),
]
"""What commands import when they need it."""
WEIGHTS = (8, 2, 2, 1, 3, 2, 2, 2, 3, 2, 2, 2)

_IGNORED = re.compile(
    r"^Exception ignored in: .*\nTraceback \(most recent call last\):\n(  .*\n)*KeyboardInterrupt: ?\n", re.MULTILINE
)
"""What Python itself tells, and ignores, where Ctrl-C falls into a destructor."""


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Args:
        words: What was typed.
        code: Its exit code; None where it raised.
        seconds: How long it took.
        trace: Of what it raised.
        errors: What it wrote to standard error.
    """

    words: list[str]
    code: int | None
    seconds: float
    trace: str
    errors: str

    @property
    def wrong(self) -> str:
        """What is wrong with it, or ""."""
        if self.trace:
            return self.trace
        if self.seconds > HANG:
            return f"took {self.seconds:.0f} s"
        if self.code not in CODES:
            return f"exit code {self.code}"
        printed = "Traceback (most recent call last)" in _IGNORED.sub("", self.errors)
        return f"a trace was printed: {self.errors}" if printed else ""


def flags(command: str) -> dict[str, Any]:
    """Flag -> its type, of all that a command takes."""
    cls = getattr(arguments, command.capitalize())
    hints = get_type_hints(cls)
    found: dict[str, Any] = {}
    for entry in fields(cls):
        nested = {RunConfig: RunConfig, StudyChoices: StudyChoices}.get(hints[entry.name])
        if nested is None:
            found[entry.name] = hints[entry.name]
            continue
        for setting in settings_of(nested):
            found[setting.name] = setting.choices or setting.kind
    return {name.replace("_", "-"): kind for name, kind in found.items()}


class Fuzzer:
    """Draws commands and runs them.

    Args:
        seed: Of the draws.
        folder: Where they may write; the working directory meanwhile.
        run: A finished run with a stored moment, and a study.
        text: A short text.
    """

    def __init__(self, seed: int, folder: Path, run: Path, text: Path) -> None:
        self.draw = random.Random(seed)
        self.folder, self.run, self.text = folder, run, text
        self.flags = {command: flags(command) for command in COMMANDS}
        # Ctrl-C in the middle of an import leaves half a module to the next command of this process.
        for module in LATE:
            importlib.import_module(module)
        os.mkfifo(folder / "pipe")
        (folder / "table.csv").write_text("a,b\n1,2\n")
        (folder / "folder").mkdir()
        (folder / "loop").symlink_to(folder / "loop")

    def command(self) -> list[str]:
        """One command."""
        draw = self.draw
        name = draw.choices(COMMANDS, WEIGHTS)[0]
        words = [name, *self._begin(name)]
        chosen = draw.choices(sorted(self.flags[name]), k=draw.choice((0, 1, 1, 1, 2, 2, 3)))
        for flag in chosen:
            if flag in ("run", "root", "groups"):
                continue
            words += self._flag(flag, self.flags[name][flag])
        if name == "train" and draw.random() < 0.9:
            # What trains takes a second, what is refused a hundredth of one: most have a number that is none.
            number = draw.choice([flag for flag, kind in self.flags[name].items() if kind in (int, float)])
            words += self._flag(number, self.flags[name][number])
        if draw.random() < 0.03:
            draw.shuffle(words)
        if draw.random() < 0.03:
            words.insert(draw.randrange(len(words) + 1), draw.choice(WORDS))
        if draw.random() < 0.3:
            words.append("--json")
        return words

    def clear(self) -> None:
        """Remove what commands have made: copies of a run that grows would fill any disk."""
        for made in (*self.folder.glob("new-*"), self.run / "branches", self.run / "studies"):
            if made.is_dir() and not made.is_symlink():
                shutil.rmtree(made)
            else:
                made.unlink(missing_ok=True)

    def _begin(self, name: str) -> list[str]:
        draw, run = self.draw, str(self.run)
        if name == "train":
            return [*SMALL, "--corpus", str(self.text), "--directory", self._new()]
        if name == "sweep":
            # With what it needs to train it takes processes and seconds: only refusals and lists here.
            return draw.choice((["--summarize"], ["--resume"], ["--policies", "human"]))
        if name == "audit" and draw.random() < 0.1:
            return ["--algorithm", draw.choice(("lab", "paper", "official-code", "x")), "--corpus", str(self.text)]
        if name == "runs":
            return [draw.choice((str(self.run.parent), self._path()))]
        if name == "compare":
            return [run if draw.random() < 0.7 else self._path() for _ in range(draw.choice((0, 1, 2, 2, 3)))]
        if name == "replay":
            return [run if draw.random() < 0.8 else self._path(), "--directory", self._new()]
        if name == "export":
            place = draw.choice((self._new(), self._path()))
            return [run if draw.random() < 0.7 else self._path(), "--directory", place]
        if name == "twins":
            decision = ["--decision", draw.choice(NUMBERS)]
            mode = draw.choice((["--list"], ["--list"], ["--resume", self._path()], decision))
            return [run if draw.random() < 0.7 else self._path(), *mode]
        if name in ("resume", "repair") and draw.random() < 0.7:
            # These write to the run: its copy.
            copy = self._new()
            shutil.copytree(self.run, copy)
            return [copy]
        if name in ("resume", "repair"):
            return [draw.choice((*OWN, *WORDS, *DEVICES))]
        return [run if draw.random() < 0.7 else self._path()]

    def _flag(self, flag: str, kind: Any) -> list[str]:
        draw = self.draw
        if kind is bool:
            return [f"--{draw.choice(('', '', 'no-'))}{flag}"]
        count = draw.choice((0, 1, 1, 2, 3)) if get_origin(kind) is tuple else 1
        values = [self._value(kind, flag) for _ in range(count)]
        if draw.random() < 0.05:
            values = []
        if len(values) == 1 and draw.random() < 0.3:
            return [f"--{flag}={values[0]}"]
        return [f"--{flag}", *values]

    def _value(self, kind: Any, flag: str) -> str:
        draw, origin = self.draw, get_origin(kind)
        if draw.random() < 0.1:
            return draw.choice(WORDS)
        if origin is tuple or origin is Union or str(origin) == "<class 'types.UnionType'>":
            inner = [each for each in get_args(kind) if each not in (type(None), Ellipsis)]
            return self._value(inner[0], flag)
        if origin is Literal or isinstance(kind, tuple):
            return str(draw.choice(get_args(kind) or kind))
        if kind in (int, float):
            return draw.choice(NUMBERS)
        if flag in ("chart", "html", "report", "directory"):
            return draw.choice((self._path(), self._new(), self._new() + ".html"))
        if kind is Path or flag in ("corpus", "tokenizer", "map"):
            return self._path()
        return draw.choice(WORDS)

    def _path(self) -> str:
        known = (str(self.text), str(self.run), str(self.run / "config.json"))
        return self.draw.choice((*OWN, *OWN, *WORDS, *DEVICES, *known))

    def _new(self) -> str:
        return str(self.folder / f"new-{self.draw.randrange(10**9)}")


@contextlib.contextmanager
def _interrupted() -> Iterator[None]:
    """Presses Ctrl-C after a while, and again if that was not enough."""
    done = threading.Event()

    def press() -> None:
        wait = PATIENCE
        while not done.wait(wait):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            wait = 5.0

    def hear(unraisable: sys.UnraisableHookArgs) -> None:
        if unraisable.exc_type is not KeyboardInterrupt:
            heard(unraisable)

    # Where Ctrl-C falls into a destructor or into what is called at a collection of garbage, Python itself goes on
    # without it; and a parser of Python's that is interrupted there says so in words of its own (cpython 106905).
    heard, sys.unraisablehook = sys.unraisablehook, hear
    gc.disable()
    presser = threading.Thread(target=press, daemon=True)
    # A process that was started in the background ignores Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    presser.start()
    try:
        yield
    finally:
        done.set()
        presser.join()
        signal.signal(signal.SIGINT, before)
        gc.enable()
        gc.collect(0)
        sys.unraisablehook = heard


def run_words(words: list[str], encoding: str = "utf-8") -> Ended:
    """Run a command in this process on streams of an encoding, and say how it ended."""
    out, errors = (io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict") for _ in range(2))
    code, trace, began = None, "", time.monotonic()
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = out, errors
    assert isinstance(errors.buffer, io.BytesIO)
    try:
        with _interrupted(), warnings.catch_warnings():
            # As outside of tests: to whoever types a command, what a library says of its own future is no error.
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", FutureWarning)
            code = main(words)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except KeyboardInterrupt:
        code = 130  # it came in the moment between the command's end and ours
    except BaseException:
        trace = traceback.format_exc()
    finally:
        sys.stdout, sys.stderr = before
    errors.flush()
    told = errors.buffer.getvalue().decode(encoding, "replace")
    return Ended(words, code, time.monotonic() - began, trace, told)
