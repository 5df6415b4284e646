"""Labels: the input's dims, coordinates and CRS, and who made the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Literal

import xarray as xr

from xstefaland.inputs.prepare import Prepared
from xstefaland.weights import TARGETS, TargetSpec, Weights

FRACTION_MISSING = "fraction_missing"
VALUES_REJECTED = "values_rejected"
FRACTION_FILLED = "fraction_filled"
MissingBy = Literal["site", "day"]

QUALITY = {
    FRACTION_MISSING: {
        "long_name": "share of missing forcing values among those the model knows",
        "units": "1",
    },
    VALUES_REJECTED: {
        "long_name": "number of forcing values that were fill values or beyond the "
        "valid range, and were taken as missing",
        "units": "1",
    },
    FRACTION_FILLED: {
        "long_name": "share of days whose weather was filled by the season for the "
        "physical model",
        "units": "1",
    },
}
"""Attributes of the coordinates that say how good the input was."""


def describe_embedding(encoder: Weights, pool: str | None) -> dict[str, Any]:
    """Return the CF attributes of an embedding."""
    what = {
        None: "daily embedding of weather and site attributes",
        "mean": "mean embedding of weather and site attributes",
        "year": "yearly mean embedding of weather and site attributes",
        "static": "embedding of site attributes",
    }[pool]
    method = {"mean": "time: mean", "year": "time: mean (interval: 1 day)"}
    attrs = {"long_name": what, "units": "1", "pooling": pool or "none"}
    if pool in method:
        attrs["cell_methods"] = method[pool]
    return {**attrs, **made_by(encoder)}


def describe_target(
    spec: TargetSpec, encoder: Weights, head: Weights
) -> dict[str, Any]:
    """Return the CF attributes of a prediction."""
    attrs: dict[str, Any] = {"units": spec.units}
    standard_name = spec.standard_name or _standard_name(spec)
    if standard_name:
        attrs["standard_name"] = standard_name
    attrs["long_name"] = spec.long_name or spec.name.replace("_", " ")
    if not head.card.static:
        attrs["cell_methods"] = "time: mean"
        attrs["spinup_days"] = head.card.spinup_days
    return {**attrs, **made_by(encoder, head)}


def _standard_name(spec: TargetSpec) -> str | None:
    """Look the name up in the table, for cards that are older than its names."""
    known = TARGETS.get(spec.name)
    return known.standard_name if known and known.units == spec.units else None


def made_by(encoder: Weights, head: Weights | None = None) -> dict[str, str]:
    """Return the attributes that name weights, hashes and package version."""
    out = {
        "source": f"xstefaland {version('xstefaland')}",
        "weights": encoder.name,
        "weights_sha256": encoder.sha256,
    }
    if head is not None:
        out |= {"head": head.name, "head_sha256": head.sha256}
    return out


def history(ds: xr.Dataset, call: str) -> str:
    """Return a history with this call on top of the Dataset's own."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    line = f"{now} xstefaland {version('xstefaland')}: {call}"
    old = ds.attrs.get("history")
    return f"{line}\n{old}" if old else line


def input_dims(ds: xr.Dataset, prepared: Prepared) -> tuple[str, ...]:
    """Return site dims and time in the order that the Dataset's forcing has them."""
    wanted = {*prepared.site_dims, "time"}
    if "time" not in ds.dims:
        wanted.discard("time")
    for variable in ds.data_vars.values():
        if set(variable.dims) == wanted:
            return tuple(str(dim) for dim in variable.dims)
    return (*prepared.site_dims, "time")


