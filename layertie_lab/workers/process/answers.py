"""The job of a child process that opens something once and then answers one request after another about it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Protocol

from ...core.errors import LayertieError
from ...core.notices import Ready
from .child import ByNumber, Child, named


class Answerer(Protocol):
    """What answers; made in the child, by its import path."""

    def answer(self, request: Any, tell: Callable[[float], None], /) -> Any:
        """The answer, in plain values.

        Args:
            request: What is asked.
            tell: To be called now and then with how far it is; raises CancelledError when it is no longer wanted.

        Raises:
            LayertieError: There is none.
        """


def answer(child: Child, *, answerer: str, arguments: dict[str, Any]) -> int:
    """Answer what is asked until nobody asks any more; the process then ends, also in the middle of a request.

    Args:
        child: The process.
        answerer: The class that answers (`Answerer`), as "module:name".
        arguments: What to make it with.

    Raises:
        LayertieError: It cannot be made.
    """
    made: Answerer = named(answerer)(**arguments)
    child.ready(Ready("ready", pid=os.getpid()))
    while (asked := child.inbox.get()) is not None:
        caller = asked.caller
        assert isinstance(caller, ByNumber), "whatever asks a child has a number"
        try:
            caller.check_wanted()
            caller.reply(made.answer(asked.request, caller.progress))
        except LayertieError as error:
            caller.refuse(error)
        except Exception as error:
            caller.refuse(child.explain("Answering", error)[0])
    return 0
