"""Baselines without a network: features of a day and a place, and scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xstefaland.training.benchmark.work import Unavailable
from xstefaland.training.fitting import Predicted
from xstefaland.training.tasks import Floats, Records, Task

AVERAGED = ("precipitation", "temperature", "potential_evapotranspiration")
DAYS = (3, 7, 30, 90, 365)
"""Lengths of the moving averages of what is averaged, up to the day itself."""

ROWS = 60_000
"""Days that are trained on at most; as many of each site."""

FLOOR = 0.05  # of the deviation of all observations, as in `Finetuning.floor`

Estimator = Callable[[bool, int], Any]
"""From whether it is a probability, and a seed, to an estimator of scikit-learn."""

Features = Callable[[Task, Records, int], Floats]
"""From a task, its records and the row of a site to features ``(day, feature)``."""


def linear(probability: bool, seed: int) -> Any:
    """Ridge or logistic regression on standardised features; gaps are their means."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    last = LogisticRegression(max_iter=1000) if probability else Ridge(1.0)
    impute = SimpleImputer(keep_empty_features=True)
    return make_pipeline(impute, StandardScaler(), last)


def random_forest(probability: bool, seed: int) -> Any:
    """Random forest of 200 trees, a third of the features at each split."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    kind = RandomForestClassifier if probability else RandomForestRegressor
    return kind(
        n_estimators=200, max_features=1 / 3, min_samples_leaf=5, random_state=seed
    )


def boosted(probability: bool, seed: int) -> Any:
    """Boosted trees: 300 of 15 leaves, on binned features."""
    from sklearn.ensemble import (
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
    )

    kind = HistGradientBoostingRegressor
    if probability:
        kind = HistGradientBoostingClassifier
    return kind(max_iter=300, max_leaf_nodes=15, learning_rate=0.05, random_state=seed)


def tabpfn(probability: bool, seed: int) -> Any:
    """TabPFN on a few days of each site, where a user has it with its weights."""
    try:
        from tabpfn import TabPFNClassifier, TabPFNRegressor
    except ImportError:
        raise Unavailable(
            "the system 'tabpfn' needs the package and its weights, whose licence is "
            "their own: `pip install tabpfn` (conda: `pip install` inside the "
            "environment)"
        ) from None
    kind = TabPFNClassifier if probability else TabPFNRegressor
    return kind(random_state=seed, ignore_pretraining_limits=True)


TABPFN_ROWS = 10_000
"""What TabPFN is made for; it learns from the context, so more are slow."""


def fit_predict(
    estimator: Estimator,
    task: Task,
    seed: int,
    *,
    rows: int = ROWS,
    features: Features | None = None,
    progress: Callable[[float], object] = float,
) -> Predicted:
    """Train on days of the training sites and predict all days of those held out.

    Parameters
    ----------
    estimator : callable
        See :data:`Estimator`.
    task : Task
        Sites are "train", "held out" or "dropped".
    seed : int
        Of the estimator, and of the days that are drawn for training.
    rows : int
        Days of all training sites together, at most.
    features : callable, optional
        Of a site; default: :func:`site_features`.
    progress : callable
        Called with 0 before the training and with 1 after it.

    Returns
    -------
    list
        As :func:`xstefaland.training.fitting.predict_sites` gives it.
    """
    probability = task.target.transform == "logit"
    progress(0.0)
    made = features or site_features
    inputs, observed, weights = _training(task, seed, rows, made)
    model = estimator(probability, seed)
    names = {"sample_weight": weights} if _takes_weights(model) else {}
    if hasattr(model, "steps"):  # a pipeline hands it to its last step
        names = {f"{model.steps[-1][0]}__sample_weight": weights}
    told = _varied(inputs)
    model.fit(inputs[:, told], observed, **names)
    progress(1.0)
    results = []
    for records in task.records:
        held = records.rows("held out")
        sites = (made(task, records, row)[:, told] for row in held)
        if parts := [_predict(model, each, task) for each in sites]:
            results.append((records, held, np.stack(parts)))
    return results


def _varied(features: Floats) -> NDArray[np.bool_]:
    """Tell which features have more than one value: others say nothing of any answer.

    Scaled by a deviation that is rounding alone, they would be anything elsewhere.
    """
    there = np.isfinite(features)
    low = np.where(there, features, np.inf).min(0)
    return np.asarray(low < np.where(there, features, -np.inf).max(0))


def _takes_weights(model: Any) -> bool:
    """Whether an estimator can weight its samples; all those of scikit-learn can."""
    from sklearn.utils.validation import has_fit_parameter

    return hasattr(model, "steps") or has_fit_parameter(model, "sample_weight")


def site_features(
    task: Task, records: Records, row: int, days: Sequence[int] = DAYS
) -> Floats:
    """Make the features of a site ``(day, feature)``; of a static task one row.

    Forcing and its moving averages, attributes, latitude, and the day of the year.
    """
    count = 1 if task.static else records.forcing.shape[1]
    place = np.append(records.attributes[row], records.latitude[row])
    static = np.broadcast_to(place, (count, len(place)))
    if not records.weather:  # places alone; latitude says something of seasons
        return np.asarray(static[:, :-1], np.float32)
    forcing = records.forcing[row]
    columns = [task.forcing_names.index(n) for n in AVERAGED if n in task.forcing_names]
    means = [moving_average(forcing[:, columns], length) for length in days]
    angle = records.dates.day_of_year.to_numpy(np.float32) * (2 * np.pi / 365.25)
    season = np.stack([np.sin(angle), np.cos(angle)], 1)
    daily = np.concatenate([forcing, *means, season], 1)
    if task.static:
        daily = _mean(daily)[None]
    return np.concatenate([daily, static], 1).astype(np.float32)


def moving_average(values: Floats, days: int) -> Floats:
    """Average of the last days that are there ``(day, variable)``, NaN without one.

    Examples
    --------
    >>> moving_average(np.array([[1.0], [np.nan], [5.0], [7.0]]), 2).ravel().tolist()
    [1.0, 1.0, 5.0, 6.0]
    """
    there = np.isfinite(values)
    sums = np.where(there, values, 0.0).cumsum(0, dtype=np.float64)
    counts = there.cumsum(0).astype(np.float64)
    for totals in (sums, counts):
        totals[days:] = totals[days:] - totals[:-days].copy()
    mean = np.full(values.shape, np.nan)
    np.divide(sums, counts, out=mean, where=counts > 0)
    return mean.astype(np.float32)


def _mean(values: Floats) -> Floats:
    """Mean over days of what is there."""
    count = np.isfinite(values).sum(0)
    mean = np.full(values.shape[1], np.nan, np.float32)
    np.divide(np.nansum(values, 0), count, out=mean, where=count > 0)
    return mean


def _training(
    task: Task, seed: int, rows: int, made: Features
) -> tuple[Floats, Floats, NDArray[np.float64]]:
    """Draw days of the training sites: features, observations, weights."""
    rng = np.random.default_rng(seed)
    sites = [(r, row) for r in task.records for row in r.rows("train")]
    share = max(1, rows // len(sites))
    pooled = np.concatenate([r.observed[r.rows("train")].ravel() for r in task.records])
    overall = float(np.nanstd(pooled)) or 1.0
    features, observed, weights = [], [], []
    for records, row in sites:
        values = records.observed[row][: 1 if task.static else None]
        known = np.flatnonzero(np.isfinite(values))
        drawn = rng.permutation(known)[:share]
        features.append(made(task, records, row)[drawn])
        observed.append(values[drawn])
        own = np.nanstd(values) if task.target.loss == "nse" else overall
        weights.append(np.full(len(drawn), (own + FLOOR * overall) ** -2.0))
    weight = np.concatenate(weights)
    return np.concatenate(features), np.concatenate(observed), weight / weight.mean()


def _predict(model: Any, features: Floats, task: Task) -> Floats:
    """Answer within the target's limits ``(day, 1)``."""
    if task.target.transform == "logit":
        answer = model.predict_proba(features)[:, 1]
    else:
        answer = model.predict(features)
    limited = np.clip(answer, task.target.minimum, task.target.maximum)
    return np.asarray(limited[:, None], np.float32)
