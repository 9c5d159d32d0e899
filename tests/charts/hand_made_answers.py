"""Answers of each view, made by hand with the rows that analysis gives, small enough to check by eye.

Four layers, of which 2 is tied to 0 and 3 to 1.
"""

from __future__ import annotations

from typing import Any

TIES = (0, 1, 0, 1)
OWNERS = TIES
Row = dict[str, Any]
Answer = dict[str, Any]


def costs() -> list[Row]:
    """A row per layer and answer; no two cells that are not the present tie have the same change."""
    rows = []
    for layer in range(1, 4):
        for answer in range(layer + 1):
            present = TIES[layer] == answer
            change = 0.0 if present else 0.1 * layer - 0.09 * answer - 0.12
            half = 0.0 if present else 0.03
            rows.append(
                {
                    "layer": layer,
                    "answer": answer,
                    "owner": answer if answer == layer else OWNERS[answer],
                    "present": present,
                    "change": change,
                    "low": change - half,
                    "high": change + half,
                    "sequences": 8,
                    "q_value": 0.05 * answer,
                }
            )
    return rows


def evidence() -> list[Row]:
    rows = []
    for method in ("cka", "agent"):
        for row in costs():
            if row["layer"] == row["answer"]:
                continue
            interval = {"cka": 0.05, "agent": None}[method]
            similarity = 0.9 - 0.1 * (row["layer"] - row["answer"])
            rows.append(
                {
                    "method": method,
                    "layer": row["layer"],
                    "answer": row["answer"],
                    "owner": row["owner"],
                    "similarity": similarity,
                    "similarity_low": interval and similarity - interval,
                    "similarity_high": interval and similarity + interval,
                    "null": interval and 0.2,
                    "unit": "of a test",
                    "change": row["change"],
                    "low": row["low"],
                    "high": row["high"],
                    "sequences": 8,
                    "counts": not row["present"] and row["owner"] != OWNERS[row["layer"]],
                }
            )
    return rows


def correlations() -> list[Row]:
    values = {"cka": (-0.61, -0.93, -0.29, 0.002), "agent": (0.2, -0.4, 0.7, 0.4), "nearness": (-0.5, None, None, 0.21)}
    return [
        {
            "method": method,
            "measure": measure,
            "value": value,
            "low": low,
            "high": high,
            "mantel_p": p,
            "layers": 4,
            "pairs": 4,
        }
        for method, (value, low, high, p) in values.items()
        for measure in ("spearman", "kendall")
    ]


def similarity(method: str, layers: int = 4, columns: int | None = None) -> list[Row]:
    return [
        {
            "method": method,
            "layer_a": a,
            "layer_b": b,
            "owner_a": OWNERS[a],
            "owner_b": OWNERS[b],
            "value": 1 - 0.2 * abs(b - a),
            "low": 0.1,
            "high": 1.0,
            "null": 0.5,
            "sequences": 8,
            "chance": None,
            "fresh": None,
            "models": 1 if columns is None else 2,
            "unit": "of a test",
            "least": 0.0 if method == "cka" else -1.0,
        }
        for a in range(layers)
        for b in range(columns or layers)
    ]


def attribution(method: str, *, token: bool = False) -> list[Row]:
    return [
        {
            "method": method,
            "layer": layer,
            "owner": OWNERS[layer],
            "value": 0.4 - 0.15 * layer,
            "low": None if token else 0.3 - 0.15 * layer,
            "high": None if token else 0.5 - 0.15 * layer,
            "unit": "nats per token",
            "sequences": 8,
            "completeness_error": None,
            "baseline": None,
            "total": None,
            "neighbour": None,
            "target_sequence": 0 if token else None,
            "target_position": 5 if token else None,
            "lowers": "above" if method == "skipped" else "below",
            "points": None,
        }
        for layer in range(4)
    ]


