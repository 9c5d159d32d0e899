"""Live charts: rows that come in, thinned and drawn without a flicker."""
