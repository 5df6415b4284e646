"""Embeddings as a step of a scikit-learn pipeline; needs the extra ``sklearn``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from xstefaland.errors import InputError, pip_install
from xstefaland.geometry.polygons import few
from xstefaland.inference import api, frames
from xstefaland.inference.batches import BatchSize
from xstefaland.inference.gaps import MAX_GAP
from xstefaland.inference.lazy import EMBEDDING
from xstefaland.inputs.hints import Climate, Latitude
from xstefaland.weights.opening import WeightsLike

try:
    from sklearn.base import BaseEstimator, TransformerMixin
    from sklearn.utils.validation import check_is_fitted
except ImportError as error:
    raise ImportError(
        f"xstefaland.sklearn needs scikit-learn: `{pip_install('sklearn')}` or "
        "`conda install -c conda-forge scikit-learn`."
    ) from error

POOLS = ("mean", "year", "static", None)
Pool = Literal["mean", "year", "static"] | None


class StefaLandEmbedder(TransformerMixin, BaseEstimator):  # type: ignore[misc] # Any
    """Turn weather and attributes into rows of numbers.

    The encoder is trained already: fitting only checks the data.

    Parameters
    ----------
    pool : {"mean", "year", "static", None}
        The mean of all days or of those of each year, the token of the attributes, or
        one row for each day.
    weights, rename, units, latitude, climate, causal, max_gap, batch_size
        See :func:`xstefaland.embed`. A frame states no units, so `units` is needed.

    Attributes
    ----------
    n_features_out_ : int
        Length of an embedding.

    Raises
    ------
    InputError
        For a `pool` that is not possible, or anything but a Dataset or its frame.

    See Also
    --------
    xstefaland.embed : The same, with labels.
    predict_labelled : Any fitted estimator on labelled embeddings.

    Notes
    -----
    A Dataset gives a row for each site (and day), in its order. Scikit-learn cannot
    split a Dataset; it can split ``ds.to_dataframe()``, which gives one row for each
    of the frame's own, so that searches and cross-validation work: take folds by place
    (``GroupKFold`` with ``groups=frame.index.get_level_values("site")``), else parts of
    a record lie on both sides. Where one value a site is enough, embed once and split
    the table, which is much quicker.

    Save a pipeline with ``skops.io.dump`` rather than pickle: opening it runs no code
    but that of the types you trust.

    Of scikit-learn's ``check_estimator`` those checks hold that fit nothing; the others
    fit arrays without names, which are no weather.

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
        pool: Pool = "mean",
        weights: WeightsLike | None = None,
        rename: Mapping[str, str] | None = None,
        units: Mapping[str, str] | None = None,
        latitude: Latitude | None = None,
        climate: Climate | None = None,
        causal: bool = False,
        max_gap: int | None = MAX_GAP,
        batch_size: BatchSize = "auto",
    ) -> None:
        self.pool = pool
        self.weights = weights
        self.rename = rename
        self.units = units
        self.latitude = latitude
        self.climate = climate
        self.causal = causal
        self.max_gap = max_gap
        self.batch_size = batch_size

    def fit(self, X: xr.Dataset | pd.DataFrame, y: Any = None) -> StefaLandEmbedder:
        """Check the data; nothing is learned.

        Parameters
        ----------
        X : xarray.Dataset or pandas.DataFrame
            As for :func:`xstefaland.embed`, or its ``to_dataframe()``.
        y : ignored
            For pipelines.

        Returns
        -------
        StefaLandEmbedder
            Itself.
        """
        self.n_features_out_ = int(self._embed(self._dataset(X)).sizes[EMBEDDING])
        return self

    def transform(self, X: xr.Dataset | pd.DataFrame) -> pd.DataFrame:
        """Embed every site, or every row of a frame.

        Parameters
        ----------
        X : xarray.Dataset or pandas.DataFrame
            As for :meth:`fit`.

        Returns
        -------
        pandas.DataFrame
            Of a Dataset ``(site, embedding)``, with ``pool=None`` ``(site and day,
            embedding)``, by year ``(site and year, embedding)``; of a frame one row for
            each of its own, with its index: a pooled embedding is repeated on each day.
            Columns ``emb_000``, ...
        """
        check_is_fitted(self)
        embedding = self._embed(self._dataset(X))
        table = frames.to_frame(embedding)
        return table if isinstance(X, xr.Dataset) else frames.on_rows(table, X.index)

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
        return np.array(frames.columns(self.n_features_out_), dtype=object)

    def __sklearn_tags__(self) -> Any:
        """Say that the input is not checked as a table of numbers; gaps are fine."""
        tags = super().__sklearn_tags__()
        tags.no_validation = True
        tags.input_tags.allow_nan = True
        tags.requires_fit = True
        return tags

    def _dataset(self, X: Any) -> xr.Dataset:
        """Take a Dataset, or make one from its frame; all problems at once."""
        problems = []
        if self.pool not in POOLS:
            known = ", ".join(map(repr, POOLS))
            problems.append(f"pool={self.pool!r} is not one of {known}")
        if not isinstance(X, xr.Dataset | pd.DataFrame):
            problems.append(
                f"X is a {type(X).__name__}, not an xarray.Dataset nor its frame "
                "(ds.to_dataframe())"
            )
        if problems:
            raise InputError(f"StefaLandEmbedder: {'; '.join(problems)}.")
        return X if isinstance(X, xr.Dataset) else frames.to_dataset(X)

    def _embed(self, ds: xr.Dataset) -> xr.DataArray:
        """Embed lazily: the model runs when the table is made."""
        return api.embed(
            ds if ds.chunks else ds.chunk(),
            pool=self.pool,
            weights=self.weights,
            rename=self.rename,
            units=self.units,
            latitude=self.latitude,
            climate=self.climate,
            causal=self.causal,
            max_gap=self.max_gap,
            batch_size=self.batch_size,
        )


