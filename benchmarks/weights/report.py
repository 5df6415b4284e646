"""Tables and figures of the proof, of the jobs that are done so far."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import torch

from xstefaland.training.benchmark import figures
from xstefaland.training.benchmark.writing import markdown

from . import queue, scores
from .heads import Runs
from .jobs import REGIONAL
from .machine import machine

RESULTS = Path(__file__).parents[1] / "results"
DRAWN = {("soil_moisture", "fifths")} | {
    ("streamflow", split) for split in ("random", *REGIONAL)
}
"""What has enough places for boxes and maps."""

INCHES, DOTS = (7.0, 4.0), 110
NOTES = """\
Medians over places that no head was trained on: a gauge is one place, whatever the
products that it has weather from. Days after day 365 of fifteen years. `complete`: all
inputs that a source has. `hidden`: whole forcings, groups of attributes or all of them
hidden, climate attributes of another stretch of the record, 15 % of the sites without
latitude. `weather`: precipitation and temperature, and what follows from them.

`random`: half-degree cells, a tenth of all, which the encoder has not seen either.
`us-to-europe`, `europe-to-us`: heads trained on one side and scored on the other, at
places of which the encoder has seen the weather (never the flow): the groups `encoder`
tell them from those that it has not seen. `fifths`: five heads, each scored at the
stations in a fifth of all half-degree cells and trained on the others; the encoder has
seen the weather of most."""


def write(runs: Runs, folder: Path) -> Path:
    """Write ``weights.md``, its tables as ``weights_*.csv``, and figures.

    Parameters
    ----------
    runs : Runs
        Whose jobs.
    folder : Path
        Where the files go.

    Returns
    -------
    Path
        The page.
    """
    folder.mkdir(parents=True, exist_ok=True)
    every = scores.collect(runs)
    numbers = every.select_dtypes("floating").columns
    every.assign(**every[numbers].round(4)).to_csv(
        folder / "weights_sites.csv", index=False
    )
    tables = _tables(runs, every)
    for name in ("medians", "pairs", "groups"):
        tables[name].round(4).to_csv(folder / f"weights_{name}.csv", index=False)
    parts = [_header(runs), NOTES]
    for name, (title, text) in TITLES.items():
        if len(tables[name]):
            shown = _wide(tables[name]) if name == "groups" else tables[name]
            parts += [f"## {title}", text, markdown(_whole(shown))]
    parts += [f"![{text}]({file})" for file, text in draw(runs, every, folder)]
    page = folder / "weights.md"
    page.write_text("\n\n".join(part for part in parts if part) + "\n")
    return page


TITLES = {
    "medians": ("Scores", "`seeds ±`: standard deviation over seeds of the first."),
    "pairs": (
        "Paired differences",
        "First minus second, at the same places and seeds: median over places, its "
        "90 % interval over places drawn with replacement, and the 90 % interval over "
        "seeds (Student). `clear`: neither holds zero; of one seed, the first. Of "
        "`rmse` and `ubrmse` less is better.",
    ),
    "groups": ("By source, region, climate", "Medians, complete inputs."),
    "basins": ("Few basins to train on", "Mean and deviation over draws."),
    "updates": (
        "Few updates",
        "Each a run of its own, with a rate that falls to zero.",
    ),
    "cost": (
        "Cost",
        "Minutes of training; milliseconds per basin-year of the head and of the "
        "embedding before it, as measured beside whatever else ran.",
    ),
}


def _tables(runs: Runs, every: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Make all tables."""
    return {
        "medians": scores.medians(every),
        "pairs": scores.paired(every, [scores.MAIN, *runs.proved[1:]]),
        "groups": scores.grouped(every),
        "basins": scores.curves(every, "basins"),
        "updates": scores.curves(every, "updates"),
        "cost": scores.cost(every),
    }


def _wide(table: pd.DataFrame) -> pd.DataFrame:
    """Put systems side by side."""
    complete = table[table["inputs"] == "complete"]
    keys = ["target", "split", "by", "group"]
    parts = []
    for _, part in complete.groupby("target"):
        wide = part.pivot_table(index=keys, columns="system", values="median")
        wide.insert(0, "sites", part.groupby(keys)["sites"].max())
        parts.append(wide.reset_index())
    return pd.concat(parts, ignore_index=True)


