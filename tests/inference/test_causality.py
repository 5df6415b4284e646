"""Reading causally: no answer knows of a later day."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import xstefaland
from xstefaland.errors import InputError, WeightsError
from xstefaland.testing import example_points, tiny_head, tiny_weights
from xstefaland.weights import cache, registry

FEW = settings(
    max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
FORCING = ["precipitation", "temperature", "shortwave_radiation"]
BOTH_WAYS = ("two-way", "causal")


@pytest.fixture(scope="module")
def weights() -> Any:
    """A small encoder that reads both ways."""
    return tiny_weights(readings=BOTH_WAYS, window=40, stride=15)


@pytest.fixture(scope="module")
def head(weights: Any) -> Any:
    """A small head trained for causal reading."""
    return tiny_head(weights, readings=("causal",))


@FEW
@given(
    day=st.integers(1, 109),
    days=st.integers(1, 110),
    batch=st.sampled_from([1, 4, "auto"]),
    seed=st.integers(0, 99),
)
def test_the_future_changes_no_past(
    weights: Any, head: Any, day: int, days: int, batch: Any, seed: int
) -> None:
    """Whatever comes after a day, or if nothing does: bit by bit the same answer."""
    ds = example_points(3, 110, seed=seed)
    other = example_points(3, 110, seed=seed + 1)[FORCING]
    later = ds["time"] >= ds["time"][day]
    changed = ds.assign({n: ds[n].where(~later, other[n] * 1.5) for n in FORCING})
    cut = ds.isel(time=slice(0, max(day, 1)))
    options: dict[str, Any] = {"causal": True, "weights": weights, "batch_size": batch}
    for call in (
        lambda d: xstefaland.embed(d, **options),
        lambda d: xstefaland.predict(d, "streamflow", head=head, **options),
    ):
        past = call(ds).isel(time=slice(0, day))
        np.testing.assert_array_equal(past, call(changed).isel(time=slice(0, day)))
        np.testing.assert_allclose(past, call(cut), rtol=1e-5, atol=1e-6)


def test_two_way_reading_does_know_the_future(weights: Any) -> None:
    """The property above can fail: it does for the usual reading."""
    ds = example_points(2, 80)
    dry = ds.assign(precipitation=ds.precipitation.where(ds.time < ds.time[60], 0.0))
    a, b = (xstefaland.embed(d, weights=weights)[:, :60] for d in (ds, dry))
    assert np.abs(a - b).max() > 1e-4


def test_weights_say_whether_they_can(head: Any) -> None:
    """The default way only: refused by name, with what can be done."""
    ds = example_points(2, 50)
    plain = tiny_weights()
    with pytest.raises(WeightsError, match=r"'tiny': they were trained to read whole"):
        xstefaland.embed(ds, weights=plain, causal=True)
    two_way = tiny_head(plain)
    with pytest.raises(WeightsError, match=r"'tiny'.*'tiny-head'"):
        xstefaland.predict(ds, "streamflow", head=two_way, weights=plain, causal=True)


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """An encoder and the causal default head of streamflow, in a table of their own."""
    form = {"window": 40, "stride": 15, "readings": BOTH_WAYS}
    encoder = tiny_weights(tmp_path / "e.safetensors", **form)
    head = tiny_head(
        encoder,
        path=tmp_path / "h.safetensors",
        readings=("causal",),
        required=(("shortwave_radiation",),),
    )
    table = tmp_path / "registry.json"
    table.write_bytes(registry.REGISTRY_FILE.read_bytes())
    monkeypatch.setattr(registry, "REGISTRY_FILE", table)
    monkeypatch.setenv("XSTEFALAND_WEIGHTS_URL", str(tmp_path))
    monkeypatch.setenv("XSTEFALAND_CACHE", str(tmp_path / "cache"))
    how = {"version": "v9", "description": "", "bundled": False}
    registry.record(encoder, form="base", **how)
    entry = registry.record(head, form="tiny", default_for=["streamflow"], **how)
    kept = cache.cached_path(entry)  # as if it had been fetched
    kept.parent.mkdir(parents=True)
    kept.write_bytes(head.path.read_bytes())
    return encoder, head


def test_a_causal_head_of_the_table_answers(
    listed: tuple[Any, Any], tmp_path: Path
) -> None:
    """Without `head=`: each way of reading takes its own default, as errors say."""
    encoder, head = listed
    ds = example_points(2, 50)
    named = xstefaland.predict(ds, "streamflow", head=head, causal=True)
    found = xstefaland.predict(ds, "streamflow", causal=True)
    xr.testing.assert_equal(found, named)
    explained = xstefaland.explain(ds, "streamflow", causal=True)
    assert explained.sizes["time"] == 50
    store = tmp_path / "out.zarr"
    report = xstefaland.run(ds, "streamflow", store, causal=True, progress=False)
    xr.testing.assert_equal(report.open().streamflow.load(), found)
    plain = tiny_weights(tmp_path / "p.safetensors")
    two_way = tiny_head(plain, path=tmp_path / "t.safetensors")
    with pytest.raises(WeightsError, match=rf"head='{head.name}'"):
        xstefaland.predict(ds, "streamflow", head=two_way, weights=plain, causal=True)
    with pytest.raises(WeightsError, match=rf"weights='{encoder.name}'"):
        xstefaland.embed(ds, weights=plain, causal=True)


def test_a_check_speaks_of_the_head_that_would_answer(listed: tuple[Any, Any]) -> None:
    """What it needs, what is derived, who was trained where: of its own reading."""
    encoder, head = listed
    ds = example_points(2, 1200).drop_vars("shortwave_radiation")
    assert ds.stefaland.check("streamflow").ok
    causal = ds.stefaland.check("streamflow", causal=True)
    assert "shortwave_radiation" in "".join(causal.problems)
    asked = ds.stefaland.unseen("streamflow", causal=True).attrs["weights"]
    assert asked == f"{head.name}, {encoder.name}"
    assert "resconn" in ds.stefaland.unseen("streamflow").attrs["weights"]
    assert ds.stefaland.check().targets["streamflow"] == "ready"  # the two-way head
    own = ds.stefaland.check(weights=encoder, causal=True).targets
    assert own == {"streamflow": "needs shortwave_radiation"}


def test_a_check_says_what_cannot_be_read_causally(weights: Any, head: Any) -> None:
    """A problem, as `predict` would raise it; and no climate of days to come."""
    ds = example_points(2, 1200)
    named = {"weights": weights, "head": head}
    assert "Use causal=True" in xstefaland.check(ds, "streamflow", **named).problems[0]
    assert xstefaland.check(ds, "streamflow", **named, causal=True).ok
    alone = xstefaland.check(ds, weights=tiny_weights(), causal=True)
    assert "Use causal=False" in alone.problems[0]
    with pytest.raises(WeightsError, match="causal=True is not possible"):
        xstefaland.unseen(ds, "streamflow", causal=True)
    assert xstefaland.unseen(ds, "streamflow", **named).attrs["weights"]


def test_heads_that_need_the_whole_record(weights: Any) -> None:
    """HBV's parameters come from all days."""
    physics = tiny_head(
        weights,
        readings=BOTH_WAYS,
        physics="hbv",
        forcing=("precipitation", "temperature", "potential_evapotranspiration"),
    )
    ds = example_points(2, 50)
    with pytest.raises(InputError, match="need a site's whole record"):
        xstefaland.predict(ds, "streamflow", head=physics, weights=weights, causal=True)


