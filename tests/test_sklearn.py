"""The embedder as a step of scikit-learn pipelines."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

import xstefaland
from xstefaland.errors import InputError
from xstefaland.sklearn import StefaLandEmbedder
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
    embedder = StefaLandEmbedder(weights=weights, pool="year")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"pool='year'.*X is a ndarray, not an xarray"):
        embedder.fit(np.zeros((2, 3)))  # type: ignore[arg-type]
