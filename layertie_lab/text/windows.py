"""Fixed windows of a text, as ids. Without torch: a page shows them before anything is computed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..core.errors import CorpusError


def spread_windows(tokens: np.ndarray, context: int, count: int) -> NDArray[np.int64]:
    """Windows spread evenly over a split, none sharing a target with another.

    Args:
        tokens: Ids, [tokens].
        context: Sequence length.
        count: Windows wanted.

    Returns:
        [min(count, as many as there are), context + 1]; the first begins at the split's first token.

    Raises:
        CorpusError: Fewer than context + 1 tokens.
    """
    check_length(tokens, context)
    last = len(tokens) - 1 - context
    count = max(1, min(count, (len(tokens) - 1) // context))
    starts = np.arange(count) * last // max(count - 1, 1)
    return np.asarray(tokens)[starts[:, None] + np.arange(context + 1)].astype(np.int64)


def check_length(tokens: np.ndarray, context: int) -> None:
    """Refuse a split that holds no sequence.

    Raises:
        CorpusError: Fewer than context + 1 tokens.
    """
    if len(tokens) <= context:
        raise CorpusError(
            f"Expected at least {context + 1} tokens (one sequence of {context}, and the token after it), but got "
            f"{len(tokens)}.",
            "Use more text or a smaller context.",
        )
