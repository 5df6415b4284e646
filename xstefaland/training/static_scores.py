"""Scores of targets without time: one answer a site, so scored over sites together."""

from __future__ import annotations

import pandas as pd
import xarray as xr

from xstefaland import metrics
from xstefaland.training.fitting import Predicted

AMOUNT = ("rmse", "r2", "corr")
PROBABILITY = ("auc", "average_precision", "brier")
ERROR = "squared_error"
"""What is compared site by site; its mean is the Brier score of a probability."""


def answers(results: Predicted) -> pd.DataFrame:
    """List what was observed and predicted at each site.

    Parameters
    ----------
    results : list
        See :func:`~xstefaland.training.fitting.predict_sites`.

    Returns
    -------
    DataFrame
        One row a site: ``site``, ``observed``, ``predicted``, ``squared_error``.
    """
    tables = []
    for records, rows, predicted in results:
        observed = records.observed[rows, 0]
        answer = predicted[:, 0, 0]
        table = pd.DataFrame(
            {
                "site": records.sites["site"].to_numpy()[rows],
                "observed": observed,
                "predicted": answer,
                ERROR: (answer - observed) ** 2,
            }
        )
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def overall(scores: pd.DataFrame) -> pd.DataFrame:
    """Score each system over all of its sites.

    Parameters
    ----------
    scores : DataFrame
        As :func:`answers`, with a column ``system``.

    Returns
    -------
    DataFrame
        One row a system, in order: :data:`PROBABILITY` where observations are 0 or 1
        alone, else :data:`AMOUNT`.

    Examples
    --------
    >>> same = [1.0, 2.0, 4.0]
    >>> sites = pd.DataFrame({"observed": same, "predicted": same})
    >>> overall(sites.assign(system="mine")).loc["mine"].tolist()
    [0.0, 1.0, 1.0]
    """
    chance = scores["observed"].isin([0.0, 1.0]).all()
    names = PROBABILITY if chance else AMOUNT
    rows = {
        system: score(part, names)
        for system, part in scores.groupby("system", sort=False)
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(names))


def score(part: pd.DataFrame, names: tuple[str, ...]) -> list[float]:
    """Score the sites of one system."""
    observed, predicted = (
        xr.DataArray(part[name].to_numpy(), dims="site")
        for name in ("observed", "predicted")
    )
    table = metrics.scores(observed, predicted, "site", names=names)
    return [float(table[name]) for name in names]
