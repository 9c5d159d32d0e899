"""How widgets stand on a page, as values; marimo, Jupyter and VS Code each draw them with their own means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import ipywidgets


@dataclass(frozen=True)
class Rows:
    """Parts below each other."""

    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Pair:
    """Two parts beside each other; a narrow page puts the second below the first."""

    left: Part
    right: Part


@dataclass(frozen=True)
class Pinned:
    """A part that stays in sight above all that it moves."""

    top: Part
    below: Part


@dataclass(frozen=True)
class Tabbed:
    """Parts of which one is shown, by title."""

    parts: Mapping[str, Part]


Part = ipywidgets.Widget | Rows | Pair | Pinned | Tabbed


class Host(Protocol):
    """Where a page is shown, and what it makes of each kind of part. Parts come as it made them."""

    def widget(self, widget: Any, /) -> Any: ...
    def rows(self, parts: list[Any], /) -> Any: ...
    def pair(self, left: Any, right: Any, /) -> Any: ...
    def pinned(self, top: Any, below: Any, /) -> Any: ...
    def tabs(self, parts: dict[str, Any], /) -> Any: ...


def draw(part: Part, host: Host) -> Any:
    """A part as its host shows it."""
    match part:
        case Rows(parts):
            return host.rows([draw(each, host) for each in parts])
        case Pair(left, right):
            return host.pair(draw(left, host), draw(right, host))
        case Pinned(top, below):
            return host.pinned(draw(top, host), draw(below, host))
        case Tabbed(parts):
            return host.tabs({title: draw(each, host) for title, each in parts.items()})
    return host.widget(part)


def widgets_of(part: Part) -> Iterator[ipywidgets.Widget]:
    """The widgets of a part, in the order of the page."""
    match part:
        case Rows(parts):
            for each in parts:
                yield from widgets_of(each)
        case Pair(first, second) | Pinned(first, second):
            yield from widgets_of(first)
            yield from widgets_of(second)
        case Tabbed(parts):
            for each in parts.values():
                yield from widgets_of(each)
        case _:
            yield part