def memory() -> list[Row]:
    """Of each map, predicted at the peak; as is also measured, and what the pictures must leave out: "step", "now".

    Layer L has (L + 1) MB of parameters where it owns some, half of that of activations, and 7 MB lie outside.
    """
    maps = {"untied": (0, 1, 2, 3), "as is": TIES, "all tied": (0, 0, 0, 0)}
    rows = []
    for name, owners in maps.items():
        for kind in ("predicted", "measured") if name == "as is" else ("predicted",):
            for layer, owner in enumerate(owners):
                place = {"map": name, "when": "peak", "kind": kind, "layer": layer, "owner": owner, "block": owner}
                if owner == layer:
                    rows.append(place | {"component": "parameters", "bytes": 1_000_000 * (layer + 1)})
                rows.append(place | {"component": "activations", "bytes": 500_000 * (layer + 1)})
            outside = {"map": name, "when": "peak", "kind": kind, "layer": None, "owner": None, "block": None}
            rows.append(outside | {"component": "parameters", "bytes": 7_000_000})
    rest = {"map": "as is", "kind": "counted", "component": "parameters", "layer": 0, "owner": 0, "block": 0}
    return [*rows, *(rest | {"when": when, "bytes": 99_000_000} for when in ("step", "now"))]


def lens() -> list[Row]:
    return [
        {
            "depth": depth,
            "layer": depth - 1 if depth else None,
            "owner": OWNERS[depth - 1] if depth else None,
            "loss": 4.0 - 0.5 * depth,
            "low": 3.9 - 0.5 * depth,
            "high": 4.1 - 0.5 * depth,
            "sequences": 8,
        }
        for depth in range(5)
    ]


def lens_of_token() -> list[Row]:
    """The true token, 7, comes up from nowhere over rank 2 to rank 1."""
    top = [[3, 4], [4, 3], [4, 7], [7, 4], [7, 4]]
    chances = [[0.30, 0.20], [0.35, 0.25], [0.40, 0.30], [0.55, 0.25], [0.90, 0.05]]
    return [
        {
            "depth": depth,
            "layer": depth - 1 if depth else None,
            "owner": OWNERS[depth - 1] if depth else None,
            "target": 7,
            "loss": 3.0 - 0.6 * depth,
            "entropy": 1.0,
            "rank": 1,
            "top": top[depth],
            "top_probability": chances[depth],
        }
        for depth in range(5)
    ]


TEXTS = {3: "a", 4: " ", 7: "</script>"}
"""Token -> its text."""


def entropy() -> list[Row]:
    return [
        {
            "layer": layer,
            "owner": OWNERS[layer],
            "head": head,
            "entropy": 2.0,
            "low": 1.9,
            "high": 2.1,
            "share": 0.1 + 0.2 * layer + 0.05 * head,
            "sequences": 8,
        }
        for layer in range(4)
        for head in range(2)
    ]


def attention() -> list[Row]:
    """Layer l, head h gives token k of three a weight; over the keys each head's add up to 1."""
    weights = {0: (0.2, 0.3, 0.5), 1: (0.4, 0.4, 0.2)}
    return [
        {
            "layer": layer,
            "owner": OWNERS[layer],
            "head": head,
            "query": 2,
            "key": key,
            "weight": weights[head][(key + layer) % 3],
        }
        for layer in range(4)
        for head in range(2)
        for key in range(3)
    ]


def ablation() -> list[Row]:
    """About layer 1; of entry 2 the farther change is the negative one."""
    changes = {(2, 1): (0.1, -0.2), (2, 2): (-0.4, 0.1), (3, 0): (0.05, 0.0), (3, 3): (0.3, -0.3001)}
    return [
        {
            "entry": entry,
            "source": source,
            "present": TIES[entry],
            "answer": answer,
            "q_value": 1.0 + change,
            "change": change,
        }
        for (entry, source), pair in changes.items()
        for answer, change in enumerate(pair)
    ]


def inputs() -> list[Row]:
    shares = {"source of layer 2": (0.3, -0.1), "source of layer 10": (-0.05, 0.4), "source of layer 1": (0.0, 0.02)}
    return [
        {
            "input": name,
            "answer": answer,
            "value": values[answer],
            "total": (0.25, 0.32)[answer],
            "completeness_error": 0.0004,
            "method": "integrated-gradients",
        }
        for name, values in shares.items()
        for answer in range(2)
    ]


def calibration() -> list[Row]:
    """Decisions 1 to 6, of which 2 kept its tie and 6 is truncated."""
    return [
        {
            "decision": decision,
            "layer": 1 + (decision - 1) % 3,
            "choice": 0,
            "kept": decision == 2,
            "by": "agent",
            "predicted": 0.1 * decision,
            "realised": 0.2 * decision - 0.5,
            "truncated": decision == 6,
        }
        for decision in range(1, 7)
    ]


