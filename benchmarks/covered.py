"""Write the table of lines and branches that tests run, room by room.

``make coverage`` runs the quick tests under coverage.py and then this, which reads what
they left in ``.coverage``. Where only some rooms were tested, ``--rooms`` names them:
what other rooms' tests run of them is not counted then, nor is anything else shown.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "coverage.md"
PACKAGE = "xstefaland"
TOP = "(top)"  # modules beside the rooms
PARTS = ("num_statements", "covered_lines", "num_branches", "covered_branches")


def measured(root: Path) -> dict[str, Counter[str]]:
    """Add up what coverage.py has recorded in a folder, by room."""
    words = [sys.executable, "-m", "coverage", "json", "--quiet", "-o", "-"]
    told = subprocess.run(words, cwd=root, check=True, capture_output=True, text=True)
    return by_room(json.loads(told.stdout)["files"])


def by_room(files: Mapping[str, Mapping[str, Any]]) -> dict[str, Counter[str]]:
    """Add up statements and branches of the modules of each room.

    Examples
    --------
    >>> summary = {"num_statements": 4, "covered_lines": 3}
    >>> dict(
    ...     by_room({"xstefaland/metrics/pairing.py": {"summary": summary}})["metrics"]
    ... )
    {'num_statements': 4, 'covered_lines': 3, 'num_branches': 0, 'covered_branches': 0}
    """
    rooms: dict[str, Counter[str]] = defaultdict(Counter)
    for name, file in files.items():
        inside = Path(name).parts[Path(name).parts.index(PACKAGE) + 1 :]
        summary = file["summary"]
        counts = {part: summary.get(part, 0) for part in PARTS}
        rooms[inside[0] if len(inside) > 1 else TOP].update(counts)
    return dict(rooms)


def table(rooms: Mapping[str, Counter[str]]) -> str:
    """Write a line for each room, and one for all."""
    lines = ["| room | statements | branches | covered |", "| --- | --- | --- | --- |"]
    total: Counter[str] = Counter()
    for counts in rooms.values():
        total.update(counts)
    for name, counts in [*sorted(rooms.items()), ("all of these", total)]:
        sizes = f"{counts['num_statements']} | {counts['num_branches']}"
        lines.append(f"| {name} | {sizes} | {share(counts):.1f} % |")
    return "\n".join(lines)


def share(counts: Mapping[str, int]) -> float:
    """Return the covered statements and branches of all [%], as coverage.py does."""
    every = counts["num_statements"] + counts["num_branches"]
    covered = counts["covered_lines"] + counts["covered_branches"]
    return 100 * covered / every if every else 100.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the table from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rooms", nargs="+", help="those whose tests were run")
    parser.add_argument("--out", type=Path, default=RESULT)
    given = parser.parse_args(arguments)
    rooms = measured(ROOT)
    which = "the quick tests (`make coverage`)"
    if given.rooms:
        rooms = {name: counts for name, counts in rooms.items() if name in given.rooms}
        which = "the quick tests of these rooms alone (`--rooms`), not of the others"
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT, check=False, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    text = f"Statements and branches that run in {which}, {date.today()}, {commit}.\n"
    given.out.write_text(f"# Coverage\n\n{text}\n{table(rooms)}\n", encoding="utf-8")
    print(given.out.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
