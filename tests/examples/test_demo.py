"""The demo, on the synthetic example that ships and on real files."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from xstefaland.weights import registry

DEFAULT = registry.table().default_encoder
BASINS = ["12144000", "01435000", "06878000"]
STATIONS = ["54808", "04125", "94077"]


def _check_outputs(out: Path, table: pd.DataFrame, sites: int) -> None:
    """Everything that the demo promises lies in its folder."""
    with xr.open_dataset(out / "rivers.nc") as rivers:
        assert set(rivers.data_vars) >= {"streamflow", "streamflow_hbv", "recharge"}
        assert rivers.streamflow.attrs["units"] == "mm d-1"
        assert rivers.streamflow.attrs["weights"] == DEFAULT
        assert np.isfinite(rivers.streamflow).all()
    soil = xr.open_zarr(out / "soil_moisture.zarr", zarr_format=2, chunks=None)
    assert soil.soil_moisture.sizes["time"] > 365
    assert len(pd.read_csv(out / "embeddings.csv")) == sites
    pd.testing.assert_series_equal(pd.read_csv(out / "scores.csv").target, table.target)
    assert (out / "demo.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("tiny_table")
def test_demo_on_the_synthetic_example(
    demo: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without data it says that the weather is synthetic, and does everything."""
    out = tmp_path / "out"
    demo.main(["--out", str(out), "--sites", "2", "--days", "1461"])
    said = capsys.readouterr().out
    assert "Synthetic weather, made by formula" in said
    assert "xstefaland: ready" in said
    table = pd.read_csv(out / "scores.csv")
    assert "nse" not in table
    assert sorted(table.target.unique()) == [
        "soil_moisture",
        "streamflow",
        "streamflow_hbv",
    ]
    _check_outputs(out, table, sites=2)


@pytest.mark.usefixtures("tiny_table")
def test_demo_on_real_files(demo: ModuleType, tmp_path: Path, real_data: Path) -> None:
    """With data it takes places that were left out, and scores them."""
    out = tmp_path / "out"
    places = demo.observations(real_data, 2)
    assert set(places.basins.basin.values) <= set(BASINS)
    assert set(places.stations.station.values) <= set(STATIONS)
    rain = places.basins.precipitation.mean("time").values
    assert rain[0] > rain[1]  # from wet to dry
    short = demo.Places(
        places.basins.isel(time=slice(0, 800)),
        places.stations.isel(time=slice(0, 800)),
        observed=True,
    )
    table = demo.run(short, out)
    assert table.days.min() > 100
    assert table[["nse", "kge", "rmse", "corr"]].notnull().all(axis=None)
    _check_outputs(out, table, sites=2)


@pytest.mark.usefixtures("tiny_table")
@pytest.mark.parametrize("archive", ["caravan", "camels_us", "uscrn"])
def test_demo_on_any_published_layout(
    demo: ModuleType, tmp_path: Path, real_data: Path, archive: str
) -> None:
    """One archive is enough: what it does not measure is predicted and not scored."""
    out = tmp_path / "out"
    places = demo.observations(real_data / "raw" / archive, 2)
    short = demo.Places(
        places.basins.isel(time=slice(0, 500)),
        places.stations.isel(time=slice(0, 500)),
        observed=True,
    )
    table = demo.run(short, out).set_index("target")
    measured = "soil_moisture" if archive == "uscrn" else "streamflow"
    assert table.days[measured].min() > 50
    scored = table.index[table.days.notnull()].unique()
    assert all(name.startswith(measured) for name in scored)
    assert (out / "demo.png").is_file()


def test_demo_says_what_it_does_not_know(demo: ModuleType, tmp_path: Path) -> None:
    """A folder without an archive: the names of those that are known."""
    with pytest.raises(SystemExit, match=r"no archive that is known.*camels_us"):
        demo.observations(tmp_path, 2)


def test_demo_scores_what_it_says(demo: ModuleType) -> None:
    """A perfect prediction has NSE 1, and the first year does not count."""
    time = pd.date_range("2000-01-01", periods=800)
    rng = np.random.default_rng(1)
    obs = xr.DataArray(
        rng.gamma(1.0, 2.0, (2, 800)),
        {"site": ["a", "b"], "time": time},
        ("site", "time"),
    )
    sim = obs.where(obs.time > time[364], 0.0)
    table = demo.as_table([demo.score("streamflow", obs, sim)])
    assert table.nse.tolist() == pytest.approx([1.0, 1.0])
    assert table.days.tolist() == [435, 435]
    assert demo.score("streamflow", obs, sim.shift(time=1)).nse.max() < 0.5


def test_demo_needs_no_hbv_head(
    demo: ModuleType, tiny_table: Path, tmp_path: Path
) -> None:
    """Where that head is not at hand, streamflow is predicted all the same."""
    name = registry.table().head_for("streamflow", "resconn-hbv").name
    (tiny_table / f"{name}.safetensors").unlink()
    demo.main(["--out", str(tmp_path / "out"), "--sites", "1", "--days", "1200"])
    with xr.open_dataset(tmp_path / "out" / "rivers.nc") as rivers:
        assert set(rivers.data_vars) == {"streamflow"}


@pytest.mark.slow
def test_demo_with_the_weights_that_ship(demo: ModuleType, tmp_path: Path) -> None:
    """The bundled weights do all of it, within physical limits."""
    demo.main(["--out", str(tmp_path), "--sites", "2"])
    with xr.open_dataset(tmp_path / "rivers.nc") as rivers:
        assert set(rivers.data_vars) == {"streamflow", "streamflow_hbv"} | set(
            demo.WATER_BALANCE[1:]
        )
        assert rivers.to_array().min() >= 0
    table = pd.read_csv(tmp_path / "scores.csv").set_index("target")
    assert table.predicted_mean["soil_moisture"].between(0.02, 0.6).all()
    assert table.predicted_mean["streamflow"].between(0.05, 5).all()


@pytest.mark.slow
def test_bundled_weights_have_skill_at_places_left_out(
    demo: ModuleType, tmp_path: Path, real_data: Path
) -> None:
    """Well below what was measured when they were trained, well above no skill."""
    places = demo.observations(real_data, 5)
    table = demo.run(places, tmp_path).set_index("target")
    assert table.nse["streamflow"].median() > 0.5
    assert table.nse["streamflow_hbv"].median() > 0.5
    assert table["corr"]["soil_moisture"].median() > 0.85
    assert table.rmse["soil_moisture"].median() < 0.06
