"""Who acts for each layer: one file per policy, and the registry that a config asks."""
