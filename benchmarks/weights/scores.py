"""From the scores of jobs to centres, paired differences, groups, curves and cost."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from xstefaland.training.benchmark import statistics

from .heads import SCORES, Runs
from .jobs import FIFTHS, NONE, OPTIONS, Job

LEVEL = statistics.LEVEL
E, MAIN = "E", "pretrained"
"""The encoder that is proved: in :data:`PAIRS`, and in tables."""

PAIRS: tuple[tuple[str, str], ...] = (
    ("lstm", "lstm-plain"),
    ("lstm", "lstm-averages"),
    ("lstm", "bundled/v1"),
    ("resconn/E", "lstm"),
    ("resconn/E", "lstm-averages"),
    ("resconn/E", "resconn/random"),
    ("resconn/E", "resconn/zero"),
    ("resconn/E", "resconn/v1"),
    ("resconn/E", "bundled/v1"),
    ("resconn/random", "lstm"),
    ("resconn-hbv/E", "lstm-hbv"),
    ("resconn-hbv/E", "resconn-hbv/random"),
    ("resconn-hbv/E", "resconn/E"),
    ("lstm-imagined", "lstm"),
    ("resconn-imagined/E", "resconn/E"),
    ("lstm-kge", "lstm"),
    ("lstm-log", "lstm"),
    ("lstm-quantiles", "lstm"),
    ("level-anomaly", "trees"),
    ("level-anomaly", "lstm-plain"),
    ("level-anomaly", "bundled/v1"),
    ("lstm-anomaly", "trees"),
    ("lstm-plain", "trees"),
    ("resconn-plain/E", "lstm-plain"),
    ("resconn-plain/E", "resconn-plain/random"),
    ("resconn-plain/E", "trees"),
    ("resconn-plain/E", "level-anomaly"),
    ("resconn-anomaly/E", "trees"),
    ("resconn-anomaly/E", "level-anomaly"),
    ("resconn-anomaly/E", "lstm-anomaly"),
    ("lstm-anomaly", "boosted-averages"),
    ("ridge-embedding/E", "ridge-averages"),
    ("ridge-embedding/E", "ridge-embedding/random"),
    ("boosted-embedding/E", "boosted-averages"),
    ("boosted-both/E", "boosted-averages"),
)
"""The first minus the second; "system/encoder", or the system alone without one."""

GROUPS = ("source", "region", "aridity", "snow", "encoder")
ABOUT = ("minutes", "head_ms", "embedding_ms", "parameters", "training_sites")


def deciding(target: str) -> tuple[str, ...]:
    """Name the scores that decide on a target, the first one first."""
    if target in ("streamflow", "snow_water_equivalent"):
        return ("nse", "kge")
    return ("rmse", "ubrmse")


def collect(runs: Runs) -> pd.DataFrame:
    """Every score of every site of every job that is done."""
    tables = list(_tables(runs))
    if not tables:
        raise SystemExit(f"no job in {runs.folder} is done: run the stage `heads`")
    return pd.concat(tables, ignore_index=True)


def _tables(runs: Runs) -> Iterator[pd.DataFrame]:
    """Read the scores of one job after the other."""
    for path in sorted((runs.folder / "heads").glob("*/scores.csv")):
        about = json.loads((path.parent / "about.json").read_text())
        job = Job.read(about["job"])
        encoder = MAIN if job.encoder == runs.proved[0] else job.encoder
        name = job.system if job.encoder == NONE else f"{job.system}/{encoder}"
        named = {k: getattr(job, k) for k in ("target", "split", "seed", *OPTIONS)}
        table = pd.read_csv(path, dtype={"place": str})
        if job.split in FIFTHS:
            named["split"] = "fifths"
        table["encoder"] = np.where(table["unseen"], "unseen", "weather seen")
        cost = {key: about.get(key, np.nan) for key in ABOUT}
        yield table.assign(name=name, **named, **cost)


def full(every: pd.DataFrame) -> pd.DataFrame:
    """Keep the jobs of all basins and the whole budget."""
    return every[(every[list(OPTIONS)] == 0).all(axis=1)]


def by_place(scores: pd.DataFrame) -> pd.DataFrame:
    """Average the products of a gauge: it is one place."""
    keys = ["target", "split", "inputs", "name", "seed", "place"]
    table = scores.groupby(keys)[list(SCORES)].mean().reset_index()
    return table.rename(columns={"place": "site"})


def medians(every: pd.DataFrame) -> pd.DataFrame:
    """Median over places of every system, and its spread over seeds."""
    rows = []
    table = _as_benchmark(by_place(full(every)))
    for part in _parts(table):
        target = part["target"].iloc[0]
        names = tuple(dict.fromkeys((*deciding(target), *SCORES)))
        found = statistics.centres(part, names).drop(columns="folds ±")
        rows.append(found.assign(**_kept(part))[[*_KEPT, "system", "sites", *SCORES,
                                                  "seeds ±"]])  # fmt: skip
    return pd.concat(rows, ignore_index=True)


_KEPT = ("target", "split", "inputs")


def _as_benchmark(table: pd.DataFrame) -> pd.DataFrame:
    """Name columns as the package's benchmarks do."""
    return table.rename(columns={"name": "system"}).assign(fold=0)


