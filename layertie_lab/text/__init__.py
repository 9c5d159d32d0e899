"""Corpora, tokenizers, and batches that are a pure function of the step.

In reading order: `sources` (what a corpus is, how a text is divided), `texts` (text as pieces of bytes), `corpora/` (a
file each), `tokenizers/` (a file each), `dataset` (tokens prepared once), `preview` (what a run would read), `identity`
(what tells them from any others), `batches` (which of them a step reads), `numbered` (token ids that were handed in),
`reach` (whether the Hugging Face hub answers).
"""
