"""How alike layers are: what passes them, what they do, what they hold. A new similarity is one file here, named in
`registry`.

In reading order: `layer_similarity` (every pair, by each method), `registry` (what a similarity is), `cka`, `cosines`
(updates, function), `weights`, `neighbours`, `procrustes`; `fresh` (an untrained model beside it), `alignment` (layers
of two models at equal depth); `spectra` (weight matrices one by one), `profile` (what each layer adds).
"""
