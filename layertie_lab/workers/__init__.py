"""Processes that work beside this one: training, looks inside, sweeps."""
