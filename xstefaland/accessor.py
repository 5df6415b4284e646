"""The accessor ``.stefaland`` on xarray objects: docs and forwarding only."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import xarray as xr

from xstefaland.errors import WrongObjectError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from xstefaland.inputs.hints import Climate, Latitude
    from xstefaland.inputs.report import Report
    from xstefaland.store.report import RunReport
    from xstefaland.weights.opening import WeightsLike

Names = Mapping[str, str] | None
BatchSize = int | Literal["auto"]

# A call of each method of a Dataset, to be shown to callers from other objects.
CALLS = {
    "check": "check()",
    "embed": "embed()",
    "explain": "explain('streamflow')",
    "run": "run('streamflow', 'flow.zarr')",
    "missing_inputs": "missing_inputs()",
    "predict": "predict(['streamflow'])",
    "reconstruct": "reconstruct()",
    "suggest_chunks": "suggest_chunks()",
    "unseen": "unseen('streamflow')",
}


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
        latitude: Latitude | None = None,
        climate: Climate | None = None,
        causal: bool = False,
    ) -> Report:
        """Say what the Dataset has, what a model needs, and what is wrong.

        Parameters
        ----------
        target, weights, head, rename, units, latitude, climate, causal
            See :func:`xstefaland.check`.

        Returns
        -------
        Report
            ``.ok``, ``.problems``, ``.warnings`` and ``.table``; raises nothing.

        Examples
        --------
        >>> from xstefaland.testing import example_points
        >>> example_points().stefaland.check("streamflow").ok
        True
        """
        from xstefaland.inference import api

        return api.check(
            self._ds,
            target,
            weights=weights,
            head=head,
            rename=rename,
            units=units,
            latitude=latitude,
            climate=climate,
            causal=causal,
        )

    def embed(
        self,
        *,
        pool: Literal["mean", "year", "static"] | None = None,
        weights: WeightsLike | None = None,
        rename: Names = None,
        units: Names = None,
        latitude: Latitude | None = None,
        climate: Climate | None = None,
        causal: bool = False,
        max_gap: int | None = 30,
        missing_by: Literal["site", "day"] = "site",
        batch_size: BatchSize = "auto",
        device: str | None = None,
        precision: str | None = None,
    ) -> xr.DataArray:
        """Embed the weather and attributes of every site.

        Parameters
        ----------
        pool, weights, rename, units, latitude, climate, causal, max_gap, missing_by
            See :func:`xstefaland.embed`.
        batch_size, device, precision
            See :func:`xstefaland.embed`.

        Returns
        -------
        xarray.DataArray
            The input's dims in their order, ``embedding`` last.

        Examples
        --------
        >>> from xstefaland.testing import example_points, tiny_weights
        >>> embedding = example_points().stefaland.embed(weights=tiny_weights())
        >>> embedding.dims
        ('site', 'time', 'embedding')
        """
        from xstefaland.inference import api

        return api.embed(
            self._ds,
            pool=pool,
            weights=weights,
            rename=rename,
            units=units,
            latitude=latitude,
            climate=climate,
            causal=causal,
            max_gap=max_gap,
            missing_by=missing_by,
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
        embeddings: xr.DataArray | None = None,
        rename: Names = None,
        units: Names = None,
        latitude: Latitude | None = None,
        climate: Climate | None = None,
        causal: bool = False,
        max_gap: int | None = 30,
        missing_by: Literal["site", "day"] = "site",
        batch_size: BatchSize = "auto",
        device: str | None = None,
        precision: str | None = None,
    ) -> xr.DataArray | xr.Dataset:
        """Predict one target or several at every site.

        Parameters
        ----------
        target, head, weights, quantiles, embeddings, rename, units, latitude, climate
            See :func:`xstefaland.predict`.
        causal, max_gap, missing_by
            See :func:`xstefaland.predict`.
        batch_size, device, precision
            See :func:`xstefaland.predict`.

        Returns
        -------
        xarray.DataArray or xarray.Dataset
            A string gives a DataArray, a list a Dataset.

        Examples
        --------
        >>> from xstefaland.testing import example_points, tiny_head, tiny_weights
        >>> weights = tiny_weights()
        >>> flow = example_points().stefaland.predict(
        ...     "streamflow", weights=weights, head=tiny_head(weights)
        ... )
        >>> flow.dims, flow.attrs["units"]
        (('site', 'time'), 'mm d-1')
        """
        from xstefaland.inference import api

        return api.predict(
            self._ds,
            target,
            head=head,
            weights=weights,
            quantiles=quantiles,
            embeddings=embeddings,
            rename=rename,
            units=units,
            latitude=latitude,
            climate=climate,
            causal=causal,
            max_gap=max_gap,
            missing_by=missing_by,
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
        latitude: Latitude | None = None,
        climate: Climate | None = None,
        batch_size: BatchSize = "auto",
        device: str | None = None,
        precision: str | None = None,
    ) -> xr.Dataset:
        """Fill gaps in forcing and attributes; observed values stay untouched.

        Parameters
        ----------
        weights, add, rename, units, latitude, climate, batch_size, device, precision
            See :func:`xstefaland.reconstruct`.

        Returns
        -------
        xarray.Dataset
            The same variables under the same names, in the same units.

        Examples
        --------
        >>> from xstefaland.testing import example_points, tiny_weights
        >>> ds = example_points()
        >>> ds["temperature"][:, 100:130] = float("nan")
        >>> filled = ds.stefaland.reconstruct(weights=tiny_weights())
        >>> bool(filled.temperature.isnull().any())
        False
        """
        from xstefaland.inference import api

        return api.reconstruct(
            self._ds,
            weights=weights,
            add=add,
            rename=rename,
            units=units,
            latitude=latitude,
            climate=climate,
            batch_size=batch_size,
            device=device,
            precision=precision,
        )

    def run(
        self,
        target: str | list[str] | tuple[str, ...],
        store: str | os.PathLike[str],
        *,
        head: WeightsLike | None = None,
        weights: WeightsLike | None = None,
        quantiles: Sequence[float] | None = None,
        pool: Literal["mean", "year", "static"] | None = None,
        rename: Names = None,
        units: Names = None,
        latitude: Latitude | None = None,
        climate: Climate | None = None,
        causal: bool = False,
        max_gap: int | None = 30,
        missing_by: Literal["site", "day"] = "site",
        add: bool = False,
        batch_size: BatchSize = "auto",
        device: str | None = None,
        precision: str | None = None,
        dtype: Literal["float32", "float16", "int8"] = "float32",
        resume: bool = True,
        regions: Mapping[str, int] | None = None,
        chunks: Mapping[str, int] | None = None,
        shards: bool = False,
        allow_large: bool = False,
        in_flight: int | None = None,
        storage_options: Mapping[str, Any] | None = None,
        progress: bool = True,
    ) -> RunReport:
        """Write an answer into a Zarr store, region by region; resumable.

        Parameters
        ----------
        target, store, head, weights, quantiles, pool, rename, units, latitude, climate
            See :func:`xstefaland.run`.
        causal, max_gap, missing_by, add, batch_size, device, precision, dtype, resume
            See :func:`xstefaland.run`.
        regions, chunks, shards, allow_large, in_flight, storage_options, progress
            See :func:`xstefaland.run`.

        Returns
        -------
        RunReport
            What was done; ``.open()`` opens the store.

        Examples
        --------
        >>> from pathlib import Path
        >>> from tempfile import mkdtemp
        >>> from xstefaland.testing import example_points, tiny_weights
        >>> store = Path(mkdtemp()) / "years.zarr"
        >>> report = example_points().stefaland.run(
        ...     "embedding", store, pool="year", weights=tiny_weights(), progress=False
        ... )
        >>> report.open().embedding.dims
        ('site', 'year', 'embedding')
        """
        from xstefaland.store import run

        return run.run(
            self._ds,
            target,
            store,
            head=head,
            weights=weights,
            quantiles=quantiles,
            pool=pool,
            rename=rename,
            units=units,
            latitude=latitude,
            climate=climate,
            causal=causal,
            max_gap=max_gap,
            missing_by=missing_by,
            add=add,
            batch_size=batch_size,
            device=device,
            precision=precision,
            dtype=dtype,
            resume=resume,
            regions=regions,
            chunks=chunks,
            shards=shards,
            allow_large=allow_large,
            in_flight=in_flight,
            storage_options=storage_options,
            progress=progress,
        )

    def explain(
        self,
        target: str,
        *,
        by: Literal["group", "variable"] = "group",
        head: WeightsLike | None = None,
        weights: WeightsLike | None = None,
        rename: Names = None,
        units: Names = None,
        latitude: Latitude | None = None,
        climate: Climate | None = None,
        causal: bool = False,
        max_gap: int | None = 30,
        batch_size: BatchSize = "auto",
        device: str | None = None,
        precision: str | None = None,
    ) -> xr.DataArray:
        """Say how an answer changes when each input is hidden from the model.

        Parameters
        ----------
        target, by, head, weights, rename, units, latitude, climate, causal, max_gap
            See :func:`xstefaland.explain`.
        batch_size, device, precision
            See :func:`xstefaland.explain`.

        Returns
        -------
        xarray.DataArray
            Dims of the answer, then `hidden`.

        Examples
        --------
        >>> from xstefaland.testing import example_points, tiny_head, tiny_weights
        >>> weights = tiny_weights()
        >>> change = example_points().stefaland.explain(
        ...     "streamflow", weights=weights, head=tiny_head(weights)
        ... )
        >>> change.dims
        ('site', 'time', 'hidden')
        """
        from xstefaland.inference import explaining

        return explaining.explain(
            self._ds,
            target,
            by=by,
            head=head,
            weights=weights,
            rename=rename,
            units=units,
            latitude=latitude,
            climate=climate,
            causal=causal,
            max_gap=max_gap,
            batch_size=batch_size,
            device=device,
            precision=precision,
        )

    def missing_inputs(
        self,
        target: str | Sequence[str] | None = None,
        *,
        ax: Axes | None = None,
        **hints: Any,
    ) -> Axes:
        """Draw which inputs are given, derived and missing.

        Parameters
        ----------
        target, **hints
            For :meth:`check`, whose report is drawn.
        ax
            See :func:`xstefaland.plotting.missing_inputs`.

        Returns
        -------
        matplotlib.axes.Axes

        Examples
        --------
        >>> from xstefaland.testing import example_points
        >>> ax = example_points().stefaland.missing_inputs("streamflow")
        >>> ax.get_xlabel()
        'variables of the model; named: missing'
        """
        from xstefaland import plotting

        return plotting.missing_inputs(self.check(target, **hints), ax=ax)

    def unseen(
        self,
        target: str | Sequence[str] | None = None,
        *,
        head: WeightsLike | None = None,
        weights: WeightsLike | None = None,
        latitude: Latitude | None = None,
        causal: bool = False,
        radius: float = 10.0,
    ) -> xr.Dataset:
        """Say which sites no step of the training saw, so that scores are honest.

        Parameters
        ----------
        target, head, weights, latitude, causal, radius
            See :func:`xstefaland.unseen`.

        Returns
        -------
        xarray.Dataset
            `unseen`, `left_out` and `distance` [km] of each site.

        Examples
        --------
        >>> from xstefaland.testing import example_points
        >>> list(example_points().stefaland.unseen("streamflow").data_vars)
        ['unseen', 'left_out', 'distance']
        """
        from xstefaland.inference.unseen import unseen

        return unseen(
            self._ds,
            target,
            head=head,
            weights=weights,
            latitude=latitude,
            causal=causal,
            radius=radius,
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

        Examples
        --------
        >>> from xstefaland.testing import example_grid, tiny_weights
        >>> example_grid().stefaland.suggest_chunks("64 MiB", weights=tiny_weights())
        {'time': -1, 'lat': 3, 'lon': 4}
        """
        from xstefaland.inference import chunks

        return chunks.suggest_chunks(self._ds, memory, device, weights=weights)


