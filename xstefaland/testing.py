"""Synthetic examples and tiny random weights: for tests, docs and first steps.

Nothing here is real: the weather is made by formula and the weights are random.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

if TYPE_CHECKING:
    from xstefaland.inputs.requirements import VariableSpec
    from xstefaland.model import StefaLand
    from xstefaland.weights import Weights

FORCING = {
    "precipitation": (0.5, 0.8, "mm d-1", "log1p"),
    "temperature": (10.0, 10.0, "degC", "linear"),
    "shortwave_radiation": (180.0, 90.0, "W m-2", "linear"),
}
"""Forcing of the tiny weights: mean, deviation (transformed), units, transform."""

DERIVED = {"potential_evapotranspiration": (2.0, 1.5, "mm d-1", "linear")}
"""Forcing that tiny heads may take besides; it is derived from the examples' own."""

ATTRIBUTES = {
    "elevation": (600.0, 500.0, "m", "topography"),
    "slope": (20.0, 15.0, "m km-1", "topography"),
    "clay": (22.0, 10.0, "percent", "soil"),
    "frac_forest": (0.4, 0.3, "1", "vegetation"),
}
"""Attributes of the tiny weights: mean, standard deviation, units, masking group."""


def example_points(
    sites: int = 6, days: int = 1200, *, start: str = "2000-10-01", seed: int = 0
) -> xr.Dataset:
    """Return synthetic daily weather and attributes of a few sites.

    Parameters
    ----------
    sites, days : int
        Size.
    start : str
        First day.
    seed : int
        Another seed is another weather.

    Returns
    -------
    xarray.Dataset
        ``precipitation`` [mm d-1], ``temperature`` [degC] and ``shortwave_radiation``
        [W m-2] with dims ``(site, time)``; elevation, slope, clay and forest share
        with dim ``site``; coordinates site, time, latitude, longitude.

    Examples
    --------
    >>> dict(example_points(sites=2, days=10).sizes)
    {'site': 2, 'time': 10}
    """
    rng = np.random.default_rng(seed)
    latitude = rng.uniform(30, 55, sites).round(3)
    longitude = rng.uniform(-120, -70, sites).round(3)
    coords = {
        "site": [f"site{number:03d}" for number in range(sites)],
        "time": pd.date_range(start, periods=days, name="time"),
        "latitude": ("site", latitude, {"units": "degrees_north"}),
        "longitude": ("site", longitude, {"units": "degrees_east"}),
    }
    return _dataset(("site",), coords, latitude, rng)


def example_gauges(
    sites: int = 6, days: int = 1461, *, start: str = "2000-10-01", seed: int = 0
) -> xr.Dataset:
    """Return synthetic sites with what stands for observations of flow and soil.

    Parameters
    ----------
    sites, days, start, seed
        As in :func:`example_points`, of which weather and attributes are.

    Returns
    -------
    xarray.Dataset
        Besides ``streamflow`` [mm d-1] and ``soil_moisture`` [m3 m-3] with dims
        ``(site, time)``: a snow store, a soil and two linear stores driven by the
        weather, noise, and a gap of two months at each site. Scores against them show
        how calls look, not skill.

    Examples
    --------
    >>> ds = example_gauges(sites=2, days=400)
    >>> ds.streamflow.dims, bool(ds.streamflow.min() >= 0)
    (('site', 'time'), True)
    """
    ds = example_points(sites, days, start=start, seed=seed)
    flow, wetness = _bucket(ds)
    rng = np.random.default_rng(seed + 1)
    missing = np.arange(days) - rng.integers(0, max(days - 60, 1), (sites, 1))
    values = {
        "streamflow": (flow * rng.lognormal(0, 0.1, flow.shape), "mm d-1"),
        "soil_moisture": (0.08 + 0.3 * wetness, "m3 m-3"),
    }
    for name, (value, units) in values.items():
        gappy = np.where((missing >= 0) & (missing < 60), np.nan, value)
        attrs = {"units": units, "comment": "synthetic, made by formula"}
        ds[name] = ("site", "time"), gappy.astype(np.float32), attrs
    return ds


