"""A small GPT: pre-norm blocks on a stack under a tie map.

Shapes: B sequences, T tokens, D width, H heads, K = D / H, V vocabulary. The defaults (learned positions, biases, tied
head) are GPT-2's arrangement (Radford et al. 2019), LayerNorm before attention and MLP, but for the GELU, which
is exact; activation="gelu-tanh" gives GPT-2's.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.config import ModelConfig, TieConfig
from ..core.errors import ConfigError, RecordError
from ..core.keys import RunKey
from ..core.ties import TieMap
from .aliasing import make_stack
from .gpt_memory import activation_bytes
from .tied_model import Metric

Rotation = tuple[Tensor, Tensor]
"""cos_TK and sin_TK of the rotary angles."""


class Attention(nn.Module):
    """Causal self-attention."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.dropout = config.dropout
        self.qkv = nn.Linear(config.width, 3 * config.width, bias=config.bias)
        self.projection = nn.Linear(config.width, config.width, bias=config.bias)

    def forward(self, x_BTD: Tensor, rotation: Rotation | None = None) -> Tensor:
        B, T, D = x_BTD.shape
        q, k, v = (part.view(B, T, self.heads, -1).transpose(1, 2) for part in self.qkv(x_BTD).split(D, -1))  # B H T K
        if rotation is not None:
            q, k = rotate(q, rotation), rotate(k, rotation)
        dropout = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=True)  # B H T K
        y = self.projection(y.transpose(1, 2).reshape(B, T, D))
        return F.dropout(y, dropout) if dropout else y  # B T D

    def weights(self, x_BTD: Tensor, rotation: Rotation | None = None) -> Tensor:
        """B H T T weights of keys (last) for queries, in fp32; the fused kernel of `forward` keeps none."""
        B, T, D = x_BTD.shape
        q, k, _ = (part.view(B, T, self.heads, -1).transpose(1, 2) for part in self.qkv(x_BTD).split(D, -1))  # B H T K
        if rotation is not None:
            q, k = rotate(q, rotation), rotate(k, rotation)
        scores = (q.float() @ k.float().mT) / math.sqrt(q.shape[-1])
        ahead = torch.ones(T, T, dtype=torch.bool, device=x_BTD.device).triu(1)
        return scores.masked_fill(ahead, -math.inf).softmax(-1)


class MLP(nn.Module):
    """Two linear layers with a GELU between them."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.dropout = config.dropout
        self.approximate = "tanh" if config.activation == "gelu-tanh" else "none"
        self.up = nn.Linear(config.width, config.mlp_ratio * config.width, bias=config.bias)
        self.down = nn.Linear(config.mlp_ratio * config.width, config.width, bias=config.bias)

    def forward(self, x_BTD: Tensor) -> Tensor:
        y = self.down(F.gelu(self.up(x_BTD), approximate=self.approximate))
        return F.dropout(y, self.dropout) if self.dropout and self.training else y  # B T D


class Block(nn.Module):
    """One layer: attention and MLP, each on a normalised copy of the residual stream."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.width, bias=config.bias)
        self.attention = Attention(config)
        self.mlp_norm = nn.LayerNorm(config.width, bias=config.bias)
        self.mlp = MLP(config)

    def forward(self, x_BTD: Tensor, rotation: Rotation | None = None) -> Tensor:
        x_BTD = x_BTD + self.attention(self.attention_norm(x_BTD), rotation)
        return x_BTD + self.mlp(self.mlp_norm(x_BTD))


