"""WikiText: Wikipedia's good articles, raw, as in the paper."""

from __future__ import annotations

from ..sources import Source
from .hub import HubName, hub_source
from .registry import CORPORA, CorpusDescription


@CORPORA.register(
    CorpusDescription(
        "wikitext-2",
        "WikiText-2",
        about="Wikipedia's good articles, 13 MB, official splits (downloaded)",
        reads="the Hugging Face hub",
    )
)
def wikitext_2() -> Source:
    """The Hugging Face data set, downloaded once or streamed."""
    return hub_source(HubName("Salesforce/wikitext", "wikitext-2-raw-v1", "text"), "wikitext-2")


@CORPORA.register(
    CorpusDescription(
        "wikitext-103",
        "WikiText-103",
        about="Wikipedia's good articles, 540 MB, official splits (downloaded or streamed)",
        reads="the Hugging Face hub",
    )
)
def wikitext_103() -> Source:
    """The Hugging Face data set, downloaded once or streamed."""
    return hub_source(HubName("Salesforce/wikitext", "wikitext-103-raw-v1", "text"), "wikitext-103")
