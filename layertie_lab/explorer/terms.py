"""What whoever runs the explorer lets its visitors do: folders, texts, names of the server, how many runs at a time."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from ..core.config import RunConfig
from ..core.errors import ConfigError, CorpusError, RecordError
from ..text.corpora.registry import builtin_corpora
from ..text.tokenizers.lookup import builtin_tokenizers

RUNS, TEXTS, HOSTS, VISITORS = "LAYERTIE_RUNS", "LAYERTIE_TEXTS", "LAYERTIE_HOSTS", "LAYERTIE_VISITORS"
"""Variables of the environment that hold the terms."""
SHARED, EACH = "shared", "each"
_LONGEST_NAME = 1_000


@dataclass(frozen=True)
class Terms:
    """What the owner of a server allows.

    Args:
        runs: The folder of runs. Nothing outside it is opened by name, wherever its links lead.
        texts: A folder whose texts may be trained on by path, and no others; None: any that the program may read, where
            only this machine reaches the server, and none where others do.
        hosts: Names under which others reach the server, besides those of this machine for itself.
        remote: Whether other machines reach it.
        visitors: "shared": everybody sees all runs; "each": those that were begun under the same key alone.
    """

    runs: Path
    texts: Path | None = None
    hosts: tuple[str, ...] = ()
    remote: bool = False
    visitors: str = SHARED

    @classmethod
    def of_environment(cls, runs: str | Path | None = None, *, remote: bool = False) -> Terms:
        """As the environment has them.

        Args:
            runs: The folder of runs; None = what LAYERTIE_RUNS names, or ./runs.
            remote: Whether other machines reach the server.

        Raises:
            ConfigError: A variable that says something else than it may.
        """
        texts, visitors = os.environ.get(TEXTS, ""), os.environ.get(VISITORS, SHARED)
        if visitors not in (SHARED, EACH):
            raise ConfigError(f"Expected {VISITORS} to be {SHARED} or {EACH}, but it is {visitors!r}.", "Set one.")
        return cls(
            runs=Path(runs or os.environ.get(RUNS) or "runs").expanduser().absolute(),
            texts=Path(texts).expanduser().absolute() if texts else None,
            hosts=tuple(os.environ.get(HOSTS, "").replace(",", " ").lower().split()),
            remote=remote,
            visitors=visitors,
        )

    def allowed(self, config: RunConfig, own: Path | None = None) -> RunConfig:
        """The settings of a run whose text and tokenizer visitors may read, those that lie on the disk by their place.

        Args:
            config: The settings.
            own: The folder of the texts that the visitor has brought, which is theirs to read.

        Raises:
            CorpusError: One is none of the built-in ones, and lies elsewhere than the owner said.
        """
        text = config.text
        brought = own is not None and Path(text.corpus).is_absolute() and within(Path(text.corpus), own)
        names = [name for name, _ in builtin_corpora()]
        corpus = text.corpus if brought else self._allowed(text.corpus, names, "text")
        tokenizer = self._allowed(text.tokenizer, [name for name, _ in builtin_tokenizers()], "tokenizer")
        return replace(config, text=replace(text, corpus=corpus, tokenizer=tokenizer))

    def _allowed(self, named: str, own: list[str], what: str) -> str:
        if named in own or (self.texts is None and not self.remote):
            return named
        if self.texts is None:
            raise CorpusError(
                f"Expected a built-in {what}, but got {ascii(named)[:200]}: other machines reach this server, and its "
                "owner offers no folder of texts.",
                f"Choose one of {', '.join(own)}; the owner can name a folder in {TEXTS}.",
            )
        place = named.removeprefix("hf:")
        path = self.texts / place
        if not place.isprintable() or not within(path, self.texts) or not path.exists():
            raise CorpusError(
                f"Expected a {what} in the folder that the owner of this server offers, but got {ascii(named)[:200]}.",
                f"Name one by its place in that folder, or choose one of {', '.join(own)}.",
            )
        return f"hf:{path}" if place != named else str(path)


def within(path: Path, folder: Path) -> bool:
    """Whether a path lies in a folder, wherever the links of both lead. The folder lies in itself."""
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):  # a loop of links, a NUL, a name that the system refuses
        return False


def place_of(name: str, root: Path, examples: Path | None = None) -> Path:
    """The folder of a run that a page names.

    Args:
        name: Of a folder in `root`, or in `examples` where there is none; a branch is named RUN/branches/NAME.
        root: The folder of runs.
        examples: The folder of recorded examples.

    Raises:
        RecordError: It is no name, or leads out of both.
    """
    shown = name if len(name) <= 80 else f"{name[:77]}..."
    parts = name.split("/")
    odd = not name.isprintable() or len(name) > _LONGEST_NAME or any(part in ("", ".", "..") for part in parts)
    odd = odd or "\\" in name
    if odd or Path(name).is_absolute() or Path(name).drive or any(len(os.fsencode(part)) > 255 for part in parts):
        raise RecordError(f"Expected the name of a run, but got {shown!a}.", "Choose one in the menu.")
    for folder in (root, examples):
        if folder is None or not os.path.lexists(folder / name):
            continue
        if not within(folder / name, folder):
            raise RecordError(
                f"Expected a run in {folder}, but {shown} is a link that leads out of it.",
                "Move the run there, or start the explorer with its folder as the folder of runs.",
            )
        return folder / name
    return root / name


def listens_to_others() -> bool:
    """Whether this process takes connections from other machines."""
    process = psutil.Process()
    listed = getattr(process, "net_connections", None) or process.connections
    return any(entry.status == psutil.CONN_LISTEN and not _is_loopback(entry.laddr.ip) for entry in listed(kind="inet"))


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback
