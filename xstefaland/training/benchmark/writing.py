"""What a benchmark leaves: a page in Markdown, tables in CSV, figures."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from xstefaland.training.benchmark import figures
from xstefaland.training.benchmark.outcome import Outcome
from xstefaland.training.benchmark.published import PUBLISHED
from xstefaland.training.benchmark.statistics import LEVEL, centres, paired

WHY = "why"
"""Folder of texts beside the pages: what won and why, with the interval."""


def write(outcome: Outcome, folder: Path, name: str | None = None) -> Path:
    """Write the page ``<name>.md``, ``<name>.csv`` (sites) and figures.

    Parameters
    ----------
    outcome : Outcome
        What :func:`~xstefaland.training.benchmark.running.run_benchmark` returned.
    folder : Path
        Where they go.
    name : str, optional
        Of the page, where a benchmark has several; default: the benchmark's.

    Returns
    -------
    Path
        The page.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = (name or outcome.protocol.name) + ("-quick" * bool(outcome.about["quick"]))
    outcome.scores.round(5).to_csv(folder / f"{name}.csv", index=False)
    pictures = figures.draw(outcome, folder, name)
    path = folder / f"{name}.md"
    path.write_text("\n\n".join(_page(outcome, pictures)) + "\n")
    return path


def _page(outcome: Outcome, pictures: Sequence[tuple[str, str]]) -> list[str]:
    """Write the parts of the page."""
    protocol, scores = outcome.protocol, outcome.scores
    table = centres(scores, protocol.scores)
    first = protocol.scores[0]
    kind = (
        "Means over folds of scores over sites"
        if _static(scores)
        else "Medians over sites"
    )
    parts = [
        f"# {protocol.title}",
        protocol.note,
        _about(outcome),
        f"## Scores\n\n{kind} that no system was trained on; ± is the standard "
        f"deviation of `{first}` over folds and over seeds.",
        markdown(_one_target(table)),
    ]
    for name in protocol.scores[:2] if not _static(scores) else (first,):
        differences = _one_target(paired(scores, name))
        if len(differences):
            parts += [
                f"## Differences in `{name}`\n\nAt the same sites, with the "
                f"{LEVEL:.0%} interval over sites drawn with "
                "replacement; `clear`: it leaves out zero.",
                markdown(differences),
            ]
    parts += [f"![{text}]({file})" for file, text in pictures]
    if protocol.published:
        parts.append(_published(protocol.published))
    return [part for part in parts if part]


def _static(scores: pd.DataFrame) -> bool:
    """Whether scores are of a target without time: answers, not series."""
    return "observed" in scores


def _one_target(table: pd.DataFrame) -> pd.DataFrame:
    """Leave the target out where there is one alone."""
    return table.drop(columns="target") if table["target"].nunique() < 2 else table


def _about(outcome: Outcome) -> str:
    """Say in a few lines with what, how long and on what it was run."""
    about: dict[str, Any] = outcome.about
    seeds, folds = outcome.scores["seed"].nunique(), outcome.scores["fold"].nunique()
    lines = [
        f"{datetime.now(UTC).date()}, {os.cpu_count()} cores {platform.machine()}, "
        f"load {os.getloadavg()[1]:.1f}; {folds} folds, {seeds} seeds"
        + _budget(about["settings"]),
        _encoder(outcome),
        "Data: " + ", ".join(f"{k} {v}" for k, v in about["data"].items()) + ".",
    ]
    if about["stopped"]:
        pieces = ", ".join(f"{k} at {v:.0%}" for k, v in about["stopped"].items())
        lines.append(
            f"Stopped after {about['hours']:g} hours, and without a score there: "
            f"{pieces}."
        )
    lines += [f"Not run: {reason}." for reason in about["skipped"].values()]
    if about["quick"]:
        lines.insert(0, "**A quick run, to see whether it works: no result.**")
    return "\n".join(lines)


def _encoder(outcome: Outcome) -> str:
    """Say which encoders there were, and how far they had seen the scored sites."""
    about: dict[str, Any] = outcome.about
    listed, scored, asked = (about[name] for name in ("unseen", "scored", "asked"))
    text = f"Encoder: {about['encoder']}. "
    if not (about["in_corpus"] or about["quick"]):
        return text + "No encoder is trained on these archives: all sites are scored."
    if listed < scored:
        return text + (
            f"Of {scored} scored sites, {listed} are on its list of sites left out; it "
            "may have seen the weather and attributes of the others."
        )
    text += f"It was trained at none of the {scored} scored sites"
    if scored == asked:
        return text + ", which are all of these folds."
    return text + (
        f"; the other {asked - scored} of these folds are not scored, as it was "
        "trained there or they have too few observations."
    )


def _budget(settings: Mapping[str, Any] | None) -> str:
    """Say for how long networks were trained, where any were."""
    if settings is None:
        return "."
    return (
        f"; networks: {settings['updates']} updates of {settings['batch_size']} "
        f"windows, {settings['precision']}."
    )


def _published(key: str) -> str:
    """Write up published scores, which stand apart."""
    data, names, rows = PUBLISHED[key]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(names))
    return (
        f"## Published, for other data\n\n{data}. Other sites, weather and periods: "
        "compare differences between systems, not numbers.\n\n"
        + markdown(table.rename_axis("system").reset_index())
    )


def markdown(table: pd.DataFrame) -> str:
    """Write a table in Markdown; numbers with three decimals, NaN as a dash.

    Examples
    --------
    >>> print(markdown(pd.DataFrame({"a": [0.12345], "b": [float("nan")]})))
    | a | b |
    | --- | --- |
    | 0.123 | - |
    """
    rows = [list(map(str, table.columns)), ["---"] * table.shape[1]]
    rows += [[_cell(value) for value in row] for row in table.itertuples(index=False)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _cell(value: object) -> str:
    """Write one entry of a table; a number that is not known is a dash."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return "-" if value != value else f"{value:.3f}"
    return str(value)


def collect(folder: Path, page: Path) -> None:
    """Join all pages of a folder into one page of the manual.

    Parameters
    ----------
    folder : Path
        Where :func:`write` wrote.
    page : Path
        Markdown that includes them, with paths relative to itself.

    Notes
    -----
    Quick runs are left out. Behind a page comes ``why/<its name>.md`` of the folder,
    where there is one: what won and why, in words.
    """
    found = [p for p in sorted(folder.glob("*.md")) if not p.stem.endswith("-quick")]
    lines = [
        "# Benchmarks",
        "Written by `xstefaland benchmark --page` from the files of "
        "the runs; no number was put in by hand. How each is made: "
        "{py:mod}`xstefaland.training.benchmark`.",
    ]
    for path in found:
        for part in (path, folder / WHY / path.name):
            if part.exists():
                relative = os.path.relpath(part, page.parent)
                lines.append(
                    f"```{{include}} {relative}\n:heading-offset: 1\n"
                    ":relative-images:\n```"
                )
    page.write_text("\n\n".join(lines) + "\n")
