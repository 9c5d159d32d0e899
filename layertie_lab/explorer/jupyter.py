"""How a notebook shows the parts of a page, in JupyterLab and VS Code."""

from __future__ import annotations

from typing import Any

import ipywidgets

_COLUMNS = "repeat(auto-fit, minmax(min(100%, 420px), 1fr))"


class Notebook:
    """What ipywidgets makes of each kind of part (`layout.Host`)."""

    def widget(self, widget: Any) -> Any:
        return widget

    def rows(self, parts: list[Any]) -> Any:
        return ipywidgets.VBox(parts)

    def pair(self, left: Any, right: Any) -> Any:
        return ipywidgets.GridBox([left, right], layout={"grid_template_columns": _COLUMNS, "grid_gap": "12px"})

    def pinned(self, top: Any, below: Any) -> Any:
        # A cell has no frame of its own that something could stay in sight of.
        return ipywidgets.VBox([top, below])

    def tabs(self, parts: dict[str, Any]) -> Any:
        return ipywidgets.Tab(list(parts.values()), titles=tuple(parts))
