"""Embeddings as a step of a scikit-learn pipeline; needs the extra ``sklearn``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from xstefaland.errors import InputError
from xstefaland.inference import api, frames
from xstefaland.inference.batches import BatchSize
from xstefaland.weights.opening import WeightsLike

try:
    from sklearn.base import BaseEstimator, TransformerMixin
    from sklearn.utils.validation import check_is_fitted
except ImportError as error:
    raise ImportError(
        "xstefaland.sklearn needs scikit-learn: `pip install 'xstefaland[sklearn]'` or "
        "`conda install -c conda-forge scikit-learn`."
    ) from error


class StefaLandEmbedder(TransformerMixin, BaseEstimator):  # type: ignore[misc] # Any
    """Turn a Dataset into one row of numbers per site.

    The encoder is trained already: fitting only checks the Dataset.

    Parameters
    ----------
    pool : {"mean", "static"}
        The mean of all days, or the token of the attributes.
    weights, rename, units, batch_size
        See :func:`xstefaland.embed`.

    Attributes
    ----------
    n_features_out_ : int
        Length of an embedding.

    Raises
    ------
    InputError
        For a `pool` that gives more than one row per site, or anything but a Dataset.

    See Also
    --------
    xstefaland.embed : The same, with labels.

    Notes
    -----
    Rows are sites, so a target has one value per site, in the order of the Dataset.
    Searches and cross-validation cannot split a Dataset: embed once, then split the
    table.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> from xstefaland.testing import example_points, tiny_weights
    >>> ds = example_points(sites=6, days=400)
    >>> weather = ds.drop_vars("elevation")
    >>> model = make_pipeline(StefaLandEmbedder(weights=tiny_weights()), Ridge())
    >>> model.fit(weather, ds["elevation"]).predict(weather.isel(site=[0, 1])).shape
    (2,)
    """

    def __init__(
        self,
        *,
        pool: Literal["mean", "static"] = "mean",
        weights: WeightsLike | None = None,
        rename: Mapping[str, str] | None = None,
        units: Mapping[str, str] | None = None,
        batch_size: BatchSize = "auto",
    ) -> None:
        self.pool = pool
        self.weights = weights
        self.rename = rename
        self.units = units
        self.batch_size = batch_size

    def fit(self, X: xr.Dataset, y: Any = None) -> StefaLandEmbedder:
        """Check the Dataset; nothing is learned.

        Parameters
        ----------
        X : xarray.Dataset
            As for :func:`xstefaland.embed`.
        y : ignored
            For pipelines.

        Returns
        -------
        StefaLandEmbedder
            Itself.
        """
        self.n_features_out_ = int(self._embed(X).sizes["embedding"])
        return self

    def transform(self, X: xr.Dataset) -> pd.DataFrame:
        """Embed every site.

        Parameters
        ----------
        X : xarray.Dataset
            As for :func:`xstefaland.embed`.

        Returns
        -------
        pandas.DataFrame
            ``(site, embedding)``; columns ``emb_000``, ``emb_001``, ...
        """
        check_is_fitted(self)
        return frames.to_frame(self._embed(X))

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the names of the columns.

        Parameters
        ----------
        input_features : ignored
            For pipelines.

        Returns
        -------
        numpy.ndarray of str
            ``emb_000``, ``emb_001``, ...
        """
        check_is_fitted(self)
        names = [f"emb_{number:03d}" for number in range(self.n_features_out_)]
        return np.array(names, dtype=object)

    def _embed(self, X: Any) -> xr.DataArray:
        """Embed lazily: the model runs when the table is made."""
        problems = []
        if self.pool not in ("mean", "static"):
            problems.append(f"pool={self.pool!r} is not one of 'mean' and 'static'")
        if not isinstance(X, xr.Dataset):
            problems.append(f"X is a {type(X).__name__}, not an xarray.Dataset")
        if problems:
            raise InputError(f"StefaLandEmbedder: {'; '.join(problems)}.")
        lazy = X if X.chunks else X.chunk()
        return api.embed(
            lazy,
            pool=self.pool,
            weights=self.weights,
            rename=self.rename,
            units=self.units,
            batch_size=self.batch_size,
        )
