"""Finetuning on a Dataset of one's own: from observations to weights that predict."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from safetensors.torch import load_file

import xstefaland
from xstefaland import datasets, metrics
from xstefaland.errors import InputError, WeightsError
from xstefaland.testing import example_grid, example_points, tiny_weights
from xstefaland.training import Finetuning, finetune
from xstefaland.weights import TARGETS, TargetSpec, Weights, read, save

SHORT = Finetuning(
    updates=4, batch_size=4, days=80, warmup=20, precision="float32",
    checkpoint_updates=2,
)  # fmt: skip
SMALL: dict[str, Any] = {"width": 16, "dropout": 0.0}


@pytest.fixture(scope="module")
def causal_encoder(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    """One whose card says that it reads both ways."""
    tiny = tiny_weights(window=60, stride=30)
    card = replace(tiny.card, readings=("two-way", "causal"))
    path = tmp_path_factory.mktemp("encoder") / "causal.safetensors"
    return save(path, load_file(tiny.path), card)


def own(sites: int = 6, days: int = 800) -> xr.Dataset:
    """A user's data: flow is the rain of the last days."""
    ds = example_points(sites, days)
    flow = ds.precipitation.rolling(time=4, min_periods=1).mean() * 0.5
    return ds.assign(q=flow.assign_attrs(units="mm d-1"))


def train(
    ds: xr.Dataset | Mapping[str, xr.Dataset],
    encoder: Weights,
    target: str | TargetSpec = "streamflow",
    observed: str | None = "q",
    **more: Any,
) -> Weights:
    """Finetune for a second, silently."""
    entries = {"settings": SHORT, "head": SMALL, "progress": False, **more}
    return finetune(ds, target, observed, encoder=encoder, **entries)


def equal(first: Weights, second: Weights) -> bool:
    """Whether two files hold the same tensors, bit by bit."""
    one, other = first.tensors(), second.tensors()
    return one.keys() == other.keys() and all(
        torch.equal(one[name], other[name]) for name in one
    )


def test_a_head_learns_and_predicts_at_once(encoder, tmp_path: Path):
    """Good on sites left out, as its scores say, and on sites it never had."""
    ds = own(12)
    settings = Finetuning(
        updates=150, batch_size=8, days=100, warmup=20, learning_rate=1e-2
    )
    rest = ds.isel(site=slice(9, None))
    head = train(
        ds.isel(site=slice(0, 9)), encoder, settings=settings, folds=3, folder=tmp_path
    )
    scores = pd.read_csv(tmp_path / "scores.csv")
    assert sorted(scores["system"].unique()) == ["lstm", "lstm-plain", "resconn"]
    assert (scores.groupby("system").size() == 9).all()
    assert (scores.groupby("system")["nse"].median() > 0.7).all()
    flow = xstefaland.predict(rest, "streamflow", head=head, weights=encoder)
    assert flow.attrs["units"] == "mm d-1"
    assert metrics.nse(rest.q, flow).median() > 0.7
    assert head.card.metrics["sites"] == 9
    assert head.card.metrics["folds"] == 3


def test_the_card_says_what_the_head_is(encoder):
    """Target, units, limits, inputs, encoder, minutes, data and sites kept out."""
    ds = own().assign_attrs(title="my gauges", license="mine")
    card = train(ds, encoder, sites=[f"site{i:03d}" for i in range(4)]).card
    assert card.targets == (TARGETS["streamflow"],)
    assert card.readings == ("two-way",)
    assert card.left_out == ("data-site004", "data-site005")
    assert card.encoder is not None
    assert card.encoder.sha256 == encoder.sha256
    assert card.spinup_days == 365
    rain = {spec.name: spec for spec in card.forcing}["precipitation"]
    assert rain.units == "mm d-1"
    assert rain.maximum == pytest.approx(ds.precipitation[:4, ::7].max().item())
    assert card.training["minutes"] >= 0
    assert card.training["updates"] == 4
    (source,) = card.training["data"]
    assert (source["title"], source["license"]) == ("my gauges", "mine")
    assert (source["sites"], source["observed"]) == (4, "q")
    assert source["days"] == "2000-10-01..2002-12-09"
    needed = [set(choice) for choice in card.required]
    assert any("precipitation" in choice for choice in needed)


