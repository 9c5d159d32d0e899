"""The transformer, the stack that puts a tie map into force, and what it costs in parameters, arithmetic and memory."""
