"""How a frame shows itself in a notebook: live, and as the picture that the notebook keeps for when no kernel runs."""

# Imports in functions are for the start of the explorer: IPython is there where a notebook is, altair takes a second.

from __future__ import annotations

import base64
import json
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from ..core.errors import LayertieError

QUIET_SECONDS = 3.0
"""The picture is made anew when nothing has changed for so long: training has the machine until then."""
LIVE = "The live view is drawn while the kernel runs. Its picture follows."
"""What stands in its place where nothing else can."""
NOTE = "A picture of that moment. Run the cell again for the live view."


class Pictured(Protocol):
    """What has pictures (`panel.Panel`)."""

    def stills(self) -> dict[str, dict[str, Any]]:
        """Title -> Vega-Lite spec with its rows, of what is shown now."""
        ...

    def shown_in(self, frame: Any, name: str) -> None:
        """From now on tell of changes."""
        ...


class Kept:
    """What a notebook is given of a frame.

    A host without the frame's model shows nothing in its place, whatever else the same output holds; so there are two
    outputs, and a page with the live one hides the picture (`frame.css`).

    Args:
        frame: The live view.
        panels: Whose pictures are kept, in this order.
        heading: What they are of, and at which decision.
        columns: Most pictures beside each other.
    """

    def __init__(self, frame: Any, panels: Sequence[Pictured], heading: Callable[[], str], *, columns: int = 2) -> None:
        self._frame, self._panels, self._heading, self._columns = frame, list(panels), heading, columns
        self._lock = threading.Lock()
        self._places: list[str] = []
        self._kept = ""
        self._changed = 0.0
        self._waiting = False

    def show(self) -> None:
        """Show both, as the result of the cell that runs."""
        from IPython.core.getipython import get_ipython
        from IPython.display import publish_display_data

        live, metadata = self._frame.bundle()
        shell = get_ipython()
        pictures = self._pictures() if hasattr(shell, "kernel") else {}
        publish_display_data(live | {"text/plain": LIVE if pictures else self._heading()}, metadata)
        if not pictures:
            return
        place = uuid.uuid4().hex
        data, metadata = self._made(pictures)
        publish_display_data(data, metadata, transient={"display_id": place})
        if not self._places:
            for number, panel in enumerate(self._panels):
                panel.shown_in(self, str(number))
        # Of a cell that is run again and again the earlier outputs are gone.
        self._places = [*self._places, place][-4:]

    def tell(self, name: str, state: Mapping[str, Any]) -> None:
        """Something has changed: what panels tell a frame."""
        self._changed = time.monotonic()
        with self._lock:
            if self._waiting:
                return
            self._waiting = True
        _later(weakref.ref(self), QUIET_SECONDS)

    def hand(self, name: str, content: Any, buffers: Any = None) -> None:
        """The same, of a message."""
        self.tell(name, {})

    def renew(self) -> None:
        """Make the picture anew, if it would be another one, in all places where it is kept."""
        from IPython.display import publish_display_data

        pictures = self._pictures()
        if json.dumps([self._heading(), pictures], default=str) == self._kept or not pictures:
            return
        data, metadata = self._made(pictures)
        for place in self._places:
            publish_display_data(data, metadata, transient={"display_id": place}, update=True)

    def settle(self) -> None:
        """Make the picture anew if nothing changes any more, else wait on."""
        left = self._changed + QUIET_SECONDS - time.monotonic()
        if left > 0:
            _later(weakref.ref(self), left)
            return
        with self._lock:
            self._waiting = False
        self.renew()

    def _pictures(self) -> dict[str, dict[str, Any]]:
        return {title: spec for panel in self._panels for title, spec in panel.stills().items()}

    def _made(self, pictures: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
        from ..charts.still import sheet

        heading = self._heading()
        self._kept = json.dumps([heading, pictures], default=str)
        try:
            made = sheet(pictures, heading=heading, note=NOTE, columns=self._columns)
        except LayertieError as error:  # the package that draws is missing: the live view does without
            return {"text/plain": str(error)}, {}
        data = {"image/png": base64.b64encode(made.png).decode(), "text/plain": f"{heading}. {NOTE}"}
        return data, {"image/png": {"width": made.width}}


def _later(kept: weakref.ref[Kept], seconds: float) -> None:
    def look() -> None:
        if (holder := kept()) is not None:
            holder.settle()

    timer = threading.Timer(seconds, look)
    timer.daemon = True
    timer.start()
