"""Embeddings in scikit-learn: what the weather of a basin says about its land.

``python examples/embeddings_sklearn.py --data FOLDER`` embeds three years of daily
precipitation and temperature of CAMELS-US basins, without any attribute, and predicts
attributes from the embeddings. The same pipelines get climate statistics of the same
days, made by hand. Models are fitted on basins that the encoder was trained on,
chosen by cross-validation in spatial blocks, and scored on basins it never saw.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import xstefaland
from xstefaland.inputs.formulas.climate import climate_indices
from xstefaland.inputs.formulas.pet import oudin
from xstefaland.splits import spatial_blocks

TARGETS = {
    "elevation": "mean elevation",
    "frac_forest": "forest share",
    "lai_max": "largest leaf area index",
    "clay": "clay in the soil",
}
DRAWS = 500  # of the bootstrap


def climate_statistics(ds: xr.Dataset) -> pd.DataFrame:
    """Describe the climate of each basin by hand.

    Parameters
    ----------
    ds : xarray.Dataset
        ``precipitation`` [mm d-1] and ``temperature`` [degC] ``(basin, time)``.

    Returns
    -------
    pandas.DataFrame
        One row per basin: eleven climate indices (CAMELS' definitions), mean and
        standard deviation of each month, and the latitude, which the encoder uses too.
    """
    rain, warm = ds["precipitation"].values, ds["temperature"].values
    days = ds.indexes["time"]
    evaporation = oudin(warm, ds["latitude"].values, days.day_of_year)
    table = pd.DataFrame(climate_indices(rain, warm, evaporation, days))
    for name in ("precipitation", "temperature"):
        months = ds[name].groupby("time.month")
        for sort, values in (("mean", months.mean()), ("std", months.std())):
            for month in range(1, 13):
                table[f"{name}_{sort}_{month}"] = values.sel(month=month).values
    return table.assign(latitude=ds["latitude"].values).set_axis(ds["basin"].values)


def embeddings(ds: xr.Dataset) -> pd.DataFrame:
    """Embed the weather alone: one row of 256 numbers per basin."""
    weather = ds[["precipitation", "temperature"]].chunk({"basin": 32, "time": -1})
    return weather.stefaland.embed(pool="mean").stefaland.to_frame()


def pipelines(groups: np.ndarray) -> dict[str, GridSearchCV]:
    """Ridge regression with its strength chosen between blocks, and a forest."""
    cv = list(GroupKFold(5).split(groups, groups=groups))
    ridge: Pipeline = make_pipeline(StandardScaler(), Ridge())
    strengths = {"ridge__alpha": np.logspace(-1, 4, 11)}
    forest = RandomForestRegressor(100, max_features=0.33, random_state=0)
    return {
        "ridge": GridSearchCV(ridge, strengths, cv=cv),
        "forest": GridSearchCV(forest, {"min_samples_leaf": [3]}, cv=cv),
    }


def spread_of_r2(truth: np.ndarray, guess: np.ndarray) -> float:
    """Give the standard error of R2, by bootstrap over basins."""
    rng = np.random.default_rng(0)
    rows = rng.integers(0, len(truth), (DRAWS, len(truth)))
    return float(np.std([r2_score(truth[r], guess[r]) for r in rows]))


def compare(ds: xr.Dataset, features: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Fit on basins known to the encoder, score on the others.

    Parameters
    ----------
    ds : xarray.Dataset
        Attributes ``(basin)`` and the boolean coordinate ``left_out``.
    features : dict of str to pandas.DataFrame
        What to predict from, one row per basin.

    Returns
    -------
    pandas.DataFrame
        A line per target, features and model: R2 in cross-validation and on basins
        left out, with its standard error.
    """
    new = ds["left_out"].values
    blocks = spatial_blocks(ds["latitude"], ds["longitude"], 20).values
    rows = []
    for target, meaning in TARGETS.items():
        known = np.isfinite(ds[target].values)
        fit, held = known & ~new, known & new
        truth = ds[target].values[held]
        for source, table in features.items():
            for name, search in pipelines(blocks[fit]).items():
                search.fit(table[fit], ds[target].values[fit])
                guess = search.predict(table[held])
                row = {"target": meaning, "features": source, "model": name}
                row |= {"r2_blocks": search.best_score_}
                row |= {"r2_left_out": r2_score(truth, guess), "basins": len(truth)}
                row |= {"standard_error": spread_of_r2(truth, guess)}
                rows.append(row)
    return pd.DataFrame(rows)


def load(folder: Path, years: int) -> xr.Dataset:
    """Read complete records of the basins, and mark those the encoder never saw."""
    period = slice("1999-10-01", f"{1999 + years}-09-30")
    ds = xstefaland.datasets.camels_us(folder).sel(time=period)
    complete = (ds["precipitation"] + ds["temperature"]).notnull().all("time")
    ds = ds.isel(basin=complete.values)
    return ds.assign_coords(left_out=ds.stefaland.unseen().left_out)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the comparison from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="of camels_us.nc")
    parser.add_argument("--out", type=Path, default=Path("demo-output"))
    parser.add_argument("--years", type=int, default=3)
    given = parser.parse_args(arguments)
    ds = load(given.data, given.years)
    print(f"{ds.sizes['basin']} basins, {int(ds.left_out.sum())} of them left out")
    features = {
        "embedding": embeddings(ds),
        "climate statistics": climate_statistics(ds),
    }
    features["both"] = pd.concat(list(features.values()), axis=1)
    table = compare(ds, features)
    given.out.mkdir(parents=True, exist_ok=True)
    table.to_csv(given.out / "embeddings_sklearn.csv", index=False)
    wide = table.pivot(
        index="target", columns=["model", "features"], values="r2_left_out"
    )
    print("\nR2 on basins that neither the encoder nor the pipeline saw:")
    print(wide.round(2).to_string())
    print(f"\nStandard errors and more: {given.out / 'embeddings_sklearn.csv'}")


if __name__ == "__main__":
    main()
