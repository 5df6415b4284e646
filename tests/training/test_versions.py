"""Versions: inputs that are hidden, and embeddings as predictions make them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import xstefaland
from xstefaland.inference.plans import plan_encoder
from xstefaland.inputs.requirements import Requirements, VariableSpec
from xstefaland.inputs.variables import CATALOGUE
from xstefaland.testing import example_points, tiny_weights
from xstefaland.training.tasks import Task, make_task, read_records
from xstefaland.training.versions import (
    cache_embeddings,
    drop_inputs,
    hide,
    other_climate,
)
from xstefaland.weights import TARGETS, Weights

FLOW = TARGETS["streamflow"]


@pytest.fixture(scope="module")
def encoder() -> Weights:
    """The tiny encoder."""
    return tiny_weights()


@pytest.fixture(scope="module")
def ds() -> xr.Dataset:
    """Weather, with a start that some sites lack, and flow."""
    ds = example_points(40, 450)
    for name in ("precipitation", "temperature", "shortwave_radiation"):
        ds[name][3, :20] = np.nan
    return ds.assign(flow=(ds.precipitation * 0.4).assign_attrs(units="mm d-1"))


@pytest.fixture(scope="module")
def task(ds: xr.Dataset, encoder: Weights) -> Task:
    """Flow at forty sites."""
    asked = plan_encoder(encoder)[1]
    records = read_records(ds, FLOW, asked, observed="flow", minimum_days=100)
    return make_task([records], FLOW, asked)


def test_dropped_inputs_spare_what_is_required(task):
    """Required forcings are never hidden; attributes go in whole groups."""
    hidden = drop_inputs(task, ["precipitation", "temperature"], 0)
    forcing, attributes = hidden["data"]
    spared = [task.forcing_names.index(n) for n in ("precipitation", "temperature")]
    assert not forcing[:, spared].any()
    assert 0 < forcing.mean() < 1
    assert 0 < attributes.mean() < 1
    groups = [CATALOGUE[n].group for n in task.attribute_names]
    for group in set(groups):
        members = attributes[:, [g == group for g in groups]]
        assert (members.all(1) | ~members.any(1)).all()
    assert attributes.all(1).any()


def test_hide_makes_missing_what_is_marked_and_nothing_else(task):
    """For one site and some days, or for several sites."""
    hidden = drop_inputs(task, ["precipitation", "temperature"], 0)
    records = task.records[0]
    forcing, attributes = hide(records, hidden, np.arange(40))
    mask, groups = hidden["data"]
    expected = np.where(mask[:, None], np.nan, records.forcing)
    np.testing.assert_array_equal(forcing, expected)
    np.testing.assert_array_equal(
        attributes, np.where(groups, np.nan, records.attributes)
    )
    one, static = hide(records, hidden, 7, slice(10, 30))
    np.testing.assert_array_equal(one, expected[7, 10:30])
    np.testing.assert_array_equal(static, attributes[7])


@pytest.mark.parametrize("causal", [False, True])
def test_cached_embeddings_are_those_that_users_get(
    ds, task, encoder, tmp_path: Path, causal
):
    """Up to half precision; a second call takes the files as they are."""
    if causal:
        encoder = tiny_weights(window=120, stride=60)
    model = encoder.model()
    seen: list[int] = []
    caches = cache_embeddings(
        model, task, tmp_path, None, "float32", causal, progress=seen.append
    )
    assert sum(seen) == 40
    if not causal:
        public = xstefaland.embed(ds.drop_vars("flow"), weights=encoder)
        there = public.notnull().values
        assert there.mean() > 0.9
        cached = np.asarray(caches["data"], np.float32)
        np.testing.assert_allclose(cached[there], public.values[there], atol=4e-3)
    assert np.isfinite(caches["data"]).all()
    path = tmp_path / "data.npy"
    before = path.stat().st_mtime_ns
    cache_embeddings(model, task, tmp_path, None, "float32", causal)
    assert path.stat().st_mtime_ns == before
    assert not list(tmp_path.glob("*.part"))


def test_dropped_sites_cost_nothing(task, encoder, tmp_path: Path):
    """Only sites that are used are embedded."""
    seen: list[int] = []
    few = task.with_roles({"data-site001": "train", "data-site030": "held out"})
    caches = cache_embeddings(
        encoder.model(), few, tmp_path, None, "float32", progress=seen.append
    )
    assert sum(seen) == 2
    used = np.abs(caches["data"]).sum((1, 2)) > 0
    assert np.flatnonzero(used).tolist() == [1, 30]


def test_climate_of_other_years() -> None:
    """Derived attributes come from stretches of the record; given ones stay."""
    ds = example_points(6, 2200)
    rising = np.linspace(0.2, 2.0, 2200, dtype=np.float32)
    ds["precipitation"] = (ds.precipitation * rising).assign_attrs(units="mm d-1")
    ds["flow"] = (0.4 * ds.precipitation).assign_attrs(units="mm d-1")
    ds["aridity"] = ("site", np.full(6, 1.5), {"units": "1"})
    seen = {"minimum": 0.0, "maximum": 100.0}
    asked = Requirements(
        (
            VariableSpec("precipitation", "mm d-1"),
            VariableSpec("temperature", "degC"),
            VariableSpec("potential_evapotranspiration", "mm d-1"),
        ),
        (
            VariableSpec("p_mean", "mm d-1", **seen),
            VariableSpec("aridity", "1", **seen),
            VariableSpec("elevation", "m"),
        ),
    )
    spec = TARGETS["streamflow"]
    task = make_task([read_records(ds, spec, asked, observed="flow")], spec, asked)
    (records,) = task.records
    assert records.derived == ("p_mean",)
    changed = other_climate(task, 0)["data"]
    np.testing.assert_array_equal(changed[:, 1:], records.attributes[:, 1:])
    ratio = changed[:, 0] / records.attributes[:, 0]
    assert len(set(ratio.round(3))) > 1
    assert (abs(ratio - 1) > 0.05).any()
    np.testing.assert_array_equal(other_climate(task, 0)["data"], changed)
    row = hide(records, None, 2, attributes={"data": changed})[1]
    np.testing.assert_array_equal(row, changed[2])
