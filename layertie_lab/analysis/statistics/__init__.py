"""Estimates with their intervals: over runs, pairs and decisions."""
