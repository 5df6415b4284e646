"""What a user asks: targets, heads, sites and folds, each checked."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from xstefaland import splits
from xstefaland.errors import InputError
from xstefaland.inference.plans import plan_encoder
from xstefaland.inputs.requirements import Requirements
from xstefaland.testing import example_grid, example_points, tiny_weights
from xstefaland.training.choices import (
    asked_of_data,
    choose_folds,
    choose_sites,
    find_target,
    head_config,
)
from xstefaland.training.tasks import Task, make_task, read_records
from xstefaland.weights import TARGETS, TargetSpec

FLOW = TARGETS["streamflow"]


@pytest.fixture(scope="module")
def asked() -> Requirements:
    """What is read for a head on the tiny encoder."""
    return asked_of_data(plan_encoder(tiny_weights())[1], FLOW, frozenset())


def with_flow(ds: xr.Dataset) -> xr.Dataset:
    """Add observations."""
    return ds.assign(flow=(ds.precipitation * 0.4).assign_attrs(units="mm d-1"))


def make(asked: Requirements, target: TargetSpec = FLOW, **data: xr.Dataset) -> Task:
    """A task of one or several data sets."""
    records = [
        read_records(
            with_flow(ds), target, asked, observed="flow", name=name, minimum_days=9
        )
        for name, ds in data.items()
    ]
    return make_task(records, target, asked)


@pytest.fixture(scope="module")
def task(asked: Requirements) -> Task:
    """Six sites, the second 3 km from the first."""
    ds = example_points(6, 60)
    ds["latitude"][1] = ds.latitude[0] + 0.03
    ds["longitude"][1] = ds.longitude[0]
    return make(asked, a=ds)


def test_a_target_by_name_or_of_ones_own():
    """A table entry, or a TargetSpec as it is."""
    assert find_target("snow_depth") is TARGETS["snow_depth"]
    own = TargetSpec(name="lake_level", units="m")
    assert find_target(own) is own


@pytest.mark.parametrize(
    ("target", "match"),
    [
        ("lake_level", r"TargetSpec\(name='lake_level', units=\"...\"\)"),
        (TargetSpec(name="a", units="m", loss="huber"), "there are nse, mse"),
        (TargetSpec(name="a", units="1", transform="logit"), "belongs together"),
        (TargetSpec(name="a", units="1", loss="cross_entropy"), "belongs together"),
        (TargetSpec(name="a", units="1", loss="focal"), "belongs together"),
    ],
)
def test_targets_that_are_refused(target, match):
    """Unknown names and contradictions."""
    with pytest.raises(InputError, match=match):
        find_target(target)


def test_inputs_that_are_the_target_by_standard_name_are_hidden():
    """Snow water is an input of some encoders, and a target."""
    encoder = plan_encoder(None)[1]
    snow = asked_of_data(encoder, TARGETS["snow_water_equivalent"], frozenset({"clay"}))
    assert snow.masked == {"snow_depth_water_equivalent", "clay"}
    assert asked_of_data(encoder, FLOW, frozenset()).masked == frozenset()
    names = [variable.name for variable in snow.forcing]
    assert "potential_evapotranspiration" in names
    assert len(set(names)) == len(names)


def test_a_head_takes_what_the_data_have(task):
    """By its form, or by entries of its configuration."""
    config = head_config(task, "no_resconn", 16, causal=False)
    assert config.kind == "no_resconn"
    assert config.embedding == 16
    assert config.also_log == ("precipitation",)
    assert "relative_humidity" not in config.forcing
    assert "potential_evapotranspiration" in config.forcing
    wide = head_config(task, {"width": 9, "quantiles": [0.1, 0.5]}, 16, causal=False)
    assert (wide.kind, wide.width, wide.quantiles) == ("resconn", 9, (0.1, 0.5))


def test_a_head_without_rain(asked):
    """Data without precipitation are possible; nothing is logged."""
    ds = with_flow(example_points(2, 60)).drop_vars("precipitation")
    records = read_records(ds, FLOW, asked, observed="flow", minimum_days=9)
    config = head_config(make_task([records], FLOW, asked), "resconn", 16, False)
    assert config.also_log == ()
    assert "precipitation" not in config.forcing


def test_hbv_gives_all_its_fluxes_the_target_first(task):
    """Only with targets that it has."""
    config = head_config(task, "lstm-hbv", 16, causal=False)
    assert (config.kind, config.physics, config.targets[0]) == (
        "lstm", "hbv", "streamflow",
    )  # fmt: skip
    assert len(config.targets) == 12


@pytest.mark.parametrize(
    ("head", "causal", "match"),
    [
        ("former", False, "'resconn', 'no_resconn'"),
        ("resconn-hbv-hbv", False, "'resconn-hbv', .* or a dict of entries"),
        ({"static": True}, False, "the observations have the dimension 'time'"),
        ({"quantiles": (0.1, 0.9)}, False, "the median must be among them"),
        ({"targets": ("streamflow", "soil_moisture")}, False, "leave it out"),
        ({"targets": ("soil_moisture",)}, False, "leave it out"),
        ({"widht": 3}, False, "unknown entries"),
        ("resconn-hbv", True, "no HBV"),
        ({"adapter": "conv"}, True, "no adapter 'conv'"),
    ],
)
def test_heads_that_are_refused(task, head, causal, match):
    """Each with its reason."""
    with pytest.raises(InputError, match=match):
        head_config(task, head, 16, causal)


def test_hbv_has_no_soil_temperature(asked):
    """The error names what it has."""
    warmth = TargetSpec(name="warmth", units="mm d-1")
    task = make(asked, warmth, a=example_points(2, 60))
    with pytest.raises(InputError, match="HBV has no 'warmth'; it gives streamflow"):
        head_config(task, "resconn-hbv", 16, causal=False)


def test_sites_by_label_or_id(asked):
    """A label may be in several data sets; an id names one."""
    both = make(asked, a=example_points(3, 60), b=example_points(2, 70))
    chosen = choose_sites(both, ["site001", "b-site000"])
    roles = dict(zip(chosen.sites["site"], chosen.sites["role"], strict=True))
    assert [s for s, role in roles.items() if role == "train"] == [
        "a-site001", "b-site000", "b-site001",
    ]  # fmt: skip
    assert set(roles.values()) == {"train", "dropped"}
    assert choose_sites(both, None) is both


@pytest.mark.parametrize("sites", [["site001", "nowhere"], []])
def test_sites_that_are_not_there(task, sites):
    """Those are named, and some that are there."""
    with pytest.raises(InputError, match="such as site000, site001"):
        choose_sites(task, sites)


def test_drawn_folds_keep_places_together(task):
    """Gauges 3 km apart share a fold; folds are the same in every run."""
    folds = choose_folds(task, 3)
    assert set(folds.tolist()) == {0, 1, 2}
    assert folds[0] == folds[1]
    np.testing.assert_array_equal(folds, choose_folds(task, 3))
    assert choose_folds(task, None) is None


def test_folds_of_ones_own(task):
    """By label, whatever the order; sites that are not trained on are passed over."""
    labels = [f"site{i:03d}" for i in reversed(range(6))]
    given = xr.DataArray([5, 4, 3, 2, 1, 0], {"site": labels}, "site")
    assert choose_folds(task, given).tolist() == [0, 1, 2, 3, 4, 5]
    few = choose_sites(task, ["site004", "site002"])
    assert choose_folds(few, given).tolist() == [2, 4]
    regions = splits.leave_one_region_out(
        xr.DataArray([0, 0, 1, 1, 2, 2], {"site": labels}, "site")
    )
    assert choose_folds(task, regions).tolist() == [2, 2, 1, 1, 0, 0]


def test_folds_of_a_grid(asked):
    """Cells are found by both their labels."""
    grid = example_grid(2, 2, 60)
    task = make(asked, a=grid)
    folds = xr.DataArray(
        [[0, 1], [2, 0]], {"lat": grid.lat, "lon": grid.lon}, ("lat", "lon")
    )
    assert choose_folds(task, folds).tolist() == [0, 1, 2]


def test_folds_of_a_grid_with_labels_of_two_types(asked):
    """Labels are those of the sites: no 45.0 for 45, no digits beyond float32."""
    east = np.array([7.1, 8.3], np.float32)
    grid = example_grid(2, 2, 60).assign_coords(lat=[45, 46], lon=east)
    task = make(asked, a=grid)
    assert task.sites["label"].tolist() == ["45-7.1", "45-8.3", "46-7.1"]
    where = {"lat": grid.lat, "lon": grid.lon}
    folds = xr.DataArray([[0, 1], [2, 0]], where, ("lat", "lon"))
    assert choose_folds(task, folds).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("values", "labels", "match"),
    [
        ([0, 1], ["site000", "site001"], "no entry for the sites"),
        ([0, 1, 0, 1, 0, np.nan], [f"site{i:03d}" for i in range(6)], "no entry for"),
        ([0] * 6, [f"site{i:03d}" for i in range(6)], "into one fold"),
        ([-1] * 6, [f"site{i:03d}" for i in range(6)], "into one fold"),
    ],
)
def test_folds_that_are_refused(task, values, labels, match):
    """Sites without a fold, and folds that leave nothing to train on."""
    with pytest.raises(InputError, match=match):
        choose_folds(task, xr.DataArray(values, {"site": labels}, "site"))


def test_more_folds_than_places(task):
    """Five places cannot make six folds."""
    with pytest.raises(InputError, match="6"):
        choose_folds(task, 6)
