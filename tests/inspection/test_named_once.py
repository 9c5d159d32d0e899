"""A component's name stands where it is defined, and as its module's name in the registry: nowhere else is a ladder."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import layertie_lab
from layertie_lab.analysis.attribution.registry import ATTRIBUTIONS
from layertie_lab.analysis.similarity.registry import SIMILARITIES
from layertie_lab.core.descriptions import Registry
from layertie_lab.inspection.views.registry import VIEWS
from layertie_lab.text.corpora.registry import CORPORA
from layertie_lab.text.tokenizers.registry import TOKENIZERS

PACKAGE = Path(layertie_lab.__file__).parent
REGISTRIES: dict[str, Registry] = {
    "analysis/similarity": SIMILARITIES,
    "analysis/attribution": ATTRIBUTIONS,
    "inspection/views": VIEWS,
    "text/corpora": CORPORA,
    "text/tokenizers": TOKENIZERS,
}
ALSO_WORDS = {
    *("weights", "updates", "function", "neighbours", "skipped"),
    *("memory", "tokens", "token", "sample", "costs", "profile", "similarity", "attribution", "reasons"),
    *("bytes", "characters", "pretrained"),
}
"""Names that are words of other things, too, in code."""
USED = {
    **{
        "pydoc": {"core/config.py", "cli/arguments.py", "explorer/comparison/entries.py"},
        "wikitext-2": {"core/presets.py"},
        "bpe": {"core/presets.py"},
    },
    "conductance": {"inspection/views/token.py"},
    "integrated-gradients": {"agent/explanations.py", "analysis/attribution/tokens.py", "inspection/views/token.py"},
}
"""Names that a default or a preset gives, that a view asks for, that recorded runs were made with, or that are methods
of something else, too."""


def constants(path: Path) -> set[str]:
    """The texts in a file, docstrings left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said
    }


@pytest.mark.parametrize("room", REGISTRIES)
def test_a_name_stands_where_its_component_is_defined(room: str) -> None:
    registry = REGISTRIES[room]
    texts = {path.relative_to(PACKAGE).as_posix(): constants(path) for path in sorted(PACKAGE.rglob("*.py"))}
    for name in {*registry.names} - ALSO_WORDS:
        own = registry.get(name).__module__.removeprefix("layertie_lab.").replace(".", "/") + ".py"
        # The bench times some by name.
        known = {own, f"{room}/registry.py", *USED.get(name, ())}
        assert [place for place in texts if name in texts[place] and place not in known and "bench/" not in place] == []
