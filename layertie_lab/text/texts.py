"""Text as pieces of UTF-8: sized, cut and limited in bytes, without a second copy of the whole."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

PIECE = 1 << 20
"""Bytes after which a collected piece is closed."""


@dataclass(frozen=True)
class Text:
    """A text, held as UTF-8.

    A Python string takes up to four bytes per character once a single rare character is in it; UTF-8 in pieces keeps
    600 MB of text at 600 MB, and only one piece at a time is a string.

    Args:
        pieces: Consecutive parts, each valid UTF-8 on its own.
    """

    pieces: tuple[bytes, ...] = ()

    @classmethod
    def of(cls, text: str) -> Text:
        """A text of one piece."""
        return cls((text.encode(),) if text else ())

    def __iter__(self) -> Iterator[str]:
        """The pieces as strings, in order."""
        return (piece.decode() for piece in self.pieces)

    def __str__(self) -> str:
        return "".join(self)

    @cached_property
    def size(self) -> int:
        """Length in bytes of UTF-8."""
        return sum(map(len, self.pieces))

    def part(self, start: int, end: int) -> Text:
        """The bytes `start` to `end` (exclusive), both of which must lie between characters."""
        return Text(tuple(self._slices(start, end)))

    def cut_near(self, position: int, reach: int) -> int:
        """Where to cut: the first end of a line at or after `position`, else the next character.

        Args:
            position: Where a cut is wanted, in bytes.
            reach: Most bytes to move on for the end of a line.

        Returns:
            A position between two characters, in bytes, at most `reach` (or 3) beyond the wanted one.
        """
        if position <= 0 or position >= self.size:
            return min(max(position, 0), self.size)
        near = b"".join(self._slices(position - 1, position + max(reach, 4)))
        line = near.find(b"\n", 0, reach + 1)
        if line >= 0:
            return position + line
        ahead = 1
        while ahead < len(near) and _continues(near[ahead]):
            ahead += 1
        return position - 1 + ahead

    def digest(self) -> str:
        """40 hexadecimal digits over the bytes, however they are divided into pieces."""
        digest = hashlib.blake2b(digest_size=20)
        for piece in self.pieces:
            digest.update(piece)
        return digest.hexdigest()

    def _slices(self, start: int, end: int) -> Iterator[bytes]:
        position = 0
        for piece in self.pieces:
            low, high = max(start - position, 0), min(end - position, len(piece))
            if low < high:
                yield piece if high - low == len(piece) else piece[low:high]
            position += len(piece)


class Collector:
    """Gathers text up to a limit.

    Args:
        limit: Most bytes to keep. What would go beyond is cut off after the last full line that fits, or the last full
            character where there is none.
    """

    def __init__(self, limit: int) -> None:
        self._room, self._size = limit, 0
        self._pieces: list[bytes] = []
        self._open: list[bytes] = []
        self._open_size = 0
        self.full = False
        """Whether something was left out."""
        self.documents = array("Q")
        """Where each document ended, in bytes of what was gathered."""

    def add(self, data: bytes) -> None:
        """Keep valid UTF-8, as far as there is room."""
        if len(data) > self._room:
            data = data[: _end_within(data, self._room)]
            self._room, self.full = 0, True
        else:
            self._room -= len(data)
        self._open.append(data)
        self._open_size += len(data)
        self._size += len(data)
        if self._open_size >= PIECE:
            self._close()

    def end_document(self) -> None:
        """What was added last ends a document."""
        self.documents.append(self._size)

    def text(self) -> Text:
        """What was gathered."""
        return Text(tuple(piece for piece in (*self._pieces, b"".join(self._open)) if piece))

    def _close(self) -> None:
        # Pieces end where a line ends, so that no word is divided between two calls of a tokenizer.
        whole = b"".join(self._open)
        end = whole.rfind(b"\n") + 1 or len(whole)
        self._pieces.append(whole[:end])
        self._open, self._open_size = [whole[end:]], len(whole) - end


def _continues(byte: int) -> bool:
    """Whether a byte is inside a UTF-8 character."""
    return byte & 0xC0 == 0x80


def _end_within(data: bytes, room: int) -> int:
    line = data.rfind(b"\n", 0, room) + 1
    if line:
        return line
    while room > 0 and _continues(data[room]):
        room -= 1
    return room
