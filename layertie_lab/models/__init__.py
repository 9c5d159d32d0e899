"""The transformer, the stack that applies a tie map, and what it costs in parameters, arithmetic and memory."""
