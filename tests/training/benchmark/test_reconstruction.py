"""Reconstruction as a benchmark: who is scored, what is hidden, how it is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from xstefaland.errors import InputError
from xstefaland.testing import example_points, tiny_weights
from xstefaland.training.benchmark import Reconstruction, run_benchmark
from xstefaland.training.benchmark.reconstruction import _nearest
from xstefaland.training.benchmark.writing import write
from xstefaland.training.sources import Source
from xstefaland.weights import Weights
from xstefaland.weights.files import read, save


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    """A tiny encoder whose card leaves out two of eight sites."""
    folder = tmp_path_factory.mktemp("encoder")
    tiny = tiny_weights(folder / "tiny.safetensors")
    card = replace(tiny.card, left_out=("mine-site002", "mine-site005"))
    path = folder / "left-out.safetensors"
    save(path, tiny.model().state_dict(), card)
    return read(path)


def archive(folder: Path) -> xr.Dataset:
    """Eight sites along a meridian with nearly the same weather."""
    ds = example_points(8, 1200)
    same = ds.temperature.isel(site=0, drop=True)
    warmth = same + xr.DataArray(np.arange(8) * 0.01, dims="site")
    ds["temperature"] = warmth.transpose(*ds.temperature.dims).assign_attrs(
        ds.temperature.attrs
    )
    east = xr.DataArray(np.zeros(8), dims="site")
    return ds.assign_coords(longitude=east)


MINE = Reconstruction(sources=(Source("mine", archive, 1.0, ()),))


def test_who_is_scored(encoder, tmp_path: Path):
    """The sites left out alone; neighbours know what nobody else can."""
    outcome = run_benchmark(MINE, Path(), tmp_path, encoder=encoder, progress=False)
    scores = outcome.scores
    assert set(scores["site"]) == {"mine-site002", "mine-site005"}
    assert list(scores["system"].unique()) == list(MINE.systems)
    warmth = scores[scores["target"] == "temperature"].set_index("system")["rmse"]
    assert (warmth["knn"] < 0.1).all()
    assert (warmth["interpolation"] > 0.5).all()
    again = run_benchmark(MINE, Path("x"), tmp_path, encoder=encoder, progress=False)
    pd.testing.assert_frame_equal(again.scores, scores)
    page = write(outcome, tmp_path / "page").read_text()
    assert "stefaland - climatology" in page
    assert "networks:" not in page


def test_systems_and_folders(encoder, tmp_path: Path):
    """Some systems in the order that is asked; a folder holds one run."""
    options = {"encoder": encoder, "progress": False}
    few = ["climatology", "stefaland"]
    outcome = run_benchmark(MINE, Path(), tmp_path, systems=few, **options)
    assert list(outcome.scores["system"].unique()) == few
    with pytest.raises(InputError, match=r"\['lstm'\] are not known; there are"):
        run_benchmark(MINE, Path(), tmp_path, systems=["lstm"], **options)
    with pytest.raises(InputError, match="holds another run"):
        run_benchmark(replace(MINE, sites=1), Path(), tmp_path, **options)


def test_an_encoder_that_left_nobody_out(tmp_path: Path):
    """Nothing can be scored, and that is said."""
    with pytest.raises(InputError, match="leaves out no site"):
        run_benchmark(MINE, Path(), tmp_path, encoder=tiny_weights(), progress=False)


def test_sites_with_too_few_days(encoder, tmp_path: Path):
    """Where nothing can be scored that is said, as where nobody is left out."""

    def short(folder: Path) -> xr.Dataset:
        ds = archive(folder)
        weather = [name for name in ds.data_vars if "time" in ds[name].dims]
        few = ds[weather].where(ds.time < ds.time[20])
        other = ~ds.site.isin(["site002", "site005"])
        return ds.assign({n: few[n].where(~other, ds[n]) for n in weather})

    bare = replace(MINE, sources=(Source("mine", short, 1.0, ()),))
    with pytest.raises(InputError, match=r"no site of .* at which 30 days can be"):
        run_benchmark(bare, Path(), tmp_path, encoder=encoder, progress=False)


def test_neighbours_are_training_sites():
    """The nearest ones first, none of those held out."""
    table = pd.DataFrame({"lat": [0.0, 1, 2, 3, 50, np.nan], "lon": 0.0})
    near = _nearest(table, np.array([1]), np.array([5, 0, 3, 4]))
    assert near.tolist() == [[0, 3, 4, 5]]