def predict_labelled(
    estimator: Any, embedding: xr.DataArray, *, name: str = "prediction", **attrs: Any
) -> xr.DataArray:
    """Predict from labelled embeddings with any fitted estimator.

    Parameters
    ----------
    estimator : scikit-learn estimator
        Fitted on rows of such embeddings, for example on
        ``embedding.stefaland.to_frame()``, or on some of its columns.
    embedding : xarray.DataArray
        Dim `embedding` and any others.
    name : str
        Name of the result.
    **attrs
        Its attributes, such as ``units="mm d-1"``.

    Returns
    -------
    xarray.DataArray
        The input's other dims and coordinates; lazy where the input is. NaN where an
        embedding is missing. An estimator of several outputs adds the dim ``output``.

    Raises
    ------
    InputError
        Without the dim `embedding`, or for an estimator of columns of other names.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> import xstefaland
    >>> from xstefaland.testing import example_points, tiny_weights
    >>> ds = example_points(sites=6, days=400)
    >>> embedding = xstefaland.embed(ds, weights=tiny_weights(), pool="mean")
    >>> model = Ridge().fit(embedding.stefaland.to_frame(), ds.elevation)
    >>> predict_labelled(model, embedding, name="elevation", units="m").dims
    ('site',)
    """
    if EMBEDDING not in embedding.dims:
        raise InputError(
            f"the dims are {embedding.dims}, 'embedding' is not among them; pass what "
            "ds.stefaland.embed() returned"
        )
    width = embedding.sizes[EMBEDDING]
    one = estimator.predict(_rows(estimator, np.zeros((1, width), np.float32)))
    sizes = {"output": one.shape[1]} if np.ndim(one) > 1 else {}
    out: xr.DataArray = xr.apply_ufunc(
        _predicted,
        embedding,
        input_core_dims=[[EMBEDDING]],
        output_core_dims=[list(sizes)],
        dask="parallelized",
        output_dtypes=[float],
        dask_gufunc_kwargs={"output_sizes": sizes},
        kwargs={"estimator": estimator, "shape": one.shape[1:]},
    )
    out.attrs = attrs
    return out.rename(name)


def _predicted(
    block: NDArray[Any], *, estimator: Any, shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Predict every row of a block that has an embedding."""
    rows = block.reshape(-1, block.shape[-1])
    there = np.isfinite(rows).all(1)
    out = np.full((len(rows), *shape), np.nan)
    if there.any():
        out[there] = estimator.predict(_rows(estimator, rows[there]))
    return out.reshape(*block.shape[:-1], *shape)


def _rows(estimator: Any, rows: NDArray[Any]) -> Any:
    """Give rows names where the estimator was fitted on names, in its order."""
    if not hasattr(estimator, "feature_names_in_"):
        return rows
    wanted, names = list(estimator.feature_names_in_), frames.columns(rows.shape[1])
    if {*wanted} <= {*names}:
        return pd.DataFrame(rows, columns=names)[wanted]
    raise InputError(
        f"the estimator was fitted on the columns {few(wanted)}, the embedding has "
        f"{few(names)}; fit it on such columns, or on an array: "
        "estimator.fit(table.to_numpy(), y)"
    )
