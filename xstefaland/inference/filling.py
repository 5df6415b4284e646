"""Filling: reconstructions go where the user's variables have gaps, only there."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xstefaland.inference import labels
from xstefaland.inputs.prepare import Prepared
from xstefaland.inputs.readings import Reading
from xstefaland.inputs.requirements import VariableSpec
from xstefaland.inputs.units import Conversion, conversion

Values = NDArray[Any]
FLAGS = {0: "given", 1: "reconstructed", 2: "missing"}


def fill(
    ds: xr.Dataset,
    prepared: Prepared,
    answers: tuple[xr.Variable, xr.Variable],
    *,
    add: bool = False,
) -> dict[str, xr.Variable]:
    """Fill the gaps of a Dataset's variables with reconstructed values.

    Parameters
    ----------
    ds : xarray.Dataset
        The user's input.
    prepared : Prepared
        What was made from it.
    answers : tuple of Variable
        Reconstructed forcing ``(*site_dims, time, variable)`` and attributes
        ``(*site_dims, attribute)`` in the encoder's units.
    add : bool
        Add variables that the Dataset lacks.

    Returns
    -------
    dict of str to Variable
        Variables under the user's names and in the user's units, with their attributes.
        For each that may have been filled follows a CF flag variable, ``<name>_flag``,
        int8: 0 given, 1 reconstructed, 2 missing; ``ancillary_variables`` names it.
    """
    readings = prepared.examination.readings
    requirements = prepared.examination.requirements
    filled: dict[str, xr.Variable] = {}
    flags: dict[str, xr.Variable] = {}
    for answer, variables in zip(
        answers, (requirements.forcing, requirements.attributes), strict=True
    ):
        for column, wanted in enumerate(variables):
            values = answer.isel({answer.dims[-1]: column})
            reading = readings.get(wanted.name)
            if reading is not None and reading.source in ds.data_vars:
                name, own = reading.source, ds[reading.source].variable
                filled[name] = _fill_one(own, values, wanted, reading)
                if filled[name] is not own:
                    flags[name] = _flag(own, filled[name], reading)
            elif add and reading is None:
                filled[wanted.name] = _added(ds, prepared, values, wanted)
                nothing = filled[wanted.name] * np.nan
                unread = Reading(wanted.name, wanted.name, wanted)
                flags[wanted.name] = _flag(nothing, filled[wanted.name], unread)
    own_order = [name for name in ds.data_vars if name in filled]
    order = [*own_order, *(name for name in filled if name not in ds.data_vars)]
    for name in flags:
        beside = str(filled[name].attrs.get("ancillary_variables", ""))
        filled[name].attrs["ancillary_variables"] = f"{beside} {name}_flag".strip()
    flagged = {f"{name}_flag": flags[name] for name in order if name in flags}
    return {str(name): filled[str(name)] for name in order} | flagged


def _fill_one(
    own: xr.Variable, values: xr.Variable, wanted: VariableSpec, reading: Reading
) -> xr.Variable:
    """Put reconstructed values where the user's variable has none."""
    if own.dtype.kind != "f":
        return own
    if set(own.dims) != set(values.dims):  # one attribute for all sites: no own place
        return own
    back = xr.apply_ufunc(
        to_user_units,
        values,
        dask="parallelized",
        output_dtypes=[own.dtype],
        kwargs={"wanted": wanted, "reading": reading, "dtype": own.dtype},
    ).transpose(*own.dims)
    out: xr.Variable = xr.apply_ufunc(
        _first_known,
        own,
        back,
        dask="parallelized",
        output_dtypes=[own.dtype],
        kwargs={"reading": reading},
    )
    out.attrs, out.encoding = dict(own.attrs), dict(own.encoding)
    return out


def _flag(own: xr.Variable, filled: xr.Variable, reading: Reading) -> xr.Variable:
    """Say of every value where it comes from, in the words of CF."""
    out: xr.Variable = xr.apply_ufunc(
        _origin,
        own,
        filled,
        dask="parallelized",
        output_dtypes=[np.int8],
        kwargs={"reading": reading},
    )
    standard = own.attrs.get("standard_name")
    out.attrs = {
        "standard_name": f"{standard} status_flag" if standard else "status_flag",
        "long_name": "origin of the value",
        "flag_values": np.array(list(FLAGS), np.int8),
        "flag_meanings": " ".join(FLAGS.values()),
    }
    mapping = filled.encoding.get("grid_mapping", filled.attrs.get("grid_mapping"))
    out.encoding = {"grid_mapping": mapping} if mapping else {}
    return out


def _origin(own: Values, filled: Values, *, reading: Reading) -> Values:
    """Values of :data:`FLAGS`: a gap is 1 where it was filled, else 2."""
    gap, still = (np.isnan(reading.without_fills(each)) for each in (own, filled))
    return gap.astype(np.int8) + (gap & still).astype(np.int8)


def _first_known(own: Values, other: Values, *, reading: Reading) -> Values:
    """Own values; the other ones where there is none, be it a number that says so."""
    gap = np.isnan(reading.without_fills(own)) & ~np.isnan(other)
    return np.where(gap, other, own)


def _added(
    ds: xr.Dataset, prepared: Prepared, values: xr.Variable, wanted: VariableSpec
) -> xr.Variable:
    """Give a variable that the Dataset lacks its dims, name and units."""
    order = [dim for dim in labels.input_dims(ds, prepared) if dim in values.dims]
    out = values.transpose(*order)
    out.attrs = {"long_name": f"{wanted.name.replace('_', ' ')}, reconstructed"}
    if wanted.units:
        out.attrs["units"] = wanted.units
    return out


def to_user_units(
    values: Values, wanted: VariableSpec, reading: Reading, dtype: np.dtype[Any]
) -> Values:
    """Undo the conversions between the user's values and those of the encoder.

    Examples
    --------
    >>> wanted = VariableSpec("temperature", "degC")
    >>> change = Conversion(1.0, -273.15)
    >>> kelvin = Reading("temperature", "t2m", wanted, change, "K", "degC")
    >>> to_user_units(np.array([0.0, 10.0]), wanted, kelvin, np.dtype("float64"))
    array([273.15, 283.15])
    """
    values = np.asarray(values, np.float64)
    if wanted.units is not None and reading.units is not None:
        known = wanted.catalogued
        change = conversion(
            reading.units, wanted.units, difference=bool(known and known.difference)
        )
        values = _undo(change, values)
    return _undo(reading.conversion, values).astype(dtype)


def _undo(change: Conversion, values: Values) -> Values:
    """Convert backwards; a slope becomes its angle again."""
    if change.angle:
        return np.asarray(np.arctan(values / change.scale) / change.angle)
    return np.asarray((values - change.offset) / change.scale)
