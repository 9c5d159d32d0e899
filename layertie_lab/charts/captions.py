"""How to read a chart: its caption stands beside it, in its module's `CAPTIONS`; here is what several of them say."""

from __future__ import annotations

from typing import Any

ZOOM = "Drag to pan, Ctrl + wheel to zoom, double-click to see all."
ZOOM_BOTH = "Drag to pan, Ctrl + wheel to zoom along, Alt + wheel to zoom upright, double-click to see all."
OVERRIDE = "a yellow diamond is an override (a decision other than the agent's proposal)"


def captioned(spec: dict[str, Any], caption: str) -> dict[str, Any]:
    """The spec with the line on how to read it, where pages and widgets look for it."""
    return spec | {"usermeta": {"caption": caption}}
