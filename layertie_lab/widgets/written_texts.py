"""Texts that models wrote, side by side, with what differs marked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import traitlets

from .panel import Panel


class WrittenTexts(Panel, files=("written_texts.js", "written_texts.css")):
    """Texts in columns, or one below the other where the page is narrow.

    Attributes:
        sentences: What a reader should know of them, above them.
        texts: For each `title` (over it, or ""), `given` (what it began with, in a softer colour), `text` and `differs`
            (the rest, which is marked, or "").
    """

    sentences = traitlets.List(traitlets.Unicode()).tag(sync=True)
    texts = traitlets.List(traitlets.Dict()).tag(sync=True)

    def set(self, texts: Sequence[dict[str, Any]], sentences: Sequence[str] = ()) -> None:
        """Show these texts, in place of any others."""
        self.show(texts=list(texts), sentences=list(sentences))
