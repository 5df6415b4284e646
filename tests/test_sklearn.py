"""The embedder as a step of scikit-learn pipelines."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import estimator_checks_generator

import xstefaland
from xstefaland.errors import InputError
from xstefaland.sklearn import StefaLandEmbedder, predict_labelled
from xstefaland.testing import example_points, tiny_weights
from xstefaland.weights import Weights


@pytest.fixture(scope="module")
def weights() -> Weights:
    """Tiny random weights."""
    return tiny_weights()


@pytest.fixture(scope="module")
def ds() -> xr.Dataset:
    """Weather and attributes of eight made-up sites."""
    return example_points(sites=8, days=400)


def test_rows_are_the_embeddings_of_the_sites(ds: xr.Dataset, weights: Weights) -> None:
    """Values, rows and columns are those of embed and to_frame."""
    embedder = StefaLandEmbedder(weights=weights)
    table = embedder.fit_transform(ds)
    expected = xstefaland.embed(ds, weights=weights, pool="mean").stefaland.to_frame()
    pd.testing.assert_frame_equal(table, expected, rtol=1e-4, atol=1e-5)
    assert embedder.get_feature_names_out().tolist() == table.columns.tolist()


def test_pipeline_predicts_what_it_was_fitted_on(
    ds: xr.Dataset, weights: Weights
) -> None:
    """With more columns than sites a line fits them all, each on its own row."""
    weather = ds.drop_vars("elevation")
    model = make_pipeline(StefaLandEmbedder(weights=weights), LinearRegression())
    model.fit(weather, ds["elevation"])
    guess = model.predict(weather.isel(site=[5, 2]))
    np.testing.assert_allclose(guess, ds["elevation"][[5, 2]], rtol=0.05)


def test_years_and_every_keyword_of_embed(ds: xr.Dataset) -> None:
    """A row for each site and year; of a frame each day has that of its year."""
    weights = tiny_weights(readings=("two-way", "causal"), window=60, stride=30)
    given = ds.isel(site=slice(3)).drop_vars("latitude")
    given["precipitation"] = given.precipitation.where(given.time.dt.month != 3)
    options = {"weights": weights, "latitude": 45.0, "climate": "none"}
    options |= {"causal": True, "max_gap": 9, "pool": "year"}
    expected = xstefaland.embed(given, **options).stefaland.to_frame()
    table = StefaLandEmbedder(**options).fit_transform(given)
    pd.testing.assert_frame_equal(table, expected, rtol=1e-4, atol=1e-5)
    frame = given.to_dataframe().sample(frac=1, random_state=1)
    units = {name: ds[name].units for name in ds.data_vars if "units" in ds[name].attrs}
    rows = StefaLandEmbedder(**options, units=units).fit_transform(frame)
    assert rows.index.equals(frame.index)
    site, day = frame.index[7][frame.index.names.index("site")], frame.index[7]
    year = day[frame.index.names.index("time")].year
    np.testing.assert_allclose(rows.iloc[7], expected.loc[(site, year)], rtol=1e-3)


def test_fitting_runs_no_model(
    ds: xr.Dataset,
    weights: Weights,
    no_compute: Callable[[], AbstractContextManager[None]],
) -> None:
    """Only transform computes."""
    with no_compute():
        embedder = StefaLandEmbedder(weights=weights, pool="static").fit(ds)
        with pytest.raises(RuntimeError, match="was computed"):
            embedder.transform(ds)


def test_clone_keeps_the_settings(weights: Weights) -> None:
    """What scikit-learn clones is the same embedder, unfitted."""
    embedder = StefaLandEmbedder(weights=weights, pool="static", batch_size=3)
    copy = clone(embedder)
    assert (copy.pool, copy.batch_size) == ("static", 3)
    with pytest.raises(NotFittedError):
        copy.transform(example_points(1, 10))


def test_wrong_input_is_reported_at_once(weights: Weights) -> None:
    """Two problems, one message."""
    embedder = StefaLandEmbedder(weights=weights, pool="week")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"pool='week'.*X is a ndarray, not an xarr"):
        embedder.fit(np.zeros((2, 3)))  # type: ignore[arg-type]


UNITS = {
    "precipitation": "mm d-1",
    "temperature": "degC",
    "shortwave_radiation": "W m-2",
}
# Checks of scikit-learn's that fit nothing; the others fit arrays without names.
UNFITTED = {
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_valid_tag_types",
}


def test_checks_of_scikit_learn_that_fit_nothing() -> None:
    """They hold, and their names are those that scikit-learn has."""
    done = set()
    for estimator, check in estimator_checks_generator(StefaLandEmbedder()):
        name = check.func.__name__
        if name in UNFITTED:
            check(estimator)
            done.add(name)
    assert done == UNFITTED


def test_fitting_a_dataset_keeps_the_rules(ds: xr.Dataset, weights: Weights) -> None:
    """Fit returns self, twice the same, and leaves parameters and data alone."""
    embedder = StefaLandEmbedder(weights=weights, rename={"clay": "clay"})
    before, kept = embedder.get_params(), ds.copy(deep=True)
    assert embedder.fit(ds) is embedder
    fitted = dict(vars(embedder))
    first = embedder.transform(ds)
    assert vars(embedder.fit(ds, y=np.ones(8))) == fitted
    pd.testing.assert_frame_equal(embedder.transform(ds), first)
    assert embedder.get_params() == before
    xr.testing.assert_identical(ds, kept)


@pytest.mark.parametrize("pool", ["mean", "static", None])
def test_a_frame_gives_the_rows_of_its_dataset(
    ds: xr.Dataset, weights: Weights, pool: Any
) -> None:
    """One row for each of the frame's own, in its order, whatever that is."""
    small = ds.isel(site=[0, 3], time=slice(0, 60))
    frame = small.to_dataframe()
    shuffled = frame.sample(frac=1, random_state=0)
    embedder = StefaLandEmbedder(weights=weights, units=UNITS, pool=pool)
    rows = embedder.fit(shuffled).transform(shuffled)
    assert rows.index.equals(shuffled.index)
    expected = xstefaland.embed(small, weights=weights, pool=pool)
    if pool is not None:
        expected = expected.expand_dims(time=small.time)
    expected = expected.transpose("site", "time", "embedding")
    np.testing.assert_allclose(
        rows.loc[frame.index], expected.values.reshape(120, -1), rtol=1e-3, atol=1e-4
    )