def labelled(
    ds: xr.Dataset,
    prepared: Prepared,
    answer: xr.Variable,
    *,
    name: str,
    attrs: Mapping[str, Any],
    extra: Mapping[str, xr.Variable] | None = None,
) -> xr.DataArray:
    """Give an answer the labels of the input.

    Parameters
    ----------
    ds : xarray.Dataset
        The user's input.
    prepared : Prepared
        What was made from it.
    answer : xarray.Variable
        Dims in any order.
    name : str
        Name of the result.
    attrs : mapping
        Its attributes; none of the input's come along.
    extra : mapping of str to Variable, optional
        Coordinates to add, such as `fraction_missing`.

    Returns
    -------
    xarray.DataArray
        The input's dims in their order (`year` in the place of time), then those
        that the input does not have, with all coordinates that fit.
    """
    order = [
        "year" if dim == "time" and "year" in answer.dims else dim
        for dim in input_dims(ds, prepared)
    ]
    order = [dim for dim in order if dim in answer.dims]
    order += [str(dim) for dim in answer.dims if dim not in order]
    frame = coordinates(ds)
    frame = frame.drop_dims([dim for dim in frame.dims if dim not in order])
    new = [dim for dim in order if dim in frame.variables and dim not in frame.dims]
    frame = frame.drop_vars(new)  # a coordinate cannot share the name of our own dim
    coords = frame.assign_coords(dict(extra or {})).coords
    attrs = dict(attrs)
    if "spinup_days" in attrs and len(prepared.time):
        attrs["record_start"] = f"{prepared.time[0]:%Y-%m-%d}"
    out = xr.DataArray(
        answer.transpose(*order).data, coords, dims=order, name=name, attrs=attrs
    )
    mapping = _grid_mapping(ds)
    if mapping:
        out.encoding["grid_mapping"] = mapping
    return out


def merged(
    ds: xr.Dataset, parts: Sequence[xr.DataArray], attrs: Mapping[str, Any]
) -> xr.Dataset:
    """Bring answers with the same labels into one Dataset."""
    frame = coordinates(ds)
    used = {dim for part in parts for dim in part.dims}
    frame = frame.drop_dims([dim for dim in frame.dims if dim not in used])
    coords = {
        name: coord.variable
        for part in parts
        for name, coord in part.coords.items()
        if name not in frame.coords
    }
    out = frame.assign_coords(coords)
    out = out.assign({part.name: part.variable for part in parts})
    out.attrs = dict(attrs)
    return out


def framed(ds: xr.Dataset, variables: Mapping[str, xr.Variable]) -> xr.Dataset:
    """Give variables on the input's dims the input's coordinates."""
    used = {dim for variable in variables.values() for dim in variable.dims}
    frame = coordinates(ds)
    frame = frame.drop_dims([dim for dim in frame.dims if dim not in used])
    return frame.assign(variables)


def coordinates(ds: xr.Dataset) -> xr.Dataset:
    """Return the input's coordinates, the CRS among them, with their indexes.

    Texts are in memory and of any width: those of fixed width have no specification in
    Zarr, and of dask arrays no format knows the type. The values are the same.
    """
    mapping = _grid_mapping(ds)
    if mapping in ds.data_vars:
        ds = ds.set_coords(mapping)
    frame = ds.drop_vars([name for name in ds.data_vars if name is not None])
    frame = frame.drop_vars([None], errors="ignore")
    frame.attrs = {}
    return frame.assign_coords(_texts(frame))


def _texts(frame: xr.Dataset) -> dict[str, xr.Variable]:
    """Coordinates of text that have to change to be written without a warning."""
    plain = xr.indexes.PandasIndex
    kept = {n for n, index in frame.xindexes.items() if type(index) is not plain}
    out = {}
    for name, variable in frame.variables.items():
        text = variable.dtype.kind == "U"
        if name in kept or not (text or (variable.dtype == object and variable.chunks)):
            continue
        data = variable.data
        values = data.compute(scheduler="sync") if variable.chunks else variable.values
        out[str(name)] = variable.copy(data=values.astype(object))
    return out


def _grid_mapping(ds: xr.Dataset) -> str | None:
    """Return the name of the variable that holds the CRS, where one is named."""
    for variable in ds.data_vars.values():
        for place in (variable.encoding, variable.attrs):
            name = place.get("grid_mapping")
            if isinstance(name, str) and name in ds.variables:
                return name
    return None
