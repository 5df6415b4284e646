"""One parameter set a region: found again where a river was made with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from xstefaland.errors import InputError
from xstefaland.inference.plans import plan_encoder
from xstefaland.model.hbv import simulate_lean
from xstefaland.model.process import WEATHER
from xstefaland.testing import example_points, tiny_weights
from xstefaland.training.benchmark.calibration import RegionalHbv, _Nearest
from xstefaland.training.benchmark.work import Work
from xstefaland.training.choices import asked_of_data
from xstefaland.training.fitting import Finetuning
from xstefaland.training.tasks import Task, make_task, read_records
from xstefaland.weights import TARGETS


@pytest.fixture(scope="module")
def task() -> Task:
    """Eight sites far apart in two regions; each region a river of one set of HBV."""
    flow, ds = TARGETS["streamflow"], example_points(8, 900)
    ds["streamflow"] = (ds.precipitation * 0.5).assign_attrs(units="mm d-1")
    east = np.repeat([0.0, 120.0], 4)
    ds = ds.assign_coords(longitude=("site", east + np.arange(8) * 0.5))
    asked = asked_of_data(plan_encoder(tiny_weights())[1], flow, frozenset())
    made = make_task([read_records(ds, flow, asked)], flow, asked)
    (records,) = made.records
    columns = [made.forcing_names.index(name) for name in WEATHER]
    weather = torch.from_numpy(records.forcing[..., columns]).transpose(0, 1)
    logits = torch.tensor([-1.5, 1.5]).repeat_interleave(4)[:, None].expand(8, 16)
    truth = simulate_lean(weather.contiguous(), logits.contiguous(), components=1,
                          dynamic=()).streamflow.T.numpy()  # fmt: skip
    made = replace(made, records=(replace(records, observed=truth),))
    roles = ["held out", *["train"] * 3] * 2
    return made.with_roles(dict(zip(made.sites["site"], roles, strict=True)))


def work(task: Task, told: list[float]) -> Work:
    """Only the task, a seed and somebody who listens."""
    return Work(task, tiny_weights(), Finetuning(), Path(), Path(), task, told.append)


SHORT = RegionalHbv(regions=2, years=1, population=32, generations=12)


def test_a_river_of_its_region(task):
    """The held-out site of each region flows as its region does."""
    told: list[float] = []
    ((records, rows, answer),) = SHORT.run(work(task, told))
    assert rows.tolist() == [0, 4]
    assert answer.shape == (2, 900, 1)
    truth = records.observed[rows][:, 365:]
    error = ((answer[:, 365:, 0] - truth) ** 2).sum(1)
    efficiency = 1 - error / ((truth - truth.mean(1, keepdims=True)) ** 2).sum(1)
    assert (efficiency > 0.7).all(), efficiency
    assert told == sorted(told)
    assert told[-1] == 1.0
    again = SHORT.run(work(task, []))[0][2]
    np.testing.assert_array_equal(again, answer)


def test_what_was_observed_there_is_not_looked_at(task):
    """Other observations at a held-out site change nothing."""
    (records,) = task.records
    other = records.observed.copy()
    other[[0, 4]] = 7.0
    changed = replace(task, records=(replace(records, observed=other),))
    few = replace(SHORT, generations=1)
    np.testing.assert_array_equal(
        few.run(work(task, []))[0][2], few.run(work(changed, []))[0][2]
    )


def test_sites_without_observations_in_those_years_take_no_part(task):
    """They stand aside in silence, and their neighbours' set is what it was."""
    (records,) = task.records
    few, seen = replace(SHORT, regions=1, generations=1), records.observed.copy()
    seen[3, 365:] = np.nan  # it has observations, but in other years
    seen[5] = 0.0  # NSE is not defined
    unseen = replace(task, records=(replace(records, observed=seen),))
    groups = few._grouped(unseen)
    assert [row for _, row in groups[0]] == [1, 2, 6, 7]
    ((_, _, answer),) = few.run(work(unseen, []))
    assert np.isfinite(answer).all()
    nothing = replace(records, observed=np.full_like(seen, np.nan))
    with pytest.raises(InputError, match="no training site has observations"):
        few.run(work(replace(task, records=(nothing,)), []))


def test_the_nearest_site_decides(task):
    """Across the date line too."""
    (records,) = task.records
    sites = records.sites.assign(lat=0.0, lon=[179.0, 10, 0, 0, 0, 0, 0, -179.5])
    moved = replace(records, sites=sites)
    near = _Nearest([[(moved, 1)], [(moved, 7)]])
    assert near([(moved, 0), (moved, 2)]).tolist() == [1, 0]


def test_other_targets_are_refused(task):
    """HBV has no clay."""
    clay = replace(task, target=TARGETS["soil_moisture"])
    with pytest.raises(InputError, match="leave out 'hbv-regional'"):
        SHORT.run(work(clay, []))
