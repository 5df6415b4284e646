"""Tables of the pilots: medians, and paired differences with intervals over sites.

    python -m benchmarks.pilots.report --runs RUNS

Writes ``benchmarks/results/pilots.md`` (tables), ``pilots.csv`` (every score of every
site) and ``pilots_curves.csv`` (learning curves of the encoders).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

RESULTS = Path(__file__).parent.parent / "results"
KEYS = ["target", "system", "encoder", "seed", "inputs", "site"]
DRAWS = 2000
SCORE = {"streamflow": "nse", "soil_moisture": "ubrmse"}
PAIRS: tuple[tuple[str, str], ...] = (  # "system/encoder", the first minus the second
    ("lstm-averages/none", "lstm/none"),
    ("lstm-library/none", "lstm-averages/none"),
    ("resconn-library/zero", "lstm-library/none"),
    ("resconn-library/random", "resconn-library/zero"),
    ("resconn-library/masked", "resconn-library/random"),
    ("resconn-library/memory", "resconn-library/random"),
    ("resconn-library/memory", "resconn-library/masked"),
    ("resconn-library/memoryonly", "resconn-library/memory"),
    ("resconn-library/v1", "resconn-library/memory"),
    ("resconn-library/random", "lstm-library/none"),
    ("resconn-library/masked", "lstm-library/none"),
    ("resconn-library/memory", "lstm-library/none"),
    ("resconn-library/v1", "lstm-library/none"),
    ("resconn-calendar/memory", "resconn-calendar/masked"),
    ("resconn-calendar/masked", "resconn-calendar/random"),
)


def scores(runs: Path) -> pd.DataFrame:
    """Every score of every site of every head that is done."""
    tables = []
    for folder in sorted((runs / "heads").glob("*")):
        if not (folder / "scores.csv").exists():
            continue
        target, rest = next(
            (t, folder.name.removeprefix(t + "-"))
            for t in SCORE
            if folder.name.startswith(t + "-")
        )
        system, encoder, seed = rest.rsplit("-", 2)
        about = json.loads((folder / "about.json").read_text())
        table = pd.read_csv(folder / "scores.csv").assign(
            target=target, system=system, encoder=encoder, seed=int(seed), **about
        )
        tables.append(table)
    every = pd.concat(tables, ignore_index=True)
    return every[KEYS + [c for c in every if c not in KEYS]]


def medians(every: pd.DataFrame) -> pd.DataFrame:
    """Median over sites per head."""
    columns = ["nse", "kge", "rmse", "ubrmse", "corr", "pbias", "minutes"]
    groups = every.groupby(["target", "inputs", "system", "encoder", "seed"])
    table = groups[columns].median()
    table.insert(0, "sites", groups.size())
    return table.reset_index()


def paired(every: pd.DataFrame) -> pd.DataFrame:
    """Median over sites of differences, seed by seed and averaged over shared seeds."""
    every = every.assign(name=every["system"] + "/" + every["encoder"])
    rows = []
    for (target, inputs), part in every.groupby(["target", "inputs"]):
        values = part.set_index(["name", "seed", "site"])[SCORE[str(target)]]
        for first, second in PAIRS:
            row = _compare(values, first, second)
            if row is not None:
                rows.append({"target": target, "inputs": inputs} | row)
    return pd.DataFrame(rows)


def _compare(values: pd.Series, first: str, second: str) -> dict[str, object] | None:
    names = values.index.get_level_values("name")
    if first not in names or second not in names:
        return None
    difference = (values[first] - values[second]).dropna()
    if difference.empty:
        return None
    by_seed = difference.groupby("seed").median()
    site = difference.groupby("site").mean()
    low, high = interval(site.to_numpy())
    return {
        "first": first,
        "second": second,
        "seeds": len(by_seed),
        "difference": float(site.median()),
        "low": low,
        "high": high,
        "by seed": " ".join(f"{v:+.3f}" for v in by_seed),
    }


def wanting(every: pd.DataFrame) -> pd.DataFrame:
    """Median over sites of what each head loses when inputs are wanting."""
    rows = []
    for (target, system, encoder), part in every.groupby(KEYS[:3]):
        values = part.set_index(["inputs", "seed", "site"])[SCORE[str(target)]]
        for inputs in part["inputs"].unique():
            if inputs == "complete":
                continue
            site = (values[inputs] - values["complete"]).groupby("site").mean()
            low, high = interval(site.to_numpy())
            row = {"target": target, "system": system, "encoder": encoder}
            row |= {"inputs": inputs, "seeds": part["seed"].nunique()}
            row |= {"difference": float(site.median()), "low": low, "high": high}
            rows.append(row)
    return pd.DataFrame(rows)


def interval(differences: np.ndarray) -> tuple[float, float]:
    """Bounds of the middle 90 % of medians over sites drawn with replacement."""
    rng = np.random.default_rng(0)
    drawn = rng.choice(differences, (DRAWS, len(differences)))
    low, high = np.quantile(np.median(drawn, 1), [0.05, 0.95])
    return float(low), float(high)


def curves(runs: Path) -> pd.DataFrame:
    """Learning curves of the encoders, a line per 20 updates."""
    tables = []
    for path in sorted((runs / "encoders").glob("*/log.jsonl")):
        table = pd.read_json(path, lines=True)
        table.insert(0, "encoder", path.parent.name)
        tables.append(table)
    return pd.concat(tables) if tables else pd.DataFrame()


def markdown(table: pd.DataFrame) -> str:
    """Render a table as Markdown."""
    rows = [table.columns.tolist(), ["---"] * table.shape[1]]
    rows += [
        [f"{v:.3f}" if isinstance(v, float) else str(v) for v in row]
        for row in table.itertuples(index=False)
    ]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


def main() -> None:
    """Write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=Path("runs/pilots"))
    runs = parser.parse_args().runs
    every = scores(runs)
    numbers = every.select_dtypes("number").columns.drop("seed")
    every[numbers] = every[numbers].round(4)
    every.to_csv(RESULTS / "pilots.csv", index=False)
    curve = curves(runs)
    curve.round(4).to_csv(RESULTS / "pilots_curves.csv", index=False)
    lines = [
        "# Pilots for better weights",
        f"{datetime.now(UTC).date()}, {os.cpu_count()} cores {platform.machine()}, "
        "shared with other work: minutes say little. What was run and how: "
        "`benchmarks/pilots/README.md`.",
        "## Medians over held-out sites, after day 365",
        markdown(medians(every)),
        "## Paired differences (median over sites [90 % over sites])",
        "Of NSE for streamflow (more is better), of ubRMSE for soil moisture (less is "
        "better). With several seeds a site's difference is averaged over seeds first.",
        markdown(paired(every)),
    ]
    lines += [
        "## The same head with inputs wanting, minus with complete ones",
        markdown(wanting(every)),
    ]
    if len(curve):
        last = curve.groupby("encoder").tail(3).groupby("encoder").mean()
        lines += [
            "## Encoders: mean losses of the last 60 updates",
            markdown(last.reset_index()),
        ]
    (RESULTS / "pilots.md").write_text("\n\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
