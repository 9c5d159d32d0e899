"""The package's version: recorded with every run, and where the build reads it."""

__version__ = "0.1.0"