def test_climate_comes_from_no_later_day(weights: Any) -> None:
    """None is derived unless a period is named; the whole record is refused."""
    climatic = tiny_weights(
        readings=BOTH_WAYS, attributes=("elevation", "clay"), window=60, stride=30
    )
    ds = example_points(2, 60)
    with pytest.raises(InputError, match=r"climate='record' takes climate attributes"):
        xstefaland.embed(ds, weights=climatic, causal=True, climate="record")
    with pytest.raises(InputError, match="climate='summer' is not possible"):
        xstefaland.embed(ds, weights=climatic, climate="summer")


def test_derived_climate_is_kept(weights: Any) -> None:
    """A table from one part of the record serves another part, site by site."""
    ds = example_points(3, 1600)
    table = xstefaland.derive_climate(ds, slice("2000-10-01", "2003-09-30"))
    assert dict(table.sizes) == {"site": 3}
    assert table.aridity.attrs["units"] == "1"
    again = xstefaland.derive_climate(ds.isel(time=slice(0, 1095)))
    for name in table.data_vars:
        np.testing.assert_allclose(table[name], again[name], rtol=1e-6)
    lazy = xstefaland.derive_climate(ds.chunk(site=1), slice("2000-10-01", "2003"))
    assert lazy.p_mean.chunks is not None


