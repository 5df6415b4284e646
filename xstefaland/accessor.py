"""The accessor ``.stefaland`` on Datasets and DataArrays: docs and forwarding only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import xarray as xr

if TYPE_CHECKING:
    import pandas as pd

    from xstefaland.inputs.report import Report
    from xstefaland.weights.opening import WeightsLike

Names = Mapping[str, str] | None
BatchSize = int | Literal["auto"]


@xr.register_dataset_accessor("stefaland")  # type: ignore[no-untyped-call]
class StefaLandDataset:
    """Embeddings and predictions from daily weather and site attributes.

    Shown in a notebook, it reports what the Dataset has and what the model needs.

    Examples
    --------
    >>> import xstefaland
    >>> from xstefaland.testing import example_points, tiny_weights
    >>> ds, weights = example_points(), tiny_weights()
    >>> ds.stefaland.embed(weights=weights, pool="mean").dims
    ('site', 'embedding')
    """

    def __init__(self, ds: xr.Dataset) -> None:
        self._ds = ds

    def __repr__(self) -> str:
        """Return the report of :meth:`check` as text; nothing is computed."""
        return str(self.check())

    def _repr_html_(self) -> str:
        """Return the report of :meth:`check` as HTML; nothing is computed."""
        return self.check()._repr_html_()

    def check(
        self,
        target: str | Sequence[str] | None = None,
        *,
        weights: WeightsLike | None = None,
        head: WeightsLike | None = None,
        rename: Names = None,
        units: Names = None,
    ) -> Report:
        """Say what the Dataset has, what a model needs, and what is wrong.

        Parameters
        ----------
        target, weights, head, rename, units
            See :func:`xstefaland.check`.

        Returns
        -------
        Report
            ``.ok``, ``.problems``, ``.warnings`` and ``.table``; raises nothing.
        """
        from xstefaland.inference import api

        return api.check(
            self._ds, target, weights=weights, head=head, rename=rename, units=units
        )

    def embed(
        self,
        *,
        pool: Literal["mean", "year", "static"] | None = None,
        weights: WeightsLike | None = None,
        rename: Names = None,
        units: Names = None,
        batch_size: BatchSize = "auto",
        device: str | None = None,
        precision: str | None = None,
    ) -> xr.DataArray:
        """Embed the weather and attributes of every site.

        Parameters
        ----------
        pool, weights, rename, units, batch_size, device, precision
            See :func:`xstefaland.embed`.

        Returns
        -------
        xarray.DataArray
            The input's dims in their order, ``embedding`` last.
        """
        from xstefaland.inference import api

        return api.embed(
            self._ds,
            pool=pool,
            weights=weights,
            rename=rename,
            units=units,
            batch_size=batch_size,
            device=device,
            precision=precision,
        )

    def predict(
        self,
        target: str | list[str] | tuple[str, ...],
        *,
        head: WeightsLike | None = None,
        weights: WeightsLike | None = None,
        quantiles: Sequence[float] | None = None,
        rename: Names = None,
        units: Names = None,
        batch_size: BatchSize = "auto",
        device: str | None = None,
        precision: str | None = None,
    ) -> xr.DataArray | xr.Dataset:
        """Predict one target or several at every site.

        Parameters
        ----------
        target, head, weights, quantiles, rename, units, batch_size, device, precision
            See :func:`xstefaland.predict`.

        Returns
        -------
        xarray.DataArray or xarray.Dataset
            A string gives a DataArray, a list a Dataset.
        """
        from xstefaland.inference import api

        return api.predict(
            self._ds,
            target,
            head=head,
            weights=weights,
            quantiles=quantiles,
            rename=rename,
            units=units,
            batch_size=batch_size,
            device=device,
            precision=precision,
        )

    def reconstruct(
        self,
        *,
        weights: WeightsLike | None = None,
        add: bool = False,
        rename: Names = None,
        units: Names = None,
        batch_size: BatchSize = "auto",
        device: str | None = None,
        precision: str | None = None,
    ) -> xr.Dataset:
        """Fill gaps in forcing and attributes; observed values stay untouched.

        Parameters
        ----------
        weights, add, rename, units, batch_size, device, precision
            See :func:`xstefaland.reconstruct`.

        Returns
        -------
        xarray.Dataset
            The same variables under the same names, in the same units.
        """
        from xstefaland.inference import api

        return api.reconstruct(
            self._ds,
            weights=weights,
            add=add,
            rename=rename,
            units=units,
            batch_size=batch_size,
            device=device,
            precision=precision,
        )

    def suggest_chunks(
        self,
        memory: str | int = "1 GiB",
        device: str = "auto",
        *,
        weights: WeightsLike | None = None,
    ) -> dict[str, int]:
        """Suggest chunks: whole records, and as many sites as fit into memory.

        Parameters
        ----------
        memory : str or int
            What one task may take [bytes, or text such as ``"4 GiB"``].
        device : str
            Where the model will run.
        weights : str, path or Weights, optional
            The encoder.

        Returns
        -------
        dict
            For ``ds.chunk(...)``.
        """
        from xstefaland.inference import chunks

        return chunks.suggest_chunks(self._ds, memory, device, weights=weights)


@xr.register_dataarray_accessor("stefaland")  # type: ignore[no-untyped-call]
class StefaLandDataArray:
    """What can be done with embeddings and predictions."""

    def __init__(self, array: xr.DataArray) -> None:
        self._array = array

    def to_frame(self) -> pd.DataFrame:
        """Return a pandas table: one row per site (and time), one column per value.

        Returns
        -------
        pandas.DataFrame
            Columns ``emb_000``, ``emb_001``, ... for embeddings.
        """
        from xstefaland.inference import frames

        return frames.to_frame(self._array)
