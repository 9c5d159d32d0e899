"""Bytes that autograd saves in a forward pass of a GPT, from its shape, since it is asked at each re-tie.

Activations are what autograd saves for the backward pass of one batch. With B sequences of T tokens, n = B T, d width,
h heads, m the MLP's hidden width, V tokens and a bytes per element of the matrices' arithmetic (4, or 2 under bf16
autocast), a block saves

    8 n d + 16 n          inputs, means and deviations of its two norms, in fp32
    4 a n d + 4 n h       query, key, value and output of attention, and its log-sum-exp
    2 a n d               rotary positions only: query and key once more, turned
    a n m                 what the GELU reads
    2 a n d + a n m       inputs of qkv, up and down: needed for a weight gradient only, so not saved at a copy

and each distinct cast of a block's matrices to bf16 two bytes per weight. Dropout adds masks. On a CPU it also makes
attention materialise its scores: 12 B h T^2 + 12 n d in place of the second line (and 8 n d more for one sequence in
fp32, whose values stay among queries and keys), and the projection's input (a n d) joins the last line.
"""

from __future__ import annotations

from ..core.config import ModelConfig


def activation_bytes(
    config: ModelConfig,
    vocabulary_size: int,
    frozen: tuple[bool, ...],
    batch_size: int,
    *,
    bf16: bool = False,
    casts: int = 0,
    device: str = "cpu",
) -> int:
    """Bytes that autograd saves in one forward pass at full context (formula above).

    Args:
        config: The shape.
        vocabulary_size: Number of tokens.
        frozen: For each layer, whether no weight gradient is computed there.
        batch_size: Sequences per forward pass.
        bf16: Whether matrices run in bf16 autocast.
        casts: Distinct bf16 casts of a block's matrices; used with bf16 only.
        device: cpu, cuda or mps; matters with dropout.
    """
    n, d, m = batch_size * config.context, config.width, config.mlp_ratio * config.width
    a = 2 if bf16 else 4
    always = 8 * n * d + 16 * n + a * n * m
    for_weights = 2 * a * n * d + a * n * m
    materialised = config.dropout > 0 and device == "cpu"
    if materialised:
        always += 12 * n * config.heads * config.context + (20 if batch_size == 1 and not bf16 else 12) * n * d
        for_weights += a * n * d
    else:
        always += 4 * a * n * d + 4 * n * config.heads
        always += 2 * a * n * d if config.positions == "rotary" else 0
    # A mask is kept as floats on the CPU and as booleans elsewhere: two per block, one after the embedding.
    mask, first_mask = ((a, 4) if device == "cpu" else (1, 1)) if config.dropout > 0 else (0, 0)
    always += 2 * mask * n * d
    outside = 4 * n * d + 8 * n + a * n * d + 4 * n * vocabulary_size + first_mask * n * d
    # Tokens, targets (one sequence's are read where they lie), their number.
    outside += 8 * batch_size * (config.context + 1) + (8 * n if batch_size > 1 else 0) + 4
    if config.positions == "rotary":
        outside += 2 * 4 * config.context * (d // config.heads)
    if bf16:
        outside += 2 * casts * (4 * d * d + 2 * d * m) + 2 * d * vocabulary_size
    return len(frozen) * always + frozen.count(False) * for_weights + outside
