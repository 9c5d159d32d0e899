"""Files that survive crashes: atomic writes, locks, lines, sealed tensors, the cache of arrays."""
