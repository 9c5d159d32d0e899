"""Which tabs there are, from left to right."""

from __future__ import annotations

from ...core.descriptions import Description, Registry
from ..tab import Tab

TABS: Registry[Description, type[Tab]] = Registry(
    "tab",
    [f"{__package__}.{name}" for name in ("look_inside", "did_it_matter", "compare", "audit", "rules", "decisions")],
    "layertie_lab.tabs",
)
"""Name -> tab; a package brings its own in the entry-point group `layertie_lab.tabs`."""
