"""Text from Hugging Face data sets: the hub's, cached ones, and local folders of rows.

The libraries are imported in the functions: they take half a second, and may be missing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from ...core.errors import CorpusError
from .. import reach
from ..sources import Corpus, Source, divide, limit_note, room_for
from ..texts import Collector, Text
from .files import identity_of
from .registry import offline_corpora

_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test",),
}
# Rows of LAMBADA are whole novels: a few at a time.
_ROWS = 100
_FORM = "hf:NAME, hf:NAME:CONFIG, hf:NAME:CONFIG:COLUMN or hf:NAME:CONFIG:COLUMN:SPLIT (parts may be empty)"


@dataclass(frozen=True)
class HubName:
    """A data set and what to read of it.

    Args:
        name: On the hub (owner/name), or the path of a folder of rows.
        config: Its configuration, where it has several.
        column: The column of text; by default "text", or the only column of strings.
        split: The only split to read; it is then cut into four. By default the official splits are kept.
    """

    name: str
    config: str | None = None
    column: str | None = None
    split: str | None = None

    @classmethod
    def parse(cls, text: str) -> HubName:
        """From what follows `hf:`. The colon of a Windows drive is not taken for a separator.

        Raises:
            CorpusError: No name, or too many parts.
        """
        drive = text[:2] if re.match(r"[A-Za-z]:[\\/]", text) else ""
        name, *rest = text[len(drive) :].split(":")
        if not drive + name or len(rest) > 3:
            raise CorpusError(f"Expected a Hugging Face data set as {_FORM}, but got hf:{text}.", "Write it like that.")
        return cls(drive + name, *(part or None for part in rest))


def hub_source(wanted: HubName, name: str) -> Source:
    """A Hugging Face data set as a corpus.

    It is streamed, up to the limit, if it is larger than the limit or its size is not known; else it is downloaded
    once into the library's cache, from where it can be read without a network.

    Args:
        name: As the config says it.
    """
    where = os.path.abspath(wanted.name) if os.path.isdir(wanted.name) else None
    return Source(lambda: _identity(wanted), lambda limit: _read(wanted, name, limit), where)


def _identity(wanted: HubName) -> list[Any]:
    # What is on the hub cannot be asked without a network: a data set's name stands for its text.
    here = identity_of(wanted.name) if os.path.isdir(wanted.name) else []
    return [wanted.name, wanted.config, wanted.column, wanted.split, here]


def _read(wanted: HubName, name: str, limit: int) -> Corpus:
    cached_only = not os.path.isdir(wanted.name) and _only_cached(wanted.name)
    try:
        import datasets  # noqa: F401  (so that a missing library is told apart from a failing one)

        with reach.downloads_forbidden() if cached_only else nullcontext():
            return _corpus(wanted, name, limit)
    except CorpusError:
        raise
    except ImportError as error:
        raise CorpusError(
            f"Expected the library `datasets` for {name}, but it cannot be imported ({error}).",
            f"Install it (pip install datasets), or use {_offline()}.",
        ) from error
    except Exception as error:  # the library raises whatever its layers raise, from HTTP to parquet
        if cached_only:
            raise _unreachable(wanted.name, _first_line(error)) from error
        raise CorpusError(
            f"Expected to load {wanted.name} with `datasets`, but it says: {_first_line(error)}.",
            f"Check the name, configuration and column, or use {_offline()}.",
        ) from error


def _only_cached(name: str) -> bool:
    """Whether nothing but the cache can be asked.

    Raises:
        CorpusError: The hub cannot be reached, and nothing of that name is cached.
    """
    if reach.hub_forbidden():
        return True
    if reach.hub_reachable():
        return False
    if not _perhaps_cached(name):
        raise _unreachable(name)
    return True


def _perhaps_cached(name: str) -> bool:
    """Whether the cache of `datasets` has a folder of about that name (a look that spares importing the library)."""
    from huggingface_hub import constants

    root = os.environ.get("HF_DATASETS_CACHE") or os.path.join(constants.HF_HOME, "datasets")
    wanted = re.sub(r"[/_]", "", name).lower()
    return os.path.isdir(root) and any(re.sub("_", "", entry).lower() == wanted for entry in os.listdir(root))


def _offline() -> str:
    return f"an offline corpus ({', '.join(offline_corpora())}) or a path to a UTF-8 file"


def _unreachable(name: str, found: str = "nothing of that name is in the local cache") -> CorpusError:
    if reach.hub_forbidden():
        return CorpusError(
            f"Expected {name} in the local cache, because the environment forbids downloads, but {found}.",
            f"Unset HF_HUB_OFFLINE, or use {_offline()}.",
        )
    return CorpusError(
        f"Expected to reach the Hugging Face hub ({reach.hub_address()}) for {name}, but it does not answer, and "
        f"{found}.",
        f"Use {_offline()}, or try again with a network.",
    )


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2])[:300].rstrip(".") or type(error).__name__


def _open(wanted: HubName, limit: int) -> Mapping[str, Any]:
    """Split -> its rows, streamed or not."""
    import datasets

    if os.path.exists(os.path.join(wanted.name, "dataset_dict.json")) or os.path.exists(
        os.path.join(wanted.name, "state.json")
    ):
        saved: Any = datasets.load_from_disk(wanted.name)
        return saved if isinstance(saved, Mapping) else {"train": saved}
    builder: Any = datasets.load_dataset_builder(wanted.name, wanted.config)
    sizes = [split.num_bytes or 0 for split in (builder.info.splits or {}).values()]
    if not sizes or sum(sizes) > limit:
        return builder.as_streaming_dataset()
    builder.download_and_prepare()
    return builder.as_dataset()


def _corpus(wanted: HubName, name: str, limit: int) -> Corpus:
    data = _open(wanted, limit)
    chosen = _chosen(wanted, list(data))
    texts: dict[str, Text] = {}
    notes: list[str] = []
    room = limit
    # Evaluation splits first, so that a long train split cannot leave them without room.
    for split in sorted(chosen, key=lambda split: split == "train"):
        collector = Collector(room_for(split, limit, room) if len(chosen) > 1 else limit)
        for row in _rows(data[chosen[split]], wanted):
            collector.add(row)
            if collector.full:
                break
        texts[split] = collector.text()
        room -= texts[split].size
        if not texts[split].size:
            raise CorpusError(
                f"Expected text in split {chosen[split]} of {wanted.name}, but it has none.", "Choose another split."
            )
        if collector.full:
            of = f"the {chosen[split]} split of {wanted.name}"
            notes.append(limit_note(of, texts[split].size, limit, official=len(chosen) > 1))
    splits, parts = divide(texts)
    read = sum(text.size for text in texts.values())
    config = f", configuration {wanted.config}" if wanted.config else ""
    what = f"the Hugging Face data set {wanted.name}{config}, split{'s' * (len(chosen) > 1)} "
    return Corpus(
        name,
        f"{what}{', '.join(chosen.values())}, {read:,} bytes read",
        splits,
        parts,
        official=tuple(texts) if len(texts) > 1 else (),
        notes=tuple(notes),
    )


def _chosen(wanted: HubName, there: list[str]) -> dict[str, str]:
    """Our split -> the data set's name for it; one entry where a single split is to be cut."""
    if wanted.split:
        if wanted.split not in there:
            raise CorpusError(
                f"Expected a split out of {', '.join(there)} of {wanted.name}, but got {wanted.split}.",
                "Choose one of these.",
            )
        return {"train": wanted.split}
    found = {
        split: next(name for name in names if name in there)
        for split, names in _NAMES.items()
        if any(name in there for name in names)
    }
    if "train" in found:
        return found
    if len(there) == 1:
        return {"train": there[0]}
    raise CorpusError(
        f"Expected a train split in {wanted.name}, but it has {', '.join(there)}.",
        f"Name the split to use: hf:{wanted.name}:{wanted.config or ''}:{wanted.column or ''}:{there[0]}.",
    )


