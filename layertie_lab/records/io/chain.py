"""Lines that carry a running digest, so that one which was changed, left out or moved shows.

Each line is a JSON object whose last field is a digest of the line before and of itself. It depends on nothing else, so
that equal lines in equal order stay equal byte for byte. Files from before have none, and go on without.
"""

from __future__ import annotations

import hashlib
import re

_FIELD = b',"digest":"'
_DIGITS = 16
_TAIL = len(_FIELD) + _DIGITS + 2
_CARRIED = re.compile(rb'\A,"digest":"([0-9a-f]{16})"\}\Z')


def carried(line: bytes) -> str | None:
    """The digest that a line (without its newline) carries; None where it carries none."""
    match = _CARRIED.match(line[-_TAIL:])
    return match and match[1].decode()


def plain(line: bytes) -> bytes:
    """A line as it was before it got its digest; itself where it carries none."""
    return line if carried(line) is None else line[:-_TAIL] + b"}"


class Chain:
    """A file's lines in order, each taken for a link of the one before.

    Args:
        previous: The digest that the line before the first one carries. At the start of a file what it belongs to,
            so that another's does not pass for it; "" where its first line says so itself.
        carries: Whether the lines carry digests; None = as the first one does.
    """

    def __init__(self, previous: str = "", carries: bool | None = None) -> None:
        self.previous: str | None = previous
        self.carries = carries

    def follows(self, line: bytes) -> bool:
        """Whether a line is as it was written and comes after the one before; then it is the one before."""
        found = carried(line)
        if self.carries is None:
            self.carries = found is not None
        if (found is not None) != self.carries:
            return False
        if found is None:
            return True
        if self.previous is not None and found != _digest(self.previous, line[:-_TAIL] + b"}"):
            return False
        self.previous = found
        return True

    def skip(self, line: bytes) -> None:
        """Pass over a line that does not follow; where it carries no digest, the next one cannot be held against it."""
        self.previous = carried(line)

    def sealed(self, line: bytes) -> bytes:
        """A new line (a JSON object that is not empty, without its newline) with its digest, as the next one."""
        if self.carries is None:
            self.carries = True
        if not self.carries:
            return line
        digest = self.previous = _digest(self.previous or "", line)
        return line[:-1] + _FIELD + digest.encode() + b'"}'

    @classmethod
    def after(cls, line: bytes | None, start: str = "") -> Chain:
        """To go on after a line; None at the start of a file, whose first line is chained to `start`."""
        if line is None:
            return cls(start)
        found = carried(line)
        return cls(found or "", found is not None)


def _digest(previous: str, line: bytes) -> str:
    return hashlib.blake2b(previous.encode() + b"\n" + line, digest_size=_DIGITS // 2).hexdigest()
