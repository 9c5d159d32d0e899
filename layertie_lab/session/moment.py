"""A moment of a run as a value: what another process, or a folder of its own, goes on from."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from ..core.config import RunConfig
from ..core.errors import RecordError
from ..records.directory import RunDirectory
from ..records.state.checkpoints import load_checkpoint
from ..text.dataset import TokenData
from .capture import capture, restored
from .components import build
from .door import RunText
from .own import Own
from .provided import Provided
from .session import Session


@dataclass(frozen=True)
class Moment:
    """All that a session at one moment is, apart from its text; may be pickled.

    Args:
        config: The run's settings.
        tensors: Weights, optimizer state and the agent's tensors (`capture`), which nobody changes.
        meta: The rest of it.
        text: What the run reads.
        given: Batches and weights that were handed in.
        vocabulary_size: Of its text, where batches were handed in; else -1.
    """

    config: RunConfig
    tensors: dict[str, Tensor]
    meta: dict[str, Any]
    text: RunText
    given: Provided = field(default_factory=Provided)
    vocabulary_size: int = -1

    @classmethod
    def of(cls, session: Session) -> Moment:
        """The present of a session, which is left as it is."""
        with session.turns.use():
            tensors, meta = capture(session.state)
            clones = {name: tensor.detach().clone() for name, tensor in tensors.items()}
            meta = copy.deepcopy(meta)
        components = session.components
        text = RunText.of_present(session.config, session.data, session.directory)
        return cls(session.config, clones, meta, text, components.given, components.data.vocabulary_size)

    @classmethod
    def stored(cls, directory: str | Path, name: str | None = None) -> Moment:
        """A checkpoint of a recorded run, which another process may be training.

        Args:
            directory: The run directory.
            name: The checkpoint's name; None = the latest.

        Raises:
            RecordError: No run, or no such checkpoint; a run whose batches were handed in, which are not on disk.
        """
        folder = RunDirectory.open(directory)
        if not folder.handed_in.keys().isdisjoint(("batches", "reward_batches")):
            raise RecordError(
                f"Expected a run that draws its own batches, but those of {directory} were handed in.",
                "Resume it with Session.resume and the same batches, then fork the session.",
            )
        Own.check(folder.config).check_same(folder.handed_in, folder.config, directory)
        checkpoint = load_checkpoint(folder, name)
        return cls(folder.config, checkpoint.tensors, checkpoint.meta, RunText.of(folder))

    def open(self, data: TokenData | None = None, *, text: str | Path | None = None) -> Session:
        """An unrecorded session that stands here; each call gives a new one.

        Args:
            data, text: What the run reads, or where its text lies now, as in `RunText.find`.

        Raises:
            RecordError: Another text than the run's.
            LayertieError: Text that cannot be read, or a device that is absent.
        """
        recorded = {} if self.vocabulary_size < 0 else {"vocabulary_size": self.vocabulary_size}
        data = self.given.data(recorded) if data is None else data
        components = build(self.config, self.text.find(data=data, text=text).data, self.given)
        return Session.of_state(restored(components, self.tensors, self.meta))
