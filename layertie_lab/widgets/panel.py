"""What all widgets share: a lock, several attributes at once, messages in, files out, a refusal beside the control."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import traitlets

from ..core.errors import LayertieError
from .credit import Credit
from .frame import Frame, Viewer
from .kept import Kept
from .messages import Shape, optional, read, text

_NAMED: Shape = {"id": optional(text(100))}


class Panel(traitlets.HasTraits):
    """A widget that knows no run: rows and attributes in, messages out. All methods are thread-safe.

    A subclass names its files, has synced traits, says in `HEARS` which messages of the browser it hears and of what
    shape, and in `_hear` what it makes of one::

        class StudyList(Panel, files=("study_list.js", "study_list.css"), refusal="note"): ...

    State goes one way, from here to the page: what a browser sends as state is not taken. It is drawn by a `Frame`,
    one of its own where it is displayed alone.

    Class arguments:
        files: Of `static/`, the script that renders last; `shared.js` and `shared.css` come before them.
        refusal: The trait that shows why a message could not be acted on.

    Attributes:
        HEARS: Kind of message -> its shape. Any may carry an `id` besides, which its answer then has.
        assets: The files.
        keys: Names of the attributes that a page knows.
    """

    HEARS: ClassVar[Mapping[str, Shape]] = {}
    assets: ClassVar[tuple[str, ...]] = ()
    _refusal: ClassVar[str] = "sentence"

    def __init_subclass__(cls, *, files: tuple[str, ...] = (), refusal: str = "", **options: Any) -> None:
        cls.assets = files or cls.assets
        cls._refusal = refusal or cls._refusal
        super().__init_subclass__(**options)

    def __init__(self, **state: Any) -> None:
        self._lock = threading.RLock()
        self._credit: Credit | None = None
        self._owed: set[str] = set()
        self._gathered: set[str] | None = None
        self._frames: weakref.WeakKeyDictionary[Viewer, str] = weakref.WeakKeyDictionary()
        self._alone: Frame | None = None
        self._kept: Kept | None = None
        self.keys = frozenset(self.traits(sync=True))
        super().__init__(**state)

    # -- how it is drawn ---------------------------------------------------------------------------------------------

    @property
    def alone(self) -> Frame:
        """A frame that shows this panel and nothing else; the same one each time."""
        if self._alone is None:
            self._alone = Frame({"kind": "panel", "name": "panel"}, {"panel": self})
        return self._alone

    def stills(self) -> dict[str, dict[str, Any]]:
        """Title -> Vega-Lite spec with its rows, of what is shown now; none where it is no picture."""
        return {}

    def stills_of(self) -> str:
        """What its pictures are of."""
        return type(self).__name__

    def _ipython_display_(self, **options: Any) -> None:
        """Jupyter shows it as the last line of a cell, and keeps its pictures."""
        if self._kept is None:
            self._kept = Kept(self.alone, [self], self.stills_of)
        self._kept.show()

    def _display_(self) -> Frame:
        """marimo shows it as the last line of a cell."""
        return self.alone

    def shown_in(self, frame: Viewer, name: str) -> None:
        """From now on say what changes to a frame, which knows it by a name, too."""
        self._frames[frame] = name

    def closed(self, frame: Viewer) -> None:
        """A frame is gone."""
        self._frames.pop(frame, None)

    def close(self) -> None:
        """End the frame of its own, if it has one. What it shows is kept."""
        if self._alone is not None:
            self._alone.close()
            self._alone = self._kept = None

    # -- what goes out -----------------------------------------------------------------------------------------------

    def show(self, **state: Any) -> None:
        """Set several attributes at once, in one message."""
        with self._lock, self.hold_sync():
            for name, value in state.items():
                setattr(self, name, value)

    @contextmanager
    def hold_sync(self) -> Iterator[None]:
        """Send what changes within the block in one message at its end."""
        with self._lock:
            if self._gathered is not None:
                yield
                return
            self._gathered = set()
            try:
                yield
            finally:
                changed, self._gathered = self._gathered, None
                if changed:
                    self.send_state(changed)

    def state(self, names: Iterable[str] | None = None) -> dict[str, Any]:
        """Attribute -> value, of all that a page knows or of some."""
        return {name: getattr(self, name) for name in sorted(self.keys if names is None else names)}

    def notify_change(self, change: Any) -> None:
        """Called by traitlets when an attribute has changed."""
        if change["name"] in self.keys:
            with self._lock:  # another thread may be about to send what it has gathered
                if self._gathered is None:
                    self.send_state((change["name"],))
                else:
                    self._gathered.add(change["name"])
        super().notify_change(change)

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
            if lost:
                owed = set(self.keys)
            if owed:
                self._put_out(owed)
            self._resend(lost)

    def send_state(self, names: Iterable[str] | None = None) -> None:
        """Send the values of attributes; while the page is behind, they are sent once when it goes on."""
        names = self.keys if names is None else set(names)
        if self.may_send:
            self._put_out(names)
            return
        with self._lock:
            self._owed |= names

    def send(self, content: Any, buffers: list[bytes] | None = None) -> None:
        """Send a message, with bytes beside it if given."""
        for frame, name in list(self._frames.items()):
            frame.hand(name, content, buffers)

    def hand_over(self, name: str, content: bytes) -> None:
        """Send a file to the browser, which saves it under a name."""
        self.send({"kind": "file", "name": name}, buffers=[content])

    def _put_out(self, names: Iterable[str]) -> None:
        for frame, name in list(self._frames.items()):
            frame.tell(name, self.state(names))

    # -- what comes in -----------------------------------------------------------------------------------------------

    def hear(self, content: Any, buffers: Any = None) -> None:
        """Take a message of the page: act on it or refuse it, and answer."""
        message = content
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