def example_grid(
    rows: int = 3,
    columns: int = 4,
    days: int = 500,
    *,
    start: str = "2001-01-01",
    seed: int = 0,
) -> xr.Dataset:
    """Return synthetic daily weather and attributes of a small grid.

    Parameters
    ----------
    rows, columns, days : int
        Size.
    start : str
        First day.
    seed : int
        Another seed is another weather.

    Returns
    -------
    xarray.Dataset
        The variables of :func:`example_points` with dims ``(time, lat, lon)``, and a
        scalar coordinate ``spatial_ref`` (EPSG:4326). One cell is sea: all NaN.

    Examples
    --------
    >>> example_grid().temperature.dims
    ('time', 'lat', 'lon')
    """
    rng = np.random.default_rng(seed)
    latitude = 45.0 - 0.25 * np.arange(rows)
    coords = {
        "lat": ("lat", latitude, {"units": "degrees_north"}),
        "lon": ("lon", 5 + 0.25 * np.arange(columns), {"units": "degrees_east"}),
        "time": pd.date_range(start, periods=days, name="time"),
        "spatial_ref": ((), 0, {"grid_mapping_name": "latitude_longitude"}),
    }
    place = np.broadcast_to(latitude[:, None], (rows, columns))
    ds = _dataset(("lat", "lon"), coords, place, rng)
    land = xr.DataArray(np.ones((rows, columns), bool), dims=("lat", "lon"))
    land[-1, -1] = False
    ds = ds.where(land).transpose("time", "lat", "lon")
    for name in ds.data_vars:
        ds[name].attrs["grid_mapping"] = "spatial_ref"
    return ds


def tiny_encoder(seed: int = 0, **config: Any) -> StefaLand:
    """Return a small encoder with random weights, in evaluation mode.

    Parameters
    ----------
    seed : int
        Another seed gives other weights.
    **config
        Entries of :class:`~xstefaland.model.EncoderConfig` to change.
    """
    import torch

    from xstefaland.model import EncoderConfig, StefaLand

    small = {"d_model": 16, "layers": 2, "heads": 2, "ffn": 32, "dropout": 0.1}
    names = {"forcing": tuple(FORCING), "attributes": tuple(ATTRIBUTES)}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = StefaLand(EncoderConfig(**{**names, **small, **config}))
        for parameter in model.parameters():  # far from zero, so that errors show
            parameter.data.add_(torch.randn_like(parameter) * 0.1)
    _scaled(model, model.config.forcing, model.config.attributes)
    return model.eval()


def tiny_weights(
    path: str | os.PathLike[str] | None = None,
    *,
    seed: int = 0,
    readings: Sequence[str] = ("two-way",),
    **config: Any,
) -> Weights:
    """Write a small encoder with random weights to a file.

    Parameters
    ----------
    path : path, optional
        The file to write; default: a temporary one that goes with the process.
    readings : sequence of str
        Ways of reading that its card claims.
    seed, **config
        See :func:`tiny_encoder`.

    Returns
    -------
    Weights
        The opened file, named ``"tiny"``: pass it as ``weights=``.
    """
    from xstefaland.weights import Card, save

    model = tiny_encoder(seed, **config)
    card = Card(
        kind="encoder",
        name="tiny",
        config=model.config.to_dict(),
        forcing=_forcing_specs(model.config.forcing),
        attributes=_attribute_specs(model.config.attributes),
        required=(("precipitation",), ("temperature",)),
        readings=tuple(readings),
    )
    return save(path or _temporary(), model.state_dict(), card)


def tiny_head(
    encoder: Weights,
    targets: Sequence[str] = ("streamflow",),
    *,
    path: str | os.PathLike[str] | None = None,
    seed: int = 1,
    masked_inputs: Sequence[str] = (),
    required: Sequence[Sequence[str]] = (("precipitation",), ("temperature",)),
    readings: Sequence[str] = ("two-way",),
    **config: Any,
) -> Weights:
    """Write a small head with random weights for an encoder to a file.

    Parameters
    ----------
    encoder : Weights
        What :func:`tiny_weights` returned.
    targets : sequence of str
        What it says it predicts [mm d-1].
    path : path, optional
        As in :func:`tiny_weights`.
    seed : int
        Another seed gives other weights.
    masked_inputs : sequence of str
        Inputs hidden from encoder and head.
    required : sequence of sequence of str
        Of each inner one, a variable must be given.
    readings : sequence of str
        Ways of reading that its card claims.
    **config
        Entries of :class:`~xstefaland.model.HeadConfig` to change.

    Returns
    -------
    Weights
        The opened file, named ``"tiny-head"``: pass it as ``head=``.
    """
    import torch

    from xstefaland.model import HeadConfig, build_head
    from xstefaland.weights import Card, EncoderReference, TargetSpec, save

    names = {"forcing": ("precipitation", "temperature"), "attributes": ("elevation",)}
    small = {"embedding": encoder.card.config["d_model"], "width": 8}
    form = HeadConfig(targets=tuple(targets), **{**names, **small, **config})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = build_head(form)
    _scaled(head.features, form.forcing, form.attributes)
    card = Card(
        kind="head",
        name="tiny-head",
        config=form.to_dict(),
        forcing=_forcing_specs(form.forcing),
        attributes=_attribute_specs(form.attributes),
        encoder=EncoderReference(name=encoder.name, sha256=encoder.sha256),
        targets=tuple(TargetSpec(name=name, units="mm d-1") for name in targets),
        required=tuple(tuple(choice) for choice in required),
        masked_inputs=tuple(masked_inputs),
        readings=tuple(readings),
        static=form.static,
        quantiles=form.quantiles,
        spinup_days=365,
    )
    return save(path or _temporary(), head.state_dict(), card)


