"""The text of a new run: what may be chosen, what a visitor brings, and what a run would read of it."""

# Imports in functions are for the start of the explorer: reading a text loads tokenizers, and polars for tables.

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..core.config import RunConfig
from ..core.errors import ConfigError, CorpusError, LayertieError
from ..records.io.store import Store
from ..records.texts import folder_of, keep_text, own_texts, text_name
from ..text.corpora.registry import CORPORA
from ..text.sources import SPLITS
from ..widgets.forms.form import config_of
from ..widgets.forms.settings_form import SettingsForm
from .terms import Terms
from .weakly import weakly

CORPUS, COLUMN, TOKENIZER = "text.corpus", "text.column", "text.tokenizer"
SLOW_SECONDS = 20.0
"""Seconds after which the page says that reading takes long."""
AT_ONCE = 3
"""Texts that are read for a page at a time: one that waits for a network does not keep the next from being read."""
_MOST_OFFERED = 200
_BUILT_IN, _HUB, _BROUGHT, _OFFERED = "Built in", "From the Hugging Face hub", "Your own", "On this server"


class OwnText:
    """What stands in the group Text of a form, besides its settings.

    Args:
        form: The form.
        terms: What visitors may read.
        root: The visitor's folder of runs.
    """

    def __init__(self, form: SettingsForm, terms: Terms, root: Path) -> None:
        self._form, self._terms, self._root = form, terms, root
        self._lock = threading.RLock()
        self._turns = threading.Semaphore(AT_ONCE)
        self._seen = False
        self._asked: Any = None
        self._number = 0
        form.on_seen(self._look)
        form.on_hold(self.renew)
        form.on_text(self._bring)
        self.offer()

    def allowed(self, config: RunConfig) -> RunConfig:
        """The settings with a text that the visitor may read, which a new run would read as what it is.

        Raises:
            CorpusError: It is none.
            PathError: No words for a path, or neither a file nor a folder.
        """
        from ..text.corpora.lookup import refuse_unread, source_of

        allowed = self._terms.allowed(config, folder_of(self._root))
        source_of(allowed.text.corpus, allowed.text.column)
        refuse_unread(allowed.text)
        return allowed

    def offer(self) -> None:
        """Offer the texts that there are now."""
        entries = [(each.name, each.about, _BUILT_IN) for each in CORPORA if each.offline]
        entries += [(str(text.path), f"{text.name}, {_size(text.bytes)}", _BROUGHT) for text in own_texts(self._root)]
        entries += [(name, "", _OFFERED) for name in _offered(self._terms.texts)]
        entries += [(each.name, each.about, _HUB) for each in CORPORA if not each.offline]
        self._form.offer(CORPUS, entries)

    def renew(self) -> None:
        """Read what the form names now, if somebody looks at it and it is another text than before."""
        with self._lock:
            if not self._seen:
                return
            try:
                config = config_of(self._form.draft)
            except ConfigError:
                return  # what is wrong is said at its setting
            asked, before = (config.text, config.model.context), self._asked
            if asked == before:
                return
            if before is None or before[0].corpus != config.text.corpus:
                self._form.columns = []
            self._asked = asked
            self._number += 1
            self._form.show(text_problems={}, preview={**self._form.preview, "reading": True, "said": ""})
            _in_thread(weakly(self._read, self._number, config))
            timer = threading.Timer(SLOW_SECONDS, weakly(self._say_slow, self._number))
            timer.daemon = True
            timer.start()

    def _look(self, seen: bool) -> None:
        self._seen = seen
        if seen:
            self.offer()
            self.renew()

    def _bring(self, name: str, content: bytes) -> None:
        """A text was pasted or sent: it becomes a file of the visitor's, and what the form names."""
        _in_thread(weakly(self._keep, name, content))

    # -- in threads --------------------------------------------------------------------------------------------------

    def _keep(self, name: str, content: bytes) -> None:
        try:
            path = keep_text(self._root, name, content)
        except LayertieError as error:
            self._form.upload_problem = str(error)
            return
        self.offer()
        self._form.choose(CORPUS, str(path))

    def _read(self, number: int, config: RunConfig) -> None:
        with self._turns:
            if number != self._number:
                return
            answer = _answer(config, lambda: self._terms.allowed(config, folder_of(self._root)))
        with self._lock:
            if number != self._number:  # another text is asked about by now
                return
            self._form.columns = answer.columns
            if answer.sentence:
                self._form.blame_text(answer.blamed, answer.sentence)
            elif answer.column:
                self._form.choose(COLUMN, answer.column)
            else:
                self._form.preview = answer.shown

    def _say_slow(self, number: int) -> None:
        with self._lock:
            if number == self._number and self._form.preview.get("reading"):
                said = f"It has taken {SLOW_SECONDS:g} s so far. Wait, choose another text, or start all the same."
                self._form.preview = {**self._form.preview, "said": said}


