"""Features of days and places."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from xstefaland.inference.plans import plan_encoder
from xstefaland.testing import example_points, tiny_weights
from xstefaland.training.benchmark import tabular
from xstefaland.training.choices import asked_of_data
from xstefaland.training.tasks import make_task, read_records
from xstefaland.weights import TARGETS


@given(
    values=st.lists(st.one_of(st.floats(-9, 9), st.just(np.nan)), min_size=1),
    days=st.integers(1, 12),
)
def test_moving_average_is_that_of_pandas(values, days):
    """Of the days that are there, up to the day itself."""
    ours = tabular.moving_average(np.array(values)[:, None], days)[:, 0]
    theirs = pd.Series(values).rolling(days, min_periods=1).mean()
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def task():
    """Three sites with flow."""
    flow = TARGETS["streamflow"]
    ds = example_points(3, 400)
    ds["streamflow"] = (ds.precipitation * 0.5).assign_attrs(units="mm d-1")
    asked = asked_of_data(plan_encoder(tiny_weights())[1], flow, frozenset())
    return make_task([read_records(ds, flow, asked)], flow, asked)


def test_features_know_the_past_alone():
    """Another weather from day 300 on changes no day before."""
    made = task()
    (records,) = made.records
    before = tabular.site_features(made, records, 0)
    records.forcing[0, 300:] += 1
    after = tabular.site_features(made, records, 0)
    np.testing.assert_array_equal(before[:300], after[:300])
    assert not np.array_equal(before[300:], after[300:], equal_nan=True)


def test_answers_lie_within_the_limits():
    """A line through dry days would go below zero."""
    made = task()
    ids = made.sites["site"]
    made = made.with_roles(dict(zip(ids, ["train", "train", "held out"], strict=True)))
    ((_, rows, answer),) = tabular.fit_predict(tabular.linear, made, 0)
    assert rows.tolist() == [2]
    assert answer.shape == (1, 400, 1)
    assert (answer >= 0).all()


def test_what_is_the_same_everywhere_says_nothing():
    """An attribute that one training site has, and another value of it elsewhere."""
    made = task()
    ids = made.sites["site"]
    made = made.with_roles(dict(zip(ids, ["train", "train", "held out"], strict=True)))
    attributes = made.records[0].attributes
    answers = []
    for values in ((np.nan, np.nan, np.nan), (0.0013, np.nan, 0.1704)):
        attributes[:, 0] = values
        answers.append(tabular.fit_predict(tabular.linear, made, 0)[0][2])
    np.testing.assert_array_equal(*answers)
