"""One Billion Words: shuffled sentences of news, as in the paper."""

from __future__ import annotations

from ..sources import Source
from .hub import HubName, hub_source
from .registry import CORPORA, CorpusDescription


@CORPORA.register(
    CorpusDescription(
        "one-billion-words",
        "One Billion Words",
        about="One Billion Words: shuffled news sentences, 4 GB, official test split (downloaded or streamed)",
        reads="the Hugging Face hub",
    )
)
def one_billion_words() -> Source:
    """The Hugging Face data set, downloaded once or streamed."""
    return hub_source(HubName("dvruette/lm1b", None, "text"), "one-billion-words")
