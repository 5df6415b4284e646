"""What users of the peers have or ask for, tried one by one: ``results/features.md``.

Every row of ``features.toml`` is run, and ticked when its last expression is true.
Numbers are those of the list of features that the project was planned with, of which
the first (P0) and second (P1) priority are here.
``python benchmarks/features.py`` tries all; ``--rows 1 10`` tries
some and leaves the other lines of the page as they are.
"""

from __future__ import annotations

import argparse
import ast
import os
import platform
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "benchmarks" / "features.toml"
OUT = ROOT / "benchmarks" / "results" / "features.md"

SETUP = """
import numpy as np, xarray as xr, xstefaland
from xstefaland.testing import example_points, example_grid, tiny_weights, tiny_head

ds = example_points(sites=3, days=800)
grid = example_grid(rows=2, columns=2, days=400)
flow = ds.stefaland.predict("streamflow")
"""


@dataclass(frozen=True)
class Feature:
    """One feature: its number, what it is, code or tests that show it, a remark."""

    number: int
    feature: str
    code: str = ""
    tests: str = ""
    remark: str = ""


def rows() -> list[Feature]:
    """Read the table."""
    return [Feature(**row) for row in tomllib.loads(TABLE.read_text("utf-8"))["row"]]


def run_code(code: str, names: dict[str, Any]) -> bool:
    """Run statements, and say whether the last expression is true."""
    tree = ast.parse(code)
    last = tree.body.pop()
    assert isinstance(last, ast.Expr)
    exec(compile(tree, "features", "exec"), names)
    return bool(eval(compile(ast.Expression(last.value), "features", "eval"), names))


def run_tests(arguments: str) -> bool:
    """Run tests; some must be there and all pass."""
    command = [sys.executable, "-m", "pytest", "-q", *split(arguments)]
    marks = ["-m", "not slow and not network", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *marks], cwd=ROOT, capture_output=True, text=True, check=False
    )
    sys.stdout.write("\n".join(done.stdout.splitlines()[-3:]) + "\n")
    return done.returncode == 0


def split(arguments: str) -> list[str]:
    """Arguments of pytest; what follows ``-k`` is one."""
    files, _, words = arguments.partition(" -k ")
    return files.split() + (["-k", words] if words else [])


def tried(row: Feature, names: dict[str, Any]) -> str:
    """Run one row: a tick, or what went wrong."""
    if not row.code and not row.tests:
        return "not yet"
    try:
        works = run_tests(row.tests) if row.tests else run_code(row.code, names)
    except Exception as error:  # the table shows it
        return f"no: {type(error).__name__}: {str(error).splitlines()[0]}"
    return "yes" if works else "no"


def line_of(row: Feature, result: str) -> str:
    """Write one line of the table."""
    shown = f"pytest {row.tests}" if row.tests else "; ".join(row.code.splitlines())
    command = "`{}`".format(shown.replace("|", "\\|")) if shown else ""
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M}"
    cells = (row.number, row.feature, result, command, row.remark, now)
    return f"| {' | '.join(map(str, cells))} |"


def lines_there() -> dict[int, str]:
    """Lines of the page as it is, by number."""
    if not OUT.exists():
        return {}
    found = (each.split("|", 2) for each in OUT.read_text("utf-8").splitlines())
    return {
        int(parts[1]): "|".join(parts)
        for parts in found
        if len(parts) == 3 and parts[1].strip().isdigit()
    }


def text(lines: dict[int, str]) -> str:
    """Write the page."""
    import torch

    count = sum("| yes |" in line for line in lines.values())
    head = f"""# Features, tried one by one

`python benchmarks/features.py`, Linux, Python {platform.python_version()}, torch
{torch.__version__}. {count} of {len(lines)} rows work.

Each command was run after the lines below, at the time (UTC) in the last column.
`folder` is an empty folder, `root` that of the repository. "yes" means that the last
expression of the command was true, or that its tests passed.

```python{SETUP}```

| # | feature | works | command | remark | tried |
| --- | --- | --- | --- | --- | --- |
"""
    return head + "\n".join(lines[number] for number in sorted(lines)) + "\n"


def main() -> int:
    """Try all rows, or those that are named; returns how many did not work."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="*", help="numbers; default: all")
    wanted = parser.parse_args().rows or [row.number for row in rows()]
    lines, failed = lines_there(), 0
    with tempfile.TemporaryDirectory() as folder:
        names: dict[str, Any] = {"folder": folder, "root": str(ROOT)}
        before = dict(os.environ)
        exec(SETUP, names)
        for row in (row for row in rows() if row.number in wanted):
            result = tried(row, names)
            failed += result != "yes"
            lines[row.number] = line_of(row, result)
            print(row.number, row.feature, "->", result, flush=True)
            OUT.write_text(text(lines), encoding="utf-8")
            os.environ.clear()
            os.environ.update(before)
    return failed


if __name__ == "__main__":
    sys.exit(main())
