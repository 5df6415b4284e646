"""Vectors of others: matched by label and day, and used as embeddings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from xstefaland.errors import InputError
from xstefaland.inference.plans import plan_encoder
from xstefaland.testing import example_points, tiny_weights
from xstefaland.training.benchmark import SYSTEMS, Head, vectors
from xstefaland.training.benchmark.work import Work
from xstefaland.training.choices import asked_of_data
from xstefaland.training.fitting import Finetuning
from xstefaland.training.tasks import make_task, read_records
from xstefaland.weights import TARGETS


@pytest.fixture
def work(tmp_path) -> Work:
    """Six sites, two of them held out."""
    flow = TARGETS["streamflow"]
    ds = example_points(6, 400)
    ds["streamflow"] = (ds.precipitation * 0.5).assign_attrs(units="mm d-1")
    encoder, asked = plan_encoder(tiny_weights())
    asked = asked_of_data(asked, flow, frozenset())
    whole = make_task([read_records(ds, flow, asked)], flow, asked)
    roles = ["train"] * 4 + ["held out"] * 2
    task = whole.with_roles(dict(zip(whole.sites["site"], roles, strict=True)))
    settings = Finetuning(updates=2, batch_size=2, days=50, warmup=0)
    return Work(task, encoder, settings, tmp_path, tmp_path, whole)


def table(order=range(6)) -> xr.DataArray:
    """Three numbers a site: the site's own, and it again."""
    values = np.repeat(np.array(order, float)[:, None], 3, 1)
    labels = [f"site{number:03d}" for number in order]
    return xr.DataArray(values, {"place": labels}, ("place", "embedding"))


def test_sites_are_found_by_label(work):
    """In any order, under any name of the dim, the same every day."""
    (found,) = vectors.given(table([5, 4, 3, 2, 1, 0, 9]))(work.task).values()
    assert found.shape == (6, 400, 3)
    assert (found == np.arange(6)[:, None, None]).all()


def test_days_take_the_last_vector_before(work):
    """Yearly vectors count from their day on; the first one before it too."""
    first = work.task.records[0].dates[0]
    days = pd.DatetimeIndex(
        [first + pd.Timedelta(100, "D"), first + pd.Timedelta(200, "D")]
    )
    yearly = xr.concat([table(), table() + 10], pd.Index(days, name="time"))
    (found,) = vectors.given(yearly.transpose("place", "time", "embedding"))(
        work.task
    ).values()
    assert (found[2, :200] == 2).all()
    assert (found[2, 200:] == 12).all()
    (turned,) = vectors.given(yearly[::-1].transpose("place", ...))(work.task).values()
    np.testing.assert_array_equal(turned, found)


def test_what_does_not_fit_is_said(work):
    """Sites that are lacking, dims that are too many."""
    with pytest.raises(InputError, match=r"lack 1 sites, such as \['site005'\]"):
        vectors.given(table(range(5)))(work.task)
    with pytest.raises(InputError, match="needed are"):
        vectors.given(table().expand_dims("x", axis=1))


def test_a_head_reads_them(work):
    """Their width is the head's; other vectors give another answer."""
    answers = []
    for number in range(2):
        drawn = np.random.default_rng(number).normal(size=(6, 3))
        array = table().copy(data=drawn)
        folder = work.folder / str(number)
        folder.mkdir()
        system = Head({"width": 8, "dropout": 0.0}, vectors.given(array))
        ((_, rows, answer),) = system.run(replace(work, folder=folder))
        assert rows.tolist() == [4, 5]
        answers.append(answer)
    assert not np.allclose(*answers)


def test_components_know_the_training_sites_alone(work):
    """Of sites held out nothing enters the scaling or the axes."""
    before = SYSTEMS["attribute-vectors"].encoder(work.task)["data"]
    assert before.shape[:2] == (6, 400)
    other = work.task.records[0].attributes.copy()
    other[4:] *= 3
    records = (replace(work.task.records[0], attributes=other),)
    after = vectors.climate_components(replace(work.task, records=records))["data"]
    np.testing.assert_array_equal(before[:4], after[:4])
    assert not np.array_equal(before[4:], after[4:])
