"""Lazy results: the only place where a model meets xarray.

A task graph holds the names of weights, columns and settings as plain values; models
are loaded where a task runs. Building a graph runs none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from xstefaland.inference import loaded, progress
from xstefaland.inference.batches import BatchSize, check_batch_size
from xstefaland.inference.blocks import Block, Encoder, Floats, Pool
from xstefaland.inference.gaps import MAX_GAP, check_max_gap
from xstefaland.inference.loaded import Reference
from xstefaland.inference.predictions import HeadTask, predict_block
from xstefaland.inputs.prepare import Prepared
from xstefaland.options import checked_options, get_options

EMBEDDING, YEAR, QUANTILE = "embedding", "year", "quantile"


@dataclass(frozen=True)
class Settings:
    """How models work, fixed when a graph is built: workers have no user's options."""

    device: str
    precision: str
    batch_size: BatchSize
    causal: bool = False
    max_gap: int | None = MAX_GAP

    @classmethod
    def current(
        cls,
        batch_size: BatchSize = "auto",
        device: str | None = None,
        precision: str | None = None,
        causal: bool = False,
        max_gap: int | None = MAX_GAP,
    ) -> Settings:
        """Take what is given, else the options in force.

        Raises
        ------
        InputError
            For values that are not possible.
        """
        check_batch_size(batch_size)
        check_max_gap(max_gap)
        given = {"device": device, "precision": precision}
        asked = checked_options({k: v for k, v in given.items() if v is not None})
        options = {**get_options(), **asked}
        return cls(
            options["device"], options["precision"], batch_size, bool(causal), max_gap
        )


def embed(
    prepared: Prepared,
    encoder: Reference,
    width: int,
    settings: Settings,
    pool: Pool,
) -> xr.Variable:
    """Embed all sites.

    Parameters
    ----------
    prepared : Prepared
        The encoder's variables.
    encoder : Reference
        The encoder.
    width : int
        Length of an embedding.
    settings : Settings
        How to work.
    pool : {None, "mean", "year", "static"}
        What to do with time.

    Returns
    -------
    xarray.Variable
        ``(*site_dims, time or year or nothing, embedding)``.
    """
    groups, years = day_groups(prepared, pool)
    dims = {None: ["time"], "year": [YEAR]}.get(pool, [])
    options = {"encoder": encoder, "settings": settings, "pool": pool, "groups": groups}
    sizes = {EMBEDDING: width, **({YEAR: len(years)} if pool == "year" else {})}
    (answer,) = _apply(_embed, prepared, [[*dims, EMBEDDING]], sizes, options)
    return own_days(answer, prepared)


def predict(
    prepared: Prepared,
    encoder: Reference,
    heads: Sequence[HeadTask],
    settings: Settings,
) -> list[xr.Variable]:
    """Predict the targets of heads on one encoder.

    Parameters
    ----------
    prepared : Prepared
        The encoder's variables, then those that heads take besides.
    encoder, heads, settings
        What is to run, and how.

    Returns
    -------
    list of xarray.Variable
        One per head and target: ``(*site_dims, time?, quantile?)``.
    """
    dims, sizes = [], {}
    for task in heads:
        last = [] if task.quantiles is None else [QUANTILE]
        dims += [[*([] if task.static else ["time"]), *last]] * len(task.targets)
        if task.quantiles is not None:
            sizes[QUANTILE] = task.quantiles
    options = {"encoder": encoder, "heads": tuple(heads), "settings": settings}
    answers = _apply(_predict, prepared, dims, sizes, options)
    return [own_days(answer, prepared) for answer in answers]


def reconstruct(
    prepared: Prepared, encoder: Reference, settings: Settings
) -> tuple[xr.Variable, xr.Variable]:
    """Reconstruct forcing ``(*site_dims, time, variable)`` and attributes."""
    options = {"encoder": encoder, "settings": settings}
    dims = [["time", "variable"], ["attribute"]]
    series, static = _apply(_reconstruct, prepared, dims, {}, options)
    return own_days(series, prepared), static


def day_groups(
    prepared: Prepared, pool: Pool
) -> tuple[NDArray[np.intp] | None, NDArray[np.intp]]:
    """Return the pooled row of each day (-1: not in the input), and the years."""
    if pool not in ("mean", "year"):
        return None, np.empty(0, np.intp)
    days = _days(prepared)
    years, row = np.unique(prepared.time.year, return_inverse=True)
    groups = np.full(len(days), -1, np.intp)
    groups[days.get_indexer(prepared.time)] = row if pool == "year" else 0
    return groups, years.astype(np.intp)


def own_days(answer: xr.Variable, prepared: Prepared) -> xr.Variable:
    """Drop the days that were inserted into gaps."""
    days = _days(prepared)
    if "time" not in answer.dims or len(days) == len(prepared.time):
        return answer
    return answer.isel(time=days.get_indexer(prepared.time))


