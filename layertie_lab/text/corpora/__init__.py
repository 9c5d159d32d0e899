"""Where text comes from. A new corpus is one file here, named in `registry`.

In reading order: `registry` (the corpora that have a name of their own, and what each says of itself), `pydoc`,
`stdlib`, `wikitext`, `lambada`, `one_billion_words`, `files` (a local file or folder), `rows` (a column of a CSV, TSV,
JSON lines or Parquet file), `hub` (any Hugging Face data
set), `lookup` (from what a config says to its text).
"""