def _whole(table: pd.DataFrame) -> pd.DataFrame:
    """Show whole numbers as such."""
    counts = [
        c for c in ("sites", "seeds", "parameters", "training_sites") if c in table
    ]
    whole = {
        column: [value if value != value else int(value) for value in table[column]]
        for column in counts
    }
    return table.assign(
        **{k: pd.Series(v, table.index, object) for k, v in whole.items()}
    )


def _header(runs: Runs) -> str:
    """Say what was run, on what."""
    planned = queue.jobs(runs)
    done = sum((runs.head(job) / "scores.csv").exists() for job in planned)
    files = ", ".join(
        f"{name} (sha256 {runs.encoder(name).sha256[:12]})"
        for name in runs.plan["encoders"]
    )
    lines = [
        "# Weights: heads against controls",
        "",
        f"{datetime.now(UTC).date()}, {machine()}, torch {torch.__version__}. "
        f"{done} of {len(planned)} jobs are done. Encoders: {files}; `{scores.MAIN}` "
        "is the first. Made by `python -m benchmarks.weights` "
        "(`plan`, `heads`, `table`).",
    ]
    if runs.plan["sites"]:
        lines.insert(1, "\n**A trial with few sites: no result.**")
    return "\n".join(lines)


def draw(runs: Runs, every: pd.DataFrame, folder: Path) -> list[tuple[str, str]]:
    """Draw boxes, curves and maps of each target and split, and label curves."""
    drawn = []
    table = scores.full(every)
    table = table[table["inputs"] == "complete"].rename(columns={"name": "system"})
    for (target, split), part in table.groupby(["target", "split"]):
        if (target, split) not in DRAWN:
            continue
        ordered = _ordered(part, scores.MAIN)
        sites = part.drop_duplicates("site")[["site", "lat", "lon"]]
        for kind, (picture, text) in figures.KINDS.items():
            file = f"weights-{target}-{split}-{kind}.png"
            figure = _figure()
            picture(figure, ordered, sites, scores.deciding(str(target))[0])
            figure.savefig(folder / file)
            drawn.append((file, f"{text} ({target}, {split})"))
    for option in ("basins", "updates"):
        curve = scores.curves(every, option)
        for target, part in curve.groupby("target") if len(curve) else ():
            file = f"weights-{target}-{option}.png"
            _curve(part, option, folder / file)
            drawn.append((file, f"{target}: skill against {option}"))
    return drawn


def _ordered(part: pd.DataFrame, encoder: str) -> pd.DataFrame:
    """Put the head on the encoder first, then the strongest head without one."""
    first = [f"resconn/{encoder}", f"resconn-plain/{encoder}", "level-anomaly"]
    names = sorted(part["system"].unique())
    order = [n for n in (*first, "lstm", "trees") if n in names]
    rank = {name: place for place, name in enumerate(dict.fromkeys([*order, *names]))}
    return part.sort_values("system", key=lambda names: names.map(rank), kind="stable")


def _figure():
    """Make an empty figure; nothing is shown on a screen."""
    from matplotlib.figure import Figure

    return Figure(figsize=INCHES, dpi=DOTS, layout="constrained")


def _curve(part: pd.DataFrame, option: str, path: Path) -> None:
    """Draw skill against a number of basins or updates, with its spread over draws."""
    figure = _figure()
    axes = figure.subplots()
    for system, each in part.groupby("system"):
        spread = each["±"].fillna(0.0)  # of a single run
        axes.errorbar(
            each[option], each["median"], spread, label=system, capsize=2, marker="o"
        )
    axes.set_xscale("log")
    axes.set_xticks(sorted(part[option].unique()))
    axes.get_xaxis().set_major_formatter("{x:.0f}")
    axes.minorticks_off()
    axes.set_xlabel(f"{option} in training")
    axes.set_ylabel(f"{part['score'].iloc[0]}, median over places held out")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)
    figure.savefig(path)