def test_a_frame_of_one_site(ds: xr.Dataset, weights: Weights) -> None:
    """An index of days alone is a record."""
    one = ds.isel(site=2, time=slice(0, 50)).drop_vars("site")
    embedder = StefaLandEmbedder(weights=weights, units=UNITS)
    rows = embedder.fit_transform(one.to_dataframe())
    expected = xstefaland.embed(one, weights=weights, pool="mean")
    np.testing.assert_allclose(rows.iloc[7], expected, rtol=1e-3, atol=1e-4)
    assert len(rows) == 50


def test_folds_by_place(ds: xr.Dataset, weights: Weights) -> None:
    """GroupKFold splits a frame so that no place is on both sides."""
    frame = ds.isel(time=slice(0, 40)).to_dataframe()
    y = frame.pop("elevation")
    model = make_pipeline(
        StefaLandEmbedder(weights=weights, units=UNITS, pool="static"), Ridge()
    )
    groups = frame.index.get_level_values("site")
    guess = cross_val_predict(model, frame, y, groups=groups, cv=GroupKFold(4))
    by_site = pd.Series(guess, frame.index).groupby(level="site").nunique()
    assert (by_site == 1).all()
    site = frame.index.levels[0][0]
    fold = next(
        test
        for _, test in GroupKFold(4).split(frame, groups=groups)
        if site in groups[test]
    )
    rest = frame.drop(index=groups[fold].unique(), level="site")
    by_hand = clone(model).fit(rest, y[rest.index]).predict(frame.loc[[site]])
    np.testing.assert_allclose(guess[groups == site], by_hand, rtol=1e-5)


