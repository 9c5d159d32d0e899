"""Weights under GPT-2's names, in and out: `transformer.h.0.attn.c_attn.weight` and so on.

Names are those of GPT-2's published code (Radford et al. 2019) as nanoGPT writes them; every matrix is oriented as in
`nn.Linear`, out x in. (Hugging Face's GPT-2 has the same names, but holds the block's matrices in x out.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from ..core.errors import ConfigError
from .gpt import GPT

EMBEDDING = "transformer.wte.weight"
HEAD = "lm_head.weight"

_OUTER = {
    "token_embedding.weight": EMBEDDING,
    "position_embedding.weight": "transformer.wpe.weight",
    "norm.weight": "transformer.ln_f.weight",
    "norm.bias": "transformer.ln_f.bias",
    "head_linear.weight": HEAD,
}
_BLOCK = {
    "attention_norm": "ln_1",
    "attention.qkv": "attn.c_attn",
    "attention.projection": "attn.c_proj",
    "mlp_norm": "ln_2",
    "mlp.up": "mlp.c_fc",
    "mlp.down": "mlp.c_proj",
}
# Causal masks that some versions keep among the weights.
_MASK = re.compile(r"transformer\.h\.\d+\.attn\.(bias|masked_bias)")


def export_gpt2(model: GPT) -> dict[str, Tensor]:
    """A model's weights under GPT-2's names.

    Returns:
        Name -> a copy on the CPU. A tied layer is written in full, with the weights it uses; with a tied head,
        `lm_head.weight` is the token embedding.
    """
    found = {name: p.detach().cpu().clone() for name, p in _slots(model)}
    found.setdefault(HEAD, found[EMBEDDING])
    return found


def load_gpt2(model: GPT, weights: Mapping[str, Any]) -> None:
    """Put weights under GPT-2's names into a model.

    Every layer of `weights` must be there. A layer that shares another's weights at present (a tied layer) has none of
    its own: what is given for it is checked and left out.

    Args:
        model: Of the same shape, under any ties. Nothing is changed where an error is raised.
        weights: Name -> tensor or array. `lm_head.weight` may be left out where the head is the token embedding, and
            must equal it otherwise. Buffers with the causal mask (`transformer.h.N.attn.bias`) are left out.

    Raises:
        ConfigError: Names that are missing or unknown, another shape or orientation, or values that are not finite.
    """
    given = {name: value for name, value in weights.items() if not _MASK.fullmatch(name)}
    wanted = dict(_slots(model))
    _check_names(given, wanted, tied_head=model.head_linear is None)
    tensors = {name: _checked(name, given[name], p) for name, p in wanted.items()}
    if HEAD in given and HEAD not in wanted:
        head = _checked(HEAD, given[HEAD], wanted[EMBEDDING])
        if not torch.equal(head, tensors[EMBEDDING]):
            raise ConfigError(
                f"Expected {HEAD} to equal {EMBEDDING}, since the head is the token embedding, but they differ.",
                "Leave it out, or set tie_head=False.",
            )
    blocks = model.stack.blocks
    own = {f"transformer.h.{layer}." for layer, first in enumerate(blocks) if layer == first}
    with torch.no_grad():
        for name, p in wanted.items():
            if not name.startswith("transformer.h.") or name[: name.index(".", len("transformer.h.")) + 1] in own:
                p.copy_(tensors[name])


def _slots(model: GPT) -> Iterator[tuple[str, Parameter]]:
    """Every position's Parameter under GPT-2's name, layer by layer; a shared one comes once per layer."""
    for name, p in model.named_parameters():
        if name in _OUTER:
            yield _OUTER[name], p
    for layer, block in enumerate(model.stack.layers):
        for name, p in block.named_parameters():
            module, _, kind = name.rpartition(".")
            yield f"transformer.h.{layer}.{_BLOCK[module]}.{kind}", p


def _check_names(given: Mapping[str, Any], wanted: Mapping[str, Parameter], *, tied_head: bool) -> None:
    missing = sorted(wanted.keys() - given.keys())
    odd = sorted(given.keys() - wanted.keys() - ({HEAD} if tied_head else set()))
    if missing or odd:
        parts = [
            f"{len(names)} {what} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
            for names, what in ((missing, "missing"), (odd, "unknown"))
            if names
        ]
        raise ConfigError(
            f"Expected {len(wanted)} weights under GPT-2's names, but there are {' and '.join(parts)}.",
            "Set layers, bias, positions and tie_head as in the model that the weights are from; `export_gpt2` shows "
            "every name that is wanted.",
        )


def _checked(name: str, value: Any, wanted: Tensor) -> Tensor:
    try:
        tensor = torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ConfigError(f"Expected a tensor for {name}, but got {type(value).__name__} ({error}).") from None
    if tensor.shape != wanted.shape:
        turned = tensor.dim() == 2 and tensor.T.shape == wanted.shape
        raise ConfigError(
            f"Expected {name} of shape {tuple(wanted.shape)}, but got {tuple(tensor.shape)}.",
            "It looks transposed: hand in the block's matrices out x in, as in nn.Linear."
            if turned
            else "Set width, context and the vocabulary as in the model that the weights are from (rows of "
            "transformer.wpe.weight beyond the context are never used: cut them off).",
        )
    if not tensor.is_floating_point() or not bool(torch.isfinite(tensor).all()):
        found = "others" if tensor.is_floating_point() else tensor.dtype
        raise ConfigError(
            f"Expected finite floating-point numbers in {name}, but got {found}.",
            "Hand in weights of a model that has not diverged.",
        )
    return tensor.to(wanted.device, wanted.dtype)
