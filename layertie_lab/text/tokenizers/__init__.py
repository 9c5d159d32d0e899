"""Text to token ids and back. A new tokenizer is one file here, named in `registry`.

In reading order: `registry` (what a run needs of a tokenizer, and what each says of itself), `characters`, `bytes`,
`subwords` (what the next two have in common), `bpe`, `pretrained`, `lookup` (from what a config says to its tokenizer).
"""
