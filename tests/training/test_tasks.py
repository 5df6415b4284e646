"""Tasks: records of the sites that have observations, from any Dataset."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import dask
import numpy as np
import pytest
import xarray as xr

from xstefaland.errors import InputError
from xstefaland.inference.plans import plan_encoder
from xstefaland.inputs.hints import Hints
from xstefaland.inputs.prepare import prepare
from xstefaland.inputs.requirements import Requirements
from xstefaland.testing import example_grid, example_points, tiny_weights
from xstefaland.training.tasks import Records, Task, make_task, read_records
from xstefaland.weights import TARGETS

FLOW = TARGETS["streamflow"]


@pytest.fixture(scope="module")
def asked() -> Requirements:
    """What the tiny encoder asks for."""
    return plan_encoder(tiny_weights())[1]


@pytest.fixture
def ds() -> xr.Dataset:
    """Four sites with flow; the second has little, the third none."""
    ds = example_points(4, 500)
    flow = (ds.precipitation * 0.4).assign_attrs(units="mm d-1")
    flow[1, 50:] = np.nan
    flow[2] = np.nan
    return ds.assign(flow=flow)


def read(ds: xr.Dataset, asked: Requirements, **more: object) -> Records:
    """Records of a Dataset whose observations are called flow."""
    found = read_records(ds, FLOW, asked, observed="flow", **more)
    assert found is not None
    return found


def test_inputs_are_those_of_a_prediction(ds, asked):
    """Bit-equal with what `prepare` gives for the Dataset without observations."""
    kelvin = ds.temperature + np.float32(273.15)
    ds["temperature"] = kelvin.assign_attrs(units="K")
    records = read(ds, asked)
    prepared = prepare(ds.drop_vars("flow"), asked)
    np.testing.assert_array_equal(records.forcing, prepared.forcing[[0, 3]])
    np.testing.assert_array_equal(records.attributes, prepared.attributes[[0, 3]])
    np.testing.assert_array_equal(records.latitude, prepared.latitude[[0, 3]])
    np.testing.assert_array_equal(records.observed, ds.flow[[0, 3]])


def test_only_sites_with_enough_observations_are_kept(ds, asked):
    """Their labels, places and positions among all sites are known."""
    records = read(ds, asked)
    assert records.sites["label"].tolist() == ["site000", "site003"]
    assert records.sites["site"].tolist() == ["data-site000", "data-site003"]
    assert records.positions.tolist() == [0, 3]
    np.testing.assert_allclose(records.sites["lat"], ds.latitude[[0, 3]], rtol=1e-6)
    np.testing.assert_allclose(records.sites["lon"], ds.longitude[[0, 3]])
    assert len(read(ds, asked, minimum_days=50).sites) == 3
    assert len(read(ds, asked, minimum_days=0).sites) == 3


def test_no_site_with_observations(ds, asked):
    """The error says what to do."""
    none = read_records(ds, FLOW, asked, observed="flow", minimum_days=600)
    assert none is None
    with pytest.raises(InputError, match="minimum_days="):
        make_task([none], FLOW, asked)


def test_a_period_cuts_inputs_and_observations_alike(ds, asked):
    """Both ends of the slice belong to it."""
    records = read(ds, asked, period=slice("2001-01-01", "2001-12-31"))
    assert records.forcing.shape[1] == records.observed.shape[1] == 365
    assert str(records.dates[0].date()) == "2001-01-01"
    year = ds.sel(time="2001")
    np.testing.assert_array_equal(records.observed, year.flow[[0, 3]])


def test_observations_without_weather_do_not_count(ds, asked):
    """A month beyond the last weather there is nothing to learn from."""
    for name in ("precipitation", "temperature", "shortwave_radiation"):
        ds[name][0, 100:200] = np.nan
        ds[name][3] = np.nan
    records = read(ds, asked, minimum_days=100)
    assert records.sites["label"].tolist() == ["site000"]
    np.testing.assert_array_equal(
        np.isnan(records.observed[0]), (np.arange(500) >= 130) & (np.arange(500) < 170)
    )


def test_grids_and_single_sites(asked):
    """Cells are sites; a Dataset without site dims is one."""
    grid = example_grid(2, 2, 500)
    grid["flow"] = (grid.precipitation * 0.4).assign_attrs(units="mm d-1")
    records = read(grid, asked)
    assert records.sites["label"].tolist() == ["45.0-5.0", "45.0-5.25", "44.75-5.0"]
    assert records.sites["lon"].tolist() == [5.0, 5.25, 5.0]
    one = read(grid.isel(lat=0, lon=1), asked)
    assert one.sites["label"].tolist() == ["site"]
    assert one.sites["lon"].tolist() == [5.25]
    np.testing.assert_array_equal(one.forcing[0], records.forcing[1])


def test_lazy_data_is_computed_for_the_chosen_sites_alone(ds, asked):
    """Equal to eager data; sites without observations are never computed."""
    seen = []

    def watch(block: np.ndarray) -> np.ndarray:
        if block.size:
            seen.append(float(block[0, 0]))
        return block

    lazy = ds.chunk(site=1)
    lazy["precipitation"] = lazy.precipitation.copy(
        data=lazy.precipitation.data.map_blocks(
            watch, dtype="f4", meta=np.empty((0, 0))
        )
    )
    with dask.config.set(scheduler="sync"):
        records = read(lazy, asked)
    eager = read(ds, asked)
    np.testing.assert_array_equal(records.forcing, eager.forcing)
    np.testing.assert_array_equal(records.observed, eager.observed)
    assert set(seen) == {float(v) for v in ds.precipitation[[0, 3], 0]}


def test_all_problems_of_inputs_and_observations_are_told_at_once(ds, asked):
    """Rain without units, and a target in units of another kind."""
    del ds.precipitation.attrs["units"]
    with pytest.raises(InputError) as error:
        read(ds, asked, hints=Hints(units={"flow": "m"}, rename={"no": "elevation"}))
    assert "'precipitation': \"mm d-1\"" in str(error.value).replace(
        '{"', "{'"
    ).replace('": "', "': \"")
    ds["flow"].attrs["units"] = "degC"
    with pytest.raises(InputError) as error:
        read(ds, asked)
    assert "degC" in str(error.value)
    assert "no units stated for 'precipitation'" in str(error.value)


def task(ds: xr.Dataset, asked: Requirements) -> Task:
    """Make a task of one record."""
    return make_task([read(ds, asked)], FLOW, asked)


def test_roles_and_what_the_sites_have(ds, asked):
    """Sites without a role are dropped; an attribute counts from half the sites on."""
    ds["clay"][0] = np.nan
    ds = ds.drop_vars("slope")
    made = task(ds, asked).with_roles({"data-site003": "held out"})
    assert made.sites["role"].tolist() == ["dropped", "held out"]
    assert made.records[0].rows("held out").tolist() == [1]
    assert set(made.known_attributes) == {"elevation", "frac_forest"}
    assert "precipitation" in made.known_forcing


def test_the_fingerprint_knows_every_number(ds, asked):
    """Another observation, input, site name or first day is another task."""
    before = task(ds, asked).fingerprint()
    assert task(ds.copy(deep=True), asked).fingerprint() == before
    for name in ("flow", "temperature", "elevation"):
        other = ds.copy(deep=True)
        other[name][(0,) * other[name].ndim] += 1
        assert task(other, asked).fingerprint() != before
    later = ds.assign_coords(time=ds.time + np.timedelta64(365, "D"))
    assert task(later, asked).fingerprint() != before


FINGERPRINT = """
from xstefaland.inputs.requirements import Requirements
from xstefaland.training.tasks import Task
from xstefaland.weights import TARGETS
masked = frozenset({"clay", "sand", "silt", "elevation"})
print(Task(TARGETS["clay"], (), Requirements((), masked=masked)).fingerprint())
"""


def test_the_fingerprint_is_the_same_in_every_process(ds, asked):
    """A run with hidden inputs goes on in another process; what is hidden counts."""
    found = {
        subprocess.run(
            [sys.executable, "-c", FINGERPRINT],
            env=os.environ | {"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(found) == 1
    other = replace(asked, masked=frozenset({"elevation"}))
    before = task(ds, asked)
    assert replace(before, requirements=other).fingerprint() != before.fingerprint()
