"""Components found by name: what is registered, in which order, and what a name that nobody registered is told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from layertie_lab.core.descriptions import Description, Registry
from layertie_lab.core.errors import ConfigError

PACKAGE = """
from layertie_lab.core.descriptions import Description
from {kinds} import KINDS

@KINDS.register(Description("{name}", "{name}"))
def {name}():
    return "{name}"
"""


@pytest.fixture
def kinds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A registry with two built-in modules, of which the second was imported first, and a package's entry point."""
    monkeypatch.syspath_prepend(str(tmp_path))
    name = tmp_path.name.replace("-", "_")
    modules = [f"{name}_{module}" for module in ("first", "second")]
    (tmp_path / f"{name}_kinds.py").write_text(
        "from layertie_lab.core.descriptions import Registry\n"
        f"KINDS = Registry('kind', {modules!r}, 'layertie_lab.test_{name}')\n"
    )
    for module in ("first", "second", "package"):
        text = PACKAGE.format(kinds=f"{name}_kinds", name=module)
        (tmp_path / f"{name}_{module}.py").write_text(text)
    packaged = tmp_path / f"{name}.dist-info"
    packaged.mkdir()
    (packaged / "METADATA").write_text(f"Name: {name}\nVersion: 1\n")
    (packaged / "entry_points.txt").write_text(
        f"[layertie_lab.test_{name}]\npackage = {name}_package\nbroken = {name}_absent\n"
    )
    __import__(f"{name}_second")
    return sys.modules[f"{name}_kinds"].KINDS


def test_built_in_ones_come_in_their_order_then_packages(kinds: Registry) -> None:
    with pytest.warns(UserWarning, match=r"The kind broken .* could not be loaded: ModuleNotFoundError"):
        assert kinds.names == ("first", "second", "package")
    assert kinds.get("package")() == "package"
    assert kinds.describe("first").title == "first"
    assert "second" in kinds
    assert "third" not in kinds


def test_a_name_that_nobody_registered_is_told_what_there_is_and_what_failed(kinds: Registry) -> None:
    with pytest.warns(UserWarning, match="broken"):
        assert len(list(kinds)) == 3
    with pytest.raises(ConfigError) as told:
        kinds.get("third")
    assert "a kind out of first, second, package, but got 'third'" in str(told.value)
    assert "broken" in str(told.value)
    assert "layertie_lab.test_" in told.value.remedy


def test_a_name_is_taken_once_but_may_be_defined_anew() -> None:
    kinds: Registry[Description, object] = Registry("kind")

    def defined() -> object:
        @kinds.register(Description("one", "One"), Description("two", "Two"))
        class One:
            pass

        return One

    defined()
    latest = defined()
    assert kinds.get("two") is latest
    with pytest.raises(ConfigError, match=r"'one' is .*One"):
        kinds.register(Description("one", "Other"))(len)