@xr.register_dataarray_accessor("stefaland")  # type: ignore[no-untyped-call]
class StefaLandDataArray:
    """What can be done with embeddings and predictions."""

    def __init__(self, array: xr.DataArray) -> None:
        self._array = array

    def __getattr__(self, name: str) -> NoReturn:
        """Say where the methods of Datasets are."""
        if name not in CALLS:
            raise AttributeError(f"'.stefaland' of a DataArray has no '{name}'")
        variable = "precipitation" if self._array.name is None else self._array.name
        raise WrongObjectError(
            f"`{name}` takes a Dataset, not a DataArray, for a model needs more than "
            f'one variable: `da.to_dataset(name="{variable}").assign(temperature=...)'
            f".stefaland.{CALLS[name]}`."
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a pandas table: one row per site (and time), one column per value.

        Returns
        -------
        pandas.DataFrame
            Columns ``emb_000``, ``emb_001``, ... for embeddings.

        Examples
        --------
        >>> from xstefaland.testing import example_points, tiny_weights
        >>> means = example_points().stefaland.embed(
        ...     pool="mean", weights=tiny_weights()
        ... )
        >>> means.stefaland.to_frame().columns[:2].to_list()
        ['emb_000', 'emb_001']
        """
        from xstefaland.inference import frames

        return frames.to_frame(self._array)

    def hydrograph(
        self,
        observed: xr.DataArray | None = None,
        *,
        scores: Sequence[str] = ("nse", "kge"),
        ax: Axes | Sequence[Axes] | None = None,
    ) -> Axes | NDArray[np.object_]:
        """Draw this prediction over time, beside observations.

        Parameters
        ----------
        observed, scores, ax
            See :func:`xstefaland.plotting.hydrograph`.

        Returns
        -------
        matplotlib.axes.Axes or numpy.ndarray of Axes
            One for each site.

        Examples
        --------
        >>> from xstefaland.testing import example_gauges
        >>> flow = example_gauges(sites=2, days=730).streamflow
        >>> axes = (0.9 * flow).stefaland.hydrograph(flow)
        >>> axes.shape
        (2,)
        """
        from xstefaland import plotting

        return plotting.hydrograph(self._array, observed, scores=scores, ax=ax)

    def flow_duration(
        self,
        observed: xr.DataArray | None = None,
        *,
        ax: Axes | Sequence[Axes] | None = None,
    ) -> Axes | NDArray[np.object_]:
        """Draw the flow duration curve of this prediction, beside the observed one.

        Parameters
        ----------
        observed, ax
            See :func:`xstefaland.plotting.flow_duration`.

        Returns
        -------
        matplotlib.axes.Axes or numpy.ndarray of Axes
            One for each site.

        Examples
        --------
        >>> from xstefaland.testing import example_gauges
        >>> flow = example_gauges(sites=2, days=730).streamflow
        >>> axes = (0.9 * flow).stefaland.flow_duration(flow)
        >>> axes[0].get_xlabel()
        'share of days on which it is exceeded [%]'
        """
        from xstefaland import plotting

        return plotting.flow_duration(self._array, observed, ax=ax)

    def map(self, *, ax: Axes | None = None, **style: Any) -> Axes:
        """Draw one value of each site, or a grid, at its place.

        Parameters
        ----------
        ax, **style
            See :func:`xstefaland.plotting.map`.

        Returns
        -------
        matplotlib.axes.Axes

        Examples
        --------
        >>> from xstefaland.testing import example_points
        >>> ax = example_points(sites=5).elevation.stefaland.map(coastlines=False)
        >>> ax.get_ylabel()
        'latitude [°N]'
        """
        from xstefaland import plotting

        return plotting.map(self._array, ax=ax, **style)

    def skill_map(
        self,
        observed: xr.DataArray,
        score: str = "nse",
        *,
        ax: Axes | None = None,
        **style: Any,
    ) -> Axes:
        """Draw a score of this prediction at each site on a map.

        Parameters
        ----------
        observed, score, ax, **style
            See :func:`xstefaland.plotting.skill_map`.

        Returns
        -------
        matplotlib.axes.Axes

        Examples
        --------
        >>> from xstefaland.testing import example_gauges
        >>> flow = example_gauges(sites=3, days=730).streamflow
        >>> ax = (0.9 * flow).stefaland.skill_map(flow, coastlines=False)
        >>> ax.get_title(loc="left")
        'median 0.97, 3 sites'
        """
        from xstefaland import plotting

        return plotting.skill_map(self._array, observed, score, ax=ax, **style)

    def embedding_rgb(self, *, ax: Axes | None = None, **style: Any) -> Axes:
        """Draw these embeddings as colours on a map: alike places look alike.

        Parameters
        ----------
        ax, **style
            See :func:`xstefaland.plotting.embedding_rgb`.

        Returns
        -------
        matplotlib.axes.Axes

        Examples
        --------
        >>> from xstefaland.testing import example_points, tiny_weights
        >>> ds = example_points(sites=5)
        >>> means = ds.stefaland.embed(pool="mean", weights=tiny_weights())
        >>> ax = means.stefaland.embedding_rgb(coastlines=False)
        >>> ax.get_xlabel()
        'longitude [°E]'
        """
        from xstefaland import plotting

        return plotting.embedding_rgb(self._array, ax=ax, **style)

    def box(self, by: str = "system", *, ax: Axes | None = None) -> Axes:
        """Draw the spread of this score over sites, one box for each system.

        Parameters
        ----------
        by, ax
            See :func:`xstefaland.plotting.box`.

        Returns
        -------
        matplotlib.axes.Axes

        Examples
        --------
        >>> import xarray as xr
        >>> scores = [[0.5, 0.7, 0.6], [0.4, 0.6, 0.8]]
        >>> systems = {"system": ["direct", "HBV"]}
        >>> kge = xr.DataArray(scores, systems, ("system", "site"), name="kge")
        >>> ax = kge.stefaland.box()
        >>> [label.get_text() for label in ax.get_xticklabels()]
        ['direct', 'HBV']
        """
        from xstefaland import plotting

        return plotting.box(self._array, by, ax=ax)

    def explanation(self, *, ax: Axes | None = None) -> Axes:
        """Draw what :func:`xstefaland.explain` returned as bars.

        Parameters
        ----------
        ax
            See :func:`xstefaland.plotting.explanation`.

        Returns
        -------
        matplotlib.axes.Axes

        Examples
        --------
        >>> from xstefaland.testing import example_points, tiny_head, tiny_weights
        >>> weights = tiny_weights()
        >>> change = example_points().stefaland.explain(
        ...     "streamflow", weights=weights, head=tiny_head(weights)
        ... )
        >>> ax = change.stefaland.explanation()
        >>> ax.get_legend_handles_labels()[1]
        ['with its sign', 'size']
        """
        from xstefaland import plotting

        return plotting.explanation(self._array, ax=ax)


class StefaLandDataTree:
    """A tree of Datasets: each is used by itself, and the tree says how.

    Examples
    --------
    >>> import xarray as xr
    >>> from xstefaland.testing import example_points, tiny_head, tiny_weights
    >>> weights = tiny_weights()
    >>> options = {"weights": weights, "head": tiny_head(weights)}
    >>> points = example_points()
    >>> tree = xr.DataTree.from_dict({"/north": points, "/south": points})
    >>> flow = tree.map_over_datasets(
    ...     lambda ds: ds.stefaland.predict(["streamflow"], **options) if ds else ds
    ... )
    >>> flow["/north/streamflow"].dims
    ('site', 'time')
    """

    def __init__(self, tree: xr.DataTree) -> None:
        self._tree = tree

    def __getattr__(self, name: str) -> NoReturn:
        """Say how the methods of Datasets are applied to those of a tree."""
        if name not in CALLS:
            raise AttributeError(f"'.stefaland' of a DataTree has no '{name}'")
        call = f"ds.stefaland.{CALLS[name]}"
        each = f"{{node.path: node.dataset.{call[3:]} for node in dt.leaves}}"
        if name in ("embed", "explain", "predict", "reconstruct"):
            lone = name in ("embed", "explain")
            dataset = f"{call}.to_dataset()" if lone else call
            each = f"dt.map_over_datasets(lambda ds: {dataset} if ds else ds)"
        if name == "run":  # each to a store of its own
            each = each.replace("'flow.zarr'", "f'.{node.path}.zarr'")
        raise WrongObjectError(
            f"`{name}` takes a Dataset, not a DataTree. Apply it to each Dataset of "
            f"the tree: `{each}`."
        )


if hasattr(xr, "register_datatree_accessor"):  # the oldest xarray we allow has none
    xr.register_datatree_accessor("stefaland")(  # type: ignore[no-untyped-call]
        StefaLandDataTree
    )
