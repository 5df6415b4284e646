"""Examine a Dataset once: where every variable comes from, and all that is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import xarray as xr

from xstefaland.errors import InputError
from xstefaland.geometry.sites import (
    LatitudeSource,
    find_latitude,
    site_dims,
    unusable_latitudes,
)
from xstefaland.geometry.sites import latitude as site_latitude
from xstefaland.inputs import axes, writeup
from xstefaland.inputs.formulas.climate import (
    CLIMATE_INDICES,
    MINIMUM_YEARS,
    complete_years,
)
from xstefaland.inputs.hints import NO_HINTS, Climate, Hints, Latitude
from xstefaland.inputs.matching import SEVERAL, Matcher, Origin, Resolver
from xstefaland.inputs.readings import Reader, Reading, findings, in_memory
from xstefaland.inputs.recipes import LATITUDE, ingredients_of
from xstefaland.inputs.report import Report
from xstefaland.inputs.requirements import Requirements
from xstefaland.inputs.sparse import few_days
from xstefaland.inputs.units import conversion, stated
from xstefaland.inputs.variables import CATALOGUE
from xstefaland.options import get_options


@dataclass(frozen=True)
class Examination:
    """How a Dataset becomes the input of a model.

    Attributes
    ----------
    ds : xarray.Dataset
        The Dataset, with what the hints added to it.
    requirements : Requirements
        What the model asks for.
    report : Report
        What was found; the rest is only complete when `report.ok`.
    site_dims : tuple of str
        Dimensions of the forcing besides `time`.
    days : pandas.DatetimeIndex
        Days of the record, empty for a Dataset without forcing.
    latitude : LatitudeSource or None
        Where latitudes come from.
    period : tuple of int
        First and last + 1 of the reference period of climate attributes, among all
        days from the first to the last.
    origins : dict of str to Origin
        One per variable of the model.
    readings : dict of str to Reading
        How the given ones among them, and the ingredients of the others, are read.
    """

    ds: xr.Dataset
    requirements: Requirements
    report: Report
    site_dims: tuple[str, ...]
    days: pd.DatetimeIndex
    latitude: LatitudeSource | None
    period: tuple[int, int]
    origins: dict[str, Origin]
    readings: dict[str, Reading]
    _resolver: Resolver = field(repr=False)

    def behind(self, names: Iterable[str]) -> tuple[Origin, ...]:
        """All origins behind some variables of the model, ingredients first."""
        wanted = [name for name in names if self.origins[name].available]
        return self._resolver.behind(wanted)

    def lacking(self, required: Iterable[tuple[str, ...]]) -> list[str]:
        """Tell which inputs are lacking of those that some head requires.

        Parameters
        ----------
        required : iterable of tuple of str
            Of each inner one a variable must be there.

        Returns
        -------
        list of str
            Such as ``"temperature or temperature_max"``.
        """
        return [
            " or ".join(choice)
            for choice in required
            if not any(self._there(name) for name in choice)
        ]

    def _there(self, name: str) -> bool:
        """Whether the Dataset has a variable, or gives it, or has several of it."""
        origin = self._resolver.resolve(name)
        return origin.available or origin.why == SEVERAL

    def loaded(self) -> Examination:
        """Read what lies in a file and is not dask-backed, and check its values.

        Returns
        -------
        Examination
            The same, or one whose report knows those values too.
        """
        unread = {
            name: reading
            for name, reading in self.readings.items()
            if not reading.lazy and not self.ds[reading.source].variable._in_memory
        }
        for reading in unread.values():
            self.ds[reading.source].variable.load()
        found = _Findings()
        _check_values(self.ds, self.requirements, unread, len(self.days), found)
        report = replace(
            self.report,
            problems=[*self.report.problems, *found.problems],
            warnings=[*self.report.warnings, *found.warnings],
        )
        return replace(self, report=report) if unread else self

    def latitudes(self) -> xr.Variable:
        """Latitude of every site [degrees north], float32, NaN where unknown."""
        return site_latitude(self.ds, self.site_dims, self.latitude).variable

    def apart(self) -> Examination:
        """Leave the Dataset and all that was said of it: small enough to travel.

        Returns
        -------
        Examination
            To be brought together with values by :meth:`on`. What was not in memory
            when it was examined is looked at where its values are.
        """
        report = replace(self.report, table=self.report.table[:0], ignored={})
        readings = {
            name: reading
            if self.ds[reading.source].variable._in_memory
            else replace(reading, lazy=reading.lazy or reading.source)
            for name, reading in self.readings.items()
        }
        return replace(
            self,
            ds=xr.Dataset(),
            report=report,
            readings=readings,
            _resolver=self._resolver.apart(),
        )

    def on(self, ds: xr.Dataset, latitude: xr.Variable) -> Examination:
        """Say the same of some of the sites.

        Parameters
        ----------
        ds : xarray.Dataset
            The variables of the readings, for these sites.
        latitude : xarray.Variable
            Their latitude [degrees north].
        """
        return replace(self, ds=ds, latitude=LatitudeSource("given", values=latitude))


@dataclass
class _Findings:
    """What the steps of an examination add to; the report joins the first and last."""

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def examine(
    ds: xr.Dataset, requirements: Requirements, hints: Hints = NO_HINTS
) -> Examination:
    """Find out how a Dataset becomes the input of a model, computing nothing lazy.

    Parameters
    ----------
    ds : xarray.Dataset
        Forcings, dims `time` and those of the sites, and attributes.
    requirements : Requirements
        What the model asks for.
    hints : Hints
        What the user says beside.

    Returns
    -------
    Examination
        With a report of all problems, assumptions and gaps. Values are looked at only
        where they are in memory.

    Raises
    ------
    InputError
        When `ds` is not a Dataset.

    Examples
    --------
    >>> from xstefaland.inputs.requirements import VariableSpec
    >>> asked = Requirements((VariableSpec("precipitation", "mm d-1"),))
    >>> dates = pd.date_range("2000-01-01", periods=3)
    >>> ds = xr.Dataset({"pr": ("time", [0.0, 1.0, 2.0])}, coords={"time": dates})
    >>> print(examine(ds, asked).report.problems[0])
    no units stated for 'pr'; say which, for example units={"pr": "mm d-1"}
    >>> examine(ds, asked, Hints(units={"pr": "mm/d"})).report.ok
    True
    """
    if not isinstance(ds, xr.Dataset):
        raise InputError(
            f"a {type(ds).__name__} was passed where an xarray.Dataset is needed; a "
            'DataArray becomes one with .to_dataset(name="precipitation")'
        )
    ds, found = _with_string_names(ds), _Findings()
    ds = _with_climate(ds, hints.climate, found)
    matcher = Matcher(ds, requirements, hints.rename)
    forcing = _given_forcing(matcher, requirements)
    dims, days = _axes(ds, matcher, forcing, requirements, found)
    placed = requirements.static or any("time" in ds[o.source].dims for o in forcing)
    latitude = _latitude(ds, dims, hints.latitude, found) if placed else None
    every = axes.every_day(days)
    period, no_climate = _period(hints.climate, every)
    if no_climate and isinstance(hints.climate, slice) and len(every):
        found.problems.append(_useless_period(hints.climate, every, no_climate))
    resolver = Resolver(matcher, latitude=latitude is not None, no_climate=no_climate)
    origins = {
        variable.name: Origin(variable.name, "hidden")
        if variable.name in requirements.masked
        else resolver.resolve(variable.name)
        for variable in requirements.variables
    }
    used = resolver.behind(name for name, each in origins.items() if each.available)
    readings = _read(ds, requirements, hints, used, dims, found)
    _check_values(ds, requirements, readings, len(days), found)
    found.problems[:0] = matcher.problems
    if placed:
        _warn_of_pet(origins, latitude, found)
    if not found.problems and not requirements.fills:
        found.warnings += few_days(ds, requirements, resolver, readings)
    if not found.problems or forcing:
        _required(ds, requirements, origins, matcher, found)
    report = Report(
        problems=[*found.problems, *found.missing],
        warnings=found.warnings,
        table=writeup.table(requirements, origins, readings),
        facts=writeup.facts(ds, dims, days, latitude, readings) if placed else {},
        ignored=writeup.ignored(ds, matcher, readings, latitude),
        helpful=writeup.helpful(requirements, origins),
        missing=found.missing,
    )
    return Examination(
        ds,
        requirements,
        report,
        dims,
        days,
        latitude,
        period,
        origins,
        readings,
        resolver,
    )


def _with_string_names(ds: xr.Dataset) -> xr.Dataset:
    """Leave out what is not named by a string: it cannot be a known variable."""
    odd = [
        name
        for name, variable in ds.variables.items()
        if not all(isinstance(each, str) for each in (name, *variable.dims))
    ]
    return ds.drop_vars(odd) if odd else ds


def _with_climate(ds: xr.Dataset, climate: Climate, found: _Findings) -> xr.Dataset:
    """Put a table of climate attributes into the Dataset, site by site."""
    if not isinstance(climate, xr.Dataset):
        return ds
    known = [str(name) for name in climate.data_vars if name in CLIMATE_INDICES]
    if not known:
        found.problems.append(
            f"climate=: the Dataset has {', '.join(map(str, climate.data_vars))}, none "
            f"of which is a climate attribute ({', '.join(CLIMATE_INDICES)}); make one "
            "with xstefaland.derive_climate(ds)"
        )
    table = climate[known].drop_vars(
        [name for name in climate.coords if name not in climate.indexes]
    )
    strange = [str(dim) for dim in table.dims if dim not in ds.dims]
    if strange:
        found.problems.append(
            f"climate=: its dimension {strange[0]!r} is none of the Dataset's "
            f"({', '.join(map(str, ds.dims))}); rename it, or choose one entry of it"
        )
        return ds
    shared = {dim: ds.indexes[dim] for dim in table.indexes if dim in ds.indexes}
    table = table.reindex(shared)
    wrong = [d for d in table.dims if table.sizes[d] != ds.sizes[d]]
    if wrong:
        found.problems.append(
            f"climate=: its dimension {str(wrong[0])!r} has length "
            f"{table.sizes[wrong[0]]} and no labels, the Dataset's "
            f"{ds.sizes[wrong[0]]}; give both the same labels"
        )
        return ds
    return ds.assign({name: table[name].variable for name in known})


def _period(climate: Climate, every: pd.DatetimeIndex) -> tuple[tuple[int, int], str]:
    """Positions of the reference period, and why it gives no climate, if so."""
    if isinstance(climate, str) and climate == "none":
        return (0, 0), "left out, as climate='none' asks"
    period = (0, len(every))
    if isinstance(climate, slice):
        days = every.slice_indexer(climate.start, climate.stop)
        start, stop, _ = days.indices(len(every))
        period = (start, max(start, stop))
    chosen = every[slice(*period)]
    if complete_years(chosen) >= 365 * MINIMUM_YEARS:
        return period, ""
    years = len(chosen) and (chosen[-1] - chosen[0]).days / 365.25
    what = "climate= has" if isinstance(climate, slice) else "the record has"
    return period, f"needs {MINIMUM_YEARS} complete years, {what} {years:.1f}"


def _useless_period(period: slice, every: pd.DatetimeIndex, why: str) -> str:
    """Say that a reference period gives no climate, and what would."""
    return (
        f"climate=slice({period.start!r}, {period.stop!r}) {why} of the record's days, "
        f"which are {every[0]:%Y-%m-%d} to {every[-1]:%Y-%m-%d}. Pass a longer period "
        "within them, a table of climate attributes from a longer record "
        '(xstefaland.derive_climate(ds)), or climate="none"'
    )


def _given_forcing(matcher: Matcher, requirements: Requirements) -> tuple[Origin, ...]:
    """Find forcings the Dataset has, or from which missing ones may be derived."""
    origins: dict[str, Origin] = {}
    for variable in requirements.forcing:
        origin = None
        if variable.name not in requirements.masked:
            origin = matcher.find(variable.name)
        if origin:
            origins[origin.source] = origin
        elif variable.catalogued:
            for name in sorted(ingredients_of(variable.name) & CATALOGUE.keys()):
                part = matcher.find(name) if CATALOGUE[name].kind == "forcing" else None
                if part:
                    origins[part.source] = part
    return tuple(origins.values())


def _axes(
    ds: xr.Dataset,
    matcher: Matcher,
    forcing: tuple[Origin, ...],
    requirements: Requirements,
    found: _Findings,
) -> tuple[tuple[str, ...], pd.DatetimeIndex]:
    """Site dimensions and days, noting what is wrong with them."""
    nothing = pd.DatetimeIndex([], name="time")
    names = [origin.source for origin in forcing if "time" in ds[origin.source].dims]
    if not names:
        if not requirements.static:
            found.problems += _no_forcing(ds, requirements)
            return (), nothing
        given = [matcher.find(variable.name) for variable in requirements.attributes]
        dims = site_dims(ds, [origin.source for origin in given if origin])
        found.problems += axes.dimension_problems(ds, [], dims)
        return dims, nothing
    dims = site_dims(ds, names)
    matcher.site_dims = dims
    methods = {o.source: _method(o, ds) for o in forcing if o.source in names}
    days, problems = axes.days_of(ds, methods)
    found.problems += problems
    found.problems += axes.dimension_problems(ds, names, dims)
    found.problems += axes.chunk_problems(ds, names)
    return dims, days


def _method(origin: Origin, ds: xr.Dataset) -> str:
    """How a daily value of a forcing comes from hourly ones: amounts add up."""
    variable = CATALOGUE.get(origin.name)
    if variable is None:
        return "mean"
    method = {"maximum": "max", "minimum": "min"}.get(variable.cell_method, "mean")
    label = stated(ds[origin.source].attrs.get("units"))
    if label is None:
        return "sum" if variable.cell_method == "sum" else method
    try:
        amount = conversion(label, variable.units, daily=True).daily
    except InputError:  # reported with the other units
        amount = False
    return "sum" if amount else method


def _no_forcing(ds: xr.Dataset, requirements: Requirements) -> list[str]:
    """Say that no forcing was recognised, and how to name one."""
    if "time" not in ds.dims:
        return [axes.no_time(ds)]
    have = ", ".join(repr(str(name)) for name in ds.data_vars) or "no variables"
    names = ", ".join(variable.name for variable in requirements.forcing)
    first = next(iter(ds.data_vars), "name")
    return [
        f"no forcing found: the model knows {names}; the Dataset has {have}. Say which "
        f'is which, for example rename={{"{first}": "precipitation"}}'
    ]


def _latitude(
    ds: xr.Dataset,
    dims: tuple[str, ...],
    given: Latitude | None,
    found: _Findings,
) -> LatitudeSource | None:
    """Find the latitude, and warn of one that is none; its sites count as unknown."""
    try:
        latitude = find_latitude(ds, dims, given)
    except InputError as error:
        found.problems.append(str(error))
        return None
    if latitude is None:
        found.warnings += unusable_latitudes(ds, dims)
        return None
    if latitude.how != "stated":
        return latitude
    name = latitude.names[0]
    values = in_memory(ds, name)
    if values is not None and (np.abs(values) > 90 * (1 + 1e-6)).any():
        found.warnings.append(
            f"latitude: {name!r} has values beyond the poles, these sites have no "
            f'latitude; if it is projected, rename it: ds.rename({{"{name}": "y"}})'
        )
    return latitude


def _read(
    ds: xr.Dataset,
    requirements: Requirements,
    hints: Hints,
    used: tuple[Origin, ...],
    dims: tuple[str, ...],
    found: _Findings,
) -> dict[str, Reading]:
    """Read the given variables, noting problems of their units and dimensions."""
    keep = get_options()["out_of_range"] == "keep"
    reader = Reader(ds, requirements, hints.units, keep=keep)
    readings = {o.name: reader.read(o) for o in used if o.source}
    found.problems += reader.unknown_units(str(name) for name in ds.variables)
    found.problems += reader.missing_units() + reader.problems
    attributes = {
        name: reading.source
        for name, reading in readings.items()
        if "time" not in ds[reading.source].dims
    }
    if dims or not found.problems:
        found.problems += axes.attribute_problems(ds, attributes, dims)
    return readings


def _check_values(
    ds: xr.Dataset,
    requirements: Requirements,
    readings: Mapping[str, Reading],
    days: int,
    found: _Findings,
) -> None:
    """Look at values in memory: whether there are any, and whether they can be true."""
    validation = get_options()["validation"]
    needed = {name for group in requirements.required for name in group}
    unsure = any("units" in text for text in found.problems)
    for name, reading in readings.items():
        raw = in_memory(ds, reading.source)
        if raw is None or not raw.size:
            continue
        if not reading.any_value(raw):
            text = f"{name}: {reading.source!r} holds not a single finite value"
            text += "" if not np.isfinite(raw).any() else " but fill values"
            level = found.problems if name in needed else found.warnings
            level.append(f"{text}; check how it was read or selected")
        elif validation != "ignore" and not unsure:
            texts = findings(reading, raw, days)
            (found.problems if validation == "raise" else found.warnings).extend(texts)


def _warn_of_pet(
    origins: Mapping[str, Origin], latitude: LatitudeSource | None, found: _Findings
) -> None:
    """Say loudly that potential evapotranspiration is lost for want of a latitude."""
    pet = origins.get("potential_evapotranspiration")
    if latitude is None and pet and pet.how == "missing" and LATITUDE in pet.why:
        found.warnings.append(
            "the latitude of the sites is unknown, so potential evapotranspiration "
            "(and the climate attributes made from it) cannot be derived; pass "
            "latitude=, a name or degrees north, or ds.assign_coords(latitude=...)"
        )


def _required(
    ds: xr.Dataset,
    requirements: Requirements,
    origins: Mapping[str, Origin],
    matcher: Matcher,
    found: _Findings,
) -> None:
    """Note required inputs that are neither given nor derived."""
    for group in requirements.required:
        known = [origins[name] for name in group if name in origins]
        if any(origin.available for origin in known):
            continue
        if matcher.ambiguous & set(group):
            continue
        have = ", ".join(repr(str(name)) for name in ds.data_vars)
        hints = [o.why for o in known if o.why.startswith("could be")]
        derived = f"; it {hints[0]}" if hints else ""
        found.missing.append(
            f"required input missing: {' or '.join(group)}; the Dataset has {have}. "
            f'If it goes by another name: rename={{"<its name>": "{group[0]}"}}'
            f"{derived}"
        )
