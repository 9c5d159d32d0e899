"""What each position of a tied stack does for the loss, and what changes of ties cost. A new method of attribution is
one file here, named in `registry`.

In reading order: `registry` (what a method is), `targets` (which loss is explained), `rows` (what every method gives),
`replacement` (skipped, or a neighbour's weights in its place), `paths` (from a baseline to the text), `conductance`,
`internal_influence`, `captum_methods`, `layer_attribution` (several path methods at once); `tie_costs` (what a change
of a tie costs at once), `tie_evidence` (would similarity have told); `tokens`, `logit_lens` and `attention` (token by
token).
"""