def test_observations_of_sites_left_out_change_nothing(encoder, tmp_path: Path):
    """The head of fold 0 is bit-equal whatever was observed at the sites of fold 0."""
    ds = own()
    changed = ds.copy(deep=True)
    changed["q"][:3] = changed.q[:3].values[:, ::-1] * 5
    folds = xr.DataArray([0, 0, 0, 1, 1, 1], {"site": ds.site}, "site")
    for name, each in (("a", ds), ("b", changed)):
        train(each, encoder, folds=folds, folder=tmp_path / name)
    for system in ("resconn", "lstm"):
        states = [
            [torch.load(tmp_path / name / f"fold{fold}-{system}.pt")["head"]
             for name in "ab"]
            for fold in (0, 1)
        ]  # fmt: skip
        same = [
            all(torch.equal(first[key], second[key]) for key in first)
            for first, second in states
        ]
        assert same == [True, False]


def test_what_is_observed_is_never_an_input(encoder):
    """Under an input's name or alias it is hidden, in training and from then on."""
    ds = example_points(4, 800).rename(shortwave_radiation="ssrd_w")
    ds = ds.rename(ssrd_w="rsds")  # an alias of an input that the encoder knows
    sun = TargetSpec(name="sunshine", units="W m-2", minimum=0.0)
    head = train(ds, encoder, sun, "rsds")
    assert head.card.masked_inputs == ("shortwave_radiation",)
    assert "shortwave_radiation" not in [spec.name for spec in head.card.forcing]
    given, without = (
        xstefaland.predict(each, "sunshine", head=head, weights=encoder)
        for each in (ds, ds.drop_vars("rsds"))
    )
    np.testing.assert_array_equal(given, without)


