"""Altair's charts as this package hands them out: alone in a cell they ask nothing of a network.

Altair's own way to show a chart loads Vega from a CDN. These bring a picture, which every host has, and the
specification, which a host that has Vega-Lite draws.
"""

from __future__ import annotations

from typing import Any

import altair as alt

from .still import picture
from .theme import vega_config


class _Drawn:
    """How a chart shows itself in a notebook."""

    def _repr_mimebundle_(self, *args: Any, **options: Any) -> Any:
        # Whoever has chosen a renderer of altair's is given that.
        if alt.renderers.active != "default":
            return super()._repr_mimebundle_(*args, **options)  # pyright: ignore[reportAttributeAccessIssue]
        spec: dict[str, Any] = self.to_dict()  # pyright: ignore[reportAttributeAccessIssue]
        ink = spec.get("config", {}).get("axis", {}).get("labelColor")
        shown = picture(spec, dark=ink == vega_config(dark=True)["axis"]["labelColor"])
        kind = f"application/vnd.vegalite.v{alt.SCHEMA_VERSION.lstrip('v').split('.')[0]}+json"
        data = {
            kind: spec,
            "image/png": shown.png,
            "text/plain": spec.get("description") or f"A chart ({type(self).__name__}).",
        }
        # As altair's own pictures: Jupyter encodes bytes by itself, and marimo asks for them and for both sizes.
        return data, {"image/png": {"width": shown.width, "height": shown.height}}


class LayerChart(_Drawn, alt.LayerChart):
    """Layers over each other."""


class HConcatChart(_Drawn, alt.HConcatChart):
    """Charts beside each other."""


class VConcatChart(_Drawn, alt.VConcatChart):
    """Charts below each other."""


class FacetChart(_Drawn, alt.FacetChart):
    """A chart for each group of the rows."""
