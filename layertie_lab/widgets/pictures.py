"""Pictures that change with what is looked at: a view is made anew only where more than its rows has changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import traitlets

from ..charts.theme import vega_config
from .assets import VEGA
from .panel import Panel


class Pictures(Panel, files=(VEGA, "panel.js", "pictures.js", "live_chart.css")):
    """Vega-Lite charts in a grid, whole ones, in place of `LiveChart`'s that grow.

    Args:
        columns: Most columns of the grid, 1 to 3; a narrow page gets fewer.
    """

    panels = traitlets.List(traitlets.Dict()).tag(sync=True)
    columns = traitlets.Int(3, min=1, max=3).tag(sync=True)
    themes = traitlets.Dict().tag(sync=True)

    def __init__(self, *, columns: int = 3) -> None:
        super().__init__(columns=columns, themes={"light": vega_config(dark=False), "dark": vega_config(dark=True)})

    def set(self, pictures: Mapping[str, Any]) -> None:
        """Show these pictures and no others.

        Args:
            pictures: Title -> Vega-Lite spec (or Altair chart); `usermeta.caption` is the line on how to read it.
        """
        panels = [picture(title, chart) for title, chart in pictures.items()]
        self.show(panels=panels)

    def stills(self) -> dict[str, dict[str, Any]]:
        return {each["title"]: each["spec"] | {"datasets": each["data"]} for each in self.panels}

    def stills_of(self) -> str:
        return "Pictures"


def picture(title: str, chart: Any) -> dict[str, Any]:
    """What the browser needs of a picture: its spec with empty named data, and the rows apart from it."""
    spec = dict(chart) if isinstance(chart, Mapping) else chart.to_dict()
    caption = spec.get("usermeta", {}).get("caption", "")
    held: dict[str, list[Any]] = {}
    # The theme's config is set in the browser.
    bare = {key: value for key, value in spec.items() if key not in ("config", "usermeta", "$schema", "datasets")}
    bare = _with_names(bare, spec.get("datasets", {}), {}, held)
    bare["datasets"] = {name: [] for name in held}
    return {"title": title, "caption": caption, "spec": bare, "tables": list(held), "data": held}


def _with_names(part: Any, given: Mapping[str, list[Any]], known: dict[str, str], held: dict[str, list[Any]]) -> Any:
    """A part of a spec with each list of rows replaced by a name that depends on its place and not on the rows."""
    if isinstance(part, list):
        return [_with_names(each, given, known, held) for each in part]
    if not isinstance(part, dict):
        return part
    found = {}
    for key, value in part.items():
        rows = _rows(value, given) if key == "data" else None
        if rows is None:
            found[key] = _with_names(value, given, known, held)
            continue
        own = value.get("name", "")
        # Expressions may read a data set by its name; only names that are digests of their rows are replaced.
        named = own and not own.startswith("data-")
        name = own if named else known.setdefault(json.dumps(rows), f"rows_{len(known)}")
        held[name] = rows
        found[key] = {"name": name}
    return found


def _rows(data: Any, given: Mapping[str, list[Any]]) -> list[Any] | None:
    if not isinstance(data, dict):
        return None
    if isinstance(data.get("values"), list):
        return data["values"]
    return given.get(data.get("name", ""))
