"""What a person hands in in place of what a run would make itself: initial weights, batches, policy, reward."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core.config import RunConfig
from ..core.errors import ConfigError, RecordError
from ..models.gpt2_names import EMBEDDING
from ..text.dataset import TokenData
from ..text.numbered import numbered
from .own import Own

Weights = Mapping[str, Any]
"""Name -> tensor or array (see `models.gpt2_names.load_gpt2`)."""
Tokens = Sequence[Any]
"""Integer arrays, each sequences x (context + 1); one array with one more dimension in front is as good."""


class FixedBatches:
    """Batches in the order they are used.

    Args:
        arrays: Integers, each [sequences, context + 1].
        context: Sequence length.
        sequences: How many sequences each batch must have; None = any number.
        what: What they are, for messages.

    Raises:
        ConfigError: No sequence of arrays, an empty one, another shape, or something that is no token id.
    """

    def __init__(self, arrays: Tokens, context: int, sequences: int | None, what: str) -> None:
        if not hasattr(arrays, "__getitem__") or not hasattr(arrays, "__len__") or len(arrays) == 0:
            raise ConfigError(
                f"Expected a sequence of {what}, but got {type(arrays).__name__} "
                f"{'without any' if hasattr(arrays, '__len__') else 'without a length'}.",
                "Hand in a list of integer arrays, sequences x (context + 1).",
            )
        self._arrays, self._what = arrays, what
        self.largest = 0
        for number in range(len(arrays)):
            batch = self.batch(number)
            rows = "any number of" if sequences is None else sequences
            if (
                batch.dim() != 2
                or batch.shape[1] != context + 1
                or len(batch) != (sequences or len(batch))
                or not len(batch)
            ):
                raise ConfigError(
                    f"Expected {what} of {rows} sequences x {context + 1} tokens (the context, and the token after "
                    f"it), but number {number} has the shape {tuple(batch.shape)}.",
                    "Set batch_size and context accordingly, or cut the arrays.",
                )
            if int(batch.min()) < 0:
                raise ConfigError(
                    f"Expected token ids, 0 or more, but number {number} of the {what} has {int(batch.min())}.",
                    "Leave out padding: every target counts.",
                )
            self.largest = max(self.largest, int(batch.max()))

    def __len__(self) -> int:
        return len(self._arrays)

    def batch(self, number: int) -> Tensor:
        """[sequences, context + 1], int64.

        Raises:
            ConfigError: There are no more.
        """
        self.check_supply(number + 1)
        array = self._arrays[number]
        array = array.detach().cpu().numpy() if isinstance(array, Tensor) else np.asarray(array)
        if not np.issubdtype(array.dtype, np.integer):
            raise ConfigError(
                f"Expected whole numbers in the {self._what}, but number {number} is of {array.dtype}.",
                "Hand in token ids.",
            )
        return torch.from_numpy(array.astype(np.int64))

    def check_supply(self, wanted: int) -> None:
        """Refuse unless there are so many.

        Raises:
            ConfigError: There are fewer.
        """
        if wanted > len(self):
            raise ConfigError(
                f"Expected {wanted} {self._what} by now, but {len(self)} were handed in.",
                "Hand in more, or decide less often; a recorded run goes on with "
                "Session.resume(directory, batches=..., reward_batches=...), given the same ones and more.",
            )

    def digest(self, count: int | None = None) -> str:
        """32 hexadecimal digits over the first `count` batches (default all)."""
        found = hashlib.blake2b(digest_size=16)
        for number in range(len(self) if count is None else count):
            batch = self.batch(number).numpy().astype("<i8")
            found.update(f"{batch.shape}".encode() + batch.tobytes())
        return found.hexdigest()

    def flat(self, count: int | None = None) -> np.ndarray:
        """The ids of the first `count` batches (default all), end to end."""
        wanted = range(len(self) if count is None else count)
        return np.concatenate([self.batch(number).numpy().reshape(-1) for number in wanted])

    def __deepcopy__(self, memo: dict[int, Any]) -> FixedBatches:
        return self


@dataclass(frozen=True)
class Provided:
    """What was handed in, checked against a config. Make it with `Provided.check`.

    Args:
        initial_weights: Under GPT-2's names.
        batches: One per optimizer step (`training.accumulate` of them).
        reward_batches: One per decision; the measurement before the first decision uses the first one too.
        own: Policy and reward.
    """

    initial_weights: Weights | None = None
    batches: FixedBatches | None = None
    reward_batches: FixedBatches | None = None
    own: Own = field(default_factory=Own)

    @classmethod
    def check(
        cls,
        config: RunConfig,
        initial_weights: Weights | None,
        batches: Tokens | None,
        reward_batches: Tokens | None,
        own: Own,
    ) -> Provided:
        """Check the shapes.

        Raises:
            ConfigError: Arrays of another shape, or reward batches where the reward reads another split.
        """
        context, training = config.model.context, config.training
        if reward_batches is not None and config.reward.split != "train":
            raise ConfigError(
                f"Expected reward.split=train with reward batches, which take the place of fresh training batches, but "
                f"got {config.reward.split}.",
                "Set split=train, or leave reward_batches out.",
            )
        return cls(
            initial_weights,
            None if batches is None else FixedBatches(batches, context, training.batch_size, "training batches"),
            None if reward_batches is None else FixedBatches(reward_batches, context, None, "reward batches"),
            own,
        )

    def data(self, recorded: dict[str, Any]) -> TokenData | None:
        """What the run reads where both kinds of batches are handed in; None where it needs a text.

        Args:
            recorded: `identity` at the start of a run that goes on; batches that were added since are no part of it.
        """
        if self.batches is None or self.reward_batches is None:
            return None
        seen = max(self.batches.largest, self.reward_batches.largest) + 1
        rows = 0 if self.initial_weights is None else _rows(self.initial_weights)
        first, second = (
            batches.flat(recorded.get(name, {}).get("count")) for name, batches in self._kinds() if batches is not None
        )
        return numbered(first, second, recorded.get("vocabulary_size", max(seen, rows)))

    def check_vocabulary(self, size: int) -> None:
        """Refuse ids and weights that do not fit a vocabulary.

        Raises:
            ConfigError: Ids beyond it, or another number of embeddings.
        """
        remedy = "Hand in batches and reward batches both (then no text is read), or `data` of that vocabulary."
        rows = size if self.initial_weights is None else _rows(self.initial_weights)
        if rows not in (0, size):
            raise ConfigError(f"Expected {EMBEDDING} of {size} rows, one per token, but got {rows}.", remedy)
        for batches in (self.batches, self.reward_batches):
            if batches is not None and batches.largest >= size:
                raise ConfigError(f"Expected token ids below {size}, but got {batches.largest}.", remedy)

    def check_supply(self, steps: int, decisions: int) -> None:
        """Refuse unless there are batches for so many optimizer steps times `accumulate`, and decisions.

        Raises:
            ConfigError: There are fewer.
        """
        if self.batches is not None:
            self.batches.check_supply(steps)
        if self.reward_batches is not None:
            self.reward_batches.check_supply(decisions)

    def identity(self, vocabulary_size: int) -> dict[str, Any]:
        """What is recorded with a run, JSON-able: empty where nothing was handed in."""
        found: dict[str, Any] = {}
        if self.initial_weights is not None:
            found["initial_weights"] = _digest(self.initial_weights)
        for name, batches in self._kinds():
            if batches is not None:
                found[name] = {"count": len(batches), "digest": batches.digest()}
        return (found | {"vocabulary_size": vocabulary_size} if found else {}) | dict(self.own.identity)

    def check_same(self, recorded: dict[str, Any], where: object, *, from_the_start: bool) -> None:
        """Refuse to go on with a run that was started with other weights or batches.

        Args:
            recorded: `identity` at the run's start.
            where: Its directory.
            from_the_start: Whether it is to be trained again from its start, which takes its initial weights.

        Raises:
            RecordError: Something is missing, was not there at the start, or differs. More batches may follow.
        """
        remedy = "Call Session.resume with the same initial_weights, batches and reward_batches as Session was."
        for name, batches in self._kinds():
            was = recorded.get(name)
            if (was is None) != (batches is None):
                raise RecordError(
                    f"Expected {'no' if was is None else was['count']} {name} for the run in {where}, which was "
                    f"started with {'none' if was is None else 'them'}, but got "
                    f"{'none' if batches is None else len(batches)}.",
                    remedy,
                )
            if (
                was is not None
                and batches is not None
                and (len(batches) < was["count"] or batches.digest(was["count"]) != was["digest"])
            ):
                raise RecordError(
                    f"Expected the {was['count']} {name} that the run in {where} was started with, but got others.",
                    remedy,
                )
        started, weights = recorded.get("initial_weights"), self.initial_weights
        if weights is None and (started is None or not from_the_start):
            return
        if weights is None or _digest(weights) != started:
            raise RecordError(
                f"Expected {'no initial weights' if started is None else 'the initial weights'} that the run in "
                f"{where} was started with, but got {'none' if weights is None else 'others'}.",
                remedy,
            )

    def _kinds(self) -> tuple[tuple[str, FixedBatches | None], ...]:
        return ("batches", self.batches), ("reward_batches", self.reward_batches)


def _rows(weights: Weights) -> int:
    """Rows of the token embedding; 0 where there is none (which is refused when the weights are loaded)."""
    return len(weights[EMBEDDING]) if EMBEDDING in weights else 0


def _digest(weights: Weights) -> str:
    found = hashlib.blake2b(digest_size=16)
    for name in sorted(weights):
        values = torch.as_tensor(weights[name]).detach().cpu().float().contiguous()
        found.update(f"{name} {tuple(values.shape)}".encode() + values.numpy().astype("<f4").tobytes())
    return found.hexdigest()
