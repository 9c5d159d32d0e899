"""The official code's semantics a second time, from their description alone: plain torch and nothing of the package.

Layers before a block are visited in order 1 .. L-1. Answer a < l: layer l's tensors point at the storage that layer a's
have at that moment, and are frozen. Answer l: they are made trainable where they are. One AdamW over all parameters,
built once; who has no gradient is skipped; two parameters on one storage are stepped one after the other. Then k steps
(loss, backward, clip, step), and the reward is the clipped negative perplexity of a fresh batch in evaluation mode.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PlainAttention(nn.Module):
    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.c_attn = nn.Linear(width, 3 * width)
        self.c_proj = nn.Linear(width, width)
        self.on_scores, self.on_output = nn.Dropout(dropout), nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        length, width = x.shape[1:]
        size = width // self.heads
        query, key, value = self.c_attn(x).chunk(3, dim=2)
        later = torch.triu(torch.ones(length, length, dtype=torch.bool), diagonal=1)
        outputs = []
        for head in range(self.heads):
            part = slice(head * size, (head + 1) * size)
            scores = query[..., part] @ key[..., part].transpose(1, 2) / math.sqrt(size)
            shares = scores.masked_fill(later, -math.inf).softmax(-1)
            outputs.append(self.on_scores(shares) @ value[..., part])
        return self.on_output(self.c_proj(torch.cat(outputs, dim=-1)))


class PlainMLP(nn.Module):
    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.c_fc = nn.Linear(width, 4 * width)
        self.c_proj = nn.Linear(4 * width, width)
        self.on_output = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.c_fc(x)
        return self.on_output(self.c_proj(hidden * 0.5 * (1 + torch.erf(hidden / math.sqrt(2)))))


class PlainBlock(nn.Module):
    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width, eps=1e-5), nn.LayerNorm(width, eps=1e-5)
        self.attn, self.mlp = PlainAttention(width, heads, dropout), PlainMLP(width, dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class PlainGPT(nn.Module):
    """GPT-2's arrangement and names; the head is the token embedding."""

    def __init__(
        self, vocabulary: int, context: int, layers: int, width: int, heads: int, dropout: float = 0.0, seed: int = 0
    ) -> None:
        super().__init__()
        self.transformer = nn.ModuleDict(
            {
                "wte": nn.Embedding(vocabulary, width),
                "wpe": nn.Embedding(context, width),
                "drop": nn.Dropout(dropout),
                "h": nn.ModuleList(PlainBlock(width, heads, dropout) for _ in range(layers)),
                "ln_f": nn.LayerNorm(width, eps=1e-5),
            }
        )
        self.lm_head = nn.Linear(width, vocabulary, bias=False)
        self.lm_head.weight = self.transformer["wte"].weight
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for name, p in self.named_parameters():
                # No weight is left at a round number, so that none can be mistaken for another.
                p.normal_(1.0 if "ln" in name and name.endswith("weight") else 0.0, 0.05, generator=generator)

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        parts: Any = self.transformer
        x = parts["drop"](parts["wte"](inputs) + parts["wpe"](torch.arange(inputs.shape[1])))
        for block in parts["h"]:
            x = block(x)
        logits = self.lm_head(parts["ln_f"](x))
        return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1))


class LoopAdamW:
    """AdamW, one parameter after the other (Loshchilov & Hutter 2019)."""

    def __init__(self, parameters: Sequence[nn.Parameter], lr: float, weight_decay: float = 0.01) -> None:
        self.parameters, self.lr, self.weight_decay = list(parameters), lr, weight_decay
        self.steps = [0] * len(self.parameters)
        self.first = [torch.zeros_like(p) for p in self.parameters]
        self.second = [torch.zeros_like(p) for p in self.parameters]

    @torch.no_grad()
    def step(self) -> None:
        for i, p in enumerate(self.parameters):
            if p.grad is None:
                continue
            self.steps[i] += 1
            p.mul_(1 - self.lr * self.weight_decay)
            self.first[i].mul_(0.9).add_(p.grad, alpha=0.1)
            self.second[i].mul_(0.999).addcmul_(p.grad, p.grad, value=0.001)
            mean = self.first[i] / (1 - 0.9 ** self.steps[i])
            size = (self.second[i] / (1 - 0.999 ** self.steps[i])).sqrt() + 1e-8
            p.sub_(self.lr * mean / size)


@dataclass
class PlainOutcome:
    """What came of a decision."""

    losses: list[float]
    reward: float
    perplexity: float
    distinct_blocks: int
    claimed_layers: int
    claimed_parameters: int


class PlainRun:
    """The official code's loop over one model."""

    def __init__(self, model: PlainGPT, optimizer: Callable[[list[nn.Parameter]], Any], steps: int = 4) -> None:
        self.model, self.steps = model, steps
        self.blocks: list[PlainBlock] = list(model.transformer["h"])
        self.map = [0] * len(self.blocks)
        for block in self.blocks[1:]:
            block.requires_grad_(False)
        self.optimizer = optimizer(list(model.parameters()))
        self.decisions = 0

    def answer(self, choice: int, batches: Sequence[Tensor], reward_batch: Tensor) -> PlainOutcome:
        layer = 1 + self.decisions % (len(self.blocks) - 1)
        self.decisions += 1
        if choice < layer:
            for mine, theirs in zip(self.blocks[layer].parameters(), self.blocks[choice].parameters(), strict=True):
                mine.data = theirs.data
            self.blocks[layer].requires_grad_(False)
        else:
            self.blocks[layer].requires_grad_(True)
        self.map[layer] = choice
        losses = [self._step(batch) for batch in batches]
        self.model.eval()
        with torch.no_grad():
            perplexity = math.exp(float(self.model(reward_batch[:, :-1], reward_batch[:, 1:])))
        self.model.train()
        return PlainOutcome(
            losses,
            max(-10.0, min(10.0, -perplexity)),
            perplexity,
            len({block.mlp.c_fc.weight.data_ptr() for block in self.blocks}),
            sum(source == i for i, source in enumerate(self.map)),
            sum(p.numel() for p in self.model.parameters() if p.requires_grad),
        )

    def _step(self, batch: Tensor) -> float:
        loss = self.model(batch[:, :-1], batch[:, 1:])
        loss.backward()
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        norm = torch.stack([g.norm() for g in gradients]).norm()
        for gradient in gradients:
            gradient.mul_(min(1.0, 1.0 / (float(norm) + 1e-6)))
        self.optimizer.step()
        for p in self.model.parameters():
            p.grad = None
        return loss.item()
