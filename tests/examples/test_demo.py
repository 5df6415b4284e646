"""The demo, on the synthetic example that ships and on real files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from safetensors.torch import load_file

from xstefaland import testing
from xstefaland.testing import tiny_head, tiny_weights
from xstefaland.training.targets import TARGETS
from xstefaland.weights import Weights, read, registry, save
from xstefaland.weights.record import record

FLUXES = ("streamflow", "surface_runoff", "interflow", "baseflow")
FLUXES += ("evapotranspiration", "snow_water_equivalent", "recharge", "percolation")
FLUXES += ("capillary_rise", "soil_water", "upper_zone_storage", "lower_zone_storage")
BASINS = ["12144000", "01435000", "06878000"]
STATIONS = ["54808", "04125", "94077"]
LEFT_OUT = [f"camels-era5land-{b}" for b in BASINS] + [f"uscrn-{s}" for s in STATIONS]


def _published(weights: Weights, folder: Path, name: str) -> Weights:
    """The same tensors under another name, in the folder of bundled weights."""
    targets = tuple(TARGETS[target.name] for target in weights.card.targets)
    card = replace(weights.card, name=name, targets=targets, left_out=tuple(LEFT_OUT))
    if card.encoder is not None:
        encoder = read(folder / "stefaland-base-v1.safetensors")
        reference = replace(card.encoder, name=encoder.name, sha256=encoder.sha256)
        card = replace(card, encoder=reference)
    return save(folder / f"{name}.safetensors", load_file(weights.path), card)


@pytest.fixture
def tiny_table(tmp_path: Path) -> Iterator[Path]:
    """A table of weights of its own, with tiny random ones under the bundled names."""
    folder = tmp_path / "bundled"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        (tmp_path / "registry.json").write_text(registry.REGISTRY_FILE.read_text())
        patch.setattr(registry, "BUNDLED", folder)
        patch.setattr(registry, "REGISTRY_FILE", tmp_path / "registry.json")
        encoder = tiny_weights()
        base = _published(encoder, folder, "stefaland-base-v1")
        record(base, alias="base", version="v1", description="tiny")
        evaporation = (2.0, 1.5, "mm d-1", "linear")
        patch.setitem(testing.FORCING, "potential_evapotranspiration", evaporation)
        weather = ("precipitation", "temperature", "potential_evapotranspiration")
        hbv = {"physics": "hbv", "components": 2, "forcing": weather}
        heads: list[tuple[str, str, tuple[str, ...], dict[str, Any]]] = [
            ("streamflow-resconn-v1", "resconn", ("streamflow",), {}),
            ("soil-moisture-resconn-v1", "resconn", ("soil_moisture",), {}),
            ("streamflow-resconn-hbv-v1", "resconn-hbv", FLUXES, hbv),
        ]
        for name, alias, targets, config in heads:
            head = _published(tiny_head(encoder, targets, **config), folder, name)
            own = targets if len(targets) == 1 else targets[1:]
            record(head, alias=alias, version="v1", description="", default_for=own)
        yield folder


def _check_outputs(out: Path, table: pd.DataFrame, sites: int) -> None:
    """Everything that the demo promises lies in its folder."""
    with xr.open_dataset(out / "rivers.nc") as rivers:
        assert set(rivers.data_vars) >= {"streamflow", "streamflow_hbv", "recharge"}
        assert rivers.streamflow.attrs["units"] == "mm d-1"
        assert rivers.streamflow.attrs["weights"] == "stefaland-base-v1"
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
    (tiny_table / "streamflow-resconn-hbv-v1.safetensors").unlink()
    demo.main(["--out", str(tmp_path / "out"), "--sites", "1", "--days", "1200"])
    with xr.open_dataset(tmp_path / "out" / "rivers.nc") as rivers:
        assert set(rivers.data_vars) == {"streamflow"}
