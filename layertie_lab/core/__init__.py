"""Tie maps, proposals, decisions, events, settings, keys, errors. Standard library only."""