@pytest.mark.parametrize("lazy", [False, True])
def test_days_far_from_any_weather(weights: Any, lazy: bool) -> None:
    """A gap of all forcings is answered for a month from both ends, then NaN."""
    ds = example_points(2, 200)
    gap = slice(40, 140)
    for name in FORCING:
        ds[name].values[0, gap] = np.nan
    given = ds.chunk(site=1, time=-1) if lazy else ds
    head = tiny_head(weights)
    options: dict[str, Any] = {"weights": weights}
    flow = xstefaland.predict(given, "streamflow", head=head, **options).compute()
    missing = np.flatnonzero(np.isnan(flow[0]))
    assert missing.tolist() == list(range(70, 110))
    assert not np.isnan(flow[1]).any()
    wide = xstefaland.embed(given, max_gap=5, **options).compute()
    assert np.isnan(wide[0, :, 0]).sum() == 90
    none = xstefaland.embed(given, max_gap=None, **options).compute()
    assert not np.isnan(none).any()
    mean = xstefaland.embed(given, pool="mean", **options).compute()
    daily = xstefaland.embed(given, **options).compute().mean("time")
    np.testing.assert_allclose(mean, daily, rtol=1e-4, atol=1e-5)
    with pytest.raises(InputError, match="max_gap=-1 is not possible"):
        xstefaland.embed(given, max_gap=-1, **options)


@pytest.mark.parametrize("lazy", [False, True])
def test_days_far_from_rain(weights: Any, lazy: bool) -> None:
    """Temperature goes on, and the other sites have rain: neither makes up for it."""
    ds = example_points(3, 200)
    ds["precipitation"].values[0, 40:140] = np.nan
    ds["temperature"].values[1, 180:] = np.nan
    given = ds.chunk(site=1, time=-1) if lazy else ds
    head = tiny_head(weights, readings=BOTH_WAYS)
    options: dict[str, Any] = {"weights": weights, "max_gap": 10}
    flow = xstefaland.predict(given, "streamflow", head=head, **options).compute()
    rainless, cold, whole = (np.flatnonzero(np.isnan(site)) for site in flow)
    assert rainless.tolist() == list(range(50, 130))
    assert cold.tolist() == list(range(190, 200))
    assert not whole.size
    past = xstefaland.predict(given, "streamflow", head=head, causal=True, **options)
    assert np.flatnonzero(np.isnan(past[0])).tolist() == list(range(50, 140))


def test_a_causal_answer_begins_with_the_rain(weights: Any) -> None:
    """Days before it are NaN, whether the record goes on to have rain or not."""
    ds = example_points(2, 120)
    ds["precipitation"].values[0, :60] = np.nan
    options: dict[str, Any] = {"weights": weights, "causal": True, "max_gap": None}
    options["head"] = tiny_head(weights, readings=("causal",))
    flow = xstefaland.predict(ds, "streamflow", **options)
    assert np.flatnonzero(np.isnan(flow[0])).tolist() == list(range(60))
    cut = xstefaland.predict(ds.isel(time=slice(50)), "streamflow", **options)
    np.testing.assert_array_equal(np.isnan(cut), np.isnan(flow[:, :50]))


def test_missing_share_by_day(weights: Any) -> None:
    """One share for each site and day, beside the answer."""
    ds = example_points(2, 50)
    ds["temperature"].values[1, 7] = np.nan
    out = xstefaland.embed(ds, weights=weights, missing_by="day")
    share = out.fraction_missing
    assert share.dims == ("site", "time")
    assert float(share[1, 7]) == pytest.approx(1 / 3)
    assert float(share.sum()) == pytest.approx(1 / 3)
    with pytest.raises(InputError, match="missing_by='week'"):
        xstefaland.embed(ds, weights=weights, missing_by="week")


@pytest.mark.parametrize("lazy", [False, True])
def test_a_site_without_a_required_input(weights: Any, lazy: bool) -> None:
    """One site without any rain, or a chunk of such sites, is NaN."""
    ds = example_points(4, 60)
    ds["precipitation"].values[1:3] = np.nan
    given = ds.chunk(site=1, time=-1) if lazy else ds
    flow = xstefaland.predict(
        given, "streamflow", head=tiny_head(weights), weights=weights
    )
    assert np.isnan(flow).all("time").values.tolist() == [False, True, True, False]


def test_impossible_values_come_back_counted(weights: Any) -> None:
    """The answer says how many values it did not believe."""
    ds = example_points(2, 60)
    ds["temperature"].values[1, :3] = -9999
    with pytest.warns(UserWarning, match="lies beyond -90 to 60 degC"):
        out = xstefaland.embed(ds, weights=weights)
    assert out.values_rejected.values.tolist() == [0, 3]
    assert isinstance(out, xr.DataArray)
