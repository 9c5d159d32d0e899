"""Where a run stands in one line: decision, loss, owners, parameters, memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import traitlets

from ..core.glossary import GLOSSARY
from .panel import Panel


class VitalSigns(Panel, files=("vital_signs.js", "vital_signs.css")):
    """The latest of a run's rows (`layertie_lab.core.tables`), as a person reads them off.

    Attributes:
        decision: Decisions that have an outcome.
        budget: How many there are to be; 0 if unknown.
        loss: Of the latest evaluation on the validation split, nats per token, or None.
        evaluated: The decision after which that was measured.
        owners: Independent layers, or None.
        layers: Layers; 0 if unknown.
        share: Parameters that receive gradients, of those of the untied model, or None.
        held: Bytes of weights, gradients and optimizer state, or None.
        saved: Bytes that the untied model would take more, in the same proportion of bytes to parameters; or None.
        glossary: Word -> what it means.
    """

    decision = traitlets.Int(0).tag(sync=True)
    budget = traitlets.Int(0).tag(sync=True)
    loss = traitlets.Float(None, allow_none=True).tag(sync=True)
    evaluated = traitlets.Int(0).tag(sync=True)
    owners = traitlets.Int(None, allow_none=True).tag(sync=True)
    layers = traitlets.Int(0).tag(sync=True)
    share = traitlets.Float(None, allow_none=True).tag(sync=True)
    held = traitlets.Float(None, allow_none=True).tag(sync=True)
    saved = traitlets.Float(None, allow_none=True).tag(sync=True)
    glossary = traitlets.Dict(GLOSSARY).tag(sync=True)

    def begin(self, *, layers: int, budget: int) -> None:
        """Another run: nothing is known of it but its size."""
        self.show(layers=layers, budget=budget, **dict.fromkeys(("loss", "owners", "share", "held", "saved")))
        self.show(decision=0, evaluated=0)

    def reset(self, rows: Mapping[str, Iterable[Mapping[str, Any]]]) -> None:
        """Show a run from rows of its tables, by table."""
        self.begin(layers=self.layers, budget=self.budget)
        self.push(rows)

    def push(self, rows: Mapping[str, Iterable[Mapping[str, Any]]]) -> None:
        """Take further rows, by table; the last of each counts."""
        news: dict[str, Any] = {}
        for row in rows.get("decisions", ()):
            news |= {"decision": row["decision"], "owners": row["owners"], "share": row["trainable_share"]}
        for row in rows.get("evaluations", ()):
            if row["split"] == "validation":
                news |= {"loss": row["loss"], "evaluated": row["decision"]}
        held = 0.0
        for row in rows.get("memory", ()):
            if row["decision"] == news.get("decision") and row["component"] != "activations":
                held += row["bytes"]
        if held and news.get("share"):
            news |= {"held": held, "saved": held / news["share"] - held}
        if news:
            self.show(**news)
