"""Plain loops to compare with: a bare character-GPT loop as tutorials have it, and Hugging Face's GPT-2.

Both train the same shape on the same tokens with AdamW, clip at 1 and read the loss each step, as our loop does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

# transformers, a package for development, is imported where it is compared with.

Step = Callable[[], float]


@dataclass(frozen=True)
class Shape:
    """A model and its batches."""

    layers: int
    width: int
    heads: int
    context: int
    vocabulary: int
    batch: int


class PlainAttention(nn.Module):
    """Attention with its parts spelled out."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.attend = nn.Linear(shape.width, 3 * shape.width)
        self.project = nn.Linear(shape.width, shape.width)
        self.drop = nn.Dropout(0.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, time, width = x.shape
        query, key, value = self.attend(x).split(width, dim=2)
        query, key, value = (
            part.view(batch, time, self.heads, width // self.heads).transpose(1, 2) for part in (query, key, value)
        )
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.drop(self.project(mixed.transpose(1, 2).contiguous().view(batch, time, width)))


class PlainBlock(nn.Module):
    """Pre-norm block."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(shape.width), nn.LayerNorm(shape.width)
        self.attention = PlainAttention(shape)
        self.widen = nn.Linear(shape.width, 4 * shape.width)
        self.gelu = nn.GELU()
        self.narrow = nn.Linear(4 * shape.width, shape.width)
        self.drop = nn.Dropout(0.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.norm_1(x))
        return x + self.drop(self.narrow(self.gelu(self.widen(self.norm_2(x)))))


class PlainGPT(nn.Module):
    """GPT-2's arrangement, tied head, no dropout."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.tokens = nn.Embedding(shape.vocabulary, shape.width)
        self.positions = nn.Embedding(shape.context, shape.width)
        self.drop = nn.Dropout(0.0)
        self.blocks = nn.ModuleList([PlainBlock(shape) for _ in range(shape.layers)])
        self.norm = nn.LayerNorm(shape.width)
        self.head = nn.Linear(shape.width, shape.vocabulary, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, tokens: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        where = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.drop(self.tokens(tokens) + self.positions(where))
        for block in self.blocks:
            x = block(x)
        logits = self.head(self.norm(x))
        return F.cross_entropy(logits.view(-1, logits.size(-1)), targets.reshape(-1))


def plain_step(shape: Shape, tokens: np.ndarray, device: torch.device) -> Step:
    """One step of the bare loop: random windows, forward, backward, clip, AdamW with two decay groups."""
    model = PlainGPT(shape).to(device)
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    vectors = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    # Fused on CUDA only, as the bare loop has it.
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95), fused=device.type == "cuda")
    return _loop(model, optimizer, lambda x, y: model(x, y), shape, tokens, device)


def hugging_face_step(shape: Shape, tokens: np.ndarray, device: torch.device) -> Step:
    """One step of `transformers`' GPT-2 with labels, PyTorch's default AdamW.

    Raises:
        ImportError: transformers is not installed.
    """
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=shape.vocabulary,
        n_positions=shape.context,
        n_embd=shape.width,
        n_layer=shape.layers,
        n_head=shape.heads,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        use_cache=False,
        bos_token_id=0,
        eos_token_id=0,
    )
    # transformers wraps `to` in a decorator that hides its types.
    model: nn.Module = nn.Module.to(GPT2LMHeadModel(config), device)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    # With labels the model shifts them itself, so it is given the whole window.
    return _loop(model, optimizer, lambda x, y: model(x, labels=x).loss, shape, tokens, device)


def _loop(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss_of: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    shape: Shape,
    tokens: np.ndarray,
    device: torch.device,
) -> Step:
    generator = torch.Generator().manual_seed(0)

    def step() -> float:
        starts = torch.randint(len(tokens) - shape.context - 1, (shape.batch,), generator=generator).tolist()
        x = torch.stack([torch.from_numpy(tokens[i : i + shape.context].astype(np.int64)) for i in starts]).to(device)
        y = torch.stack([torch.from_numpy(tokens[i + 1 : i + 1 + shape.context].astype(np.int64)) for i in starts])
        loss = loss_of(x, y.to(device))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    return step
