"""A small random run, made of events, as rows and as frames of `core.tables`."""

from __future__ import annotations

import math
import random
from typing import Any

import polars as pl

from layertie_lab.core.events import DecisionFinished, DecisionMade, Evaluated, Opened, Stepped
from layertie_lab.core.tables import COLUMNS, Tabulator
from layertie_lab.core.ties import TieMap

Tables = dict[str, list[dict[str, Any]]]
LAYERS, STEPS = 6, 4
BLOCK, EMBEDDING = 1_000, 400
UNTIED = EMBEDDING + BLOCK * LAYERS


def simulate(decisions: int, seed: int = 0, *, overrides: float = 0.2) -> Tables:
    """Rows of a run with random answers, and storages that only merge, as under the official code's bookkeeping."""
    draw, tabulator = random.Random(seed), Tabulator()
    tables: Tables = {name: [] for name in COLUMNS}

    def add(event: Any) -> None:
        for name, row in tabulator.rows(event):
            tables[name].append(row)

    ties, blocks = TieMap.all_tied(LAYERS), list(range(LAYERS))
    add(
        Opened(
            step=0,
            decision=0,
            config_hash="",
            ties=list(ties),
            blocks=blocks,
            untied_parameters=UNTIED,
            trainable_parameters=EMBEDDING + BLOCK,
            claimed_parameters=EMBEDDING + BLOCK,
            vocabulary_size=9,
            unigram_entropy=2.2,
            bytes_per_token=1.0,
            split_tokens={},
            corpus="",
        )
    )
    step = 0
    for decision in range(1, decisions + 1):
        episode, place = divmod(decision - 1, LAYERS - 1)
        layer = place + 1
        values = [draw.gauss(0, 0.1) for _ in range(layer + 1)]
        proposed = draw.randrange(layer + 1)
        choice = (proposed + 1) % (layer + 1) if draw.random() < overrides else proposed
        add(
            DecisionMade(
                step=step,
                decision=decision,
                episode=episode + 1,
                layer=layer,
                legal=list(range(layer + 1)),
                present=ties[layer],
                proposed=proposed,
                q_values=values,
                explored=draw.random() < 0.5,
                epsilon=0.5,
                choice=choice,
                by="human" if choice != proposed else "agent",
            )
        )
        ties = ties.act(layer, choice)
        blocks[layer] = blocks[choice]
        losses = [3 * math.exp(-(step + i) / 90) + draw.gauss(0, 0.05) + 1 for i in range(STEPS)]
        for loss in losses:
            step += 1
            add(Stepped(step=step, decision=decision, loss=loss, learning_rate=1e-3, gradient_norm=1.0))
        add(
            DecisionFinished(
                step=step,
                decision=decision,
                ties=list(ties),
                blocks=list(blocks),
                owners=len(ties.independent_layers),
                reward=draw.gauss(0, 0.1),
                reward_loss=losses[-1],
                train_loss=sum(losses) / STEPS,
                trainable_parameters=EMBEDDING + BLOCK * len(set(blocks)),
                claimed_parameters=EMBEDDING + BLOCK * len(ties.independent_layers),
                memory={"parameters": 9_000, "gradients": 4_000, "optimizer": 8_000, "activations": 50_000},
            )
        )
        if decision % 5 == 0:
            add(Evaluated(step=step, decision=decision, split="validation", loss=1.5, standard_error=0.1, windows=8))
    return tables


def as_frames(tables: Tables) -> dict[str, pl.DataFrame]:
    """The rows as frames, typed also where empty."""
    types = {int: pl.Int64, float: pl.Float64, str: pl.String, bool: pl.Boolean}
    return {
        name: pl.DataFrame(tables[name], schema={column: types[kind] for column, (kind, _) in columns.items()})
        for name, columns in COLUMNS.items()
    }
