"""A file that comes from a browser in pieces, since hosts bound how long a message may be."""

from __future__ import annotations

import base64
import binascii

from ...core.errors import LayertieError

MOST_BYTES = 25_000_000
"""Bytes of a file, at most."""
PIECE_BYTES = 480_000
"""Bytes of a piece, at most: in base64 they are less than `messages.LONGEST_TEXT` characters. Divisible by 3."""


class Upload:
    """Gathers the pieces of one file at a time; a first piece begins another one."""

    def __init__(self) -> None:
        self._name, self._size = "", 0
        self._pieces: list[bytes] = []
        self._reached = 0

    def take(self, name: str, size: int, at: int, data: str) -> bytes | None:
        """Take a piece.

        Args:
            name: Of the file.
            size: Of the whole file, in bytes.
            at: Where the piece begins.
            data: The piece in base64.

        Returns:
            The file, once it is whole.

        Raises:
            LayertieError: A file that is too large or empty, or a piece that does not follow the one before.
        """
        if size > MOST_BYTES:
            self.drop()
            raise LayertieError(
                f"Expected a file of at most {MOST_BYTES / 1e6:g} MB, but {name} has {size / 1e6:,.1f} MB.",
                "Choose a part of it, or put it on the machine that this page runs on and give its path.",
            )
        if not size:
            self.drop()
            raise LayertieError(f"Expected some text, but {name} is empty.", "Choose another file.")
        if at == 0:
            self.drop()
            self._name, self._size = name, size
        try:
            piece = base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            piece = b""
        if not piece or (name, size, at) != (self._name, self._size, self._reached) or at + len(piece) > size:
            self.drop()
            raise LayertieError(f"Expected the next piece of {name}, but another one came.", "Send it again.")
        self._pieces.append(piece)
        self._reached += len(piece)
        if self._reached < size:
            return None
        whole = b"".join(self._pieces)
        self.drop()
        return whole

    def drop(self) -> None:
        """Forget what has come."""
        self._name, self._size, self._pieces, self._reached = "", 0, [], 0
