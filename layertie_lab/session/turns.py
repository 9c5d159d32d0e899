"""Whose turn it is: a session is used by one caller at a time, and by others only between two optimizer steps."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from ..core.errors import LayertieError


class Turns:
    """Lets callers of one session in, one at a time.

    Two turns make up a call. A call that changes the session has `change` as long as it lasts; each piece of it (one
    optimizer step, the measurement of a reward) has `use` besides. Who only reads waits for `use` alone, and so comes
    in between two steps of somebody else's call. Both may be taken again by the thread that has them, so that a
    subscriber may call back. Whoever waits is let in, in the order of coming.
    """

    def __init__(self) -> None:
        self._changes, self._uses = _FairLock(), _FairLock()
        self._claim: Claim | None = None

    @contextmanager
    def use(self) -> Iterator[None]:
        """Around what must find the session between two steps; waits for the step under way."""
        self._uses.acquire()
        try:
            yield
        finally:
            self._uses.release()

    @contextmanager
    def change(self) -> Iterator[None]:
        """Around a call that changes the session; waits for another such call.

        Raises:
            LayertieError: Somebody else has claimed the session; or a callback out of a call that only reads wants
                to change it while somebody else does, which would wait for ever.
        """
        self._check_claim()
        # Who has `use` must not wait for `change`: its owner may be waiting for `use`.
        if not self._changes.acquire(wait=not self._uses.is_mine):
            raise LayertieError(
                "Expected a session that nobody else is changing, but another thread is.",
                "Call it after the call that reads has returned, not from a subscriber of it.",
            )
        try:
            self._check_claim()
            yield
        finally:
            self._changes.release()

    def claim(self, holder: str, remedy: str) -> Claim:
        """Keep the session for one thread until the claim is released; waits for a call that changes it.

        Args:
            holder: Who has it, as others are told: "a control room".
            remedy: What others may do, as a sentence.

        Raises:
            LayertieError: It has been claimed, or this is called in the middle of a call that changes it.
        """
        if self._changes.is_mine or self._uses.is_mine:
            raise LayertieError(
                f"Expected to give the session to {holder} between two calls, but one is under way.",
                "Do it when the call has returned, not in a subscriber.",
            )
        with self.change():
            if self._claim is not None:
                raise self._claim.refusal()
            self._claim = Claim(self, holder, remedy)
            return self._claim

    def _check_claim(self) -> None:
        claim = self._claim
        if claim is not None and claim.thread != threading.get_ident():
            raise claim.refusal()


class Claim:
    """A session that is kept for one thread: that which enters the claim (`with claim:`).

    Args:
        turns: Of the session.
        holder: Who has it.
        remedy: What others may do.
    """

    def __init__(self, turns: Turns, holder: str, remedy: str) -> None:
        self._turns, self._holder, self._remedy = turns, holder, remedy
        self.thread: int | None = None

    def __enter__(self) -> Claim:
        self.thread = threading.get_ident()
        return self

    def __exit__(self, *exception: object) -> None:
        self.release()

    def release(self) -> None:
        """Let others change the session again; may be called from any thread, and again."""
        if self._turns._claim is self:
            self._turns._claim = None

    def refusal(self) -> LayertieError:
        """What others are told who would change the session."""
        return LayertieError(
            f"Expected a session that nobody else runs, but {self._holder} holds this one.", self._remedy
        )


class _FairLock:
    """A lock that a thread may take several times, handed to those who wait in the order they came.

    Whoever trains gives it back after each step and wants it again at once; with the standard library's lock nobody
    else would ever get it.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[tuple[int, threading.Event]] = deque()
        self._owner: int | None = None
        self._depth = 0

    @property
    def is_mine(self) -> bool:
        """Whether the calling thread has it."""
        return self._owner == threading.get_ident()

    def acquire(self, *, wait: bool = True) -> bool:
        """Take it; False where somebody else has it and the caller does not wait."""
        me = threading.get_ident()
        with self._guard:
            if self._owner is None or self._owner == me:
                self._owner = me
                self._depth += 1
                return True
            if not wait:
                return False
            ticket = (me, threading.Event())
            self._waiting.append(ticket)
        try:
            ticket[1].wait()
        except BaseException:  # a person has interrupted the cell that waits
            with self._guard:
                if ticket in self._waiting:
                    self._waiting.remove(ticket)
                    raise
            self.release()
            raise
        return True

    def release(self) -> None:
        """Give it back, to the first of those who wait."""
        with self._guard:
            self._depth -= 1
            if self._depth:
                return
            self._owner = None
            if self._waiting:
                self._owner, called = self._waiting.popleft()
                self._depth = 1
                called.set()
