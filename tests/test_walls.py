"""Which room may import which, read from the source, imports inside functions included."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "layertie_lab"
MAY_IMPORT = {
    "core": set(),
    "text": {"core"},
    "models": {"core"},
    "training": {"core", "models"},
    "agent": {"core"},
    "records": {"core"},
    "engine": {"core", "text", "models", "training", "agent", "records"},
    "analysis": {"core", "models", "records"},
    "inspection": {"core", "text", "models", "agent", "records", "analysis", "charts"},
    "charts": {"core"},
    "widgets": {"core", "charts"},
}
NO_TORCH = {"core", "records", "charts"}
# Tensors are what a checkpoint holds; safetensors' torch format needs the library that makes them.
TORCH_EXCEPT = {"records/checkpoints.py"}
MAX_LINES = 400


def imports(path: Path) -> list[str]:
    """Absolute dotted names of everything a file imports, wherever in the file."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                parts = ["layertie_lab", *path.relative_to(PACKAGE).parts[:-1]]
                base = parts[: len(parts) - node.level + 1]
                prefix = ".".join([*base, node.module] if node.module else base)
            else:
                prefix = node.module or ""
            found += [f"{prefix}.{alias.name}" for alias in node.names]
    return found


def files(room: str) -> list[Path]:
    return sorted((PACKAGE / room).rglob("*.py"))


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_room_imports_only_its_neighbours(room: str) -> None:
    allowed = MAY_IMPORT[room] | {room}
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path in files(room)
        for name in imports(path)
        if name.startswith("layertie_lab.") and name.split(".")[1] not in allowed | {"__version__"}
    ]
    assert not wrong


@pytest.mark.parametrize("room", sorted(NO_TORCH))
def test_rooms_without_torch(room: str) -> None:
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path in files(room)
        if str(path.relative_to(PACKAGE)) not in TORCH_EXCEPT
        for name in imports(path)
        if name.split(".")[0] in {"torch", "transformers"}
    ]
    assert not wrong


def test_core_is_standard_library_only() -> None:
    import sys

    wrong = [
        f"{path.name} imports {name}"
        for path in files("core")
        for name in imports(path)
        if name.split(".")[0] not in {*sys.stdlib_module_names, "layertie_lab"}
    ]
    assert not wrong


def test_no_marimo_in_the_package() -> None:
    assert not [str(path) for path in PACKAGE.rglob("*.py") for name in imports(path) if name.split(".")[0] == "marimo"]


def test_files_write_only_in_records_and_print_only_in_the_command_line() -> None:
    wrong = []
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).parts[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name == "print" and room not in {"cli.py", "cli"}:
                wrong.append(f"{path.relative_to(PACKAGE)}:{node.lineno} prints")
            if name in {"write_text", "write_bytes", "mkdir", "save_file", "write_parquet"} and room != "records":
                wrong.append(f"{path.relative_to(PACKAGE)}:{node.lineno} writes")
    assert not wrong


def test_no_file_is_too_long_or_a_drawer() -> None:
    long = [
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if len(path.read_text(encoding="utf-8").splitlines()) > MAX_LINES
    ]
    drawers = [p.name for p in PACKAGE.rglob("*.py") if p.stem in {"utils", "helpers", "misc", "common"}]
    assert not long
    assert not drawers