def _rows(rows: Any, wanted: HubName) -> Iterator[bytes]:
    """Each row's text as UTF-8, on lines of its own."""
    column, batch = wanted.column, {}
    for batch in rows.iter(batch_size=_ROWS):
        if column is None and not any(isinstance(value, str) for values in batch.values() for value in values):
            continue  # nulls alone do not say which columns hold text
        column = column if column in batch else _column(batch, wanted)
        for value in batch[column]:
            if value is None:
                continue
            if not isinstance(value, str):
                raise CorpusError(
                    f"Expected text in column {column} of {wanted.name}, but found {type(value).__name__}.",
                    f"Name a column of strings: hf:{wanted.name}:{wanted.config or ''}:COLUMN.",
                )
            yield (value if value.endswith("\n") else value + "\n").encode("utf-8", "replace")
    if column is None and batch:
        _column(batch, wanted)


def _column(batch: Mapping[str, list[Any]], wanted: HubName) -> str:
    strings = [name for name, values in batch.items() if any(isinstance(value, str) for value in values)]
    if wanted.column is None and ("text" in strings or len(strings) == 1):
        return "text" if "text" in strings else strings[0]
    raise CorpusError(
        f"Expected a column of text in {wanted.name}, but "
        + (
            f"{wanted.column} is none of its columns ({', '.join(batch)})."
            if wanted.column
            else f"it has {', '.join(strings) or 'none'}."
        ),
        f"Name one: hf:{wanted.name}:{wanted.config or ''}:COLUMN.",
    )