class GPT(nn.Module):
    """A language model whose layers share weights under a tie map.

    Args:
        config: The shape.
        vocabulary_size: Number of tokens, V.
        ties: What a tie means.
        tie_map: The map at the start; by default every layer is tied to layer 0.
        seed: Of the initial weights. Each layer's depend only on (seed, layer), so that models under different maps
            start from the same weights wherever both have the layer's own.

    `stack` is the `LayerStack`; re-tie through it.
    """

    cos: Tensor | None
    sin: Tensor | None

    def __init__(
        self,
        config: ModelConfig,
        vocabulary_size: int,
        ties: TieConfig = TieConfig(),  # noqa: B008 (immutable)
        tie_map: TieMap | None = None,
        *,
        seed: int,
    ) -> None:
        super().__init__()
        self.config = config
        self.vocabulary_size = vocabulary_size
        start = TieMap.all_tied(config.layers) if tie_map is None else tie_map
        with torch.device("meta"):
            self.token_embedding = nn.Embedding(vocabulary_size, config.width)
            self.position_embedding = (
                nn.Embedding(config.context, config.width) if config.positions == "learned" else None
            )
            layers = [Block(config) for _ in range(config.layers)]
            self.norm = nn.LayerNorm(config.width, bias=config.bias)
            self.head_linear = None if config.tie_head else nn.Linear(config.width, vocabulary_size, bias=False)
        self._init_weights(layers, start if ties.start == "tied" else TieMap.independent(config.layers), seed)
        self.stack = make_stack(layers, ties, start)
        rotation = rotary_angles(config) if config.positions == "rotary" else (None, None)
        self.register_buffer("cos", rotation[0], persistent=False)
        self.register_buffer("sin", rotation[1], persistent=False)

    def _init_weights(self, layers: list[Block], start: TieMap, seed: int) -> None:
        """GPT-2's initialisation, on the CPU; copies stay without memory until the stack gives them their owner's."""
        key = RunKey(seed)
        for module in (self.token_embedding, self.position_embedding, self.norm, self.head_linear):
            if module is not None:
                module.to_empty(device="cpu")
        init_weights(self, torch.Generator().manual_seed(key.at(0, "init")), self.config.layers)
        for layer in range(min(len(layers), len(start))):
            if start[layer] == layer:
                layers[layer].to_empty(device="cpu")
                init_weights(layers[layer], torch.Generator().manual_seed(key.at(layer + 1, "init")), len(layers))

    metric = Metric("loss", "nats per token")
    causal = True

    @property
    def context(self) -> int:
        """Most tokens that it reads at once."""
        return self.config.context

    @property
    def width(self) -> int:
        """Features of the residual stream, D."""
        return self.config.width

    @property
    def draws(self) -> bool:
        """Whether training draws random numbers: dropout."""
        return self.config.dropout > 0

    @property
    def token_vectors(self) -> Tensor:
        """V x D, the token embedding."""
        return self.token_embedding.weight

    def inputs(self, batch: Tensor) -> Tensor:
        """All but the last token of B x (T + 1)."""
        return batch[:, :-1]

    def targets(self, batch: Tensor) -> Tensor:
        """The inputs, one token on."""
        return batch[:, 1:]

    def blank_batch(self, size: int) -> Tensor:
        """B x (context + 1) zeros."""
        return torch.zeros(size, self.config.context + 1, dtype=torch.int64)

    def loss(self, batch: Tensor) -> Tensor:
        """Mean negative log-likelihood of the targets of B x (T + 1) tokens."""
        return self(self.inputs(batch), self.targets(batch))

    def losses(self, predicted: Tensor, targets: Tensor) -> Tensor:
        """The negative log-likelihood of each target, from logits [..., V]."""
        per_token = F.cross_entropy(predicted.float().flatten(0, -2), targets.reshape(-1), reduction="none")
        return per_token.view(targets.shape)

    def sequence_losses(self, predicted: Tensor, targets: Tensor) -> Tensor:
        """[B] the mean of `losses` over each sequence."""
        return self.losses(predicted, targets).mean(1)

    def forward(self, tokens_BT: Tensor, targets_BT: Tensor | None = None) -> Tensor:
        """Logits B T V, or with targets the mean loss in nats per token."""
        logits_BTV = self.head(self.stack(self.embed(tokens_BT), *self.block_arguments(tokens_BT.shape[1])))
        if targets_BT is None:
            return logits_BTV
        return F.cross_entropy(logits_BTV.flatten(0, 1), targets_BT.flatten())

    def embed(self, inputs: Tensor, vectors: Tensor | None = None) -> Tensor:
        """The residual stream's start, B T D: what the first layer reads.

        Args:
            inputs: Tokens, B x T.
            vectors: B T D in place of the tokens' own embeddings; positions are added all the same.

        Raises:
            ConfigError: More tokens than the context.
        """
        x_BTD = self.token_embedding(inputs) if vectors is None else vectors
        length = inputs.shape[1]
        if length > self.config.context:
            raise ConfigError(
                f"Expected at most {self.config.context} tokens, the model's context, but got {length}.",
                "Cut the sequences, or train with a longer context.",
            )
        if self.position_embedding is not None:
            x_BTD = x_BTD + self.position_embedding.weight[:length]
        return F.dropout(x_BTD, self.config.dropout) if self.config.dropout and self.training else x_BTD

    def block_arguments(self, length: int) -> tuple[Any, ...]:
        """What each block takes beside the residual stream, for sequences of `length` tokens."""
        return () if self.cos is None or self.sin is None else ((self.cos[:length], self.sin[:length]),)

    def head(self, x: Tensor) -> Tensor:
        """Logits [..., V] from the last layer's output [..., D]."""
        head = self.token_embedding if self.head_linear is None else self.head_linear
        return F.linear(self.norm(x), head.weight)

    def attention_weights(self, inputs: Tensor) -> list[Tensor]:
        """Per layer B H T T the weight of each key (last) for each query."""
        x_BTD, arguments = self.embed(inputs), self.block_arguments(inputs.shape[1])
        found: list[Tensor] = []
        for block in self.stack.layers:
            assert isinstance(block, Block)
            found.append(block.attention.weights(block.attention_norm(x_BTD), *arguments))
            x_BTD = block(x_BTD, *arguments)
        return found

    def activation_bytes(self, batch_size: int, *, bf16: bool = False) -> int:
        """Bytes that autograd saves in one forward pass of a batch at full context under the present ties."""
        return activation_bytes(
            self.config,
            self.vocabulary_size,
            self.stack.frozen,
            batch_size,
            bf16=bf16,
            casts=self.stack.distinct_casts(),
            device=self.token_embedding.weight.device.type,
        )

    def fresh(self, *, seed: int, ties: TieMap) -> GPT:
        """A model of the same shape that has learned nothing, on the CPU."""
        return GPT(self.config, self.vocabulary_size, tie_map=ties, seed=seed)

    @torch.no_grad()
    def generate(
        self,
        tokens_BT: Tensor,
        count: int,
        *,
        generator: torch.Generator | None = None,
        temperature: float = 1.0,
        top_k: int | None = None,
    ) -> Tensor:
        """Continue sequences.

        Args:
            tokens_BT: The prompts, at least one token each.
            count: Tokens to add.
            generator: Of the draws, on the model's device or the CPU.
            temperature: Divides the logits; 0 takes the likeliest token.
            top_k: Draw among the k likeliest tokens only.

        Returns:
            Prompts and continuations, B x (T + count).
        """
        was_training = self.training
        self.eval()
        try:
            for _ in range(count):
                logits_BV = self(tokens_BT[:, -self.config.context :])[:, -1].float()
                tokens_BT = torch.cat([tokens_BT, sample_token(logits_BV, generator, temperature, top_k)], dim=1)
        finally:
            self.train(was_training)
        return tokens_BT

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """All weights, one entry per storage, and the stack's sharing (JSON-able). The tensors are the live ones."""
        inner, meta = self.stack.state()
        outer = {name: p.detach() for name, p in self.named_parameters() if not name.startswith("stack.")}
        return outer | {f"stack.{name}": tensor for name, tensor in inner.items()}, meta

    def load(self, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
        """Back from `state`. An optimizer must be loaded after it.

        Raises:
            RecordError: The state is of another model.
        """
        outer = {name: p for name, p in self.named_parameters() if not name.startswith("stack.")}
        wanted = {name: p.shape for name, p in outer.items()}
        given = {name: t.shape for name, t in tensors.items() if not name.startswith("stack.")}
        if wanted != given:
            raise RecordError(
                f"Expected a model's weights {wanted}, but got {given}.", "Load it into a model of the same settings."
            )
        self.stack.load({name.removeprefix("stack."): t for name, t in tensors.items() if name not in outer}, meta)
        with torch.no_grad():
            for name, p in outer.items():
                p.copy_(tensors[name])


def init_weights(module: nn.Module, generator: torch.Generator, layers: int) -> None:
    """GPT-2's initialisation of a block, or of what is around the blocks: normal of deviation .02, norms at 1.

    Args:
        module: Its meta parameters stay without memory.
        generator: Of the draws.
        layers: Depth of the model; matrices that end in the residual stream start smaller by sqrt(2 x depth).
    """
    for name, p in module.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(p)
        elif "norm" in name:
            nn.init.ones_(p)
        elif not p.is_meta:
            residual = name.endswith(("projection.weight", "down.weight"))
            nn.init.normal_(p, std=0.02 / math.sqrt(2 * layers) if residual else 0.02, generator=generator)


def sample_token(logits_BV: Tensor, generator: torch.Generator | None, temperature: float, top_k: int | None) -> Tensor:
    """One token per row, B x 1 (arguments as in `GPT.generate`)."""
    if temperature <= 0:
        return logits_BV.argmax(-1, keepdim=True)
    if top_k is not None:
        least = logits_BV.topk(min(top_k, logits_BV.shape[-1])).values[:, -1:]
        logits_BV = logits_BV.masked_fill(logits_BV < least, -math.inf)
    shares = F.softmax(logits_BV / temperature, dim=-1)
    if generator is not None:
        shares = shares.to(generator.device)
    return torch.multinomial(shares, 1, generator=generator).to(logits_BV.device)


def rotary_angles(config: ModelConfig, base: float = 10_000.0) -> Rotation:
    """cos_TK and sin_TK of rotary positions (Su et al. 2021, arXiv 2104.09864), halves instead of pairs."""
    size = config.width // config.heads
    rates = base ** (-torch.arange(0, size, 2, dtype=torch.float32) / size)
    angles = torch.outer(torch.arange(config.context, dtype=torch.float32), rates).repeat(1, 2)
    return angles.cos(), angles.sin()


def rotate(x_BHTK: Tensor, rotation: Rotation) -> Tensor:
    """Turn each pair of features by its position's angle."""
    cos, sin = rotation
    left, right = x_BHTK.chunk(2, dim=-1)
    return (x_BHTK * cos + torch.cat((-right, left), dim=-1) * sin).type_as(x_BHTK)
