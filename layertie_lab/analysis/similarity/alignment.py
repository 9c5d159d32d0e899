"""Which layer of one model stands where a layer of another does."""

from __future__ import annotations

import polars as pl

from ...core.errors import AnalysisError


def relative_depth(layers_a: int, layers_b: int) -> pl.DataFrame:
    """For each layer of the deeper model, the layer of the other one at the nearest relative depth.

    The residual stream after layer i of L layers has passed (i + 1) / L of the model, so last stands by last, and
    between equal depths each layer by itself.

    Args:
        layers_a: Layers of the first model.
        layers_b: Layers of the second.

    Returns:
        A row per layer of the deeper model: layer_a, layer_b, depth_a, depth_b (share of the layers passed, 0 to 1). Of
        two layers that are equally near, the earlier.

    Raises:
        AnalysisError: A model without layers.
    """
    if min(layers_a, layers_b) < 1:
        raise AnalysisError(f"Expected models of 1 layer or more, but got {layers_a} and {layers_b}.", "Check both.")
    deep, flat = max(layers_a, layers_b), min(layers_a, layers_b)

    def beside(layer: int) -> int:
        # In whole numbers, so that equal depths are equal.
        return min(range(flat), key=lambda other: abs((layer + 1) * flat - (other + 1) * deep))

    pairs = [(layer, beside(layer)) for layer in range(deep)]
    if layers_a < layers_b:
        pairs = [(b, a) for a, b in pairs]
    rows = [(a, b, (a + 1) / layers_a, (b + 1) / layers_b) for a, b in pairs]
    schema = {"layer_a": pl.Int64, "layer_b": pl.Int64, "depth_a": pl.Float64, "depth_b": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def diagonal(similarity: pl.DataFrame) -> pl.DataFrame:
    """The pairs at equal relative depth.

    Args:
        similarity: `similarity.layer_similarity` of two models, every pair.

    Returns:
        Its rows for these pairs by method and depth, with depth_a and depth_b of `relative_depth`.

    Raises:
        AnalysisError: A frame without the columns, or without pairs.
    """
    missing = [column for column in ("method", "layer_a", "layer_b") if column not in similarity.columns]
    if missing or similarity.is_empty():
        raise AnalysisError(
            f"Expected similarities of pairs of layers, but got {similarity.height} rows"
            + (f" without {', '.join(missing)}." if missing else "."),
            "Take them from layer_similarity(model, tokens, other=...).",
        )
    deepest = similarity.select(pl.col("layer_a", "layer_b").max()).row(0)
    pairs = relative_depth(deepest[0] + 1, deepest[1] + 1)
    found = similarity.join(pairs, on=["layer_a", "layer_b"], how="inner")
    order = similarity["method"].unique(maintain_order=True).to_list()
    return found.sort(pl.col("method").cast(pl.Enum(order)), "layer_a", "layer_b")
