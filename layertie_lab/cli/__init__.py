"""The command line: long runs, and a look at what they left."""

from .main import main

__all__ = ["main"]
