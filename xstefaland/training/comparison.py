"""Cross-validation over sites: a head beside an LSTM and the bundled head."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from torch import nn
from tqdm.auto import tqdm

from xstefaland.errors import UnknownTargetError
from xstefaland.inference import api
from xstefaland.inference.plans import require_reading
from xstefaland.inputs.examine import Hints
from xstefaland.model import HeadConfig
from xstefaland.training.fitting import Finetuning, fit, predict_sites, score_sites
from xstefaland.training.sampling import Version
from xstefaland.training.tasks import Records, Task
from xstefaland.weights.files import Weights

SCORES = ("nse", "kge", "rmse", "corr", "bias")
YEAR = 365
BASELINE = "lstm"
BUNDLED = "bundled"


@dataclass(frozen=True)
class Run:
    """One finetuning: what is trained on what, and where it is kept."""

    task: Task
    encoder: Weights
    config: HeadConfig
    settings: Finetuning
    folder: Path
    causal: bool
    progress: bool


def require_causal(encoder: Weights, causal: bool) -> None:
    """Refuse an encoder that was not trained for causal reading, if that is asked."""
    require_reading(causal, encoder)


def trained(
    run: Run, task: Task, config: HeadConfig, versions: Sequence[Version], name: str
) -> nn.Module:
    """Fit one head, or go on with it, or take it from the folder.

    Parameters
    ----------
    run : Run
        Settings and folder.
    task, config, versions
        What is trained on what.
    name : str
        Of its checkpoint in the folder.

    Returns
    -------
    Module
        In evaluation mode.
    """
    path = run.folder / f"{name}.pt"
    updates = run.settings.updates
    with tqdm(total=updates, desc=name, disable=not run.progress, leave=False) as bar:

        def show(done: int, loss: float) -> None:
            bar.update(done - bar.n)
            bar.set_postfix(loss=f"{loss:.3f}", refresh=False)

        return fit(task, config, versions, run.settings, checkpoint=path, progress=show)


def cross_validate(
    run: Run,
    versions: Sequence[Version],
    folds: NDArray[np.int64] | None,
    data: Mapping[str, xr.Dataset],
    hints: Hints,
    observed: str | None,
) -> pd.DataFrame:
    """Score the head, an LSTM and the bundled head on sites left out.

    Parameters
    ----------
    run : Run
        What is trained.
    versions : sequence of Version
        Inputs with their embeddings.
    folds : ndarray or None
        Fold of each training site; None: nothing is scored.
    data, hints, observed
        As the user gave them.

    Returns
    -------
    DataFrame
        One row per site and system; also written to ``scores.csv``.
    """
    if folds is None:
        return pd.DataFrame(columns=["site", "system", "fold", *SCORES])
    path = run.folder / "scores.csv"
    if path.exists():
        return pd.read_csv(path, dtype={"site": str})
    systems = {_own(run.config): run.config}
    systems.setdefault(BASELINE, _baseline(run.config))
    ids = run.task.sites.query("role == 'train'")["site"].to_numpy()
    tables = []
    for fold in np.unique(folds[folds >= 0]):
        roles = dict(
            zip(ids, np.where(folds == fold, "held out", "train"), strict=True)
        )
        task = run.task.with_roles(roles)
        for system, config in systems.items():
            head = trained(run, task, config, versions, f"fold{fold}-{system}")
            results = predict_sites(head, task, config, versions[0])
            table = score_sites(results, SCORES, skip=_skipped(task), minimum=30)
            tables.append(table.assign(system=system, fold=fold))
    bundled = _bundled(run, data, hints, observed)
    if bundled is not None:
        tables.append(bundled.assign(system=BUNDLED, fold=-1))
    scores = pd.concat(tables, ignore_index=True)
    scores.to_csv(path, index=False)
    return scores


def _own(config: HeadConfig) -> str:
    return config.kind + ("-hbv" if config.physics else "")


def _baseline(config: HeadConfig) -> HeadConfig:
    """Describe an LSTM on the same inputs, without any embedding."""
    targets = config.targets[:1]
    return replace(config, kind="lstm", physics=None, targets=targets)


def _skipped(task: Task) -> int:
    """Leave the first year out of the scores where there are more than two."""
    return YEAR if min(len(r.dates) for r in task.records) > 2 * YEAR else 0


def _bundled(
    run: Run, data: Mapping[str, xr.Dataset], hints: Hints, observed: str | None
) -> pd.DataFrame | None:
    """Score the registry's head for the target, if there is one, on the same sites."""
    name = run.task.target.name
    results = []
    for records in run.task.records:
        ds = data[records.name].drop_vars(observed or name, errors="ignore")
        try:
            answer = api.predict(
                ds,
                name,
                rename=hints.rename,
                units=_present(hints.units, ds),
                latitude=hints.latitude,
                climate=hints.climate,
            )
        except UnknownTargetError:
            return None
        rows = records.rows("train")
        results.append((records, rows, _on(records, answer, rows)))
    return score_sites(results, SCORES, skip=_skipped(run.task), minimum=30)


def _present(units: Mapping[str, str] | None, ds: xr.Dataset) -> dict[str, str] | None:
    return {k: v for k, v in units.items() if k in ds.variables} if units else None


def _on(
    records: Records, answer: xr.DataArray, rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Bring an answer to the sites and days of records, ``(site, day, 1)``."""
    dims = [dim for dim in answer.dims if dim != "time"]
    values = answer.transpose(*dims, "time").values
    values = values.reshape(-1, values.shape[-1])
    days = pd.DatetimeIndex(answer["time"].values).floor("D")
    out = np.full((len(values), len(records.dates)), np.nan, np.float32)
    where = records.dates.get_indexer(days)
    out[:, where[where >= 0]] = values[:, where >= 0]
    keep = records.positions[rows]
    return out[keep][..., None]


def summary(scores: pd.DataFrame) -> dict[str, Any]:
    """Medians over sites by system, for the card."""
    if not len(scores):
        return {}
    medians = scores.groupby("system")[list(SCORES)].median().round(4)
    found: dict[str, Any] = json.loads(medians.to_json(orient="index"))
    return {"cross_validation": found, "sites": int(scores["site"].nunique())}


def report(scores: pd.DataFrame, weights: Weights, minutes: float) -> None:
    """Print the skill on sites left out, and paired differences to the LSTM."""
    lines = [f"{weights.name}: {minutes:.1f} minutes, {weights.path}"]
    if len(scores):
        medians = scores.groupby("system")[list(SCORES)].median()
        medians.insert(0, "sites", scores.groupby("system").size())
        lines += ["Medians over sites left out:", medians.round(3).to_string()]
        lines += _pairs(scores)
    if BUNDLED in set(scores["system"]):
        lines.append("The bundled head may have seen some of these sites in training.")
    tqdm.write("\n".join(lines))


def _pairs(scores: pd.DataFrame) -> list[str]:
    """Median difference in NSE to the LSTM, with a 90 % bootstrap interval."""
    table = scores.pivot_table(index="site", columns="system", values="nse")
    lines = []
    for system in table.columns:
        if system == BASELINE or BASELINE not in table:
            continue
        pairs = (table[system] - table[BASELINE]).dropna().to_numpy()
        rng = np.random.default_rng(0)
        draws = np.median(rng.choice(pairs, (2000, len(pairs))), axis=1)
        low, high = np.quantile(draws, [0.05, 0.95])
        lines.append(
            f"NSE, {system} minus {BASELINE}: {np.median(pairs):+.3f} "
            f"[{low:+.3f}, {high:+.3f}]"
        )
    return lines
