"""Which snapshots of a run are kept: books of what lies on disk, so that no file is looked at twice."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

from ...core.errors import RecordError
from ...core.plain import fits, parse_object
from ..io import sealing
from ..io.disk import discard

_NAME = re.compile(r"(\d{5,})\.safetensors")
_NONE: frozenset[int] = frozenset()


def found_in(folder: Path) -> dict[int, Path]:
    """Decision -> its snapshot's file. Reads names only."""
    found = ((_NAME.fullmatch(path.name), path) for path in folder.glob("*.safetensors"))
    return {int(match[1]): path for match, path in found if match}


def path_in(folder: Path, decision: int) -> Path:
    """The file of a decision's snapshot."""
    return folder / f"{decision:05d}.safetensors"


class Spacing:
    """Keeps a folder of snapshots within a budget, as their one writer.

    Those kept lie at even distances, besides the latest. Where they take too much, every second goes and the distance
    doubles. A file also stays while one that is kept rests on it. What is done for one more of them depends on its
    own groups, not on how many there are; only where the distance doubles all are gone through.

    Args:
        folder: The snapshots; it need not exist.
        budget: Bytes that they may take together; the latest two are kept whatever their size.

    Attributes:
        distance: Decisions between two that are kept.
        latest: The last decision with one; -1 = none.
    """

    def __init__(self, folder: Path, budget: int) -> None:
        self._folder, self._budget = folder, budget
        self._sizes = {decision: _size(path) for decision, path in sorted(found_in(folder).items())}
        self._total = sum(self._sizes.values())
        # What one rests on besides itself; of files from before this writer it is read where it is needed.
        self._rests: dict[int, frozenset[int]] = {}
        self._uses: Counter[int] = Counter()  # how many that this writer stored rest on a file
        self.latest = max(self._sizes, default=-1)
        self.distance = self._distance_so_far()

    def __contains__(self, decision: int) -> bool:
        return decision in self._sizes

    def cut(self, decision: int) -> bool:
        """Remove those after later decisions, left from a log that was cut; whether there were any."""
        if decision >= self.latest:
            return False
        for later in [known for known in self._sizes if known > decision]:
            self._remove(later)
        self.latest = max(self._sizes, default=-1)
        return True

    def add(self, decision: int, homes: Collection[int]) -> None:
        """One has been written after a decision, the latest so far.

        Args:
            decision: After which it is.
            homes: The decisions in whose files its groups lie, all of them written by this writer.
        """
        before, size = self.latest, _size(path_in(self._folder, decision))
        self._release(decision)  # where it was stored before
        self._total += size - self._sizes.get(decision, 0)
        self._sizes[decision] = size
        rests = frozenset(homes) - {decision}
        # One object for all that rest on the same: a run keeps thousands.
        self._rests[decision] = self._rests[before] if self._rests.get(before) == rests else rests or _NONE
        self._uses.update(rests)
        self.latest = decision
        if before >= 0 and before != decision and before % self.distance:
            self._let_go(before)
        if self._total > self._budget:
            self._thin()

    def _let_go(self, decision: int) -> None:
        """One is the latest no longer and lies where none is kept: it goes, unless another rests on it."""
        for each in (decision, *self._release(decision)):
            if each % self.distance and not self._uses[each]:
                self._remove(each)

    def _thin(self) -> None:
        while True:
            kept = {decision for decision in self._sizes if decision % self.distance == 0 or decision == self.latest}
            needed = kept.union(*(self._rests_of(decision) for decision in kept))
            for decision in self._sizes.keys() - needed:
                self._remove(decision)
            if self._total <= self._budget or len(kept) <= 2:
                break
            self.distance *= 2
        for decision in self._sizes.keys() - kept:
            self._release(decision)
        self._uses = Counter(home for decision in kept for home in self._rests_of(decision))

    def _remove(self, decision: int) -> None:
        discard(path_in(self._folder, decision))
        self._release(decision)
        self._total -= self._sizes.pop(decision, 0)
        del self._rests[decision]

    def _release(self, decision: int) -> frozenset[int]:
        """One is looked at no more, if only for the groups that others have from it; what it rested on."""
        rests, self._rests[decision] = self._rests.get(decision, _NONE), _NONE
        self._uses.subtract(rests)
        return rests

    def _rests_of(self, decision: int) -> frozenset[int]:
        if decision not in self._rests:
            header = _header(path_in(self._folder, decision))
            with suppress(KeyError, ValueError):
                homes = parse_object(header["homes"])
                if fits(homes, dict[str, int]):
                    self._rests[decision] = frozenset(homes.values()) - {decision}
        return self._rests.get(decision, _NONE)

    def _distance_so_far(self) -> int:
        """The distance that those on disk were kept at."""
        with suppress(KeyError, ValueError):
            return max(1, int(_header(path_in(self._folder, self.latest))["distance"]))
        # Files from before it was written into them; the latest may lie anywhere.
        steps = [after - before for before, after in pairwise(list(self._sizes)[:-1])]
        return max(1, min(steps, default=1))


def _header(path: Path) -> dict[str, str]:
    with suppress(RecordError, OSError):
        return sealing.read_header(path)
    return {}


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0
