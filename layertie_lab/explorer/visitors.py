"""One folder of runs for all visitors of a server, or one for each."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

from .query import Query
from .terms import EACH, Terms

VISITOR = "visitor"
"""The parameter of a page's address that is a visitor's key: who has the link has the runs."""
_KEY = re.compile(r"[0-9a-f]{32}")


def own_folder(terms: Terms, query: Query) -> Path:
    """The folder of runs of whoever opens a page; a key is put into its address where there is none yet."""
    if terms.visitors != EACH:
        return terms.runs
    key = str(query.get(VISITOR) or "")
    if not _KEY.fullmatch(key):
        key = secrets.token_hex(16)
        query.set(VISITOR, key)
    return terms.runs / f"visitor-{key}"
