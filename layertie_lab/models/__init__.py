"""The models, the stack that applies a tie map, and what it costs in parameters, arithmetic and memory.

In reading order: `tied_model` (what everything above knows of a model), `gpt` (the one there is), `registry` (where a
run's model is made), `stack` and `sharing` (what a tie is, on modules and as a value), `aliasing` and `detached` (the
official code's bookkeeping; copies without a weight gradient), `counts`, `memory` and `gpt_memory` (bytes of a step),
`weightless` (a copy that takes no memory), `gpt2_names` (weights in and out).
"""