def _days(prepared: Prepared) -> pd.DatetimeIndex:
    days = prepared.forcing.indexes["time"]
    if not isinstance(days, pd.DatetimeIndex):
        days = pd.DatetimeIndex(days)
    return days


def _apply(
    task: Any,
    prepared: Prepared,
    output_dims: list[list[str]],
    output_sizes: dict[str, int],
    options: dict[str, Any],
) -> list[xr.Variable]:
    """Apply a task to blocks of sites, on variables: labels come later."""
    forcing = prepared.forcing.variable
    attributes, latitude = prepared.attributes.variable, prepared.latitude.variable
    if forcing.sizes["time"] == 0:
        forcing = _one_empty_day(forcing, latitude)
    chunked = bool(forcing.chunks or attributes.chunks or latitude.chunks)
    if chunked:
        forcing = forcing.chunk({"time": -1, forcing.dims[-1]: -1})
        attributes = attributes.chunk({attributes.dims[-1]: -1})
    day_of_year = _days(prepared).day_of_year.to_numpy().astype(np.float32)
    with progress.bar(shown=not chunked):
        answers = xr.apply_ufunc(
            task,
            forcing,
            attributes,
            latitude,
            input_core_dims=[["time", forcing.dims[-1]], [attributes.dims[-1]], []],
            output_core_dims=output_dims,
            dask="parallelized",
            output_dtypes=[np.float32] * len(output_dims),
            dask_gufunc_kwargs={"output_sizes": output_sizes},
            keep_attrs=False,
            kwargs={"day_of_year": day_of_year, **options},
        )
    return list(answers) if isinstance(answers, tuple) else [answers]


def _one_empty_day(forcing: xr.Variable, latitude: xr.Variable) -> xr.Variable:
    """Stand in for no days at all, which dask cannot apply a function to.

    Tasks drop the day again, see :func:`_flat`.
    """
    last = forcing.dims[-1]
    day = np.full((1, forcing.sizes[last]), np.nan, np.float32)
    return latitude * xr.Variable(("time", last), day)


def _embed(
    forcing: Floats,
    attributes: Floats,
    latitude: Floats,
    *,
    day_of_year: Floats,
    encoder: Reference,
    settings: Settings,
    pool: Pool,
    groups: NDArray[np.intp] | None,
) -> Floats:
    """Embed one block of sites, in the process where it lies."""
    block, sites = _flat(forcing, attributes, latitude, day_of_year)
    place = loaded.get(encoder, settings.device, settings.precision)
    with place.lock:
        out = _encoder(place, settings).embed(
            block, pool, groups, causal=settings.causal, max_gap=settings.max_gap
        )
    return out.reshape(*sites, *out.shape[1:])


def _predict(
    forcing: Floats,
    attributes: Floats,
    latitude: Floats,
    *,
    day_of_year: Floats,
    encoder: Reference,
    heads: tuple[HeadTask, ...],
    settings: Settings,
) -> tuple[Floats, ...] | Floats:
    """Predict for one block of sites; heads always work in float32."""
    block, sites = _flat(forcing, attributes, latitude, day_of_year)
    place = loaded.get(encoder, settings.device, settings.precision)
    networks = [
        (loaded.get(task.reference, settings.device, "float32").model, task)
        for task in heads
    ]
    with place.lock:
        answers = predict_block(
            _encoder(place, settings),
            networks,
            block,
            causal=settings.causal,
            max_gap=settings.max_gap,
        )
    shaped = tuple(out.reshape(*sites, *out.shape[1:]) for out in answers)
    return shaped if len(shaped) > 1 else shaped[0]


def _reconstruct(
    forcing: Floats,
    attributes: Floats,
    latitude: Floats,
    *,
    day_of_year: Floats,
    encoder: Reference,
    settings: Settings,
) -> tuple[Floats, Floats]:
    """Reconstruct one block of sites."""
    block, _ = _flat(forcing, attributes, latitude, day_of_year)
    place = loaded.get(encoder, settings.device, settings.precision)
    with place.lock:
        series, static = _encoder(place, settings).reconstruct(block)
    return series.reshape(forcing.shape), static.reshape(attributes.shape)


def _encoder(place: loaded.Loaded, settings: Settings) -> Encoder:
    return Encoder(
        place.model,
        settings.batch_size,
        settings.device,
        settings.precision,
        place.limit,
        place.sites,
    )


def _flat(
    forcing: Floats, attributes: Floats, latitude: Floats, day_of_year: Floats
) -> tuple[Block, tuple[int, ...]]:
    """Bring all site dims to one; return the block and the shape of the site dims."""
    sites = latitude.shape
    count = int(np.prod(sites, dtype=int))
    forcing = forcing[..., : len(day_of_year), :]
    block = Block(
        forcing.reshape(count, *forcing.shape[-2:]),
        attributes.reshape(count, attributes.shape[-1]),
        latitude.reshape(count),
        day_of_year,
    )
    return block, sites
