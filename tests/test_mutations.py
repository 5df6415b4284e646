"""The mutants of `make mutants`: one change each, where code runs."""

from __future__ import annotations

import importlib.util
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

PATH = Path(__file__).parent.parent / "benchmarks" / "mutations.py"
SOURCE = b'''"""Words 1 < 2."""
from typing import Literal
LIMIT: Literal[3] = 5

def area(width: float, *, twice: bool = False) -> float:
    """Return width + 1."""
    if not width > 0:
        raise ValueError("a" + "b")
    out = [abs(width) * 2]
    out[0] += 1
    return max(out) if twice else sum(out[:LIMIT], start=0)
'''


@pytest.fixture(scope="module")
def tool() -> Any:
    """The module, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("mutations", PATH)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutations"] = module
    assert spec.loader is not None
    spec.loader.exec_module(module)
    return module


def test_mutations_are_those_expected(tool: Any) -> None:
    """Every kind once where it can be; texts, annotations and docs stay."""
    found = {(m.line, m.old, m.new) for m in tool.mutations(SOURCE)}
    assert found == {
        (3, "5", "(6)"),
        (3, "5", "(4)"),
        (5, "False", "(True)"),
        (7, "not width > 0", "(width > 0)"),
        (7, "width > 0", "(width >= 0)"),
        (7, "0", "(1)"),
        (7, "0", "(-1)"),
        (8, 'raise ValueError("a" + "b")', "pass"),
        (9, "abs(width) * 2", "(abs(width) / 2)"),
        (9, "abs(width)", "(width)"),
        (9, "2", "(3)"),
        (9, "2", "(1)"),
        (10, "out[0] += 1", "pass"),
        (10, "0", "(1)"),
        (10, "0", "(-1)"),
        (10, "1", "(2)"),
        (10, "1", "(0)"),
        (11, "max(out)", "(min(out))"),
        (
            11,
            "max(out) if twice else sum(out[:LIMIT], start=0)",
            "(sum(out[:LIMIT], start=0) if twice else max(out))",
        ),
        (11, "sum(out[:LIMIT], start=0)", "(mean(out[:LIMIT], start=0))"),
        (11, "sum(out[:LIMIT], start=0)", "(sum(out[:LIMIT]))"),
        (11, "out[:LIMIT]", "(out[:LIMIT - 1])"),
        (11, "0", "(1)"),
        (11, "0", "(-1)"),
    }


def test_a_probe_runs_where_the_mutant_is(tool: Any) -> None:
    """Only mutants of code that runs leave their mark; all still compile."""
    marked = set()
    for mutation in tool.mutations(SOURCE):
        seen: list[int] = []
        names: dict[str, Any] = {"seen": seen}
        probed = mutation.apply(SOURCE, "seen.append(1)")
        exec(compile(probed, "probed", "exec"), names)
        del seen[:]
        for width in (2.0, 3.0):
            with suppress(NameError, ValueError, IndexError):
                names["area"](width)
        if seen:
            marked.add(mutation.line)
    assert marked == {7, 9, 10, 11}


def test_the_package_has_mutants_that_compile(tool: Any) -> None:
    """Each file of the model changes in one place, and is Python still."""
    for path in sorted((PATH.parent.parent / "xstefaland" / "model").glob("*.py")):
        source = path.read_bytes()
        found = tool.mutations(source)
        assert len(found) == len(set(found))
        for mutation in found[::7]:
            changed = mutation.apply(source)
            assert changed != source
            compile(changed, str(path), "exec")
