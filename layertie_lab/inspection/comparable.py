"""A second model to compare with: which one, and whether the same token ids are the same text to both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.config import RunConfig
from ..core.errors import AnalysisError
from ..text.tokenizers.lookup import kind_of
from .moment import Inspection


def check_comparable(config_a: RunConfig, config_b: RunConfig) -> None:
    """Refuse two runs whose token ids mean different things. Depth, width and seed may differ.

    Raises:
        AnalysisError: Another tokenizer, or one that was made from another text.
    """
    a, b = config_a.text, config_b.text
    if a.tokenizer != b.tokenizer:
        raise AnalysisError(
            f"Expected two runs with the same tokenizer, but got {a.tokenizer} and {b.tokenizer}: the same ids would "
            "be different texts to the two models.",
            "Compare runs with equal text settings.",
        )
    for setting in kind_of(a.tokenizer).settings:
        mine, theirs = getattr(a, setting), getattr(b, setting)
        if mine != theirs:
            raise AnalysisError(
                f"Expected two runs with the same {setting}, from which the {a.tokenizer} vocabulary is made, but got "
                f"{mine} and {theirs}.",
                "Compare runs with equal text settings, or train with the tokenizer bytes, which needs no text.",
            )


def other_of(options: Mapping[str, Any]) -> Inspection | None:
    """The second model that a view's option `other` names ({"run": directory, "decision": after which}).

    Raises:
        RecordError: Not a run, or nothing is stored for that decision.
    """
    other = options.get("other")
    return None if other is None else Inspection.of(other["run"], other["decision"])


def named(inspection: Inspection, other: Inspection) -> dict[str, Any]:
    """Facts about the other model."""
    name = "this run" if other.path.resolve() == inspection.path.resolve() else other.path.name
    return {"other": f"{name} after decision {other.decision}", "other_layers": len(other.ties)}