@pytest.mark.parametrize("how", ["pickle", "skops"])
def test_saved_pipelines_predict_the_same(
    how: str, ds: xr.Dataset, weights: Weights
) -> None:
    """By pickle, or by skops with the types that are trusted."""
    weather = ds.drop_vars("elevation")
    path = str(weights.path)
    model = make_pipeline(StefaLandEmbedder(weights=path), Ridge())
    model.fit(weather, ds["elevation"])
    if how == "pickle":
        again = pickle.loads(pickle.dumps(model))
    else:
        from skops import io

        trusted = ["xstefaland.sklearn.StefaLandEmbedder"]
        again = io.loads(io.dumps(model), trusted=trusted)
    np.testing.assert_array_equal(again.predict(weather), model.predict(weather))


def test_set_output(ds: xr.Dataset, weights: Weights) -> None:
    """Frames by default and on demand, with the names of the columns."""
    embedder = StefaLandEmbedder(weights=weights).set_output(transform="pandas")
    table = embedder.fit_transform(ds)
    assert list(table.columns) == embedder.get_feature_names_out().tolist()
    assert list(table.index) == ds.site.values.tolist()


def test_frames_that_cannot_be_used(ds: xr.Dataset, weights: Weights) -> None:
    """Both problems at once; and units are asked for, with the call."""
    embedder = StefaLandEmbedder(weights=weights)
    frame = ds.isel(time=slice(0, 3)).to_dataframe()
    flat = frame.reset_index().set_index("site")
    with pytest.raises(InputError, match=r"2 problems(.|\n)*'time'(.|\n)*rows twice"):
        embedder.fit(flat)
    with pytest.raises(InputError, match="units="):
        embedder.fit(frame)


@pytest.mark.parametrize("lazy", [False, True])
def test_labelled_predictions(ds: xr.Dataset, weights: Weights, lazy: bool) -> None:
    """Dims, coordinates and gaps of the embedding, and the estimator's numbers."""
    given = ds.chunk(site=3) if lazy else ds
    embedding = xstefaland.embed(given, weights=weights, pool="mean")
    embedding = embedding.where(embedding.site != "site002")
    table = embedding.stefaland.to_frame()
    known = table.dropna().index
    model = Ridge().fit(table.loc[known], ds.elevation.to_series()[known])
    out = predict_labelled(model, embedding, name="elevation", units="m")
    assert bool(out.chunks) == lazy
    assert out.attrs == {"units": "m"}
    np.testing.assert_allclose(out.sel(site=known), model.predict(table.loc[known]))
    assert np.isnan(out.sel(site="site002"))
    xr.testing.assert_identical(out.latitude, embedding.latitude)


def test_columns_go_by_their_names(ds: xr.Dataset, weights: Weights) -> None:
    """In another order, or some of them; other names are no columns of it."""
    embedding = xstefaland.embed(ds, weights=weights, pool="mean")
    table, height = embedding.stefaland.to_frame(), ds.elevation.values
    for names in (table.columns[::-1], table.columns[[5, 2]]):
        model = Ridge().fit(table[names], height)
        out = predict_labelled(model, embedding)
        np.testing.assert_allclose(out, model.predict(table[names]))
    model = Ridge().fit(table.add_prefix("x_"), height)
    with pytest.raises(InputError, match=r"columns 'x_emb_000', .* has 'emb_000'"):
        predict_labelled(model, embedding)


def test_labelled_predictions_of_several_outputs(
    ds: xr.Dataset, weights: Weights
) -> None:
    """They lie along `output`, day by day as well; arrays without names fit too."""
    embedding = xstefaland.embed(ds.isel(time=slice(0, 20)), weights=weights)
    rows = embedding.values.reshape(-1, 16)
    model = LinearRegression().fit(rows, rows[:, :2])
    out = predict_labelled(model, embedding.chunk(site=2))
    assert out.dims == ("site", "time", "output")
    np.testing.assert_allclose(out, embedding[..., :2], atol=1e-4)
    with pytest.raises(InputError, match="'embedding' is not among them"):
        predict_labelled(model, ds.elevation)
