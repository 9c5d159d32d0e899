"""How panels stand on a page, as values; a frame draws them (`frame.js`)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .frame import Frame
from .panel import Panel


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
class Tabbed:
    """Parts of which one is shown, by title; each is drawn when it is shown first.

    Args:
        parts: Title -> part.
        tries: Title -> one thing to try there, which stands below it; titles may be missing.
    """

    parts: Mapping[str, Part]
    tries: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Stop:
    """Something that a tour of a workspace points at.

    Args:
        words: What is said of it.
        at: What is pointed at: a panel, or the title of a view or drawer; "" for the strip of views.
        view: Title of the view that is shown meanwhile; "" for the one that is shown.
    """

    words: str
    at: Panel | str = ""
    view: str = ""


@dataclass(frozen=True)
class Workspace:
    """A page that fills its window and is never scrolled; what is long scrolls where it stands.

    Args:
        title: Of the page.
        head: What names the thing that is worked on, beside the title.
        side: What is always in sight.
        views: Title -> what is looked at, one at a time.
        foot: What is always in sight below the views.
        drawers: Title -> what opens in the place of the views when its button in the head is pressed.
        tour: What a newcomer is shown, in order.
        fills: Whether it is the only thing in its window; else it is as high as a cell may be.
    """

    title: str
    head: Part
    side: Part
    views: Tabbed
    foot: Part
    drawers: Mapping[str, Part]
    tour: tuple[Stop, ...] = ()
    fills: bool = False


Part = Panel | Rows | Pair | Tabbed | Workspace


def framed(part: Part) -> Frame:
    """A frame with a part of a page."""
    names = {panel: f"{type(panel).__name__}-{number}" for number, panel in enumerate(panels_of(part))}
    return Frame(_plan(part, names), {name: panel for panel, name in names.items()})


def panels_of(part: Part) -> Iterator[Panel]:
    """The panels of a part, in the order of the page."""
    match part:
        case Panel():
            yield part
        case Rows(parts):
            for each in parts:
                yield from panels_of(each)
        case Pair(first, second):
            yield from panels_of(first)
            yield from panels_of(second)
        case Tabbed(parts):
            for each in parts.values():
                yield from panels_of(each)
        case Workspace():
            for each in (part.head, *part.drawers.values(), part.side, part.views, part.foot):
                yield from panels_of(each)


def address_of(title: str) -> str:
    """A title as it stands in a page's address; `slug` of `frame.js` says the same."""
    return "-".join(re.findall("[a-z0-9]+", title.lower()))


def titles_at(address: str, views: Tabbed) -> tuple[str, str] | None:
    """What an address names, as the page writes it there: "look-inside", or "look-inside.reasons".

    Returns:
        (title of the view, title of a part within it or ""), or None where there is no such view. A part that is not
        there is left out.
    """
    outer, _, inner = address.partition(".")
    for title, part in views.parts.items():
        if address_of(title) == outer:
            within = [each for tabs in _tabs_in(part) for each in tabs.parts if address_of(each) == inner]
            return title, next(iter(within), "")
    return None


def _tabs_in(part: Part) -> Iterator[Tabbed]:
    match part:
        case Tabbed():
            yield part
        case Rows(parts):
            for each in parts:
                yield from _tabs_in(each)
        case Pair(first, second):
            yield from _tabs_in(first)
            yield from _tabs_in(second)
        case _:
            return


def _plan(part: Part, names: Mapping[Any, str]) -> dict[str, Any]:
    match part:
        case Panel():
            return {"kind": "panel", "name": names[part]}
        case Rows(parts):
            return {"kind": "rows", "parts": [_plan(each, names) for each in parts]}
        case Pair(first, second):
            return {"kind": "pair", "parts": [_plan(first, names), _plan(second, names)]}
        case Tabbed(parts, tries):
            drawn = [_plan(each, names) for each in parts.values()]
            return {
                "kind": "tabs",
                "titles": list(parts),
                "parts": drawn,
                "tries": [tries.get(each, "") for each in parts],
            }
        case Workspace():
            return {
                "kind": "workspace",
                "title": part.title,
                "fills": part.fills,
                "tour": [
                    {"words": stop.words, "at": names.get(stop.at, stop.at), "view": stop.view} for stop in part.tour
                ],
                "head": _plan(part.head, names),
                "side": _plan(part.side, names),
                "views": _plan(part.views, names),
                "foot": _plan(part.foot, names),
                "drawers": [{"title": title, "part": _plan(each, names)} for title, each in part.drawers.items()],
            }
