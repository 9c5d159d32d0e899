"""Panels over a run: live and still, curves, the tie map and its history."""
