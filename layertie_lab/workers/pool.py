"""Which runs this process is training: browser tabs and notebooks share one worker per run directory."""

from __future__ import annotations

import queue
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ..core.commands import Command
from ..core.errors import LayertieError, WorkerError
from .commands import Commands
from .limits import check_room
from .process.parent import Subscriber
from .worker import Worker

T = TypeVar("T")

GRACE = 15.0
"""Seconds that a run goes on after its last handle, so that a reloaded page finds it."""
POLL = 1.0
"""Seconds between looks at kept runs that nobody holds."""


@dataclass(eq=False)
class _Entry:
    worker: Worker
    handles: int = 0
    deadline: float | None = None
    closing: threading.Event = field(default_factory=threading.Event)
    closed: threading.Event = field(default_factory=threading.Event)


class Handle(Commands):
    """One holder's share of a worker; has all methods of a session. Get one from `attach` or `get`.

    When it is released or collected, and no other holder is left, the worker is saved and ended after a grace period,
    unless it is kept. Callbacks given to `subscribe` and futures given by `give` belong to the handle: they do not
    keep it alive, even when they refer to it.
    """

    def __init__(self, registry: Registry, key: Path, entry: _Entry) -> None:
        self.worker = entry.worker
        self.directory = key
        self._subscribers: list[Subscriber] = []
        self._pending: set[Future[Any]] = set()
        unsubscribe = entry.worker.subscribe(_Forward(weakref.ref(self)))
        self._registry, self._entry, self._unsubscribe = registry, entry, unsubscribe
        self._finalizer = weakref.finalize(self, registry._dropped.put, (key, entry, unsubscribe))
        self._finalizer.atexit = False

    @property
    def id(self) -> str:
        """What `get` takes: the run directory's name."""
        return self.directory.name

    @property
    def status(self) -> str:
        """What the worker is doing (`Worker.status`)."""
        return self.worker.status

    @property
    def held(self) -> int:
        """How many handles share the worker, this one among them."""
        return self._entry.handles

    def release(self, grace: float = GRACE) -> None:
        """Give the share back. Harmless when done already.

        Args:
            grace: Seconds that the run goes on if this was the last share.
        """
        if self._finalizer.detach() is not None:
            self._unsubscribe()
            self._registry._release(self.directory, self._entry, grace)

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """As `Worker.subscribe`, until the handle is released."""
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback) if callback in self._subscribers else None

    def give(self, command: Command[T], /) -> Future[T]:
        if not self._finalizer.alive:
            raise WorkerError("Expected a handle that is held, but it was released.", "Attach to the run again.")
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        inner = self.worker.give(command)
        self._pending.add(future)
        future.add_done_callback(self._pending.discard)
        inner.add_done_callback(_Pass(weakref.ref(future)))
        return future

    def check_may_wait(self, what: str) -> None:
        self.worker.check_may_wait(what)

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.release()


class _Forward:
    """A subscriber that does not keep its handle alive."""

    def __init__(self, handle: weakref.ref[Handle]) -> None:
        self._handle = handle

    def __call__(self, entry: Any) -> None:
        handle = self._handle()
        if handle is not None:
            for callback in tuple(handle._subscribers):
                try:
                    callback(entry)
                except Exception:
                    handle._subscribers.remove(callback)
                    raise


class _Pass:
    """Passes a worker's answer on to a handle's future, if somebody still holds that."""

    def __init__(self, future: weakref.ref[Future[Any]]) -> None:
        self._future = future

    def __call__(self, inner: Future[Any]) -> None:
        future = self._future()
        if future is None:
            return
        error = inner.exception()
        if error is None:
            future.set_result(inner.result())
        else:
            future.set_exception(error)


