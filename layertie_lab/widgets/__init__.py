"""Widgets for marimo and Jupyter: live charts, the tie map, run controls. Rows and traits in, messages out: no run."""

from __future__ import annotations

from .live.live_chart import LiveChart
from .steer_panel import Press, SteerPanel
from .tie_map_view import TieMapView

__all__ = ["LiveChart", "Press", "SteerPanel", "TieMapView"]
