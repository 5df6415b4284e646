"""Channels kept for training are those that a head computes in predictions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xstefaland.errors import InputError
from xstefaland.inference.plans import plan_encoder
from xstefaland.model.process import CHANNELS
from xstefaland.testing import example_points, tiny_weights
from xstefaland.training.channels import AT_ONCE, cache_channels
from xstefaland.training.choices import asked_of_data, head_config
from xstefaland.training.fitting import Finetuning, fit, predict_sites, score_sites
from xstefaland.training.sampling import Sampler
from xstefaland.training.tasks import Task, make_task, read_records
from xstefaland.training.versions import Version, without_place
from xstefaland.weights import TARGETS

FLOW = TARGETS["streamflow"]
FEW = ("precipitation_30d", "dry_spell")


@pytest.fixture(scope="module")
def task() -> Task:
    """Flow is the mean rain of thirty days; the last two sites are held out."""
    ds = example_points(AT_ONCE + 2, 500)
    flow = ds.precipitation.rolling(time=30, min_periods=1).mean()
    ds["flow"] = flow.assign_attrs(units="mm d-1")
    asked = asked_of_data(plan_encoder(tiny_weights())[1], FLOW, frozenset())
    made = make_task([read_records(ds, FLOW, asked, observed="flow")], FLOW, asked)
    roles = ["train"] * AT_ONCE + ["held out"] * 2
    return made.with_roles(dict(zip(made.sites["site"], roles, strict=True)))


def form(task: Task, **more: Any) -> Any:
    """A narrow linear head: it knows of the past by its channels alone."""
    entries = {"kind": "linear", "width": 8, "dropout": 0.0, "channels": FEW, **more}
    return head_config(task, entries, 1, causal=False)


def version(task: Task, folder: Path, names: Any = FEW, **more: Any) -> Version:
    """Complete inputs with channels, and an embedding that says nothing."""
    nothing = {"data": np.zeros((len(task.sites), 500, 1), np.float16)}
    return Version(None, nothing, channels=cache_channels(task, names, folder, **more))


def short(updates: int) -> Finetuning:
    """A run of seconds."""
    return Finetuning(
        updates=updates, batch_size=4, days=60, warmup=0, learning_rate=3e-2,
        precision="float32",
    )  # fmt: skip


@pytest.mark.parametrize("causal", [False, True])
def test_kept_channels_give_the_answer_of_computed_ones(
    task: Task, tmp_path: Path, causal: bool
) -> None:
    """Up to half precision, as a head that is given the whole record."""
    config = form(task, channels=CHANNELS)
    kept = version(task, tmp_path, CHANNELS, causal=causal)
    other = version(task, tmp_path / "other", CHANNELS, causal=not causal)
    head = fit(task, config, [kept], short(0))
    answer, computed, wrong = (
        predict_sites(head, task, config, each, causal=causal)[0][2]
        for each in (kept, replace(kept, channels=None), other)
    )
    np.testing.assert_allclose(answer, computed, atol=5e-3)
    assert abs(wrong - computed).max() > 0.05


def test_a_head_learns_from_a_channel_what_a_day_cannot_tell(
    task: Task, tmp_path: Path
) -> None:
    """The mean of thirty days is flow itself: nearly all of it, at sites left out."""
    kept = version(task, tmp_path)
    medians = []
    for channels in (FEW, ()):
        config = form(task, channels=channels)
        head = fit(task, config, [kept], short(300))
        results = predict_sites(head, task, config, replace(kept, channels=None))
        medians.append(score_sites(results, ["nse"], skip=30)["nse"].median())
    assert medians[0] > 0.9
    assert medians[1] < 0.4


def test_scaling_is_of_training_sites(task: Task, tmp_path: Path) -> None:
    """Other weather at held-out sites changes none of it."""
    config = form(task)
    means = []
    for name, held in (("a", 1.0), ("b", 9.0)):
        records = task.records[0]
        forcing = records.forcing.copy()
        forcing[AT_ONCE:] *= held
        other = replace(task, records=(replace(records, forcing=forcing),))
        kept = version(other, tmp_path / name)
        head = fit(other, config, [kept], short(0))
        means.append(head.get_submodule("features.channel_scaling").mean)
    assert means[0].tolist() == means[1].tolist()
    assert kept.channels is not None
    rain = kept.channels.values["data"][:AT_ONCE, ::7, 0].astype(np.float32)
    assert means[0][0].item() == pytest.approx(rain.mean(), rel=1e-4)


def test_windows_bring_channels_of_their_days(task: Task, tmp_path: Path) -> None:
    """In the order that the head names them."""
    kept = version(task, tmp_path)
    config = form(task, channels=FEW[::-1])
    sample = Sampler(task, config, [kept], days=40, warmup=0, batch_size=9).draw(0)
    assert sample.channels.shape == (9, 40, 2)
    near = abs(sample.channels[..., 1] - sample.observed[..., 0])
    assert near.median() < 2e-3  # flow is that mean
    day = sample.day_of_year
    assert ((day[:, 1:] - day[:, :-1] == 1) | (day[:, 1:] == 1)).all()


def test_where_the_place_is_unknown_there_are_no_channels(
    task: Task, tmp_path: Path
) -> None:
    """A share of the sites is read so, and no other."""
    kept = version(task, tmp_path)
    placeless = without_place(task, 3)
    made = replace(kept, placeless=placeless)
    records, chosen = task.records[0], placeless["data"]
    assert 0 < chosen.mean() < 0.5
    rows = np.arange(len(chosen))
    found, latitude = made.process(records, rows, FEW), made.latitude(records, rows)
    assert (np.isnan(found).all((1, 2)) == chosen).all()
    assert (np.isnan(latitude) == chosen).all()
    assert (kept.latitude(records, rows) == records.latitude).all()
    for site in rows:
        one = made.process(records, site, FEW, slice(5, 9))
        np.testing.assert_array_equal(one, found[site, 5:9])


def test_dropped_sites_cost_nothing_and_files_stay(task: Task, tmp_path: Path) -> None:
    """Only sites that are used are computed, once."""
    few = task.with_roles({"data-site001": "train", "data-site016": "held out"})
    found = cache_channels(few, FEW, tmp_path).values["data"]
    assert np.flatnonzero(np.abs(found).sum((1, 2))).tolist() == [1, 16]
    again = cache_channels(task, FEW, tmp_path).values["data"]
    np.testing.assert_array_equal(again, found)
    assert [path.name for path in tmp_path.iterdir()] == ["data.npy"]


def test_a_version_without_them_says_what_to_pass(task: Task) -> None:
    """The call that computes them."""
    with pytest.raises(InputError, match=r"channels=cache_channels\(task, config"):
        fit(task, form(task), [Version(None, None)], short(1))
