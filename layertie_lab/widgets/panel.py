"""What all widgets share: a lock, several attributes at once, messages in, files out, a refusal beside the control."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, ClassVar

import anywidget

from ..core.errors import LayertieError
from .assets import module, style
from .credit import Credit
from .messages import Shape, optional, read, text

_NAMED: Shape = {"id": optional(text(100))}


class Panel(anywidget.AnyWidget):
    """A widget that knows no run: rows and traits in, messages out. All methods are thread-safe.

    A subclass names its files, has synced traits, says in `HEARS` which messages of the browser it hears and of what
    shape, and in `_hear` what it makes of one::

        class StudyList(Panel, files=("study_list.js", "study_list.css"), refusal="note"): ...

    State goes one way, from here to the page: what a browser sends as state is not taken.

    Class arguments:
        files: Of `static/`, the script that renders last; `shared.js` and `shared.css` come before them.
        refusal: The trait that shows why a message could not be acted on.

    Attributes:
        HEARS: Kind of message -> its shape. Any may carry an `id` besides, which its answer then has.
    """

    HEARS: ClassVar[Mapping[str, Shape]] = {}
    _esm: ClassVar[str]
    _css: ClassVar[str]
    _refusal: ClassVar[str] = "sentence"

    def __init_subclass__(cls, *, files: tuple[str, ...] = (), refusal: str = "", **options: Any) -> None:
        if files:
            cls._esm = module("shared.js", *(name for name in files if name.endswith(".js")))
            cls._css = style("shared.css", *(name for name in files if name.endswith(".css")))
        cls._refusal = refusal or cls._refusal
        super().__init_subclass__(**options)

    def __init__(self, **state: Any) -> None:
        self._lock = threading.RLock()
        self._credit: Credit | None = None
        self._owed: set[str] = set()
        super().__init__(**state)
        self.on_msg(self._receive)

    def show(self, **state: Any) -> None:
        """Set several attributes at once, in one message."""
        with self._lock, self.hold_sync():
            for name, value in state.items():
                setattr(self, name, value)

    def paced_by(self, credit: Credit) -> None:
        """From now on send only as much as the page keeps up with. Answers to what it says are always sent."""
        credit.join(self)
        self._credit = credit

    @property
    def may_send(self) -> bool:
        """Whether the page keeps up with what it is sent."""
        return self._credit is None or self._credit.may_send()

    def go_on(self, *, lost: bool) -> None:
        """Send the state that was held back, or all where some may have been lost; then what else there is."""
        with self._lock:
            owed, self._owed = self._owed, set()
            if lost:  # but for what the page is made of
                owed = {name for name in self.keys if not name.startswith("_")}
            if owed:
                super().send_state(owed)
            self._resend(lost)

    def send_state(self, key: Any = None) -> None:
        """Send the values of attributes; while the page is behind, they are sent once when it goes on."""
        if self._credit is None or self._credit.may_send():
            super().send_state(key)
            return
        with self._lock:
            self._owed |= set(self.keys) if key is None else {key} if isinstance(key, str) else set(key)

    def set_state(self, sync_data: Any) -> None:
        """Nothing: a page that sets attributes would decide what the program knows of runs and folders."""

    def hand_over(self, name: str, content: bytes) -> None:
        """Send a file to the browser, which saves it under a name."""
        self.send({"kind": "file", "name": name}, buffers=[content])

    # -- what a subclass may say otherwise ---------------------------------------------------------------------------

    def _resend(self, lost: bool) -> None:
        """Send what travels in messages and was held back; `lost`: all of it, since some that was sent is gone."""

    def _hear(self, kind: str, message: Mapping[str, Any]) -> None:
        """Act on a message of the browser.

        Args:
            kind: One of `HEARS`; a message of another kind is passed over before.
            message: The fields of its shape, and `id` ("" where it has none).

        Raises:
            LayertieError: It cannot be acted on; `_refuse` shows why.
        """

    def _refuse(self, kind: str, sentence: str) -> None:
        """Show why a message could not be acted on: nothing is under way for it any more."""
        over = {"alarm": True, "share": None, "busy": False}
        self.show(**{self._refusal: sentence}, **{name: value for name, value in over.items() if self.has_trait(name)})

    def _answer(self, kind: str, message: Mapping[str, Any], good: bool) -> None:
        """Tell the browser that a message has been acted on or refused, where it waits for that."""

    def _receive(self, widget: object, message: Any, buffers: object) -> None:
        kind = message.get("kind") if isinstance(message, dict) else None
        if not isinstance(kind, str) or kind not in self.HEARS:
            return
        if self._credit is not None and kind != "beat":
            self._credit.heard()
        good, heard = False, {"id": ""}
        try:
            heard["id"] = read(message, _NAMED)["id"] or ""
            heard |= read(message, self.HEARS[kind])
            self._hear(kind, heard)
            good = True
        except LayertieError as error:
            self._refuse(kind, str(error))
        finally:
            # After the state that answers it, so that a view knows what the state has in it.
            self._answer(kind, heard, good)
