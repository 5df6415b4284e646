"""Pairs of observations and simulations: checks, alignment, kernels, names."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr

from xstefaland.errors import InputError, join_problems
from xstefaland.inputs.units import same_units

Dims: TypeAlias = str | Sequence[Hashable]
Array: TypeAlias = npt.NDArray[np.float64]


def pairs(
    obs: xr.DataArray, sim: xr.DataArray, dim: Dims
) -> tuple[xr.DataArray, xr.DataArray]:
    """Align two arrays, in float64, with NaN in both where one of them has it.

    Raises
    ------
    InputError
        With every reason why they cannot be paired.
    """
    _check_arrays(obs, sim, dim)
    units = obs.attrs.get("units", sim.attrs.get("units"))
    obs, sim = xr.align(obs, sim, join="inner", copy=False)
    obs, sim = obs.astype("float64"), sim.astype("float64")
    both = obs.notnull() & sim.notnull()
    obs, sim = obs.where(both), sim.where(both)
    obs.attrs = {} if units is None else {"units": units}
    return obs, sim


def _check_arrays(obs: xr.DataArray, sim: xr.DataArray, dim: Dims) -> None:
    """Refuse what cannot be paired, with all reasons."""
    given: dict[str, Any] = {"obs": obs, "sim": sim}
    problems = [
        f"{name} is a {type(array).__name__}; wrap it as xr.DataArray({name}, dims=...)"
        for name, array in given.items()
        if not isinstance(array, xr.DataArray)
    ]
    if not problems:
        problems = [*_dim_problems(obs, sim, dim), *_unit_problems(obs, sim)]
    if problems:
        raise InputError(join_problems("cannot compare obs with sim", problems))


def _dim_problems(obs: xr.DataArray, sim: xr.DataArray, dim: Dims) -> list[str]:
    """Dims that are lacking, and shared ones whose labels do not allow pairs."""
    reduced = dims_of(dim)
    problems = [
        f"{name} has no dim {each!r}, its dims are {array.dims}; pass dim="
        for name, array in (("obs", obs), ("sim", sim))
        for each in reduced
        if each not in array.dims
    ]
    for each in set(obs.dims) & set(sim.dims):
        if each in obs.indexes and each in sim.indexes:
            common = len(obs.indexes[each].intersection(sim.indexes[each]))
            if obs.indexes[each].equals(sim.indexes[each]):
                continue  # the same pairs, were labels there twice
            kept = each in reduced and common > 0
            if not kept and not common == obs.sizes[each] == sim.sizes[each]:
                problems.append(_label_problem(str(each), common, obs, sim))
        elif obs.sizes[each] != sim.sizes[each]:
            sizes = f"{obs.sizes[each]} and {sim.sizes[each]}"
            problems.append(f"{each!r} has sizes {sizes} and no labels to align on")
    return problems


def _label_problem(dim: str, common: int, obs: xr.DataArray, sim: xr.DataArray) -> str:
    """Say how many labels are shared, and how to keep those."""
    sizes = f"{obs.sizes[dim]} and {sim.sizes[dim]}"
    return (
        f"of {sizes} labels along {dim!r} {common} are in both; select the common "
        f'ones first: obs, sim = xr.align(obs, sim, join="inner")'
    )


def _unit_problems(obs: xr.DataArray, sim: xr.DataArray) -> list[str]:
    """Say that units differ; those that one side does not state are not judged."""
    units = [array.attrs.get("units") for array in (obs, sim)]
    if None in units or same_units(*map(str, units)):
        return []
    return [f"obs is in {units[0]!r} and sim in {units[1]!r}; convert one of them"]


def dims_of(dim: Dims) -> list[Hashable]:
    """List the dims that are asked for."""
    return [dim] if isinstance(dim, str) else list(dim)


def named(
    value: xr.DataArray, obs: xr.DataArray, long_name: str, units: str
) -> xr.DataArray:
    """Say what a score is; ``{}`` in `units` stands for those of `obs`."""
    score = value.rename(None)
    score.attrs = {"long_name": long_name}
    if "{}" not in units:
        score.attrs["units"] = units
    elif "units" in obs.attrs:
        score.attrs["units"] = units.format(obs.attrs["units"])
    return score


def whole(
    kernel: Callable[..., Array], dim: Dims, *arrays: xr.DataArray, keep: bool = False
) -> xr.DataArray:
    """Apply a kernel that needs all of `dim` at once, as the last axis."""
    dims = dims_of(dim)
    for array in arrays:
        split = [each for each in dims if len(array.chunksizes.get(each, ())) > 1]
        if split:
            one = ", ".join(f"{each!r}: -1" for each in split)
            raise InputError(
                f"this score sorts along {split}, which is in several chunks; pass "
                f"obs.chunk({{{one}}}) and sim.chunk({{{one}}})"
            )

    def flat(*blocks: Any) -> Array:
        """Bring all dims of the kernel to one axis, and back where they stay."""
        shape = blocks[0].shape
        lead = shape[: len(shape) - len(dims)]
        value = kernel(*(block.reshape(*lead, -1) for block in blocks))
        return value.reshape(shape) if keep else value

    result: xr.DataArray = xr.apply_ufunc(
        flat,
        *arrays,
        input_core_dims=[dims] * len(arrays),
        output_core_dims=[dims if keep else []],
        dask="parallelized",
        output_dtypes=[np.float64],
    )
    return result