@cache
def _folder() -> TemporaryDirectory[str]:
    """Folder of all tiny weights without a path; it ends with the process."""
    return TemporaryDirectory(prefix="xstefaland-")


def _temporary() -> Path:
    """Name a file as no other one is, also of threads or after one is deleted."""
    return Path(_folder().name) / f"{uuid4().hex}.safetensors"


def _dataset(
    dims: tuple[str, ...],
    coords: dict[str, Any],
    latitude: NDArray[np.float64],
    rng: np.random.Generator,
) -> xr.Dataset:
    """Make weather with seasons and spells, and attributes, from a formula."""
    time = pd.DatetimeIndex(coords["time"])
    shape = (*latitude.shape, len(time))
    season = np.cos(2 * np.pi * (time.day_of_year.to_numpy() - 200) / 365.25)
    north = latitude[..., None]
    wet = rng.random(shape) < 0.35 - 0.1 * season
    values = {
        "precipitation": wet * rng.gamma(0.7, 9.0, shape),
        "temperature": 28 - 0.4 * north + 11 * season + rng.normal(0, 2.5, shape),
        "shortwave_radiation": (190 + 110 * season) * rng.uniform(0.5, 1.1, shape),
    }
    static = {
        "elevation": rng.uniform(50, 1800, latitude.shape),
        "slope": rng.uniform(1, 60, latitude.shape),
        "clay": rng.uniform(5, 45, latitude.shape),
        "frac_forest": rng.uniform(0, 1, latitude.shape),
    }
    data: dict[str, Any] = {
        name: ((*dims, "time"), value.astype(np.float32), {"units": FORCING[name][2]})
        for name, value in values.items()
    }
    for name, value in static.items():
        data[name] = (dims, value.astype(np.float32), {"units": ATTRIBUTES[name][2]})
    attrs = {"title": "synthetic example of xstefaland, made by formula"}
    return xr.Dataset(data, coords, attrs)


def _bucket(ds: xr.Dataset) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Flow [mm d-1] and wetness [0 to 1] of the soil ``(site, time)``, by formula."""
    rain, warm, sun = (ds[name].values.astype(float).T for name in FORCING)
    potential = np.clip(8e-4 * sun * (warm + 5), 0, None)  # [mm d-1]
    capacity = 120 + 4 * ds["clay"].values.astype(float)  # [mm]
    soil, (snow, fast, slow) = 0.6 * capacity, np.zeros((3, len(capacity)))
    flow, wetness = np.empty(rain.shape), np.empty(rain.shape)
    for day, (wet, warmth) in enumerate(zip(rain, warm, strict=True)):
        melt = np.minimum(snow, 3 * np.clip(warmth, 0, None))
        snow = snow - melt + wet * (warmth < 0)
        water = melt + wet * (warmth >= 0)
        quick = water * (soil / capacity) ** 2
        soil = soil + water - quick
        soil = soil - np.minimum(
            soil, potential[day] * np.minimum(1, 2 * soil / capacity)
        )
        drained = np.maximum(0.01 * soil, soil - capacity)
        soil, fast, slow = soil - drained, fast + quick, slow + drained
        flow[day], wetness[day] = 0.4 * fast + 0.03 * slow, soil / capacity
        fast, slow = 0.6 * fast, 0.97 * slow
    return flow.T, wetness.T


def _scaled(part: Any, forcing: Sequence[str], attributes: Sequence[str]) -> None:
    """Give a part of a model the scaling of the tables above."""
    lines = [(FORCING | DERIVED)[name] for name in forcing]
    part.forcing_scaling.assign(
        [line[0] for line in lines],
        [line[1] for line in lines],
        [line[3] == "log1p" for line in lines],
    )
    statics = [ATTRIBUTES[name] for name in attributes]
    part.attribute_scaling.assign(
        [line[0] for line in statics],
        [line[1] for line in statics],
        [False for _ in statics],
    )


def _forcing_specs(names: Sequence[str]) -> tuple[VariableSpec, ...]:
    """Describe forcings for a card, as the tables above have them."""
    from xstefaland.inputs.requirements import VariableSpec

    return tuple(
        VariableSpec(name=name, mean=mean, std=std, units=units, transform=transform)
        for name, (mean, std, units, transform) in (
            (n, (FORCING | DERIVED)[n]) for n in names
        )
    )


def _attribute_specs(names: Sequence[str]) -> tuple[VariableSpec, ...]:
    """Describe attributes for a card, as the table above has them."""
    from xstefaland.inputs.requirements import VariableSpec

    return tuple(
        VariableSpec(name=name, mean=mean, std=std, units=units, group=group)
        for name, (mean, std, units, group) in ((n, ATTRIBUTES[n]) for n in names)
    )
