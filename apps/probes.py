"""What the explorer asks a training process: analyses of the model as it is, with a word on how far they are."""

from __future__ import annotations

from typing import Any


def similarity(session: Any) -> list[dict[str, Any]]:
    """CKA of the layers' outputs, and cosine of what they add, on the probe set."""
    from layertie_lab.analysis import live

    return live.similarity(session, methods=("cka", "updates"), tick=_teller(session))


def attribution(session: Any) -> list[dict[str, Any]]:
    """How the loss rises without each layer, and what each carries of it (conductance), on the probe set."""
    from layertie_lab.analysis import live

    return live.attribution(session, methods=("skipped", "conductance"), tick=_teller(session))


def _teller(session: Any) -> Any:
    return lambda share: session.tell({"kind": "progress", "share": float(share)})
