"""What each position of a tied stack does for the loss: along a path from a baseline, by ablation, and by skipping it.

A layer's output is the whole residual stream, so that attributions to it sum to the same number at every depth. Each
layer is therefore split into what passes by it and what it adds (its *update*); the value is the update's share, and
both shares together are the completeness check.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from torch import Tensor

from ...core.errors import AnalysisError
from ...models.tied_model import TiedModel
from ..capture import Tick
from ..statistics.intervals import LEVEL
from .paths import along_paths, path_methods
from .registry import Asked, Baseline
from .targets import Target


def layer_attribution(
    model: TiedModel,
    tokens: Tensor,
    methods: Sequence[str] | None = None,
    *,
    target: Target | None = None,
    baseline: Baseline = "zero",
    pad_token: int | None = None,
    steps: int | None = None,
    level: float = LEVEL,
    tick: Tick | None = None,
) -> pl.DataFrame:
    """Each position's share in the loss difference between the probe text and a baseline.

    Args:
        model: It is left as it was.
        tokens: [sequences, time + 1] probe tokens.
        methods: Methods that go along a path, out of `registry.ATTRIBUTIONS`; None = those that hold for every model.
            conductance: what flows through the layer's update while the input goes from baseline to text.
            integrated-gradients: the update's share while the layer's input and update go, in a straight line, from
                what they are on the baseline to what they are on the text.
            internal-influence: the mean gradient at the layer on the path from baseline to text, times the update on
                the text: what the loss would lose with the update if it were linear. No completeness is promised.
            feature-ablation: the loss minus the loss when the update, all of it at once, is what it is on the baseline;
                later layers react. No completeness is promised.
            deeplift: by captum's rules. They know modules such as ReLU; GELU, attention and LayerNorm count as linear.
                Refused where that does not hold.
        target: One token, whose loss is then explained (no interval: low and high are null); None = the mean loss of
            all tokens.
        baseline: zero: token embeddings of 0, positions kept (with rotary positions all is 0, where a first norm is
            steep: see the completeness error). mean: the mean token embedding in place of 0. pad: the embedding of one
            token, at every position.
        pad_token: The token of the baseline pad; None = the commonest one in `tokens` (in text, mostly the space).
        steps: Points on the path; None = 16, and twice as many until a method that promises a sum misses it by 2 % of
            `total` at most, or has taken 512.
        level: Coverage of the intervals, 0 to 1.
        tick: Called with the share done; may raise to cancel.

    Returns:
        One row per method and layer. `value`: mean over sequences, in nats per token; negative where the layer lowers
        the loss. `low`, `high`: Student's t interval over sequences. `total`: mean of loss(text) - loss(baseline).
        `completeness_error`: mean over sequences of |what passes by + update - total|; 0 with enough steps; null for a
        method that promises no sum. `points`: how many it took. `baseline`: its name, with the token for pad.

    Raises:
        AnalysisError: Fewer than two sequences and no target, no such target, an unknown method, baseline or pad token,
            a method whose completeness error is too large, or a model that has diverged.

    Source: Dhamdhere, Sundararajan & Yan (ICLR 2019), definition 1 (conductance); Sundararajan, Taly & Yan (ICML 2017),
    equation 1; Leino et al. (ITC 2018), definition 1 (internal influence); Shrikumar, Greenside & Kundaje (ICML 2017),
    equation 1 (DeepLift).
    """
    known = {method.described.name: method for method in path_methods()}
    if methods is None:
        methods = [name for name, method in known.items() if not method.described.misses]
    unknown = [method for method in methods if method not in known]
    if unknown or not methods:
        raise AnalysisError(
            f"Expected methods out of {', '.join(known)}, but got {', '.join(map(repr, unknown)) or 'none'}.",
            "Name one of these; loss_if_skipped and loss_if_replaced are functions of their own.",
        )
    wanted = [method for name, method in known.items() if name in methods]
    return along_paths(model, tokens, wanted, Asked(target, baseline, pad_token, steps, level), tick)
