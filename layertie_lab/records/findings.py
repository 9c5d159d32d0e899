"""What was found on looking inside a run, kept beside it, so that looking again costs a read.

`looks/KEY.json`; the key is a digest of the question. Anybody who can write the run's folder may keep a finding: they
are a cache, and nothing rests on them. Each carries a digest; one that was changed, or is from before they did, counts
as none, so that it is found again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..core.errors import RecordError, StorageError
from .directory import RunDirectory
from .io.disk import UNDER_WAY, clear_unfinished, discard, writing
from .io.document import read_document, write_document

FORMAT = 3
"""Part of every key: raised whenever an equal question would be answered otherwise than before."""
MOST = 1024
"""Findings kept per run, the latest ones."""


def key_of(question: Mapping[str, Any]) -> str:
    """The name under which a question's finding is kept: 32 hexadecimal digits.

    Args:
        question: JSON, without what does not matter for the answer.
    """
    text = json.dumps([FORMAT, question], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def find(run: Path, question: Mapping[str, Any]) -> dict[str, Any] | None:
    """What was found before, or None; a damaged finding counts as none."""
    try:
        kept = read_document(_path(run, question), digest_needed=True, finite=False)
    except (OSError, ValueError):
        return None
    # Digests may meet; a question never does.
    same = kept.get("question") == json.loads(json.dumps(question)) and kept.get("of", _of(run)) == _of(run)
    return kept["answer"] if same and isinstance(kept.get("answer"), dict) else None


def keep(run: Path, question: Mapping[str, Any], answer: Mapping[str, Any]) -> bool:
    """Keep a finding; False where the folder cannot be written, which is no harm."""
    path = _path(run, question)
    try:
        with writing(path.parent):
            path.parent.mkdir(exist_ok=True)
        write_document(path, {"of": _of(run), "question": question, "answer": answer})
    except StorageError:
        return False
    clear_unfinished(path.parent, older_than=UNDER_WAY)
    _push_out(path.parent)
    return True


def forget_from(run: Path, decision: int) -> None:
    """Remove what was found after a decision or later ones: of a log that was cut and goes on otherwise."""
    for path in (run / "looks").glob("*.json"):
        with suppress(OSError, ValueError, KeyError, TypeError):
            question = read_document(path, finite=False)["question"]
            until = question.get("options", {}).get("until") or question["decision"]
            if max(question["decision"], until) >= decision:
                discard(path)


def _of(run: Path) -> str:
    """Which run a finding is about: the name of its settings; "" where they cannot be read."""
    try:
        return RunDirectory.open(run).config.hash
    except RecordError:
        return ""


def _path(run: Path, question: Mapping[str, Any]) -> Path:
    return run / "looks" / f"{key_of(question)}.json"


def _push_out(folder: Path) -> None:
    found = list(folder.glob("*.json"))
    if len(found) <= MOST:
        return
    ages: list[tuple[int, Path]] = []
    for path in found:
        with suppress(OSError):
            ages.append((path.stat().st_mtime_ns, path))
    for _, path in sorted(ages)[: len(ages) - MOST * 7 // 8]:
        discard(path)
