"""Climate attributes of a user's sites, to be kept with them."""

from __future__ import annotations

from collections.abc import Mapping

import xarray as xr

from xstefaland.inputs.formulas.climate import CLIMATE_INDICES
from xstefaland.inputs.hints import Hints, Latitude
from xstefaland.inputs.prepare import prepare
from xstefaland.inputs.requirements import Requirements, VariableSpec
from xstefaland.inputs.variables import CATALOGUE

_WEATHER = ("precipitation", "temperature", "potential_evapotranspiration")


def derive_climate(
    ds: xr.Dataset,
    period: slice | None = None,
    *,
    rename: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    latitude: Latitude | None = None,
) -> xr.Dataset:
    """Derive the climate attributes of every site from its daily weather.

    Keep them with your sites and pass them as ``climate=`` of every call: then answers
    for another part of the record, or for days to come, rest on the same climate.

    Parameters
    ----------
    ds : xarray.Dataset
        Daily precipitation and temperature, as for :func:`xstefaland.predict`.
    period : slice, optional
        Reference period, such as ``slice("1990", "2010")``; default: the record.
        It has to hold three complete years of the record. A shorter record without a
        period has attributes that are NaN.
    rename, units, latitude
        As in :func:`xstefaland.predict`.

    Returns
    -------
    xarray.Dataset
        The eleven attributes of
        :func:`xstefaland.inputs.formulas.climate.climate_indices`, those that the
        Dataset has itself as they are, dims and coordinates of the sites; lazy where
        the input is. The attribute ``reference_period`` has the first and last day of
        the record in the period.

    Raises
    ------
    InputError
        With everything that is wrong with the Dataset, or the period.

    Notes
    -----
    What a call derives by itself is held within what the model has seen, as a record of
    a few dry years may give an aridity that no place has. A table passed as
    ``climate=`` is taken as it is, like any attribute; a warning names what is unlike
    all places of the training.

    Examples
    --------
    >>> import xstefaland
    >>> from xstefaland.testing import example_points
    >>> ds = example_points(sites=2)
    >>> climate = xstefaland.derive_climate(ds, slice("2000-10-01", "2003-09-30"))
    >>> [round(float(mean), 1) for mean in climate.p_mean]
    [2.1, 2.3]
    """
    asked = Requirements(
        tuple(VariableSpec(name, CATALOGUE[name].units) for name in _WEATHER),
        tuple(VariableSpec(name, CATALOGUE[name].units) for name in CLIMATE_INDICES),
        required=(("precipitation",), ("temperature",)),
    )
    hints = Hints(rename, units, latitude, "record" if period is None else period)
    prepared = prepare(ds, asked, hints)
    columns = {
        str(name): prepared.attributes.isel(attribute=column, drop=True).variable
        for column, name in enumerate(CLIMATE_INDICES)
    }
    for name, variable in columns.items():
        known = CATALOGUE[name]
        variable.attrs = {"long_name": known.long_name, "units": known.units}
    frame = ds.drop_vars(list(ds.data_vars)).drop_dims("time", errors="ignore")
    dims = prepared.site_dims
    frame = frame.drop_dims([dim for dim in frame.dims if dim not in dims])
    days = prepared.time
    if period is not None:
        days = days[days.slice_indexer(period.start, period.stop)]
    said = f"{days[0]:%Y-%m-%d} to {days[-1]:%Y-%m-%d}" if len(days) else "no day"
    return frame.assign(columns).assign_attrs(reference_period=said)
