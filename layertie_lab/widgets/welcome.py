"""What the page is, and where one can begin."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import traitlets

from ..core.glossary import GLOSSARY
from .listeners import Listeners
from .messages import text
from .panel import Panel


@dataclass(frozen=True)
class Door:
    """One way to begin.

    Args:
        name: What `Welcome.on_enter` is told.
        title: On its button.
        about: What one finds behind it.
    """

    name: str
    title: str
    about: str


class Welcome(Panel, files=("welcome.js", "welcome.css")):
    """Two sentences, a link, and doors.

    Args:
        about: What this is.
        link: (words, address) of what to read first.
        doors: Where one can begin.

    Attributes:
        glossary: Word -> what it means, as whoever asks for it is told.
        sentence: Why a door cannot be opened; "" if nothing is wrong.
    """

    HEARS = {"enter": {"name": text()}}

    about = traitlets.Unicode("").tag(sync=True)
    link = traitlets.List(traitlets.Unicode()).tag(sync=True)
    doors = traitlets.List(traitlets.Dict()).tag(sync=True)
    glossary = traitlets.Dict(GLOSSARY).tag(sync=True)
    sentence = traitlets.Unicode("").tag(sync=True)

    def __init__(self, about: str, link: tuple[str, str], doors: Sequence[Door]) -> None:
        self._enters = Listeners()
        super().__init__(about=about, link=list(link), doors=[asdict(door) for door in doors])

    def on_enter(self, callback: Callable[[str], Any]) -> Callable[[], None]:
        """Call `callback(name)` when a door is opened; the result ends it. A bound method is held weakly.

        A LayertieError that the callback raises is shown below the doors.
        """
        return self._enters.add(callback)

    def _hear(self, kind: str, message: Mapping[str, Any]) -> None:
        self._enters.call(message["name"])
        self.sentence = ""