def test_a_run_that_was_killed_goes_on_to_bit_equal_weights(encoder, tmp_path: Path):
    """Killed between two heads, and called again with the same arguments."""
    ds = own(4, 500)
    ds.to_netcdf(tmp_path / "own.nc", engine="scipy")
    code = f"""
import xarray as xr
from xstefaland.training import Finetuning, finetune
ds = xr.open_dataset({str(tmp_path / "own.nc")!r}).load()
finetune(ds, "streamflow", "q", encoder={str(encoder.path)!r}, head={SMALL!r},
         settings={SHORT!r}, folds=2, folder={str(tmp_path / "run")!r}, progress=False)
"""
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(xstefaland.__file__).parents[1]),
    }
    process = subprocess.Popen([sys.executable, "-c", code], env=environment)
    wait_for(tmp_path / "run" / "fold0-lstm.pt", process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "run" / "streamflow-resconn.safetensors").exists()
    ds = xr.open_dataset(tmp_path / "own.nc").load()
    first = (tmp_path / "run" / "fold0-resconn.pt").stat().st_mtime_ns
    resumed = train(ds, encoder, folds=2, folder=tmp_path / "run")
    assert (tmp_path / "run" / "fold0-resconn.pt").stat().st_mtime_ns == first
    whole = train(ds, encoder, folds=2, folder=tmp_path / "whole")
    assert equal(resumed, whole)
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "run" / "scores.csv"),
        pd.read_csv(tmp_path / "whole" / "scores.csv"),
    )


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until a running process has written a file."""
    while not path.exists():
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.005)


def test_a_folder_is_taken_again_or_refused(encoder, tmp_path: Path):
    """The same call returns the file; another one is told what differs."""
    ds = own(3, 500)
    first = train(ds, encoder, folder=tmp_path)
    assert train(ds, encoder, folder=tmp_path) == first
    assert not (tmp_path / "embeddings").exists()
    longer = replace(SHORT, updates=5)
    with pytest.raises(InputError, match=r"holds another run: settings, folds differ"):
        train(ds, encoder, folder=tmp_path, settings=longer, folds=2)
    ds["q"][0, 0] += 1
    with pytest.raises(InputError, match="task differ"):
        train(ds, encoder, folder=tmp_path)


def test_several_data_sets_with_days_of_their_own(encoder):
    """Other days, another product, another name of the site dim, one single site."""
    first, second = own(3, 800), own(2, 500).rename(site="gauge_id")
    third = own(1, 600).isel(site=0, drop=True)
    data = {"a-1": first, "b": second, "c": third.assign_coords(latitude=47.0)}
    card = train(data, encoder, sites=["a-1-site001", "b-site001", "site"]).card
    assert [source["sites"] for source in card.training["data"]] == [1, 1, 1]
    assert card.left_out == ("a-1-site000", "a-1-site002", "b-site000")
    with pytest.raises(InputError, match="'a/b' cannot name a data set"):
        train({"a/b": first}, encoder)


def test_grids(encoder):
    """Cells are sites, and folds may be a map."""
    grid = example_grid(2, 2, 500)
    grid["q"] = (grid.precipitation * 0.4).assign_attrs(units="mm d-1")
    folds = xr.DataArray(
        [[0, 1], [1, 0]], {"lat": grid.lat, "lon": grid.lon}, ("lat", "lon")
    )
    head = train(grid, encoder, folds=folds)
    assert head.card.metrics["sites"] == 3
    flow = xstefaland.predict(grid, "streamflow", head=head, weights=encoder)
    assert flow.dims == ("time", "lat", "lon")


def test_sparse_observations(encoder):
    """Ten samples a site are enough where the user says so."""
    ds = own(3, 700)
    ds["q"] = ds.q.where(ds.time.dt.day == 15)
    with pytest.raises(InputError, match="lower minimum_days="):
        train(ds, encoder)
    assert train(ds, encoder, minimum_days=10).card.targets[0].name == "streamflow"


def test_a_target_of_ones_own_in_units_of_ones_own(encoder):
    """One keyword makes a target: units, limits and names come back with answers."""
    ds = own(3, 500)
    ds["level"] = (ds.q * 10 + 5).assign_attrs(units="cm")
    spec = TargetSpec(
        name="lake_level", units="m", long_name="Level of the lake", minimum=0.0,
        maximum=0.3,
    )  # fmt: skip
    with pytest.warns(UserWarning, match="lie beyond 0.0 to 0.3 m"):
        head = train(ds, encoder, spec, "level")
    level = xstefaland.predict(ds, "lake_level", head=head, weights=encoder)
    assert level.attrs["units"] == "m"
    assert level.attrs["long_name"] == "Level of the lake"
    assert 0 <= level.min() <= level.max() <= 0.3


def test_data_without_rain_make_a_head_that_needs_none(encoder):
    """What a head requires is what it was trained on."""
    ds = own(3, 500).drop_vars("precipitation")
    head = train(ds, encoder)
    (choice,) = head.card.required
    assert "temperature" in choice
    flow = xstefaland.predict(ds, "streamflow", head=head, weights=encoder)
    assert flow.notnull().all()


def test_units_of_observations_may_be_said(encoder):
    """With `units=`, as for inputs; a discharge is refused with the formula."""
    ds = own(3, 500)
    ds["q"].attrs = {}
    with pytest.raises(InputError, match="it states no units"):
        train(ds, encoder)
    with pytest.raises(InputError, match=r"86.4 / ds\[\"area\"\]"):
        train(ds, encoder, units={"q": "m3 s-1"})
    inches = train(ds, encoder, units={"q": "inch/day"})
    head = inches.tensors()["target_scaling.mean"].item()
    assert head == pytest.approx(ds.q.mean().item() * 25.4, rel=1e-3)


def test_quantiles(encoder):
    """A head trained for levels answers with them."""
    ds = own(3, 500)
    head = train(ds, encoder, head={**SMALL, "quantiles": (0.1, 0.5, 0.9)}, folds=3)
    levels = [0.1, 0.9]
    flow = xstefaland.predict(
        ds, "streamflow", head=head, weights=encoder, quantiles=levels
    )
    assert flow["quantile"].values.tolist() == levels
    assert (flow.diff("quantile") >= 0).all()
    median = xstefaland.predict(ds, "streamflow", head=head, weights=encoder)
    assert median.dims == ("site", "time")


def test_causal_heads_are_used_as_they_were_trained(causal_encoder):
    """They answer causally; two-way reading is refused with the call that works."""
    ds = own(3, 500)
    head = train(ds, causal_encoder, causal=True, folds=3)
    assert head.card.readings == ("causal",)
    both = {"head": head, "weights": causal_encoder}
    flow = xstefaland.predict(ds, "streamflow", causal=True, **both)
    later = ds.copy(deep=True)
    later["precipitation"][:, 300:] = 0
    cut = xstefaland.predict(later, "streamflow", causal=True, **both)
    np.testing.assert_array_equal(flow[:, :300], cut[:, :300])
    assert not np.array_equal(flow[:, 300:], cut[:, 300:])
    with pytest.raises(WeightsError, match=r"Use causal=True"):
        xstefaland.predict(ds, "streamflow", **both)


def test_causal_training_needs_an_encoder_and_climate_for_it(encoder, causal_encoder):
    """No encoder that reads windows alone, no climate from days to come."""
    ds = own(3, 500)
    with pytest.raises(WeightsError, match="causal=True is not possible with 'tiny'"):
        train(ds, encoder, causal=True)
    with pytest.raises(InputError, match="climate='record'"):
        train(ds, causal_encoder, causal=True, climate="record")


def test_what_cannot_be_finetuned_is_said(encoder):
    """Static heads for series and the other way round; things that are no Dataset."""
    ds = own(2, 500)
    with pytest.raises(InputError, match="the observations have the dimension 'time'"):
        train(ds, encoder, head={"static": True})
    with pytest.raises(InputError, match="the observations have no dimension 'time'"):
        train(ds, encoder, "clay", "clay", head={"static": False})
    mixed = {"a": ds, "b": ds.assign(q=ds.q.mean("time").assign_attrs(units="mm d-1"))}
    with pytest.raises(InputError, match="in some data sets and not in"):
        train(mixed, encoder)
    with pytest.raises(InputError, match="not an xarray"):
        train(ds.q, encoder)


def test_all_data_sets_are_judged_at_once(encoder):
    """Each problem bears the name of its data set."""
    first, second = own(2, 500), own(2, 500)
    del first["q"].attrs["units"]
    second = second.rename(q="flow")
    with pytest.raises(InputError) as error:
        train({"one": first, "two": second}, encoder)
    assert "one: observed='q': it states no units" in str(error.value)
    assert "two: observed='q': the Dataset has no such variable" in str(error.value)


def test_progress_and_report(encoder, capsys):
    """A report when it is done, and not a word with progress=False."""
    ds = own(3, 500)
    train(ds, encoder, folds=3, progress=True)
    shown = capsys.readouterr()
    assert "Medians over sites left out of training" in shown.out
    assert "resconn - lstm" in shown.out
    train(ds, encoder, folds=3)
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "")


@pytest.mark.parametrize(
    ("reader", "observed", "span"),
    [
        ("uscrn", "soil_temperature", slice("2015-01-01", "2016-12-31")),
        ("camels_ch", "snow_water_equivalent", slice("2000-01-01", "2001-12-31")),
    ],
)
def test_targets_that_do_not_ship_on_real_data(
    real_data: Path, encoder, reader, observed, span
):
    """A reader's Dataset goes in as it is; limits and units are the registry's."""
    ds = getattr(datasets, reader)(real_data).sel(time=span)
    (dim,) = set(ds[observed].dims) - {"time"}
    full = ds[observed].notnull().mean("time") > 0.9
    ds = ds.isel({dim: np.flatnonzero(full)[:3]})
    head = train(ds, encoder, observed, None, head={**SMALL, "kind": "lstm"})
    assert head.card.targets == (TARGETS[observed],)
    answer = xstefaland.predict(ds, observed, head=head, weights=encoder)
    assert answer.attrs["units"] == TARGETS[observed].units
    assert answer.notnull().mean() > 0.9
    assert read(head.path) == head