def precedents() -> list[Row]:
    return [
        {
            "decision": decision,
            "layer": 1,
            "distance": distance,
            "present": 0,
            "choice": choice,
            "by": "agent",
            "explored": False,
            "q_choice": 0.1,
            "reward": 0.3,
            "above_trend": above,
        }
        for decision, distance, choice, above in ((7, 0, 1, 0.04), (4, 1, 0, -0.03), (1, 2, 1, 0.01))
    ]


def since() -> list[Row]:
    """The value of answer 1 for layer 1, then and at two later moments."""
    return [
        {"learned": learned, "layer": 1, "answer": 1, "value": value}
        for learned, value in ((7, 0.5), (8, -0.25), (9, 0.1))
    ]


def profile() -> list[Row]:
    units = {"relative update": "share of the stream", "cosine": "cosine", "stream": "norm"}
    return [
        {
            "layer": layer,
            "owner": OWNERS[layer],
            "measure": measure,
            "value": 0.5 * layer - 0.3,
            "low": 0.5 * layer - 0.4,
            "high": 0.5 * layer - 0.1,
            "sequences": 8,
            "unit": unit,
        }
        for measure, unit in units.items()
        for layer in range(4)
    ]


def spectra() -> list[Row]:
    return [
        {
            "layer": layer,
            "owner": OWNERS[layer],
            "tensor": tensor,
            "index": index,
            "value": (4.0 - index) * (1 + OWNERS[layer]),
        }
        for layer in range(4)
        for tensor in ("qkv", "up")
        for index in range(3)
    ]


def weights() -> list[Row]:
    return [
        {
            "tensor": tensor,
            "layer_a": a,
            "layer_b": b,
            "owner_a": OWNERS[a],
            "owner_b": OWNERS[b],
            "cosine": 1.0 if OWNERS[a] == OWNERS[b] else 0.02,
            "null": 0.1,
            "distance": 0.0 if OWNERS[a] == OWNERS[b] else 1.4,
            "entries": 64,
            "models": 1,
        }
        for tensor in ("qkv", "up")
        for a in range(4)
        for b in range(4)
    ]


PROPOSAL = {"decision": 8, "layer": 1, "choice": 1, "legal": [0, 1]}
AGREEMENT = {"value": -0.25, "low": -0.5, "high": 0.125, "decisions": 4}
NAMES = [[TEXTS[token] for token in row["top"]] for row in lens_of_token()]
PIECES = ["The", " ", "<b>"]

ANSWERS: dict[str, Answer] = {
    "similarity": {"frames": {"similarity": similarity("cka") + similarity("weights")}, "facts": {}},
    "weights": {"frames": {"weights": weights()}, "facts": {}},
    "profile": {"frames": {"profile": profile(), "spectra": spectra()}, "facts": {}},
    "attribution": {"frames": {"attribution": attribution("skipped") + attribution("conductance")}, "facts": {}},
    "costs": {
        "frames": {"costs": costs(), "evidence": evidence(), "correlations": correlations()},
        "facts": {"asked": 1, "policy": "lab"},
    },
    "memory": {"frames": {"memory": memory()}, "facts": {"official": {}}},
    "reasons": {
        "frames": {"ablation": ablation(), "inputs": inputs(), "precedents": precedents(),
                   "calibration": calibration(), "since": since()},
        "facts": {"proposal": PROPOSAL, "agreement": AGREEMENT, "came": {"realised": 0.3, "truncated": False}},
    },
    "sample": {"frames": {}, "facts": {"prompt": "To be", "text": " or not"}},
    "tokens": {"frames": {"tokens": [], "lens": lens(), "entropy": entropy()}, "facts": {"pieces": [PIECES]}},
    "token": {
        "frames": {"lens": lens_of_token(), "shares": [], "attention": attention(),
                   "attribution": attribution("skipped", token=True)},
        "facts": {"pieces": PIECES, "names": NAMES, "target": TEXTS[7]},
    },
}  # fmt: skip
"""View -> an answer."""
for _view, _answer in ANSWERS.items():
    _answer["facts"]["view"] = _view
