"""What a run reads, beside its settings: `identity.json`, and `text.npz` with the tokens of a small text."""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import RecordError, StorageError
from ..core.plain import fits, of_type, parse_object
from .io.disk import write_atomically
from .io.document import read_document, reason, write_document
from .io.regular import is_there, read_regular

FORMAT = 1
"""Number of the layout of `identity.json`."""
IDENTITY = "identity.json"
TOKENS = "text.npz"
_TOKENIZER = "tokenizer.json"

Tokens = tuple[dict[str, np.ndarray], dict[str, Any]]
"""Ids by split, [tokens] each, and the tokenizer as plain values."""


@dataclass(frozen=True)
class Reads:
    """What a run depends on besides its settings, as it is recorded.

    Args:
        text: What tells its text from any other, as plain values; None in runs from before it was recorded.
        versions: Program -> its version when the run began.
        initial_weights: Digest of weights that were handed in; "" where none were.
        moved_to: Where the text was found last, other than where it lay; "" where it was not looked for elsewhere.
    """

    text: dict[str, Any] | None = None
    versions: Mapping[str, str] | None = None
    initial_weights: str = ""
    moved_to: str = ""

    @classmethod
    def of(cls, run: Path) -> Reads:
        """As recorded in a run's folder; empty where nothing is.

        Raises:
            RecordError: A damaged file, or one of a newer version.
        """
        file = run / IDENTITY
        try:
            values = read_document(file)
            number = values.pop("format")
            if type(number) is not int:
                raise TypeError(f"format is {number!r}")
            if number > FORMAT:
                raise RecordError(
                    f"Expected an identity of format {FORMAT} or older in {file}, but it has format {number}.",
                    "It was written by a newer version: update layertie_lab.",
                )
            known = cls(**of_type(values, cls))
            text = known.text
            if text is not None and not (fits(text.get("tokens"), str) and fits(text.get("origin"), dict | None)):
                raise ValueError("what it says of the text is of other kinds")
            return known
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RecordError(
                f"Expected what the run reads in {file}, but the file cannot be read ({reason(error)}).",
                "Restore it from a copy. Without the file the run opens as one of before it was recorded.",
            ) from None

    def write(self, run: Path, tokens: Tokens | None = None) -> None:
        """Record it in a run's folder.

        Args:
            run: The folder.
            tokens: To be kept there, so that the run needs no text.

        Raises:
            StorageError: It cannot be written.
        """
        values = {
            "format": FORMAT,
            "text": self.text,
            "versions": None if self.versions is None else dict(self.versions),
            "initial_weights": self.initial_weights,
            "moved_to": self.moved_to,
        }
        if tokens is not None:
            write_atomically(run / TOKENS, _zipped(*tokens))
        write_document(run / IDENTITY, values, indent=1)


def kept_tokens(run: Path) -> Tokens | None:
    """The tokens that a run keeps; None where it keeps none.

    Raises:
        RecordError: The file is damaged.
    """
    file = run / TOKENS
    try:
        with np.load(io.BytesIO(read_regular(file)), allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
        tokenizer = parse_object(arrays.pop(_TOKENIZER).tobytes())
        return arrays, tokenizer
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise RecordError(
            f"Expected the run's tokens in {file}, but the file is damaged ({error}).",
            "Restore it from a copy, or remove it: the run then reads its text.",
        ) from None


def has_tokens(run: Path) -> bool:
    """Whether a run keeps its tokens."""
    return is_there(run / TOKENS)


def text_facts(run: Path) -> dict[str, Any] | None:
    """What is recorded of a run's text: digest (of its tokens), text (its own digest), bytes, where, moved_to, kept and
    notes.

    None in runs from before it was recorded.

    Raises:
        RecordError: As in `Reads.of`.
    """
    known = Reads.of(run)
    if known.text is None:
        return None
    origin = known.text.get("origin") or {}
    return {
        "digest": known.text["tokens"],
        "text": origin.get("text"),
        "bytes": origin.get("bytes"),
        "where": origin.get("where"),
        "moved_to": known.moved_to or None,
        "kept": has_tokens(run),
        "notes": list(known.text.get("notes") or ()),
    }


def remember_place(run: Path, place: str) -> None:
    """Note where the text of a run lies now, for whoever opens it next; a folder that cannot be written stays as it is.

    Raises:
        RecordError: As in `Reads.of`.
    """
    known = Reads.of(run)
    if known.moved_to != place:
        with suppress(StorageError):
            Reads(known.text, known.versions, known.initial_weights, place).write(run)


def share(source: Path, target: Path) -> None:
    """Give a branch what its run reads.

    Raises:
        OSError: It cannot be written.
    """
    if (source / IDENTITY).exists():
        # A copy: the two texts may be found in different places later.
        shutil.copyfile(source / IDENTITY, target / IDENTITY)
    if has_tokens(source):
        try:
            os.link(source / TOKENS, target / TOKENS)
        except OSError:  # another disk, or a file system without hard links
            shutil.copyfile(source / TOKENS, target / TOKENS)


def _zipped(arrays: Mapping[str, np.ndarray], tokenizer: Mapping[str, Any]) -> bytes:
    packed = io.BytesIO()
    words = np.frombuffer(json.dumps(tokenizer).encode(), dtype=np.uint8)
    np.savez_compressed(packed, **{**arrays, _TOKENIZER: words})
    return packed.getvalue()
