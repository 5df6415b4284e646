"""The whole product in a few minutes: check, embed, predict, reconstruct, write, draw.

``python examples/demo.py`` runs on a synthetic example that ships with the package;
``--data FOLDER`` on the archives that the folder holds as they are published, at places
that no training step saw where there are such.
What it makes lies in ``demo-output``: predictions as NetCDF and Zarr, a table of
scores, a picture.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import archives
import pandas as pd
import pictures
import xarray as xr

import xstefaland
from xstefaland import metrics
from xstefaland.testing import example_points

SPINUP = 365  # days that are not scored
GAP = 60  # days that are hidden and reconstructed
HIDDEN = ("shortwave_radiation", "temperature", "temperature_max")
WATER_BALANCE = [
    "streamflow",
    "evapotranspiration",
    "snow_water_equivalent",
    "recharge",
    "baseflow",
]


@dataclass(frozen=True)
class Places:
    """Where the demo runs.

    Attributes
    ----------
    basins, stations : xarray.Dataset
        Daily weather and attributes of rivers, and of soil moisture stations.
    observed : bool
        Whether the weather was observed, not made by formula.
    """

    basins: xr.Dataset
    stations: xr.Dataset
    observed: bool


def synthetic(number: int, days: int) -> Places:
    """Return the synthetic example: weather by formula, nothing observed."""
    points = example_points(number, days)
    return Places(points, points, observed=False)


def observations(folder: Path, number: int) -> Places:
    """Read basins and stations of whatever archive a folder holds."""
    basins, stations, notes = archives.read(folder, number)
    print("\n".join(notes), "\n")
    return Places(basins, stations, observed=True)


def embed(basins: xr.Dataset) -> pd.DataFrame:
    """Embed every basin and show the table that scikit-learn would get."""
    vectors = basins.stefaland.embed(pool="mean")
    return vectors.stefaland.to_frame()


def predict_rivers(basins: xr.Dataset) -> xr.Dataset:
    """Predict streamflow, and the water balance by HBV where that head is at hand."""
    flow = basins.stefaland.predict("streamflow")
    heads = xstefaland.weights.list()
    at_hand = heads.cached & ~heads.retired
    if "resconn-hbv" not in set(heads.form[at_hand]):
        return flow.to_dataset()
    balance = basins.stefaland.predict(WATER_BALANCE, head="resconn-hbv")
    return balance.rename(streamflow="streamflow_hbv").assign(streamflow=flow)


def predict_soil(stations: xr.Dataset) -> xr.DataArray:
    """Predict soil moisture lazily, two stations a chunk."""
    (site,) = set(stations.precipitation.dims) - {"time"}
    lazy = stations.chunk({site: 2, "time": -1})
    return lazy.stefaland.predict("soil_moisture")


def reconstruct(stations: xr.Dataset) -> tuple[xr.Dataset, dict[str, float]]:
    """Hide the radiation of two summer months and let the model fill the gap.

    Where there is no radiation, it is the temperature.
    """
    (site,) = set(stations.precipitation.dims) - {"time"}
    one = stations.isel({site: [0]})
    name = next(name for name in HIDDEN if name in one)
    true = one[name]
    first = _summer(one.indexes["time"])
    hidden = (one.time >= first) & (one.time < first + pd.Timedelta(days=GAP))
    gappy = true.where(~hidden)
    filled = one.assign({name: gappy}).stefaland.reconstruct()
    answer = filled[name]
    line = gappy.interpolate_na("time")
    rmse = {
        "reconstruct()": metrics.rmse(true.where(hidden), answer).item(),
        "linear interpolation": metrics.rmse(true.where(hidden), line).item(),
    }
    gappy.attrs.setdefault("long_name", name.replace("_", " "))
    shown = {"hidden": true.where(hidden), "filled": answer.where(hidden)}
    return xr.Dataset(shown | {"given": gappy}).isel({site: 0}), rmse


def _summer(days: pd.DatetimeIndex) -> pd.Timestamp:
    """First day to hide: in June of the last year but one, else amid the record."""
    first = pd.Timestamp(f"{days[-1].year - 1}-06-01")
    return first if first > days[GAP // 2] else days[(len(days) - GAP) // 2]


def write(rivers: xr.Dataset, soil: xr.DataArray, folder: Path) -> xr.DataArray:
    """Write NetCDF and Zarr, open both again and compare."""
    rivers.to_netcdf(folder / "rivers.nc")
    with xr.open_dataset(folder / "rivers.nc") as again:
        xr.testing.assert_equal(again.load(), rivers)
    store = folder / "soil_moisture.zarr"
    soil.to_dataset().to_zarr(store, mode="w", zarr_format=2)  # computed here
    again = xr.open_zarr(store, zarr_format=2, chunks=None)["soil_moisture"].load()
    if again.isnull().all():
        raise RuntimeError(f"nothing was predicted into '{store}'")
    return again


def score(target: str, observed: xr.DataArray | None, sim: xr.DataArray) -> xr.Dataset:
    """Score predictions at each site, without the first year."""
    skip = SPINUP if sim.sizes["time"] > SPINUP else 0  # short records are shown whole
    late = sim.isel(time=slice(skip, None))
    table = xr.Dataset({"predicted_mean": late.mean("time")})
    if observed is not None:
        truth = observed.isel(time=slice(skip, None)).drop_encoding()
        table["observed_mean"] = truth.mean("time")
        table["days"] = truth.notnull().sum("time")
        names = ["nse", "kge", "rmse", "corr"]
        table = table.merge(metrics.scores(truth, late, names=names))
    return table.assign_coords(target=target)


def as_table(scores: Sequence[xr.Dataset]) -> pd.DataFrame:
    """One line per place and target."""
    parts = []
    for ds in scores:
        (site,) = ds["predicted_mean"].dims
        frame = ds.to_dataframe().reset_index().rename(columns={site: "site"})
        name = next((n for n in ("gauge_name", "name") if n in frame), "site")
        frame.insert(0, "place", frame[name])
        parts.append(frame)
    known = ["target", "site", "place", "days", "observed_mean", "predicted_mean"]
    known += ["nse", "kge", "rmse", "corr"]
    table = pd.concat(parts, ignore_index=True)
    return table[[name for name in known if name in table]]


def run(places: Places, out: Path) -> pd.DataFrame:
    """Do everything once and leave the results in `out`."""
    clock = Clock()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    print(places.basins.stefaland, "\n")
    clock("checked: what the model found in the basins' Dataset, and what it lacks")

    frame = embed(places.basins)
    frame.to_csv(out / "embeddings.csv")
    print(frame.iloc[:, :6].round(2).to_string(), "...\n")
    clock(f"embedded: {frame.shape[1]} numbers for each of {len(frame)} sites")

    rivers = predict_rivers(places.basins)
    clock("predicted " + ", ".join(map(str, rivers.data_vars)))

    soil = write(rivers, predict_soil(places.stations), out)
    clock("predicted soil moisture chunk by chunk (dask), wrote NetCDF and Zarr")

    gap, rmse = reconstruct(places.stations)
    errors = [f"{value:.1f} ({who})" for who, value in rmse.items()]
    unit = gap["given"].attrs["units"]
    what = gap["given"].attrs["long_name"]
    clock(
        f"reconstructed {GAP} hidden days of {what}: RMSE [{unit}] " + ", ".join(errors)
    )

    table = as_table(score_all(places, rivers, soil))
    table.to_csv(out / "scores.csv", index=False)
    pictures.draw(out / "demo.png", places, rivers, soil, gap, table)
    clock("drew the picture")
    print("\n" + table.round(3).to_string(index=False))
    return table


def score_all(
    places: Places, rivers: xr.Dataset, soil: xr.DataArray
) -> list[xr.Dataset]:
    """Score all that was predicted of what was observed."""
    flow, wet = places.basins.get("streamflow"), places.stations.get("soil_moisture")
    flows = [name for name in rivers.data_vars if str(name).startswith("streamflow")]
    scores = [score(str(name), flow, rivers[name]) for name in sorted(flows)]
    return [*scores, score("soil_moisture", wet, soil)]


class Clock:
    """Says what was done and how long it took."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def __call__(self, text: str) -> None:
        """Print a line."""
        now = time.perf_counter()
        print(f"[{now - self._last:5.1f} s] {text}", flush=True)
        self._last = now


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the demo from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of an archive")
    parser.add_argument("--out", type=Path, default=Path("demo-output"))
    parser.add_argument("--sites", type=int, default=5, help="how many of each kind")
    parser.add_argument("--days", type=int, default=1461, help="of synthetic weather")
    given = parser.parse_args(arguments)
    if given.data is None:
        print("Synthetic weather, made by formula: the numbers show how calls look,")
        print("not skill. Real observations: make demo DATA=folder\n")
        places = synthetic(given.sites, given.days)
    else:
        print(f"Observations in {given.data}\n")
        places = observations(given.data, given.sites)
    run(places, given.out)
    print(f"\nEverything is in {given.out.resolve()}")


if __name__ == "__main__":
    main()
