"""The address of a page as the explorer reads and writes it: settings, which run is shown, and which view."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from ..widgets.forms.form import Draft, query_names, to_query

VIEW = "view"
"""The parameter that names the view that is open, which the page itself writes, as it does `present` (`frame.js`)."""


class Query(Protocol):
    """A page's query parameters, such as `marimo.query_params()`."""

    def __contains__(self, name: object, /) -> bool: ...
    def get(self, name: str, /) -> Any: ...
    def set(self, name: str, value: str, /) -> None: ...
    def remove(self, name: str, /) -> None: ...
    def to_dict(self) -> Mapping[str, Any]: ...


class NoAddress(dict[str, str]):
    """The query of a page that has no address of its own, such as a cell of a notebook."""

    def set(self, name: str, value: str) -> None:
        self[name] = value

    def remove(self, name: str) -> None:
        self.pop(name, None)

    def to_dict(self) -> dict[str, str]:
        return dict(self)


def write_run(query: Query, name: str) -> None:
    """Put the name of the run that is shown into the address, "" for none; nothing where it is there already."""
    if name and query.get("run") != name:
        query.set("run", name)
    elif not name and "run" in query:
        query.remove("run")


def write_settings(query: Query, draft: Draft) -> None:
    """Put a form's settings into the address, as far as they are not there yet."""
    wanted = to_query(draft)
    for name in query_names():
        if name in wanted and query.get(name) != wanted[name]:
            query.set(name, wanted[name])
        elif name not in wanted:
            query.remove(name)
