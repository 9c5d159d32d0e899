"""Run directories: settings, event log, checkpoints, and how to read them back while they grow."""
