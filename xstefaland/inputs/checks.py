"""Check a Dataset against what a model needs: one plan, one report, no computing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr

from xstefaland.errors import InputError
from xstefaland.geometry.sites import LatitudeSource, find_latitude, site_dims
from xstefaland.inputs import layout, summary
from xstefaland.inputs.attributes import ingredients_of
from xstefaland.inputs.climate import MINIMUM_YEARS, complete_years
from xstefaland.inputs.matching import Match, Matcher
from xstefaland.inputs.readings import Reader, Reading, in_memory
from xstefaland.inputs.report import Report
from xstefaland.inputs.requirements import Requirements
from xstefaland.inputs.sources import HIDDEN, Resolver, Source
from xstefaland.inputs.units import conversion, stated
from xstefaland.inputs.variables import CATALOGUE
from xstefaland.options import get_options


@dataclass(frozen=True)
class Plan:
    """How a Dataset becomes the input of a model.

    Attributes
    ----------
    report : Report
        What was found; the rest is only complete when `report.ok`.
    site_dims : tuple of str
        Dimensions of the forcing besides `time`.
    days : pandas.DatetimeIndex
        Days of the record, empty for a Dataset without forcing.
    latitude : LatitudeSource or None
        Where latitudes come from.
    sources : dict of str to Source
        One per variable of the model.
    readings : dict of str to Reading
        How the given ones among them, and the ingredients of the others, are read.
    resolver : Resolver
        Knows what derived variables are made of.
    """

    report: Report
    site_dims: tuple[str, ...]
    days: pd.DatetimeIndex
    latitude: LatitudeSource | None
    sources: dict[str, Source]
    readings: dict[str, Reading]
    resolver: Resolver

    def behind(self, names: Iterable[str]) -> tuple[Source, ...]:
        """All sources behind some variables of the model, ingredients first."""
        wanted = [name for name in names if self.sources[name].available]
        return self.resolver.used(wanted)


@dataclass
class _Findings:
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def check(
    ds: xr.Dataset,
    requirements: Requirements,
    *,
    rename: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
) -> Report:
    """Check whether a Dataset fits a model, without computing anything lazy.

    Parameters
    ----------
    ds : xarray.Dataset
        Forcings, dims `time` and up to two site dimensions, and attributes.
    requirements : Requirements
        What the model asks for.
    rename : mapping of str to str, optional
        Name in the Dataset to canonical name.
    units : mapping of str to str, optional
        Name in the Dataset to units, for variables that state none or wrong ones.

    Returns
    -------
    Report
        All problems, assumptions and gaps. Values are looked at only where they are in
        memory.

    Examples
    --------
    >>> from xstefaland.inputs.requirements import VariableSpec
    >>> rain = VariableSpec("precipitation", "mm d-1")
    >>> dates = pd.date_range("2000-01-01", periods=3)
    >>> ds = xr.Dataset({"pr": ("time", [0.0, 1.0, 2.0])}, coords={"time": dates})
    >>> report = check(ds, Requirements((rain,)))
    >>> print(report.problems[0])
    no units stated for 'pr'; say which, for example units={"pr": "mm d-1"}
    >>> check(ds, Requirements((rain,)), units={"pr": "mm/d"}).ok
    True
    """
    return examine(ds, requirements, rename=rename, units=units).report


def examine(
    ds: xr.Dataset,
    requirements: Requirements,
    *,
    rename: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
) -> Plan:
    """Plan how a Dataset becomes the input of a model, and report on it.

    Parameters
    ----------
    ds, requirements, rename, units
        As in :func:`check`.

    Returns
    -------
    Plan
        With the same report.

    Raises
    ------
    InputError
        When `ds` is not a Dataset.
    """
    if not isinstance(ds, xr.Dataset):
        raise InputError(
            f"a {type(ds).__name__} was passed where an xarray.Dataset is needed; a "
            'DataArray becomes one with .to_dataset(name="precipitation")'
        )
    ds = _with_string_names(ds)
    findings = _Findings()
    matcher = Matcher(ds, requirements, rename)
    forcing = _given_forcing(matcher, requirements)
    dims, days = _layout(ds, matcher, forcing, requirements, findings)
    latitude = find_latitude(ds, dims)
    _check_latitude(ds, latitude, findings)
    resolver = Resolver(
        matcher, latitude=latitude is not None, no_climate=_no_climate(days)
    )
    sources = {
        variable.name: Source(variable.name, missing=HIDDEN)
        if variable.name in requirements.masked
        else resolver.resolve(variable.name)
        for variable in requirements.variables
    }
    used = resolver.used(name for name, source in sources.items() if source.available)
    readings = _read(ds, requirements, units, used, dims, findings)
    findings.problems[:0] = matcher.problems
    if not findings.problems or forcing:
        _required(ds, requirements, sources, matcher, findings)
    report = Report(
        problems=[*findings.problems, *findings.missing],
        warnings=findings.warnings,
        table=summary.table(requirements, sources, readings),
        facts=summary.facts(ds, dims, days, latitude, readings),
        ignored=summary.ignored(ds, matcher, readings, latitude),
        helpful=summary.helpful(requirements, sources),
        missing=findings.missing,
    )
    return Plan(report, dims, days, latitude, sources, readings, resolver)


def _with_string_names(ds: xr.Dataset) -> xr.Dataset:
    """Leave out what is not named by a string: it cannot be a known variable."""
    odd = [
        name
        for name, variable in ds.variables.items()
        if not all(isinstance(each, str) for each in (name, *variable.dims))
    ]
    return ds.drop_vars(odd) if odd else ds


def _given_forcing(matcher: Matcher, requirements: Requirements) -> tuple[Match, ...]:
    """Find forcings the Dataset has, or from which missing ones may be derived."""
    matches: dict[str, Match] = {}
    for variable in requirements.forcing:
        match = None
        if variable.name not in requirements.masked:
            match = matcher.find(variable.name)
        if match:
            matches[match.source] = match
        elif variable.catalogued:
            for name in sorted(ingredients_of(variable.name) & CATALOGUE.keys()):
                part = matcher.find(name) if CATALOGUE[name].kind == "forcing" else None
                if part:
                    matches[part.source] = part
    return tuple(matches.values())


def _layout(
    ds: xr.Dataset,
    matcher: Matcher,
    forcing: tuple[Match, ...],
    requirements: Requirements,
    findings: _Findings,
) -> tuple[tuple[str, ...], pd.DatetimeIndex]:
    """Site dimensions and days, noting what is wrong with them."""
    nothing = pd.DatetimeIndex([], name="time")
    names = [match.source for match in forcing if "time" in ds[match.source].dims]
    if not names:
        if not requirements.static:
            findings.problems += _no_forcing(ds, requirements)
            return (), nothing
        given = [matcher.find(variable.name) for variable in requirements.attributes]
        dims = site_dims(ds, [match.source for match in given if match])
        findings.problems += layout.dimension_problems(ds, [], dims)
        return dims, nothing
    dims = site_dims(ds, names)
    matcher.site_dims = dims
    methods = {m.source: _method(m, ds) for m in forcing if m.source in names}
    days, problems = layout.time_axis(ds, methods)
    findings.problems += problems
    findings.problems += layout.dimension_problems(ds, names, dims)
    findings.problems += layout.chunk_problems(ds, names)
    return dims, days


def _method(match: Match, ds: xr.Dataset) -> str:
    """How a daily value of a forcing comes from hourly ones: amounts add up."""
    variable = CATALOGUE.get(match.name)
    if variable is None:
        return "mean"
    method = {"maximum": "max", "minimum": "min"}.get(variable.cell_method, "mean")
    label = stated(ds[match.source].attrs.get("units"))
    if label is None:
        return "sum" if variable.cell_method == "sum" else method
    try:
        amount = conversion(label, variable.units, daily=True).daily
    except InputError:  # reported with the other units
        amount = False
    return "sum" if amount else method


def _no_forcing(ds: xr.Dataset, requirements: Requirements) -> list[str]:
    if "time" not in ds.dims:
        return [layout.no_time(ds)]
    have = ", ".join(repr(str(name)) for name in ds.data_vars) or "no variables"
    names = ", ".join(variable.name for variable in requirements.forcing)
    first = next(iter(ds.data_vars), "name")
    return [
        f"no forcing found: the model knows {names}; the Dataset has {have}. Say which "
        f'is which, for example rename={{"{first}": "precipitation"}}'
    ]


def _no_climate(days: pd.DatetimeIndex) -> str:
    """Why climate attributes cannot come from this record, or nothing."""
    found = complete_years(days)
    if found >= 365 * MINIMUM_YEARS:
        return ""
    years = len(days) and (days[-1] - days[0]).days / 365.25
    return f"needs {MINIMUM_YEARS} complete years, the record has {years:.1f}"


def _read(
    ds: xr.Dataset,
    requirements: Requirements,
    units: Mapping[str, str] | None,
    used: tuple[Source, ...],
    dims: tuple[str, ...],
    findings: _Findings,
) -> dict[str, Reading]:
    """Read the given variables, noting problems of units and values."""
    reader = Reader(ds, requirements, units)
    matches = [source.match for source in used if source.match]
    readings = {match.name: reader.read(match) for match in matches}
    findings.problems += reader.unknown_units(str(name) for name in ds.variables)
    findings.problems += reader.missing_units() + reader.problems
    attributes = {
        name: reading.source
        for name, reading in readings.items()
        if "time" not in ds[reading.source].dims
    }
    if dims or not findings.problems:
        findings.problems += layout.attribute_problems(ds, attributes, dims)
    needed = {name for group in requirements.required for name in group}
    for name, reading in readings.items():
        if reader.empty(reading):
            text = f"{name}: {reading.source!r} holds not a single finite value"
            level = findings.problems if name in needed else findings.warnings
            level.append(f"{text}; check how it was read or selected")
    _plausibility(reader, readings, findings)
    return readings


def _check_latitude(
    ds: xr.Dataset, latitude: LatitudeSource | None, findings: _Findings
) -> None:
    """Warn about a latitude that is none; its sites count as unknown."""
    if latitude is None or latitude.how != "stated":
        return
    values = in_memory(ds, latitude.names[0])
    if values is not None and (np.abs(values) > 90).any():
        name = latitude.names[0]
        findings.warnings.append(
            f"latitude: {name!r} has values beyond the poles, these sites have no "
            f'latitude; if it is projected, rename it: ds.rename({{"{name}": "y"}})'
        )


def _plausibility(
    reader: Reader, readings: dict[str, Reading], findings: _Findings
) -> None:
    validation = get_options()["validation"]
    if validation == "ignore" or reader.problems:
        return
    texts = [
        text
        for reading in readings.values()
        if reading.source not in reader.unstated
        and (text := reader.suspicious(reading)) is not None
    ]
    if validation == "raise":
        findings.problems += texts
    else:
        findings.warnings += texts


def _required(
    ds: xr.Dataset,
    requirements: Requirements,
    sources: dict[str, Source],
    matcher: Matcher,
    findings: _Findings,
) -> None:
    """Note required inputs that are neither given nor derived."""
    for group in requirements.required:
        known = [sources.get(name) for name in group]
        if any(source and source.available for source in known):
            continue
        if matcher.ambiguous & set(group):
            continue
        have = ", ".join(repr(str(name)) for name in ds.data_vars)
        hints = [s.missing for s in known if s and s.missing.startswith("could be")]
        derived = f"; it {hints[0]}" if hints else ""
        findings.missing.append(
            f"required input missing: {' or '.join(group)}; the Dataset has {have}. "
            f'If it goes by another name: rename={{"<its name>": "{group[0]}"}}'
            f"{derived}"
        )
