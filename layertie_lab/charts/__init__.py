"""Pictures: polars frames or live rows in, Altair charts out."""
