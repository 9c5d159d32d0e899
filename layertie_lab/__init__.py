"""layertie_lab: an interactive research toolkit for dynamic layer tying."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .core.config import RunConfig
from .core.errors import LayertieError
from .core.ties import TieMap
from .core.version import __version__

if TYPE_CHECKING:
    from .explorer.explorer import Explorer
    from .records.log.reader import load_run
    from .session.session import Session
    from .workers.worker import Worker

__all__ = ["Explorer", "LayertieError", "RunConfig", "Session", "TieMap", "Worker", "__version__", "load_run"]

# torch and polars take a second to import; `layertie --help` and a config need neither.
_LAZY = {
    "Explorer": "explorer.explorer",
    "Session": "session.session",
    "Worker": "workers.worker",
    "load_run": "records.log.reader",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
