"""What a user asks of a finetuning run, checked: target, head, sites, folds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from xstefaland import splits
from xstefaland.errors import InputError, join_problems
from xstefaland.inputs.requirements import Requirements, VariableSpec
from xstefaland.inputs.variables import CATALOGUE
from xstefaland.model import HeadConfig
from xstefaland.model.physics import FLUXES
from xstefaland.training.losses import OF_PROBABILITIES
from xstefaland.training.systems import entries_of
from xstefaland.training.tasks import Task
from xstefaland.weights.members import MEDIAN
from xstefaland.weights.targets import TARGETS, TargetSpec

HEAD_FORCING = (
    "precipitation",
    "temperature",
    "temperature_max",
    "temperature_min",
    "shortwave_radiation",
    "relative_humidity",
    "potential_evapotranspiration",
)
"""Forcings that a head takes beside the embedding, where the data have them."""

TEXTURE = frozenset(
    (
        "clay",
        "sand",
        "silt",
        "soil_porosity",
        "soil_conductivity",
        "max_water_content",
    )
)
"""Hidden where one of the first three is the target; archives compute the others from
them (Cosby et al., 1984)."""


def find_target(target: str | TargetSpec) -> TargetSpec:
    """Look a target up, or check one's own.

    Raises
    ------
    InputError
        For an unknown name, with the names that are known, or a wrong entry.
    """
    if isinstance(target, str) and target not in TARGETS:
        raise InputError(
            f"target={target!r} is not known; use one of {', '.join(TARGETS)}, or "
            "describe your own: xstefaland.weights.TargetSpec("
            f'name={target!r}, units="...")'
        )
    spec = TARGETS[target] if isinstance(target, str) else target
    problems = spec.problems()
    if (spec.transform == "logit") != (spec.loss in OF_PROBABILITIES):
        problems.append(
            f"target '{spec.name}' has transform '{spec.transform}' and loss "
            f"'{spec.loss}'; 'logit' belongs together with 'cross_entropy', 'balanced' "
            "or 'focal'"
        )
    if problems:
        raise InputError(join_problems("the target cannot be used", problems))
    return spec


def asked_of_data(
    asked: Requirements,
    target: TargetSpec,
    telling: frozenset[str],
    extra: Sequence[str] = (),
    static: bool = False,
) -> Requirements:
    """Say what to read for a head: what its encoder asks, and forcings of heads.

    Parameters
    ----------
    asked : Requirements
        Of the encoder.
    target : TargetSpec
        Inputs of the same CF standard name are hidden.
    telling : frozenset of str
        Further inputs to hide.
    extra : sequence of str
        Columns of sites that no catalogue knows, taken as they are.
    static : bool
        The target has no time, so neither time nor forcing is needed.
    """
    known = {variable.name for variable in asked.forcing}
    more = [VariableSpec(n, CATALOGUE[n].units) for n in HEAD_FORCING if n not in known]
    same = {
        name
        for name, variable in CATALOGUE.items()
        if target.standard_name in variable.standard_names
    }
    same |= TEXTURE if target.name in TEXTURE else frozenset()
    forcing = (*asked.forcing, *more)
    have = {variable.name for variable in asked.attributes}
    own = (VariableSpec(name) for name in dict.fromkeys(extra) if name not in have)
    attributes = (*asked.attributes, *own)
    names = {variable.name for variable in (*forcing, *attributes)}
    masked = asked.masked | telling | (same & names)
    return Requirements(forcing, attributes, masked=masked, static=static)


def head_config(
    task: Task, head: str | Mapping[str, Any], embedding: int, causal: bool
) -> HeadConfig:
    """Configure a head: the inputs that the data have, in the form that is asked.

    Parameters
    ----------
    task : Task
        Which inputs there are.
    head : str or mapping
        See :func:`xstefaland.training.finetune`.
    embedding : int
        Width of the encoder's embedding.
    causal : bool
        Whether the head must answer causally.

    Raises
    ------
    InputError
        For a head that is not possible, or not with this target.
    """
    forcing = tuple(n for n in HEAD_FORCING if n in task.known_forcing)
    entries: dict[str, Any] = {
        "embedding": embedding,
        "link": "logit" if task.target.transform == "logit" else "identity",
    }
    if not forcing:  # the default adapter has a layer of forcing alone
        entries["adapter"] = "feedforward"
    entries |= entries_of(head, task.target.name, forcing, task.known_attributes)
    if "also_log" not in entries:
        rain = {"precipitation"} & set(entries["forcing"])
        entries["also_log"] = tuple(rain)
    entries.setdefault("static", task.static)
    config = HeadConfig.from_dict(entries)
    problems = _head_problems(config, task.target, causal, task.static)
    if problems:
        raise InputError(join_problems(f"head={head!r} is not possible", problems))
    return config


def _head_problems(
    config: HeadConfig, target: TargetSpec, causal: bool, static: bool
) -> list[str]:
    """List what keeps a head from being finetuned on a target's observations."""
    problems = []
    if config.static != static:
        has = "have no" if static else "have the"
        problems.append(
            f"`static` is {config.static} and the observations {has} dimension 'time'; "
            "leave it out"
        )
    if config.physics and target.name not in FLUXES:
        problems.append(
            f"HBV has no {target.name!r}; it gives {', '.join(FLUXES)}. Leave out HBV"
        )
    if config.targets[0] != target.name or (not config.physics and config.targets[1:]):
        problems.append(f"`targets` is {config.targets}; leave it out")
    if config.form == "anomaly" and target.transform != "linear":
        problems.append(
            f"form='anomaly' is of values as they are, but {target.name!r} has "
            f"transform {target.transform!r}"
        )
    if config.quantiles and MEDIAN not in config.quantiles:
        problems.append(
            f"`quantiles` is {config.quantiles}; the median must be among them, such "
            "as (0.1, 0.5, 0.9)"
        )
    if causal and not config.causal_possible:
        problems.append(
            "with causal=True there is no HBV, and no adapter 'conv' or 'attention'"
        )
    return problems


