"""LAMBADA: whole novels for training, passages for evaluation, as in the paper."""

from __future__ import annotations

from ..sources import Source
from .hub import HubName, hub_source
from .registry import CORPORA, CorpusDescription


@CORPORA.register(
    CorpusDescription(
        "lambada",
        "LAMBADA",
        about="LAMBADA: novels for training, passages for evaluation, official splits (downloaded or streamed)",
        reads="the Hugging Face hub",
    )
)
def lambada() -> Source:
    """The Hugging Face data set, downloaded once or streamed."""
    return hub_source(HubName("cimec/lambada", "plain_text", "text"), "lambada")
