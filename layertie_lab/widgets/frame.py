"""What a browser sees: one widget, and in it any number of panels as a plan of the page says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, ClassVar, Protocol
from zlib import crc32

import anywidget
import traitlets

from .assets import VEGA, module, style


class Viewer(Protocol):
    """Who is told what of a member changes: a frame, or whatever else shows it."""

    def tell(self, name: str, state: Mapping[str, Any]) -> None:
        """How some of its attributes stand now."""
        ...

    def hand(self, name: str, content: Any, buffers: Sequence[bytes] | None = None) -> None:
        """A message of it to a page."""
        ...


class Member(Protocol):
    """What a frame shows in one place (`panel.Panel`)."""

    assets: ClassVar[tuple[str, ...]]

    def state(self, names: Iterable[str] | None = None) -> dict[str, Any]:
        """Attribute -> value, of all or of some."""
        ...

    def hear(self, content: Any, buffers: Any = None) -> None:
        """Take a message of the page."""
        ...

    def shown_in(self, frame: Viewer, name: str) -> None:
        """From now on say what changes to a frame, which knows it by a name, too."""
        ...

    def closed(self, frame: Viewer) -> None:
        """A frame is gone."""
        ...


class Frame(anywidget.AnyWidget):
    """Panels on a page, drawn by one script: marimo, Jupyter and VS Code each show it as they show any widget.

    Args:
        plan: How the panels stand (`layout.framed`), by name.
        members: Name -> panel.

    All that panels and page say to each other goes through here, as messages with the panel's name. A page asks for the
    panels' state when it is drawn; what a page sends as state of its own is not taken.

    Attributes:
        plan: As given.
        kinds: Name of a panel -> which of the scripts draws it.
        turned: The view or drawer of a workspace that was asked for last, the how-many-eth that was, and what is shown
            of the parts within that view ("" where that stays as it is).
    """

    plan = traitlets.Dict().tag(sync=True)
    kinds = traitlets.Dict().tag(sync=True)
    turned = traitlets.List().tag(sync=True)

    def __init__(self, plan: Mapping[str, Any], members: Mapping[str, Member]) -> None:
        self.members = dict(members)
        self._esm, self._css = code_of(tuple(dict.fromkeys(member.assets for member in self.members.values())))
        super().__init__(
            plan=dict(plan),
            kinds={name: _kind(each.assets) for name, each in self.members.items()},
            # In Jupyter, frames of one id have one style sheet, that of the last: theirs differ with their panels.
            _anywidget_id=f"{__name__}.Frame.{crc32(self._css.encode()):08x}",
        )
        self.on_msg(self._receive)
        for name, member in self.members.items():
            member.shown_in(self, name)

    def tell(self, name: str, state: Mapping[str, Any]) -> None:
        """Tell the page how some of a panel's attributes stand now."""
        self.send({"kind": "state", "to": name, "state": dict(state)})

    def hand(self, name: str, content: Any, buffers: Sequence[bytes] | None = None) -> None:
        """Hand the page a message of a panel."""
        self.send({"kind": "custom", "to": name, "content": content}, buffers=buffers)

    def bundle(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """(data, metadata) that Jupyter shows it by."""
        return self._repr_mimebundle_() or ({}, {})

    def turn(self, title: str, within: str = "") -> None:
        """Have a workspace show a view, and nothing in its place, or open a drawer.

        Args:
            title: Of the view or drawer.
            within: Title of one of the parts within the view; "" leaves that as it is.
        """
        self.turned = [title, self.turned[1] + 1 if self.turned else 1, within]

    def set_state(self, sync_data: Any) -> None:
        """Nothing: a page that sets attributes would decide what the program knows of runs and folders."""

    def close(self) -> None:
        """End it; the panels are what they are, and may be shown again."""
        for member in self.members.values():
            member.closed(self)
        layout = self.layout
        super().close()
        # ipywidgets makes it with the widget and leaves it; its connection holds all that the page was sent.
        layout.close()

    def _receive(self, widget: object, message: Any, buffers: object) -> None:
        kind = message.get("kind") if isinstance(message, dict) else None
        if kind == "open":
            self.send({"kind": "states", "states": {name: each.state() for name, each in self.members.items()}})
        elif kind == "to" and isinstance(name := message.get("to"), str) and name in self.members:
            self.members[name].hear(message.get("content"), buffers)


def _kind(assets: tuple[str, ...]) -> str:
    """What tells scripts apart: the files that are theirs alone."""
    return " ".join(name for name in assets if name.endswith(".js") and name != VEGA)


@cache
def code_of(kinds: tuple[tuple[str, ...], ...]) -> tuple[str, str]:
    """(script, style sheet) of a frame with panels of some kinds; the last thing that the script says is `render`."""
    names = {name: None for assets in kinds for name in assets}
    pieces = [module("shared.js", *([VEGA] if VEGA in names else [])), "const KINDS = {};"]
    for assets in kinds:
        own = module(*_kind(assets).split())
        inside, ended = re.subn(r"export default \{ render \};\s*\Z", "return render;\n", own)
        if not ended:
            raise ValueError(f"expected a script that ends in its renderer: {assets}")
        pieces.append(f"KINDS[{_kind(assets)!r}] = (() => {{\n{inside}}})();")
    pieces.append(module("tour.js", "frame.js"))
    sheets = [name for name in names if name.endswith(".css")]
    return "\n".join(pieces), style("shared.css", "frame.css", "tour.css", *sheets)