def _parts(table: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield what is compared: one target, split and rendering."""
    for _, part in table.groupby(list(_KEPT)):
        yield part


def _kept(part: pd.DataFrame) -> dict[str, str]:
    return {key: part[key].iloc[0] for key in _KEPT}


def paired(every: pd.DataFrame, encoders: Sequence[str]) -> pd.DataFrame:
    """Compare pairs of systems at the same places and with the same seeds.

    Returns
    -------
    DataFrame
        ``difference`` (median over places of the mean over seeds) with its 90 %
        interval over places drawn with replacement; ``seeds low`` and ``seeds high``,
        the 90 % interval (Student) of the mean over seeds of the median over places;
        ``clear`` where neither holds zero (of one seed: where the first does not).
    """
    rows = []
    for part in _parts(_as_benchmark(by_place(full(every)))):
        names = set(part["system"])
        for first, second in _pairs(encoders):
            if {first, second} <= names:
                for score in deciding(part["target"].iloc[0]):
                    row = _pair(part, first, second, score)
                    rows.append({**_kept(part), "score": score, **row})
    return pd.DataFrame(rows)


def _pairs(encoders: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Write every encoder that is proved into the pairs."""
    for encoder in encoders:
        for pair in PAIRS:
            first, second = (
                name.removesuffix(E) + encoder if name.endswith(f"/{E}") else name
                for name in pair
            )
            if encoder == encoders[0] or (first, second) != pair:
                yield first, second


def _pair(part: pd.DataFrame, first: str, second: str, score: str) -> dict[str, object]:
    """Compare two systems by one score."""
    own, other = (part[part["system"] == name] for name in (first, second))
    shared = set(own["seed"]) & set(other["seed"])
    if len(shared) > 0:
        own, other = (p[p["seed"].isin(shared)] for p in (own, other))
    found = statistics.paired(pd.concat([own, other]), score).iloc[0]
    seeds = _seed_differences(own, other, score) if shared else []
    low, high = over_seeds(seeds)
    clear = bool(found["clear"]) and not low <= 0 <= high
    return {
        "first": first,
        "second": second,
        "sites": found["sites"],
        "difference": found["difference"],
        "low": found["low"],
        "high": found["high"],
        "seeds": len(seeds),
        "seeds low": low,
        "seeds high": high,
        "clear": clear,
    }


def _seed_differences(
    own: pd.DataFrame, other: pd.DataFrame, score: str
) -> list[float]:
    """Median over places of the difference, seed by seed."""
    keys = ["seed", "site"]
    difference = own.set_index(keys)[score] - other.set_index(keys)[score]
    return difference.dropna().groupby("seed").median().tolist()


def over_seeds(values: Sequence[float]) -> tuple[float, float]:
    """Interval of a mean over seeds, by Student's distribution; NaN of fewer than two.

    Examples
    --------
    >>> low, high = over_seeds([0.01, 0.02, 0.03])
    >>> round(low, 4), round(high, 4)
    (0.0031, 0.0369)
    """
    if len(values) < 2:
        return float("nan"), float("nan")
    half = stats.t.ppf((1 + LEVEL) / 2, len(values) - 1) * stats.sem(values)
    mean = float(np.mean(values))
    return mean - float(half), mean + float(half)


def grouped(every: pd.DataFrame) -> pd.DataFrame:
    """Median by source, region, aridity, snow, and what the encoder had seen."""
    rows = []
    table = full(every)
    for by in GROUPS:
        keys = ["target", "split", "inputs", by, "name"]
        for (target, split, inputs, group, name), part in table.groupby(keys):
            score = deciding(target)[0]
            place = part.groupby("place")[score].mean()
            row = {"target": target, "split": split, "inputs": inputs, "by": by}
            row |= {"group": group, "sites": len(place), "score": score}
            rows.append(row | {"system": name, "median": place.median()})
    return pd.DataFrame(rows)


def curves(every: pd.DataFrame, option: str) -> pd.DataFrame:
    """Median against basins or updates; spread over draws.

    A point of a curve over updates is a run of its own, whose rate falls to zero.
    """
    chosen = every[(every[option] > 0) & (every["inputs"] == "complete")]
    if option == "updates":
        chosen = chosen[chosen["basins"] == 0]
    rows = []
    for (target, name, number), part in chosen.groupby(["target", "name", option]):
        score = deciding(target)[0]
        runs = part.groupby(["seed", "draw"])
        each = [p.groupby("place")[score].mean().median() for _, p in runs]
        spread = np.std(each, ddof=1) if len(each) > 1 else np.nan
        row = {"target": target, "system": name, option: number, "score": score}
        rows.append(row | {"runs": len(each), "median": np.mean(each), "±": spread})
    return pd.DataFrame(rows)


def cost(every: pd.DataFrame) -> pd.DataFrame:
    """Average what a system takes: training, and answers per basin-year."""
    table = full(every).drop_duplicates(["target", "split", "name", "seed"])
    random = table[table["split"] == "random"]
    found = random.groupby(["target", "name"])[list(ABOUT)].mean().reset_index()
    return found.rename(columns={"name": "system"})
