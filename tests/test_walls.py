"""Which room may import which, read from the source: imports inside functions and those for types alone included."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "layertie_lab"
FLOORS = {
    "core": set(),
    "text": {"core"},
    "models": {"core"},
    "training": {"core", "models"},
    "agent": {"core"},
    "records": {"core"},
    "charts": {"core"},
    "analysis": {"core", "models", "records"},
    "session": {"core", "text", "models", "training", "agent", "records"},
    # A look opens a run through the one door, which is the session's.
    "inspection": {"core", "text", "models", "agent", "records", "analysis", "charts", "session"},
}
"""Room -> the rooms that it may import, for the rooms whose neighbours are chosen."""
FLOORS["workers"] = {*FLOORS} | {"workers"}
FLOORS["counterfactual"] = {*FLOORS} | {"counterfactual"}
FLOORS["widgets"] = {"core", "charts"}
FLOORS["explorer"] = {*FLOORS} | {"explorer"}
FLOORS["bench"] = {*FLOORS} | {"bench"}
FLOORS["cli"] = {*FLOORS} | {"cli"}
NO_TORCH = {"core", "records", "charts", "widgets"}
MAX_LINES = 600


def name_of(path: Path) -> str:
    """The dotted name of a file of the package."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> list[str]:
    """Absolute dotted names of everything a file imports, wherever in the file."""
    found = []
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            prefix = ".".join([*base, node.module] if node.module else base)
            found += [f"{prefix}.{alias.name}" for alias in node.names]
    return found


def files(room: str = "") -> list[Path]:
    return sorted((PACKAGE / room).rglob("*.py"))


def neighbours() -> dict[str, set[str]]:
    """Module -> the modules of the package that it imports."""
    modules = {name_of(path): path for path in files()}
    found: dict[str, set[str]] = {}
    for module, path in modules.items():
        wanted = set()
        for name in imports(path):
            known = name if name in modules else name.rpartition(".")[0]
            if known in modules:
                wanted.add(known)
        found[module] = wanted - {module}
    return found


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Groups of nodes that reach one another."""
    reach: dict[str, set[str]] = {}
    for start in graph:
        seen, todo = set(), [start]
        while todo:
            for following in graph.get(todo.pop(), ()):
                if following not in seen:
                    seen.add(following)
                    todo.append(following)
        reach[start] = seen
    found = []
    for node in graph:
        if node in reach[node]:
            group = {other for other in reach[node] if node in reach[other]}
            if group not in found:
                found.append(group)
    return found


def test_circles_are_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [{"a", "b", "c"}]
    assert not circles({"a": {"b", "c"}, "b": {"c"}, "c": set()})


def test_no_two_files_import_each_other() -> None:
    assert circles(neighbours()) == []


def test_every_room_has_its_walls() -> None:
    assert {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()} == set(FLOORS)


@pytest.mark.parametrize("room", FLOORS)
def test_room_imports_only_its_neighbours(room: str) -> None:
    allowed = FLOORS[room] | {room, "__version__"}
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path in files(room)
        for name in imports(path)
        if name.startswith("layertie_lab.") and name.split(".")[1] not in allowed
    ]
    assert not wrong


@pytest.mark.parametrize("room", sorted(NO_TORCH))
def test_rooms_without_torch(room: str) -> None:
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path in files(room)
        for name in imports(path)
        if name.split(".")[0] in {"torch", "transformers"}
    ]
    assert not wrong


def test_core_is_standard_library_only() -> None:
    wrong = [
        f"{path.name} imports {name}"
        for path in files("core")
        for name in imports(path)
        if name.split(".")[0] not in {*sys.stdlib_module_names, "layertie_lab"}
    ]
    assert not wrong


def test_no_marimo_in_the_package() -> None:
    """But in the command that starts it."""
    uses = {path for path in files() for name in imports(path) if name.split(".")[0] == "marimo"}
    assert uses == {PACKAGE / "cli" / "explore.py"}


def test_apps_hold_cells_alone() -> None:
    apps = sorted((ROOT / "apps").glob("*.py"))
    assert apps
    for path in apps:
        assert "marimo.App" in path.read_text(encoding="utf-8"), f"{path.name} is no marimo document"
        rooms = {name.split(".")[1] for name in imports(path) if name.startswith("layertie_lab.")}
        assert rooms <= {"explorer"}, f"{path.name} imports {rooms}"
        defined = [node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.ClassDef)]
        assert not defined


def test_no_private_name_of_another_module() -> None:
    wrong = []
    for path in [*files(), *sorted((ROOT / "apps").glob("*.py"))]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for name in imports(path):
            last = name.rpartition(".")[2]
            if name.startswith("layertie_lab.") and last.startswith("_") and not last.startswith("__"):
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
        own = {
            *(node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and is_self(node.value)),
            *(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)),
            *(node.id for node in ast.walk(tree) if isinstance(node, ast.Name)),
            *(node.target.id for node in ast.walk(tree) if isinstance(node, ast.AnnAssign) and is_name(node.target)),
        }
        for node in ast.walk(tree):
            # What is private to a class may be read by the functions beside it in its file; torch's `_parameters` and
            # the like are its way to share a Parameter, and are named in `OTHERS_OWN`.
            private = isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__")
            if private and node.attr not in own | OTHERS_OWN and root_of(node) not in {"torch", "os"}:
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} uses {ast.unparse(node)}")
    assert not wrong


OTHERS_OWN = {
    "_cdata",
    "_run_exitfuncs",
    "_parameters",
    "_buffers",
    "_modules",
    "_saved_tensors",
    "_replace",
    "_asdict",
}


def root_of(node: ast.expr) -> str:
    """The first name of a dotted expression."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in {"self", "cls"}


def is_name(node: ast.expr) -> bool:
    return isinstance(node, ast.Name)


def test_files_write_only_in_records_and_print_only_in_the_command_line() -> None:
    wrong = []
    for path in files():
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
        for path in files()
        if len(path.read_text(encoding="utf-8").splitlines()) > MAX_LINES
    ]
    drawers = [p.name for p in files() if p.stem in {"utils", "helpers", "misc", "common"}]
    assert not long
    assert not drawers


def test_the_paths_that_contributing_names_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    named = set(re.findall(r"`(?:layertie_lab/)?([a-z0-9_/]+(?:\.py|/))`", text))
    named -= {"registry.py", "tests/", "tests/test_walls.py"}
    assert len(named) > 30
    assert [path for path in sorted(named) if not (ROOT / "layertie_lab" / path).exists()] == []
