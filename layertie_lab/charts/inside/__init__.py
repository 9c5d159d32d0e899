"""What the views of a moment show, a file per view: `similarity` (and weights), `profile`, `attribution`, `tokens`,
`costs`, `reasons`, `memory`.
"""
