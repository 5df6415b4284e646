"""Cross-validation over sites: a head beside an LSTM and the bundled head."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import nn

from xstefaland.bars import tqdm
from xstefaland.errors import UnknownTargetError, WeightsError
from xstefaland.model import HeadConfig
from xstefaland.training import static_scores
from xstefaland.training.external import Given
from xstefaland.training.fitting import (
    Finetuning,
    Predicted,
    fit,
    predict_sites,
    score_sites,
)
from xstefaland.training.systems import entries_of, form_of
from xstefaland.training.tasks import Task
from xstefaland.training.versions import Version
from xstefaland.weights import resolve_head
from xstefaland.weights.card import CAUSAL, TWO_WAY
from xstefaland.weights.files import Weights

logger = logging.getLogger("xstefaland")

SCORES = ("nse", "kge", "rmse", "corr", "bias")
YEAR = 365
MINIMUM = 30
"""Sites with fewer observations to score are not scored."""
BASELINES = ("lstm", "lstm-plain")
"""What every head is compared with: the strongest network without an encoder, and what
one gets from weather and attributes alone."""
BUNDLED = "bundled"


@dataclass(frozen=True)
class FinetuningRun:
    """One finetuning: what is trained on what, and where it is kept.

    Attributes
    ----------
    task : Task
        Inputs and observations.
    encoder : Weights
        Whose embeddings the head takes.
    config : HeadConfig
        The head.
    settings : Finetuning
        Length of the run and the like.
    folder : Path
        Where everything is kept.
    causal : bool
        How the encoder reads.
    bar : tqdm
        Shows how far the run is.
    external : Given or None
        Embeddings of others, which the head takes instead.
    """

    task: Task
    encoder: Weights
    config: HeadConfig
    settings: Finetuning
    folder: Path
    causal: bool
    bar: Any = field(default_factory=lambda: tqdm(disable=True))
    external: Given | None = None

    def systems(self) -> dict[str, HeadConfig]:
        """Return what is cross-validated: the head, and LSTMs without embedding."""
        given, target = self.config, self.config.targets[0]
        attributes = given.attributes
        if given.form == "anomaly":  # its few attributes are not for others
            attributes = self.task.known_attributes
        plain = replace(given, physics=None, form="direct", channels=(), place=False)
        baselines = {
            name: replace(plain, **entries_of(name, target, given.forcing, attributes))
            for name in BASELINES
        }
        found = {form_of(given): given}
        for name, config in baselines.items():
            if config not in found.values():  # without weather they are the same
                found[name] = config
        return found


def trained(
    run: FinetuningRun,
    task: Task,
    config: HeadConfig,
    versions: Sequence[Version],
    name: str,
) -> nn.Module:
    """Fit one head, or go on with it, or take it from the folder.

    Parameters
    ----------
    run : FinetuningRun
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
    path, last = run.folder / f"{name}.pt", 0
    run.bar.set_description(name)

    def show(done: int, loss: float) -> None:
        """Move the bar by what is new; `fit` tells how many are done in all."""
        nonlocal last
        run.bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
        run.bar.update(done - last)
        last = done

    head = fit(task, config, versions, run.settings, checkpoint=path, progress=show)
    run.bar.update(run.settings.updates - last)  # what had been done before
    return head


def cross_validate(
    run: FinetuningRun, versions: Sequence[Version], folds: NDArray[np.int64]
) -> pd.DataFrame:
    """Score the head and an LSTM on sites left out.

    Parameters
    ----------
    run : FinetuningRun
        What is trained.
    versions : sequence of Version
        Inputs with their embeddings.
    folds : ndarray
        Fold of each training site; sites below 0 are never left out.

    Returns
    -------
    DataFrame
        One row per site and system.
    """
    ids = run.task.sites.query("role == 'train'")["site"].to_numpy()
    tables = []
    for fold in np.unique(folds[folds >= 0]):
        roles = np.where(folds == fold, "held out", "train")
        task = run.task.with_roles(dict(zip(ids, roles, strict=True)))
        for system, config in run.systems().items():
            head = trained(run, task, config, versions, f"fold{fold}-{system}")
            results = predict_sites(head, task, config, versions[0], causal=run.causal)
            table = scored(task, results)
            tables.append(table.assign(system=system, fold=fold))
    return pd.concat(tables, ignore_index=True)


def scored(task: Task, results: Predicted) -> pd.DataFrame:
    """Score each site's series, or list the answers of a target without time."""
    if task.static:
        return static_scores.answers(results)
    return score_sites(results, SCORES, skip=skipped(task), minimum=MINIMUM)


def skipped(task: Task) -> int:
    """Leave the first year out of the scores where there are more than two."""
    return YEAR if min(len(r.dates) for r in task.records) > 2 * YEAR else 0


