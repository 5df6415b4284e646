"""Write the rows: a table to read, and files for programs."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from behaviour.experiment import Verdict

INTRODUCTION = """Each line is an experiment: what is done, what is measured, the rule \
and why physics sets it. A cell is the median over the sites, how many of them keep to \
the rule, and **FAIL** where one does not; a pass needs all sites. Kinds: `direction` \
(the answer must move the right way), `size` (by a possible amount), `invariance` (it \
must not move), `range` (it must be possible). `observed` is the same measure of the \
observations, where there are any, and the share of sites that keep to the rule."""


STRANGE = (float("inf"), -float("inf"))  # not in JSON, as what is not a number


def markdown(rows: Sequence[Verdict], facts: Sequence[str], hidden: str = "") -> str:
    """Write the table, what it sums up to, and the failures.

    A head whose label begins with `hidden` is summed up, but has no column.
    """
    shown = [row for row in rows if not hidden or not row.head.startswith(hidden)]
    lines = ["# Behaviour", "", INTRODUCTION, "", *(f"* {x}" for x in facts), ""]
    lines += [*_summary(rows), "", "## Experiments", "", *_experiments(shown), ""]
    return "\n".join([*lines, "## Failures", "", *_failures(rows)]) + "\n"


def write(rows: Sequence[Verdict], text: str, folder: Path) -> None:
    """Write ``behaviour.md``, ``behaviour.csv`` and ``behaviour.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "behaviour.md").write_text(text, encoding="utf-8")
    entries = [
        {k: v if v not in STRANGE and v == v else None for k, v in asdict(row).items()}
        for row in rows
    ]
    text = json.dumps(entries, indent=1, allow_nan=False)
    (folder / "behaviour.json").write_text(text + "\n", encoding="utf-8")
    with (folder / "behaviour.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(entries[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(entries)


def _heads(rows: Sequence[Verdict]) -> list[str]:
    return list(dict.fromkeys(row.head for row in rows))


def _summary(rows: Sequence[Verdict]) -> list[str]:
    """Count passes by head and kind."""
    kinds = list(dict.fromkeys(row.kind for row in rows))
    lines = [_line(["head", *kinds, "all"]), _line(["--"] + ["--:"] * (len(kinds) + 1))]
    for head in _heads(rows):
        own = [row for row in rows if row.head == head]
        counts = [_count([r for r in own if r.kind == kind]) for kind in kinds]
        lines.append(_line([head, *counts, _count(own)]))
    return lines


def _count(rows: Sequence[Verdict]) -> str:
    return f"{sum(row.passed for row in rows)} of {len(rows)}" if rows else ""


def _experiments(rows: Sequence[Verdict]) -> list[str]:
    """One line per experiment, one column per head."""
    heads = _heads(rows)
    grouped: dict[tuple[str, ...], dict[str, Verdict]] = {}
    for row in rows:
        key = (row.name, row.measured, row.rule, row.expected, row.kind)
        grouped.setdefault(key, {})[row.head] = row
    columns = ["done", "measured", "rule", "expected", "kind", *heads, "observed"]
    lines = [_line(columns), _line(["--"] * 5 + ["--:"] * (len(heads) + 1))]
    for key, found in grouped.items():
        seen = next((r for r in found.values() if r.observed is not None), None)
        cells = [_cell(found.get(head)) for head in heads]
        last = f"{seen.observed:.3g} ({seen.observed_agree:.0%})" if seen else ""
        lines.append(_line([*key, *cells, last]))
    return lines


def _cell(row: Verdict | None) -> str:
    if row is None:
        return ""
    if row.value is None:
        return f"**FAIL** {row.problem}"
    text = f"{row.value:.3g} ({row.agree}/{row.sites})"
    return text if row.passed else f"**FAIL** {text}"


def _failures(rows: Sequence[Verdict]) -> list[str]:
    """Name each failure with its worst value."""
    failed = [row for row in rows if not row.passed]
    return [
        f"* {row.head}: {row.name} ({row.kind}): {row.measured}: "
        + (f"worst {row.worst:.3g}, " if row.worst is not None else f"{row.problem}, ")
        + f"rule {row.rule}"
        for row in failed
    ] or ["None."]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
