"""States of a run on disk: checkpoints, snapshots, and which are kept."""
