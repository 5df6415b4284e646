"""Lazy results: the only place where a model meets xarray.

A task graph holds the names of weights, columns and settings as plain values; models
are loaded where a task runs. Building a graph runs none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
from xstefaland.inference.work import at_work
from xstefaland.inputs.chunk import Inputs
from xstefaland.inputs.days import Days
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
    dims = {None: ["time"], "year": [YEAR]}.get(pool, [])
    sizes = {
        "time": len(prepared.time),
        YEAR: len(years_of(prepared.time)),
        EMBEDDING: width,
    }
    options = {"encoder": encoder, "settings": settings, "pool": pool}
    (answer,) = _applied(prepared, _embed, [[*dims, EMBEDDING]], sizes, **options)
    return answer


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
    dims, sizes = [], {"time": len(prepared.time)}
    for task in heads:
        last = [] if task.quantiles is None else [QUANTILE]
        dims += [[*([] if task.static else ["time"]), *last]] * len(task.targets)
        if task.quantiles is not None:
            sizes[QUANTILE] = task.quantiles
    options = {"encoder": encoder, "heads": tuple(heads), "settings": settings}
    return _applied(prepared, _predict, dims, sizes, **options)


def reconstruct(
    prepared: Prepared, encoder: Reference, settings: Settings
) -> tuple[xr.Variable, xr.Variable]:
    """Reconstruct forcing ``(*site_dims, time, variable)`` and attributes."""
    asked = prepared.examination.requirements
    sizes = {
        "time": len(prepared.time),
        "variable": len(asked.forcing),
        "attribute": len(asked.attributes),
    }
    dims = [["time", "variable"], ["attribute"]]
    options = {"encoder": encoder, "settings": settings}
    series, static = _applied(prepared, _reconstruct, dims, sizes, **options)
    return series, static


def years_of(days: pd.DatetimeIndex) -> NDArray[np.intp]:
    """Return the calendar years of some days, rising."""
    return np.unique(days.year).astype(np.intp)


def day_groups(days: Days, pool: Pool) -> NDArray[np.intp] | None:
    """Return the pooled row of each day, -1 where the Dataset leaves it out."""
    if pool not in ("mean", "year"):
        return None
    own = slice(None) if days.positions is None else days.positions
    groups = np.full(len(days), -1, np.intp)
    groups[own] = 0
    if pool == "year":
        groups[own] = np.searchsorted(years_of(days.own), days.own.year)
    return groups


def _applied(
    prepared: Prepared,
    task: Callable[..., tuple[Floats, ...]],
    dims: Sequence[Sequence[str]],
    sizes: Mapping[str, int],
    **options: Any,
) -> list[xr.Variable]:
    """Apply a task; what is computed at once shows a bar."""
    with progress.bar(shown=not prepared.lazy):
        return prepared.apply(task, dims, sizes, **options)


def _embed(
    inputs: Inputs, *, encoder: Reference, settings: Settings, pool: Pool
) -> tuple[Floats]:
    """Embed one block of sites, in the process where it lies."""
    place = loaded.get(encoder, settings.device, settings.precision)
    with at_work(place):
        out = _encoder(place, settings).embed(
            _block(inputs),
            pool,
            day_groups(inputs.days, pool),
            causal=settings.causal,
            max_gap=settings.max_gap,
        )
    return (_as_given(out, inputs, None if pool else 1),)


def _predict(
    inputs: Inputs,
    *,
    encoder: Reference,
    heads: tuple[HeadTask, ...],
    settings: Settings,
) -> tuple[Floats, ...]:
    """Predict for one block of sites; heads always work in float32."""
    place = loaded.get(encoder, settings.device, settings.precision)
    networks = [
        (loaded.get(task.reference, settings.device, "float32").model, task)
        for task in heads
    ]
    with at_work(place):
        answers = predict_block(
            _encoder(place, settings),
            networks,
            _block(inputs),
            causal=settings.causal,
            max_gap=settings.max_gap,
        )
    axes = [None if task.static else 1 for task in heads for _ in task.targets]
    return tuple(
        _as_given(out, inputs, axis) for out, axis in zip(answers, axes, strict=True)
    )


def _reconstruct(
    inputs: Inputs, *, encoder: Reference, settings: Settings
) -> tuple[Floats, Floats]:
    """Reconstruct one block of sites."""
    place = loaded.get(encoder, settings.device, settings.precision)
    with at_work(place):
        series, static = _encoder(place, settings).reconstruct(_block(inputs))
    return _as_given(series, inputs, 1), _as_given(static, inputs, None)


def _encoder(place: loaded.Loaded, settings: Settings) -> Encoder:
    """Set up the encoder in a worker, with the batch sizes that fitted there before."""
    return Encoder(
        place.model,
        settings.batch_size,
        settings.device,
        settings.precision,
        place.limit,
        place.sites,
    )


def _block(inputs: Inputs) -> Block:
    """Bring all site dims to one."""
    count = inputs.latitude.size
    forcing, attributes = inputs.forcing, inputs.attributes
    return Block(
        forcing.reshape(count, *forcing.shape[-2:]),
        attributes.reshape(count, attributes.shape[-1]),
        inputs.latitude.reshape(count),
        inputs.days.index.day_of_year.to_numpy().astype(np.float32),
        inputs.required,
    )


def _as_given(out: Floats, inputs: Inputs, time: int | None) -> Floats:
    """Give an answer the Dataset's own days and site dims again."""
    if time is not None:
        out = inputs.days.taken(out, time)
    return out.reshape(*inputs.latitude.shape, *out.shape[1:])
