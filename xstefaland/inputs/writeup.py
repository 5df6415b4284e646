"""Write up what a check found: table, facts, what is not used and what would help."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import xarray as xr

from xstefaland.geometry.sites import LatitudeSource
from xstefaland.inputs.axes import every_day
from xstefaland.inputs.matching import SEVERAL, Matcher, Origin
from xstefaland.inputs.readings import Reading
from xstefaland.inputs.report import COLUMNS
from xstefaland.inputs.requirements import Requirements, VariableSpec


def _needed_for(variable: VariableSpec, requirements: Requirements) -> str:
    """Say what a variable is to the model: its kind, whether required, its group."""
    kind = "forcing" if variable in requirements.forcing else "attribute"
    if any(variable.name in group for group in requirements.required):
        kind += ", required"
    return f"{kind} ({variable.group})" if variable.group else kind


def table(
    requirements: Requirements,
    origins: Mapping[str, Origin],
    readings: Mapping[str, Reading],
) -> pd.DataFrame:
    """Tabulate where every variable of the model comes from."""
    rows = []
    for variable in requirements.variables:
        origin = origins[variable.name]
        found, units = origin.why, variable.units or ""
        if origin.source:
            reading = readings[variable.name]
            found, units = reading.source, reading.change
        elif origin.recipe:
            found = f"{', '.join(origin.recipe.ingredients)}: {origin.recipe.note}"
        needed = _needed_for(variable, requirements)
        rows.append((variable.name, needed, found, origin.how, units))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def facts(
    ds: xr.Dataset,
    dims: tuple[str, ...],
    days: pd.DatetimeIndex,
    latitude: LatitudeSource | None,
    readings: Mapping[str, Reading],
) -> dict[str, str]:
    """Describe sites, days, latitude and chunks in a few words each."""
    sizes = " x ".join(str(ds.sizes[dim]) for dim in dims)
    texts = {"Sites": f"{sizes} ({', '.join(dims)})" if dims else "a single site"}
    if len(days):
        gaps = len(every_day(days)) - len(days)
        texts["Days"] = f"{days[0]:%Y-%m-%d} to {days[-1]:%Y-%m-%d}, {len(days)} days"
        texts["Days"] += f", {gaps} missing days are inserted" if gaps else ""
    texts["Latitude"] = str(latitude) if latitude else "unknown, so no PET from it"
    lazy = [reading.source for reading in readings.values() if reading.lazy]
    if lazy:
        sizes_of = ds[lazy[0]].variable.chunksizes
        blocks = {dim: len(sizes) for dim, sizes in sizes_of.items()}
        text = ", ".join(f"{blocks[dim]} along {dim}" for dim in dims if dim in blocks)
        texts["Data"] = f"lazy, chunks: {text or 'one'}"
    return texts


def ignored(
    ds: xr.Dataset,
    matcher: Matcher,
    readings: Mapping[str, Reading],
    latitude: LatitudeSource | None,
) -> dict[str, str]:
    """List the variables that were not used and why; coordinates if they could be."""
    used = {reading.source for reading in readings.values()}
    used |= set(latitude.names) if latitude else set()
    return {
        str(name): reason
        for name in ds.variables
        if name not in used
        and name not in ds.xindexes
        and (reason := matcher.why_ignored(str(name)))
        and (name in ds.data_vars or "not used" in reason or "taken" in reason)
    }


def helpful(requirements: Requirements, origins: Mapping[str, Origin]) -> str:
    """Name the missing inputs that weigh most: required, forcings, attribute groups."""
    absent = [
        variable for variable in requirements.forcing if _absent(origins[variable.name])
    ]
    needed = {name for group in requirements.required for name in group}
    absent.sort(key=lambda variable: variable.name not in needed)
    texts = [f"{v.name} [{v.units}]" if v.units else v.name for v in absent[:3]]
    groups: dict[str, list[VariableSpec]] = {}
    for variable in requirements.attributes:
        groups.setdefault(variable.group or "other", []).append(variable)
    whole = 0
    for group, members in groups.items():
        if whole < 3 and all(_absent(origins[v.name]) for v in members):
            whole += 1
            names = ", ".join(variable.name for variable in members[:3])
            texts.append(f"attributes of {group} ({names})")
    return "; ".join(texts)


def _absent(origin: Origin) -> bool:
    """Whether the Dataset lacks a variable, rather than having it more than once."""
    return origin.how == "missing" and origin.why != SEVERAL
