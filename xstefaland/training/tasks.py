"""Tasks: observations of a target beside the model's inputs, from any Dataset.

Inputs pass :func:`xstefaland.inputs.prepare.prepare`, as in every prediction: nothing
is converted or derived here.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from dask.base import compute
from numpy.typing import NDArray

from xstefaland.errors import InputError, MissingVariableError
from xstefaland.inference.gaps import MAX_GAP, near_weather
from xstefaland.inputs.examine import Examination
from xstefaland.inputs.hints import NO_HINTS, Hints
from xstefaland.inputs.observed import observation_problems, observations
from xstefaland.inputs.prepare import Prepared, prepare
from xstefaland.inputs.requirements import Requirements, VariableSpec
from xstefaland.inputs.variables import CATALOGUE
from xstefaland.training.places import site_table
from xstefaland.weights.targets import TargetSpec

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Records:
    """Sites that share their days: inputs as a model gets them, and observations.

    Attributes
    ----------
    name : str
        Of the data set they come from.
    forcing : ndarray
        ``(site, day, forcing)`` in the order of the task's requirements.
    attributes : ndarray
        ``(site, attribute)``.
    latitude : ndarray
        Degrees north ``(site,)``.
    observed : ndarray
        Observations ``(site, day)`` in the target's units, NaN = missing.
    sites : DataFrame
        One row a site: ``site`` (unique id), ``label`` (in its Dataset), ``lat``,
        ``lon``, ``gauge``, ``role`` ("train", "held out" or "dropped").
    dates : DatetimeIndex
        Days of the record.
    positions : ndarray
        Where the sites stand among all sites of the Dataset.
    derived : tuple of str
        Climate attributes that were derived from the record itself.
    static : bool
        Observations have no time: one value a site, the same on every day here.
    """

    name: str
    forcing: Floats
    attributes: Floats
    latitude: Floats
    observed: Floats
    sites: pd.DataFrame
    dates: pd.DatetimeIndex
    positions: NDArray[np.int64]
    derived: tuple[str, ...] = ()
    static: bool = False

    @property
    def weather(self) -> bool:
        """Whether the records have days at all."""
        return not self.dates.hasnans

    def rows(self, role: str) -> NDArray[np.int64]:
        """Return the positions of the sites with a role."""
        return np.flatnonzero((self.sites["role"] == role).to_numpy())

    def used(self) -> NDArray[np.int64]:
        """Return the positions of the sites that are not dropped."""
        return np.flatnonzero((self.sites["role"] != "dropped").to_numpy())


@dataclass(frozen=True)
class Task:
    """A target on real sites."""

    target: TargetSpec
    records: tuple[Records, ...]
    requirements: Requirements

    @property
    def static(self) -> bool:
        """Whether observations have no time."""
        return self.records[0].static

    @property
    def forcing_names(self) -> tuple[str, ...]:
        """Names along the last axis of the forcing."""
        return tuple(variable.name for variable in self.requirements.forcing)

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """Names along the last axis of the attributes."""
        return tuple(variable.name for variable in self.requirements.attributes)

    @property
    def sites(self) -> pd.DataFrame:
        """All sites of all records."""
        return pd.concat([r.sites for r in self.records], ignore_index=True)

    @property
    def known_forcing(self) -> tuple[str, ...]:
        """Forcings that some site has."""
        known = [np.isfinite(r.forcing).any((0, 1)) for r in self.records]
        return _chosen(self.forcing_names, np.any(known, axis=0))

    @property
    def known_attributes(self) -> tuple[str, ...]:
        """Attributes that more than half of the sites have."""
        values = np.concatenate([r.attributes for r in self.records])
        return _chosen(self.attribute_names, np.isfinite(values).mean(0) > 0.5)

    def with_roles(self, roles: Mapping[str, str]) -> Task:
        """Return the same task with other roles, by site id; "dropped" without one."""
        records = tuple(
            replace(
                r,
                sites=r.sites.assign(
                    role=[roles.get(site, "dropped") for site in r.sites["site"]]
                ),
            )
            for r in self.records
        )
        return replace(self, records=records)

    def fingerprint(self) -> str:
        """Hash of all inputs and observations, the same in every process."""
        masked = sorted(self.requirements.masked)  # a set has another order in each
        what = self.target, replace(self.requirements, masked=frozenset())
        digest = hashlib.sha256("".join([repr(what), *masked]).encode())
        for r in self.records:
            digest.update(repr((r.name, r.dates[0], r.sites["site"].tolist())).encode())
            for array in (r.forcing, r.attributes, r.latitude, r.observed):
                digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def _chosen(names: Sequence[str], chosen: NDArray[np.bool_]) -> tuple[str, ...]:
    """Names at the places that are marked."""
    return tuple(name for name, good in zip(names, chosen, strict=True) if good)


def read_records(
    ds: xr.Dataset,
    target: TargetSpec,
    requirements: Requirements,
    *,
    observed: str | None = None,
    hints: Hints = NO_HINTS,
    name: str = "data",
    period: slice | None = None,
    minimum_days: int = 365,
) -> Records | None:
    """Prepare the sites of a Dataset that have observations.

    Parameters
    ----------
    ds : xarray.Dataset
        Inputs, as for :func:`xstefaland.predict`, and the observed variable, which is
        taken out of the inputs.
    target : TargetSpec
        What is observed.
    requirements : Requirements
        What the model asks for.
    observed : str, optional
        Name of the observed variable; default: the target's name. Without ``time``
        its value counts for all days, or for a single one where there is no weather.
    hints : Hints
        What the user says beside. `units` may name those of the observations.
    name : str
        Put before the ids of the sites where there are several data sets.
    period : slice, optional
        Days to use.
    minimum_days : int
        Sites with fewer observations are left out. An observation counts where there
        is weather within :data:`~xstefaland.inference.gaps.MAX_GAP` days.

    Returns
    -------
    Records or None
        None where no site has enough observations. Only sites that have are computed
        where the inputs are lazy.

    Raises
    ------
    InputError
        With everything that is wrong with the Dataset.
    """
    source = observed or target.name
    stated = dict(hints.units or {})
    unit = stated.pop(source, None)
    wanted = VariableSpec(
        target.name, target.units, minimum=target.minimum, maximum=target.maximum
    )
    problems = observation_problems(ds, source, wanted, unit)
    inputs = ds.drop_vars(source, errors="ignore")
    try:
        prepared = prepare(inputs, requirements, replace(hints, units=stated or None))
    except (InputError, MissingVariableError) as error:
        raise InputError("\n".join([*problems, str(error)])) from error
    if problems:
        raise InputError("\n".join(problems))
    truth = observations(ds, source, wanted, prepared.examination, units=unit)
    if "time" not in truth.dims:
        return _static_records(ds, prepared, truth, name, period)
    dates = pd.DatetimeIndex(prepared.forcing.indexes["time"])
    days = _days_of(dates, period)
    series = _flat(truth, 1)[:, days]
    rows = np.flatnonzero(np.isfinite(series).sum(1) >= max(1, minimum_days))
    whole, attributes, latitude = _inputs_of(prepared, rows)
    forcing, series = whole[:, days], series[rows]
    weather = near_weather(forcing, MAX_GAP, prepared.assembly.required)
    series[~weather] = np.nan
    enough = np.isfinite(series).sum(1) >= max(1, minimum_days)
    rows = rows[enough]
    if not len(rows):
        return None
    return Records(
        name,
        forcing[enough],
        attributes[enough],
        latitude[enough],
        series[enough],
        _sites(ds, prepared, name, rows, latitude[enough]),
        dates[days],
        rows,
        _derived(prepared.examination),
    )


def _days_of(dates: pd.DatetimeIndex, period: slice | None) -> slice:
    """Days of a period, its ends included, as positions; all without one."""
    span = period or slice(None)
    return dates.slice_indexer(span.start, span.stop)


def _static_records(
    ds: xr.Dataset,
    prepared: Prepared,
    truth: xr.DataArray,
    name: str,
    period: slice | None,
) -> Records | None:
    """Make records of a target without time; its value stands for every day."""
    values = _flat(truth, 0)
    rows = np.flatnonzero(np.isfinite(values))
    if not len(rows):
        return None
    dates = pd.DatetimeIndex(prepared.forcing.indexes["time"])
    forcing, attributes, latitude = _inputs_of(prepared, rows)
    if len(dates):
        days = _days_of(dates, period)
        forcing, dates = forcing[:, days], dates[days]
    else:  # no weather: a single day without a date, on which nothing is known
        forcing = np.full((len(rows), 1, forcing.shape[-1]), np.nan, np.float32)
        dates = pd.DatetimeIndex([pd.NaT])
    return Records(
        name,
        forcing,
        attributes,
        latitude,
        np.repeat(values[rows, None], len(dates), 1),
        _sites(ds, prepared, name, rows, latitude),
        dates,
        rows,
        _derived(prepared.examination),
        static=True,
    )


def _derived(examination: Examination) -> tuple[str, ...]:
    """Name the climate attributes that come from the record, in catalogue units."""
    variables = examination.requirements.attributes
    recipes = {v: examination.origins[v.name].recipe for v in variables}
    return tuple(
        variable.name
        for variable, recipe in recipes.items()
        if recipe is not None
        and recipe.climate
        and variable.units == CATALOGUE[variable.name].units
    )


def _inputs_of(prepared: Prepared, rows: Rows) -> tuple[Floats, Floats, Floats]:
    """Compute forcing, attributes and latitude of some sites, in one go where lazy."""
    arrays = (prepared.forcing, 2), (prepared.attributes, 1), (prepared.latitude, 0)
    wanted = [_joined(array, own)[rows] for array, own in arrays]
    parts = compute(*wanted)  # type: ignore[no-untyped-call]
    forcing, attributes, latitude = (np.array(part, np.float32) for part in parts)
    return forcing, attributes, latitude


def _flat(array: xr.DataArray, own: int) -> Floats:
    """Compute all sites, along one axis; `own` axes at the end stay."""
    return np.array(_joined(array, own), np.float32)


def _joined(array: xr.DataArray, own: int) -> Any:
    """Bring all site dims to one, lazily where the array is."""
    sites, rest = array.shape[: array.ndim - own], array.shape[array.ndim - own :]
    return array.data.reshape(math.prod(sites), *rest)  # -1 fails where no day is


def _sites(
    ds: xr.Dataset, prepared: Prepared, name: str, rows: Rows, latitude: Floats
) -> pd.DataFrame:
    """Id, label and position of some sites; of the others nothing is computed."""
    dims = prepared.site_dims
    unknown = xr.DataArray(np.full([ds.sizes[dim] for dim in dims], np.nan), dims=dims)
    table = site_table(ds, dims, unknown, name).iloc[rows].reset_index(drop=True)
    labels = [site.removeprefix(f"{name}-") for site in table["site"]]
    return table.assign(label=labels, role="train", lat=latitude.astype(np.float64))


def make_task(
    records: Sequence[Records | None], target: TargetSpec, requirements: Requirements
) -> Task:
    """Join records into a task.

    Raises
    ------
    InputError
        When no site has enough observations, or some data sets have them by day and
        others one a site.
    """
    there = tuple(each for each in records if each is not None)
    if not there:
        raise InputError(
            f"no site has enough observations of {target.name!r} on days with weather; "
            "lower minimum_days=, widen period=, or look for other data"
        )
    if len({each.static for each in there}) > 1:
        raise InputError(
            f"{target.name!r} has the dimension 'time' in some data sets and not in "
            "others; finetune on them apart"
        )
    return Task(target, there, requirements)
