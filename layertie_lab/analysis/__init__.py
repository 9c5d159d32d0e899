"""What a model holds, does and costs, layer by layer: a model or a session in, frames with intervals out.

In reading order: `capture` (looking into a model without leaving a trace), `similarity/` (how alike layers are),
`attribution/` (what they do for the loss, what ties cost), `memory/` (bytes of a training step), `audit/` (claimed
beside true), `statistics/` (intervals, paired differences, calibration).
"""
