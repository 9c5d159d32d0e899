"""Bytes of a training step: by component, and at its fullest.

In reading order: `ledger` (what is held, of three tie maps), `peak` (a step measured, and one predicted), `books` (who
holds which storage while a step runs).
"""
