"""What is to be done when nobody holds an object any more, and takes locks or time.

The garbage collector runs in whichever thread happens to make something, also where that holds a lock of its own: what
it calls must neither wait for a lock nor keep that thread for long.
"""

from __future__ import annotations

import queue
import threading
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

_due: queue.SimpleQueue[Callable[[], Any]] = queue.SimpleQueue()
_lock = threading.Lock()
_waiter: threading.Thread | None = None


def when_collected(holder: Any, call: Callable[..., Any], *arguments: Any) -> None:
    """Have `call(*arguments)` called once `holder` is gone, in a thread of its own; not when the program ends.

    Args:
        holder: Whom it waits for. Neither `call` nor the arguments may hold it.
        call: What is done then.
        *arguments: Its arguments.
    """
    global _waiter
    with _lock:
        if _waiter is None:
            _waiter = threading.Thread(target=_wait, name="layertie collected", daemon=True)
            _waiter.start()
    weakref.finalize(holder, _due.put, partial(call, *arguments)).atexit = False


def _wait() -> None:
    while True:
        # One that takes long must not delay the others.
        threading.Thread(target=_due.get(), name="layertie page's end", daemon=True).start()
