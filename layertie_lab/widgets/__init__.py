"""Widgets for marimo and Jupyter: live charts, the tie map, run controls. They hold no run and know no engine."""

from __future__ import annotations

from .control_room import ControlRoom
from .feed import Feed
from .live_chart import LiveChart
from .session_thread import SessionThread
from .steer_panel import Command, SteerPanel
from .tie_map_view import TieMapView

__all__ = ["Command", "ControlRoom", "Feed", "LiveChart", "SessionThread", "SteerPanel", "TieMapView"]
