"""What this process and its children say to each other, whatever they work at: frames over two pipes.

The parent writes one `Start`, then `Request`s and `Cancel`s, to the child's standard input; the child writes `Batch`es
to what was its standard output. A frame is its length (8 bytes, little-endian) and a pickled value. Both ends are this
package, started by each other, so that nothing foreign is ever unpickled.
"""

from __future__ import annotations

import copyreg
import io
import struct
from dataclasses import dataclass
from multiprocessing.reduction import ForkingPickler
from typing import Any

from ...core.errors import LayertieError, WorkerError

_LENGTH = struct.Struct("<Q")


class _Plain(ForkingPickler):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        # torch registers reducers with multiprocessing that hand a tensor over as shared memory, by way of a server
        # that only multiprocessing's own children can reach. Here a value travels as itself.
        self.dispatch_table = copyreg.dispatch_table.copy()


def dumps(value: Any) -> bytes:
    """The value as bytes."""
    return bytes(_Plain.dumps(value))


def loads(packed: bytes | bytearray) -> Any:
    """Back from `dumps`."""
    # pickle.loads; the type hints take it for a method.
    return ForkingPickler.loads(packed)  # pyright: ignore[reportAttributeAccessIssue]


@dataclass(frozen=True)
class Start:
    """The first frame to a child: what to run.

    Args:
        job: A function, as "module:name"; it is called with the child's end of the channel (`child.Child`) and the
            arguments, and serves until there is nothing more to do.
        arguments: Packed dict of its other arguments.
        path: The parent's `sys.path`.
        keep: Whether to go on when the parent is gone.
    """

    job: str
    arguments: bytes
    path: tuple[str, ...]
    keep: bool = False


@dataclass(frozen=True)
class Request:
    """Something that is asked of the job: a command, a question, the number of a replicate.

    Args:
        number: Counted by the parent; the answer carries it.
        value: Packed, so that one that cannot be read fails alone.
    """

    number: int
    value: bytes


@dataclass(frozen=True)
class Cancel:
    """A request that is no longer wanted."""

    number: int


@dataclass(frozen=True)
class Progress:
    """How far a request is.

    Args:
        number: The request's.
        done: A share, or steps: as the job counts.
    """

    number: int
    done: float


@dataclass(frozen=True)
class Answer:
    """What came of a request.

    Args:
        number: The request's; 0 for an error that ended the child before it could take any.
        value: Packed result, or packed LayertieError.
        good: Whether it is a result.
    """

    number: int
    value: bytes
    good: bool = True


@dataclass(frozen=True)
class Heartbeat:
    """A sign of life, every half second.

    Args:
        status: What the child is doing, as `core.notices.StatusChanged` has it.
        resident_bytes: Memory of the child process.
        dropped: Entries left out so far because the parent did not read in time (the run directory has them).
        time: When, seconds since 1970.
        decision: Decisions begun, where the job trains a run.
        step: Optimizer steps done.
        step_seconds: Duration of the last optimizer step, seconds; None before the first.
    """

    status: str
    resident_bytes: int
    dropped: int
    time: float
    decision: int = 0
    step: int = 0
    step_seconds: float | None = None


@dataclass(frozen=True)
class Batch:
    """What the child had to say since the last batch, in order.

    Args:
        entries: Events, notices, `Progress` and `Answer`s.
        heartbeat: The latest one, if there is a new one.
    """

    entries: tuple[Any, ...]
    heartbeat: Heartbeat | None = None


def write_frame(stream: io.RawIOBase, value: Any) -> None:
    """Write one frame, blocking until the pipe has taken it.

    Raises:
        OSError: The other end is gone.
    """
    payload = dumps(value)
    left = memoryview(_LENGTH.pack(len(payload)) + payload)
    while left:
        left = left[stream.write(left) or 0 :]


def read_frame(stream: io.RawIOBase) -> Any | None:
    """The next frame, blocking; None at the end of the pipe (a torn last frame included)."""
    head = _read(stream, _LENGTH.size)
    payload = None if head is None else _read(stream, _LENGTH.unpack(head)[0])
    return None if payload is None else loads(payload)


def _read(stream: io.RawIOBase, size: int) -> bytearray | None:
    data = bytearray(size)
    view, filled = memoryview(data), 0
    while filled < size:
        count = stream.readinto(view[filled:])
        if not count:
            return None
        filled += count
    return data


def pack_error(error: Exception) -> bytes:
    """An error as bytes; one that cannot travel becomes a WorkerError with the same sentences."""
    try:
        packed = dumps(error)
        loads(packed)
    except Exception:
        told = (error.message, error.remedy) if isinstance(error, LayertieError) else (str(error),)
        return dumps(WorkerError(*told))
    return packed


def unpack_error(packed: bytes) -> LayertieError:
    """Back from `pack_error`; the same class wherever it can be imported here."""
    try:
        return loads(packed)
    except Exception as error:
        return WorkerError(f"The other process reported an error that cannot be read here ({error!r}).")
