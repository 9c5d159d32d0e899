"""Runs, futures and books held against each other.

`compare` (runs), `sweeps` (policies), `paired` (both futures of a decision), `audit` (claimed beside true).
"""
