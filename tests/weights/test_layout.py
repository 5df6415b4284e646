"""The room's modules: imports go one way, wherever in a file they stand."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import xstefaland.weights

ROOM = Path(xstefaland.weights.__file__).parent
NAME = "xstefaland.weights"


def typing_only(tree: ast.Module) -> set[ast.AST]:
    """What stands under ``if TYPE_CHECKING:`` and is never run."""
    return {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }


def imported(path: Path, modules: set[str]) -> set[str]:
    """Modules of the room that a file imports, at its top or inside a function."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped, found = typing_only(tree), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node not in skipped and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names} & modules
            found |= inner or ({node.module} & modules)
    return found


def test_no_import_circle() -> None:
    """There is an order in which each module needs only those before it."""
    files = {
        ".".join([NAME, *path.relative_to(ROOM).with_suffix("").parts]): path
        for path in ROOM.rglob("*.py")
    }
    graph = {name: imported(path, set(files)) for name, path in files.items()}
    assert graph[f"{NAME}.opening"] >= {f"{NAME}.cache", f"{NAME}.registry"}
    order = list(TopologicalSorter(graph).static_order())
    assert order.index(f"{NAME}.network") < order.index(f"{NAME}.files")