@dataclass(frozen=True)
class _Answer:
    """What came of reading a text.

    Args:
        columns: Of a file of rows, as the form takes them.
        column: The one to read, where none is named yet.
        shown: The preview, where it was read.
        blamed: The setting that is to blame where it was not.
        sentence: Why it was not.
    """

    columns: list[list[Any]] = field(default_factory=list)
    column: str = ""
    shown: dict[str, Any] = field(default_factory=dict)
    blamed: str = CORPUS
    sentence: str = ""


def _answer(config: RunConfig, allowed: Callable[[], RunConfig]) -> _Answer:
    """Read the text of a config, as far as it may be."""
    from ..text.corpora.lookup import refuse_unread
    from ..text.corpora.rows import columns_of, holds_rows, suggested
    from ..text.preview import preview
    from ..text.tokenizers.lookup import tokenizer_identity

    columns: list[list[Any]] = []
    blamed = CORPUS
    try:
        config = allowed()
        text, path = config.text, os.path.expanduser(config.text.corpus)
        if holds_rows(path) and os.path.isfile(path):
            found = columns_of(path)
            columns = [[each.name, each.sample, each.is_text] for each in found]
            best = suggested(found)
            if not best:
                raise CorpusError(
                    f"Expected a column of text, but none of {', '.join(each.name for each in found[:12])} holds any.",
                    "Choose another file.",
                )
            if not text.column:
                return _Answer(columns, best)
            if text.column not in [each.name for each in found if each.is_text]:
                blamed = COLUMN
        refuse_unread(text)
        if blamed == CORPUS:
            blamed = TOKENIZER
            tokenizer_identity(text)
            blamed = CORPUS
        return _Answer(columns, shown=_shown(preview(text, config.model.context, Store())))
    except LayertieError as error:
        sentence = as_named(str(error), config.text.corpus)
        # A pretrained tokenizer that cannot be had is found out when the text is made into tokens.
        if blamed == CORPUS and config.text.tokenizer.startswith("hf:") and config.text.tokenizer[3:] in error.message:
            blamed = TOKENIZER
    except Exception as error:  # a corpus or a tokenizer of another package raises whatever it does
        sentence = f"Expected to read the text, but {type(error).__name__} came up: {error}. Choose another text."
        sentence = as_named(sentence, config.text.corpus)
    return _Answer(columns, blamed=blamed, sentence=sentence)


def _shown(found: Any) -> dict[str, Any]:
    """A `Preview` as the form shows it."""
    total = sum(found.tokens.values())
    return {
        "reading": False,
        "said": "",
        "head": found.head,
        "facts": [
            ["Size", f"{found.characters:,} characters ({found.bytes:,} bytes)"],
            ["Tokens", f"{total:,}, by {found.tokenizer}"],
        ],
        "splits": [
            [split, f"{found.tokens[split]:,}", f"{found.tokens[split] / total:.1%}", _repeats(found.overlap, split)]
            for split in SPLITS
        ],
        "notes": list(found.notes),
    }


def _repeats(overlap: Any, split: str) -> str:
    return f"{overlap[split]:.2%}" if split in overlap else ""


def _offered(folder: Path | None) -> list[str]:
    """The texts that the owner of a server offers, by their place in the folder."""
    if folder is None or not folder.is_dir():
        return []
    try:
        names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    except OSError:
        return []
    return names[:_MOST_OFFERED]


def _size(count: int) -> str:
    if count < 1e3:
        return f"{count} byte{'' if count == 1 else 's'}"
    return f"{count / 1e6:,.1f} MB" if count >= 1e6 else f"{count / 1e3:,.0f} kB"


def as_named(sentence: str, corpus: str) -> str:
    """A sentence about a text that somebody brought, with the name that they know it by and not the file's here."""
    named, known = text_name(corpus), os.path.basename(corpus)
    return sentence if named == known else sentence.replace(corpus, named).replace(known, named)


def _in_thread(call: Callable[[], Any]) -> None:
    threading.Thread(target=call, name="layertie text", daemon=True).start()
