"""Bytes of a training step: by component, and at its fullest."""
