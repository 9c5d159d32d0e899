"""The tabs of the explorer. A new one is one file here, named in `registry`.

In reading order: `registry` (which there are, from left to right), `decisions`, `rules`, `audit`, `did_it_matter`,
`look_inside`.
"""
