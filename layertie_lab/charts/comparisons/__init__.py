"""Runs, futures and books held against each other."""
