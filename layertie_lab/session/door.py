"""The one door into a run that is gone on with or looked at: its text, compared with what it read when it began."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, replace
from importlib.metadata import version
from math import isclose
from pathlib import Path

from ..core.config import RunConfig, TextConfig
from ..core.errors import CorpusError, LayertieError, RecordError
from ..core.events import Opened
from ..core.version import __version__
from ..records.directory import RunDirectory
from ..records.io.store import Store
from ..records.log.cursor import EventCursor
from ..records.reads import Reads, Tokens, kept_tokens, remember_place
from ..text.corpora.lookup import at_place
from ..text.dataset import TokenData, prepare
from ..text.identity import SHOWN, TextIdentity, pack, unpack

ELSEWHERE = "name the same text in another place with --text PATH (text=PATH in Python)"


@dataclass(frozen=True)
class Found:
    """What a run reads, found again.

    Args:
        data: The same data as when the run began, id by id.
        notes: What a reader should know of how they were found, a sentence each.
    """

    data: TokenData
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunText:
    """What a run read when it began; may be pickled. Make it with `of` or `of_present`.

    Args:
        text: The settings of its text.
        context: Sequence length, in tokens.
        run: Its folder; None where it is not recorded.
        reads: What is recorded of what it depends on.
        identity: Of its text; None in runs from before it was recorded, of which `opened` says a little.
        opened: The first event of such a run.
    """

    text: TextConfig
    context: int
    run: Path | None
    reads: Reads
    identity: TextIdentity | None
    opened: Opened | None = None

    @classmethod
    def of(cls, run: str | Path | RunDirectory) -> RunText:
        """Of a recorded run, live or not.

        Raises:
            RecordError: Not a run, or one that is damaged.
        """
        directory = run if isinstance(run, RunDirectory) else RunDirectory.open(run)
        path, config, opened = directory.path.absolute(), directory.config, None
        reads = Reads.of(path)
        try:
            identity = None if reads.text is None else TextIdentity.from_dict(reads.text)
        except ValueError as error:
            raise RecordError(
                f"Expected what tells the text of {path} from any other, but its identity.json lacks it ({error}).",
                "Restore the file from a copy, or update layertie_lab.",
            ) from None
        if identity is None:
            first = EventCursor(directory.events).read_new(limit=1)
            opened = first[0] if first and isinstance(first[0], Opened) else None
        return cls(config.text, config.model.context, path, reads, identity, opened)

    @classmethod
    def of_present(cls, config: RunConfig, data: TokenData, run: Path | None) -> RunText:
        """Of a run that is open in this process and reads `data`."""
        path = None if run is None else run.absolute()
        return cls(config.text, config.model.context, path, Reads(), TextIdentity.of(config.text, data))

    def find(self, *, data: TokenData | None = None, text: str | Path | None = None) -> Found:
        """The same data again.

        Args:
            data: They, if the caller has them.
            text: Where the text lies now. Where it is the same, that is remembered in the run.

        Without either: the tokens that the run keeps, else the text where it was found last, where it lay when the run
        began, and where the settings say, whichever is the same.

        Raises:
            RecordError: Other data than the run read; the message names both sides. Nothing has changed.
            LayertieError: A text that cannot be read.
        """
        if data is not None:
            return self._found(self._checked(data, "what was handed in is not it"))
        if text is not None:
            corpus = at_place(self.text.corpus, text)
            found = self._at(corpus)
            place = os.path.abspath(os.path.expanduser(text))
            if self.run is not None:
                remember_place(self.run, place)
            return self._found(found)
        damage = ""
        try:
            if (kept := self._kept()) is not None:
                return self._found(kept, *self._replaced())
        except LayertieError as error:
            damage = error.message
        try:
            return self._found(self._anywhere(), *filter(None, [damage]))
        except RecordError as error:
            raise RecordError(f"{error.message} {damage}".rstrip(), error.remedy) from error

    # -- where it may be ------------------------------------------------------------------------------------------

    def _kept(self) -> TokenData | None:
        """The tokens in the run's folder."""
        tokens = None if self.run is None or self.identity is None else kept_tokens(self.run)
        return None if tokens is None or self.identity is None else unpack(self.identity, *tokens)

    def _anywhere(self) -> TokenData:
        if self.identity is not None and self.identity.origin is None:
            raise self._other("they are neither in the run's folder nor at hand")
        refused: list[RecordError] = []
        for corpus in self._places():
            try:
                return self._at(corpus)
            except RecordError as error:
                refused.append(error)
        # A text that is another one says more than one that is gone, which is the cause of its refusal.
        raise min(refused, key=lambda error: error.__cause__ is not None)

    def _places(self) -> list[str]:
        """The corpora, as a config says them, that may be the text, the likeliest first."""
        origin = None if self.identity is None else self.identity.origin
        lay = None if origin is None else origin.where
        known = [at_place(self.text.corpus, place) for place in (self.reads.moved_to, lay) if place]
        own = self.text.corpus
        # A path that was relative when the run began is where it lay then; from here it may be another text.
        here = [] if os.path.abspath(os.path.expanduser(own)) in known else [own]
        return list(dict.fromkeys([*known, *here]))

    def _at(self, corpus: str) -> TokenData:
        """The data of a corpus.

        Raises:
            RecordError: It is another text, or none.
        """
        config = replace(self.text, corpus=corpus)
        name = corpus.removeprefix("hf:") if os.path.isabs(corpus.removeprefix("hf:")) else corpus
        identity = self.identity
        try:
            if identity is None:
                data = prepare(config, self.context, Store())
                return self._checked(data, f"{name} is another one ({data.description})")
            if identity.tokenizer_at is not None and os.path.exists(identity.tokenizer_at):
                config = replace(config, tokenizer=f"hf:{identity.tokenizer_at}")
            # The digest of the text first: to make tokens of it takes much longer.
            if identity.origin is not None and (now := identity.text_now(config)).text != identity.origin.text:
                raise self._other(f"{name} holds another one ({now})")
            data = prepare(config, self.context, Store())
        except CorpusError as error:
            raise self._other(f"it cannot be read: {error.message.rstrip('.')}", error) from error
        tokens = f"{data.digest[:SHOWN]} in place of {identity.tokens[:SHOWN]}"
        return self._checked(data, f"{name}, which is the same text, gives other tokens here (tokens' digest {tokens})")

    # -- comparing ------------------------------------------------------------------------------------------------

    def _checked(self, data: TokenData, otherwise: str) -> TokenData:
        """The data, if they are those that the run read."""
        if self.identity is not None:
            if not self.identity.is_same(data):
                raise self._other(otherwise)
            return self.identity.named(data)
        opened = self.opened
        if opened is None:
            return data
        lengths = {split: len(tokens) for split, tokens in data.splits.items()}
        # The entropy tells texts of equal length apart.
        same = isclose(opened.unigram_entropy, data.unigram_entropy, rel_tol=1e-9)
        if lengths != dict(opened.split_tokens) or opened.vocabulary_size != data.vocabulary_size or not same:
            raise self._other(otherwise)
        return replace(data, description=opened.corpus)

    def _replaced(self) -> tuple[str, ...]:
        """A sentence where the text of a run that keeps its tokens is another one by now."""
        identity = self.identity
        if identity is None or identity.origin is None:
            return ()
        config = replace(self.text, corpus=self._places()[0])
        try:
            now = identity.text_now(config)
        except CorpusError:  # gone, which is why the tokens are kept
            return ()
        if now.text == identity.origin.text:
            return ()
        return (
            f"{config.corpus} is another text by now ({now}); the run goes on with the tokens that it keeps, of "
            f"{identity}.",
        )

    def _found(self, data: TokenData, *notes: str) -> Found:
        begun, here = (self.reads.versions or {}).get("torch"), versions()["torch"]
        if begun is not None and begun != here:
            notes = (*notes, f"The run was begun with torch {begun}, and here is {here}: last digits may differ.")
        return Found(data, notes)

    def _other(self, found: str, error: CorpusError | None = None) -> RecordError:
        """The refusal: both sides, and what to do."""
        run = "the run" if self.run is None else f"the run in {self.run}"
        if self.identity is None:
            was = "no digest of which is recorded" if self.opened is None else self.opened.corpus
            return RecordError(
                f"Expected the text that {run} read ({was}), but {found}.",
                f"Restore the text, or {ELSEWHERE}. Built-in corpora differ between versions of Python.",
            )
        said = f"Expected the text that {run} read, {self.identity}, but {found}."
        if self.identity.origin is None:
            return RecordError(said, "Hand in the same data: Session.resume(directory, data=...).")
        if self.identity.origin.where is None:
            python = (self.reads.versions or {}).get("python", "that wrote it")
            remedy = f"Open it with Python {python}, or {ELSEWHERE}."
        else:
            remedy = f"Restore the text, or {ELSEWHERE}."
        more = "" if error is None else f" {error.remedy}"
        return RecordError(said, f"{remedy} To train on another text, start a new run.{more}".rstrip())


def versions() -> dict[str, str]:
    """Program -> its version here, of those that decide a run's numbers and its built-in texts."""
    return {"python": platform.python_version(), "torch": version("torch"), "layertie_lab": __version__}


def to_record(config: RunConfig, data: TokenData, initial_weights: str) -> tuple[Reads, Tokens | None]:
    """What is recorded of what a new run depends on, and its tokens where they are to be kept with it.

    Args:
        config: The run's settings.
        data: What it reads.
        initial_weights: Digest of weights that were handed in; "" where none were.
    """
    reads = Reads(TextIdentity.of(config.text, data).to_dict(), versions(), initial_weights)
    tokens = sum(map(len, data.splits.values()))
    size = tokens * data.bytes_per_token if data.origin is None else data.origin.bytes
    return reads, pack(data) if size <= config.records.keep_text_bytes else None