def choose_sites(task: Task, sites: Sequence[str] | None) -> Task:
    """Keep the sites to train on; the others are dropped.

    Parameters
    ----------
    task : Task
        All sites with observations.
    sites : sequence of str or None
        Labels, or ids where several data sets share labels; None: all.

    Raises
    ------
    InputError
        For sites that are not there.
    """
    if sites is None:
        return task
    table = task.sites
    wanted = {str(site) for site in sites}
    chosen = table["site"].isin(wanted) | table["label"].isin(wanted)
    unknown = sorted(wanted - set(table["site"]) - set(table["label"]))
    if unknown or not wanted:
        have = ", ".join(table["label"][:5])
        raise InputError(
            f"sites={unknown[:5] or list(sites)}: not in the Dataset, or without "
            f"enough observations; {len(table)} sites have them, such as {have}"
        )
    roles = np.where(chosen, "train", "dropped")
    return task.with_roles(dict(zip(table["site"], roles, strict=True)))


def choose_folds(
    task: Task, folds: int | xr.DataArray | None
) -> NDArray[np.int64] | None:
    """Fold of each training site, in the order of the task's training sites.

    Sites of one gauge, or within 10 km, share a fold where folds are drawn.

    Raises
    ------
    InputError
        For too many folds, or sites without one.
    """
    if folds is None:
        return None
    sites = task.sites.query("role == 'train'")
    if isinstance(folds, xr.DataArray):
        return _given_folds(sites["label"].tolist(), folds)
    places = splits.same_place(
        sites["lat"].to_numpy(), sites["lon"].to_numpy(), sites["gauge"].to_numpy()
    )
    drawn = splits.random_holdout(sites["site"].to_numpy(), folds, groups=places, rng=0)
    return np.asarray(drawn.values, np.int64)


def _given_folds(labels: Sequence[str], folds: xr.DataArray) -> NDArray[np.int64]:
    """Look up the fold of each site by its label along the dims of an array."""
    keys = map("-".join, product(*(map(str, folds[d].values) for d in folds.dims)))
    known = dict(zip(keys, folds.values.ravel().tolist(), strict=True))
    lacking = [label for label in labels if pd.isna(known.get(label))]
    if lacking:
        raise InputError(
            f"folds= has no entry for the sites {lacking[:5]}; give it the labels of "
            'the sites, such as xstefaland.splits.random_holdout(ds["site"], 3)'
        )
    found = np.array([known[label] for label in labels], np.int64)
    if len(np.unique(found[found >= 0])) == 0 or len(np.unique(found)) < 2:
        raise InputError(
            "folds= puts all sites with observations into one fold; two are needed"
        )
    return found


def data_name_problems(names: Sequence[str]) -> list[str]:
    """List names of data sets that cannot be names of files.

    Examples
    --------
    >>> data_name_problems(["camels-us", "a/b"])
    ["'a/b' cannot name a data set; use letters, digits, '-', '_' and '.'"]
    """
    return [
        f"{name!r} cannot name a data set; use letters, digits, '-', '_' and '.'"
        for name in names
        if not re.fullmatch(r"\w[\w.-]*", str(name))
    ]
