"""Estimates with their intervals: over runs, pairs and decisions.

In reading order: `intervals` (an estimate and its interval), `paired` (differences of pairs, tests), `amounts` (what is
compared, at what), `compare` (runs with one another), `aggregates` (policies of a sweep), `calibration` (whether an
agent's values are right), `precedents` (past decisions like one).
"""
