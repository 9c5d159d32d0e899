"""Estimates with their intervals: over runs, pairs and decisions.

In reading order: `intervals` (an estimate and its interval), `paired` (differences of pairs, tests), `amounts` (what is
compared, at what), `compare` (runs with one another), `admission` (which of them can be), `groups` (what pictures of
them show), `wording` (a comparison in a sentence), `aggregates` (policies of a sweep), `calibration` (whether an
agent's values are right), `precedents` (past decisions like one).
"""
