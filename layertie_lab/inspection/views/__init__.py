"""What can be looked at in a run at a moment. A new view is one file here, named in `registry`.

In reading order: `registry` (what a view is), `similarity`, `profile`, `weights`, `attribution`, `tokens`, `token`,
`costs`, `reasons` (with `reasons_found`, what it computes), `memory`, `sample`; `tables` (what several of them have).
"""
