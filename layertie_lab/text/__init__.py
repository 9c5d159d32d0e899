"""Corpora, tokenizers, and batches that are a pure function of the step."""