class Registry:
    """The workers of this process, by run directory."""

    def __init__(self) -> None:
        self._entries: dict[Path, _Entry] = {}
        self._lock = threading.Lock()
        # The garbage collector may run anywhere, also inside our own lock; this queue's put is safe there.
        self._dropped: queue.SimpleQueue[tuple[Path, _Entry, Callable[[], None]] | None] = queue.SimpleQueue()
        self._janitor: threading.Thread | None = None

    def attach(self, run_directory: str | Path, factory: Callable[[], Worker]) -> Handle:
        """A share of the worker that trains in a directory.

        Args:
            run_directory: The run directory.
            factory: Makes the worker if there is none, or if it has ended; called once, however many ask at a time.

        Raises:
            WorkerError: There are as many workers as the server allows (`limits`).
        """
        key = Path(run_directory).resolve()
        while True:
            with self._lock:
                entry = self._entries.get(key)
                if entry is None or not (entry.closing.is_set() or entry.worker.alive):
                    self._check_room(without=key)
                    entry = self._entries[key] = _Entry(factory())
                if not entry.closing.is_set():
                    return self._share(key, entry)
            # It is being saved: a second writer would be refused.
            entry.closed.wait()

    def get(self, run: str | Path) -> Handle | None:
        """A share of a worker that there is already; None if there is none.

        Args:
            run: The run's id (its directory's name) or its directory.

        Raises:
            WorkerError: Several runs have this name.
        """
        with self._lock:
            living = {
                key: entry for key, entry in self._entries.items() if entry.worker.alive and not entry.closing.is_set()
            }
            found = [key for key in living if key.name == str(run)]
            path = Path(run).resolve()
            if path in living:
                found = [path]
            if len(found) > 1:
                raise WorkerError(
                    f"Expected one run named {run}, but there are {' and '.join(map(str, found))}.",
                    "Give the directory.",
                )
            return self._share(found[0], living[found[0]]) if found else None

    def check_room(self, run: str | Path, *, leaving: str | Path | None = None) -> None:
        """Refuse a run for which there is no room, before anything is done for it.

        Args:
            run: Its directory; one that is trained here needs no room.
            leaving: A run whose only holder will give it back.

        Raises:
            WorkerError: There are as many workers as the server allows (`limits`).
        """
        key = Path(run).resolve()
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None and entry.worker.alive:
                return
            left = None if leaving is None else self._entries.get(Path(leaving).resolve())
            freed = left is not None and left.handles == 1 and not left.worker.keep
            self._check_room(without=key, freed=int(freed))

    def _check_room(self, without: Path, freed: int = 0) -> None:
        now = time.monotonic()
        present = sum(
            key != without and entry.worker.alive and not entry.closing.is_set() and not _is_due(entry, now)
            for key, entry in self._entries.items()
        )
        check_room("runs that train or wait", present - freed, "Close a page, or untick Keep running in one.")

    def statuses(self) -> dict[Path, str]:
        """Run directory -> what its worker is doing (`Worker.status`), of those that live."""
        with self._lock:
            return {key: entry.worker.status for key, entry in self._entries.items() if entry.worker.alive}

    def close(self) -> None:
        """Save and end all workers, whoever holds them."""
        with self._lock:
            ending = [(key, entry) for key, entry in self._entries.items() if not entry.closing.is_set()]
            for _, entry in ending:
                entry.closing.set()
        for key, entry in ending:
            self._end(key, entry)

    def _share(self, key: Path, entry: _Entry) -> Handle:
        entry.handles += 1
        entry.deadline = None
        if self._janitor is None:
            self._janitor = threading.Thread(target=self._tidy, name="layertie registry", daemon=True)
            self._janitor.start()
        return Handle(self, key, entry)

    def _release(self, key: Path, entry: _Entry, grace: float) -> None:
        with self._lock:
            entry.handles -= 1
            if entry.handles == 0:
                entry.deadline = time.monotonic() + grace
        self._dropped.put(None)

    def _tidy(self) -> None:
        while True:
            with suppress(queue.Empty):
                dropped = self._dropped.get(timeout=self._nap())
                if dropped is not None:
                    key, entry, unsubscribe = dropped
                    unsubscribe()
                    self._release(key, entry, GRACE)
            for key, entry in self._due():
                # One that takes long to save must not delay the others.
                threading.Thread(target=self._end, args=(key, entry), daemon=True).start()

    def _nap(self) -> float | None:
        with self._lock:
            deadlines = [
                e.deadline for e in self._entries.values() if e.deadline is not None and not e.closing.is_set()
            ]
        if not deadlines:
            return None
        wait = min(deadlines) - time.monotonic()
        return wait if wait > 0 else POLL

    def _due(self) -> list[tuple[Path, _Entry]]:
        now = time.monotonic()
        with self._lock:
            due = [
                (key, entry)
                for key, entry in self._entries.items()
                if not entry.closing.is_set() and _is_due(entry, now)
            ]
            for _, entry in due:
                entry.closing.set()
        return due

    def _end(self, key: Path, entry: _Entry) -> None:
        try:
            entry.worker.close()
        except LayertieError:
            # Nobody is left to tell; the log holds every answer, and the earlier checkpoints are intact.
            entry.worker.kill()
        finally:
            with self._lock:
                if self._entries.get(key) is entry:
                    del self._entries[key]
            entry.closed.set()


def _is_due(entry: _Entry, now: float) -> bool:
    """Whether a worker is to be saved and ended: nobody holds it, and it is not kept for what it does."""
    ended = entry.deadline is not None and entry.deadline <= now
    return ended and not (entry.worker.keep and entry.worker.busy)


_registry = Registry()


def attach(run_directory: str | Path, factory: Callable[[], Worker]) -> Handle:
    """See `Registry.attach`, for this process's own registry."""
    return _registry.attach(run_directory, factory)


def get(run: str | Path) -> Handle | None:
    """See `Registry.get`, for this process's own registry."""
    return _registry.get(run)


def check_room_for(run: str | Path, *, leaving: str | Path | None = None) -> None:
    """See `Registry.check_room`, for this process's own registry."""
    _registry.check_room(run, leaving=leaving)


def statuses() -> dict[Path, str]:
    """See `Registry.statuses`, for this process's own registry."""
    return _registry.statuses()