def score_bundled(run: FinetuningRun, version: Version) -> pd.DataFrame | None:
    """Score the registry's head for the target on the same sites and embeddings.

    Parameters
    ----------
    run : FinetuningRun
        What is trained.
    version : Version
        The complete inputs.

    Returns
    -------
    DataFrame or None
        None where there is no head of this target in these units on this encoder that
        reads the same way, or it cannot be had.
    """
    name = run.task.target.name
    try:
        head = resolve_head(name, reading=_reading(run))
    except (UnknownTargetError, WeightsError) as error:
        logger.info("no bundled head is compared: %s", error)
        return None
    if version.embeddings is None or run.external or not _comparable(run, head):
        return None
    network: Any = head.model()
    config = network.config  # of one head or of an ensemble
    own = replace(version, channels=None)  # it computes its own channels
    results = predict_sites(
        network, run.task, config, own, role="train", causal=run.causal
    )
    column = config.targets.index(name)
    chosen = [(r, rows, answer[..., column:]) for r, rows, answer in results]
    return scored(run.task, chosen).assign(system=BUNDLED, fold=-1)


def _reading(run: FinetuningRun) -> str:
    """Way of reading of a run, as cards name it."""
    return CAUSAL if run.causal else TWO_WAY


def _comparable(run: FinetuningRun, head: Weights) -> bool:
    """Whether a head takes what the task has, and answers in the same units."""
    card, task = head.card, run.task
    units = {spec.name: spec.units for spec in card.targets}[task.target.name]
    known = {variable.name for variable in task.requirements.variables}
    return (
        card.encoder is not None
        and card.encoder.sha256 == run.encoder.sha256
        and units == task.target.units
        and _reading(run) in card.readings
        and known >= {spec.name for spec in (*card.forcing, *card.attributes)}
    )


def summary(scores: pd.DataFrame) -> dict[str, Any]:
    """Medians over sites by system and paired differences, for the card."""
    if not len(scores):
        return {}
    measure = static_scores.ERROR if _static(scores) else "nse"
    return {
        "cross_validation": _plain(by_system(scores).round(4)),
        "sites": int(scores["site"].nunique()),
        "folds": int(scores.loc[scores["fold"] >= 0, "fold"].nunique()),
        f"{measure}_differences": _plain(paired(scores)),
    }


def _plain(table: pd.DataFrame) -> dict[str, Any]:
    """Turn a table into what a card may hold."""
    rows: dict[str, Any] = json.loads(table.to_json(orient="index"))
    return rows


def _static(scores: pd.DataFrame) -> bool:
    """Whether scores are of a target without time: errors, not series."""
    return static_scores.ERROR in scores


def by_system(scores: pd.DataFrame) -> pd.DataFrame:
    """Medians over sites by system; of targets without time, scores over all sites."""
    if _static(scores):
        return static_scores.overall(scores)
    return scores.groupby("system", sort=False)[list(SCORES)].median()


def paired(scores: pd.DataFrame, level: float = 0.9) -> pd.DataFrame:
    """Difference of the head to the other systems, over the same sites.

    Parameters
    ----------
    scores : DataFrame
        One row per site and system; the first system is the head. Medians of
        differences in ``nse``, or of targets without time means of those in
        ``squared_error``.
    level : float
        Of the bootstrap interval.

    Returns
    -------
    DataFrame
        One row per pair: ``difference``, ``low``, ``high``, ``sites``.
    """
    values = static_scores.ERROR if _static(scores) else "nse"
    centre: Callable[..., Any] = np.mean if _static(scores) else np.median
    table = scores.groupby(["site", "system"])[values].mean().unstack()
    own = scores["system"].iloc[0]
    rows = {}
    for other in (name for name in (*BASELINES, BUNDLED) if name != own):
        if other not in table:
            continue
        pairs = (table[own] - table[other]).dropna().to_numpy()
        if not len(pairs):
            continue
        draws = np.random.default_rng(0).choice(pairs, (2000, len(pairs)))
        edges = (1 - level) / 2, (1 + level) / 2
        low, high = np.quantile(centre(draws, axis=1), edges)
        rows[f"{own} - {other}"] = (centre(pairs), low, high, len(pairs))
    columns = ["difference", "low", "high", "sites"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).round(4)


def report(scores: pd.DataFrame, weights: Weights, minutes: float) -> str:
    """Write up the skill on sites left out, for people."""
    lines = [f"{weights.name}: {minutes:.1f} minutes, {weights.path}"]
    if not len(scores):
        return f"{lines[0]}\nNot scored: pass folds=3 to leave sites out in turn."
    table = by_system(scores).round(3)
    table.insert(0, "sites", scores.groupby("system").size())
    what = ("Scores over", "Mean", "squared error")
    if not _static(scores):
        what = ("Medians over", "Median", "NSE")
    lines += ["", f"{what[0]} sites left out of training:"]
    lines.append(table.rename_axis(None).to_string())
    difference = f"{what[1]} difference in {what[2]} at the same sites"
    lines += ["", f"{difference}, with its 90 % interval:"]
    for name, row in paired(scores).iterrows():
        clear = "" if row["low"] > 0 or row["high"] < 0 else "  (cannot be told apart)"
        lines.append(
            f"{name}: {row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"
            f"{clear}"
        )
    if BUNDLED in set(scores["system"]):
        lines += ["", "The bundled head may have seen some of these sites in training."]
    return "\n".join(lines)
