"""Finetune a head on any Dataset with observations, and say how good it is."""

from __future__ import annotations

import json
import logging
import os
import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xstefaland import splits
from xstefaland.errors import InputError
from xstefaland.inference.plans import plan_encoder
from xstefaland.inputs.examine import Climate, Hints, Latitude
from xstefaland.inputs.requirements import Requirements, VariableSpec
from xstefaland.inputs.variables import CATALOGUE
from xstefaland.model import HeadConfig
from xstefaland.model.physics import FLUXES
from xstefaland.training import comparison
from xstefaland.training.comparison import Run
from xstefaland.training.fitting import Finetuning
from xstefaland.training.publishing import publish_head
from xstefaland.training.sampling import Version
from xstefaland.training.tasks import (
    Task,
    cache_embeddings,
    drop_inputs,
    make_task,
    read_records,
)
from xstefaland.weights.files import Weights, read
from xstefaland.weights.opening import WeightsLike
from xstefaland.weights.targets import TARGETS, TargetSpec

logger = logging.getLogger("xstefaland")

FORCING = (
    "precipitation",
    "temperature",
    "temperature_max",
    "temperature_min",
    "shortwave_radiation",
    "relative_humidity",
    "potential_evapotranspiration",
)
"""Forcings that a head takes beside the embedding, where the data have them."""

REQUIRED = ("precipitation", "temperature")
PHYSICS = "-hbv"


def finetune(
    ds: xr.Dataset | Mapping[str, xr.Dataset],
    target: str | TargetSpec,
    observed: str | None = None,
    *,
    encoder: WeightsLike | None = None,
    head: str | Mapping[str, Any] = "resconn",
    sites: Sequence[str] | None = None,
    folds: int | xr.DataArray | None = None,
    period: slice | None = None,
    minimum_days: int = 365,
    settings: Finetuning | None = None,
    causal: bool = False,
    name: str | None = None,
    folder: str | os.PathLike[str] | None = None,
    rename: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    latitude: Latitude | None = None,
    climate: Climate | None = None,
    progress: bool = True,
) -> Weights:
    """Train a head on observations of your own, on top of a frozen encoder.

    Inputs pass the same checks, conversions and derivations as in
    :func:`xstefaland.predict`. The observed variable is never an input.

    Parameters
    ----------
    ds : xarray.Dataset or mapping of str to Dataset
        Daily forcing, attributes and observations; several data sets (other products,
        other days) by name.
    target : str or TargetSpec
        A name of :data:`xstefaland.weights.TARGETS`, or a target of your own:
        ``TargetSpec(name="snow_depth", units="m", minimum=0.0)``.
    observed : str, optional
        Name of the observed variable; default: the target's name.
    encoder : str, path or Weights, optional
        Default: the registry's.
    head : str or mapping
        ``"resconn"``, ``"no_resconn"``, ``"lstm"`` or ``"linear"``, with ``"-hbv"`` for
        one that sets the parameters of HBV; or entries of
        :class:`~xstefaland.model.HeadConfig`.
    sites : sequence of str, optional
        Sites to train on, by their label; default: all with observations.
    folds : int or DataArray, optional
        Cross-validation over sites: so many random folds (places stay together), or a
        fold number for each site (:mod:`xstefaland.splits`). The head, an LSTM on the
        same windows and the bundled head, where there is one, are scored on the sites
        left out.
    period : slice, optional
        Days to train on.
    minimum_days : int
        Sites with fewer observations are left out.
    settings : Finetuning, optional
        Length of the run, windows, learning rate.
    causal : bool
        Train for causal reading; the encoder must have been trained for it.
    name : str, optional
        Name of the weights; default: target and head.
    folder : path, optional
        Where everything is kept: the weights file, checkpoints, scores by site. A run
        that was broken off goes on from there. Default: a temporary folder.
    rename, units, latitude, climate
        As in :func:`xstefaland.predict`; `units` also for the observations.
    progress : bool
        Show progress and print the skill at the end.

    Returns
    -------
    Weights
        Pass it as ``xstefaland.predict(ds, target, head=weights)``. Its card holds the
        skill of the cross-validation; the scores by site lie beside the file.

    Raises
    ------
    InputError
        With everything that is wrong with the Dataset or the arguments, or when
        `folder` holds another run.
    WeightsError
        When the encoder cannot be had or was not trained for `causal`.

    Notes
    -----
    The encoder may have seen the weather of your sites in its own training, never
    their observations. Scores leave out the first year of records longer than two.

    Examples
    --------
    >>> import xstefaland
    >>> from xstefaland.testing import example_points, tiny_weights
    >>> from xstefaland.training import Finetuning, finetune
    >>> ds = example_points(sites=4, days=800)
    >>> ds["flow"] = (0.4 * ds.precipitation).assign_attrs(units="mm d-1")
    >>> short = Finetuning(updates=2, batch_size=2, days=60, warmup=20)
    >>> weights = finetune(
    ...     ds,
    ...     "streamflow",
    ...     "flow",
    ...     encoder=tiny_weights(),
    ...     settings=short,
    ...     progress=False,
    ... )
    >>> encoder = tiny_weights()
    >>> flow = xstefaland.predict(ds, "streamflow", head=weights, weights=encoder)
    >>> dict(flow.sizes)
    {'site': 4, 'time': 800}
    """
    spec = _target(target)
    opened, asked = plan_encoder(encoder)
    comparison.require_causal(opened, causal)
    asked = _with_forcing_of_heads(asked)
    chosen = climate if climate is not None else ("none" if causal else "record")
    hints = Hints(rename, units, latitude, chosen)
    data = {"data": ds} if isinstance(ds, xr.Dataset) else dict(ds)
    records = [
        read_records(
            each,
            spec,
            asked,
            observed=observed,
            hints=hints,
            name=key,
            period=period,
            minimum_days=minimum_days,
        )
        for key, each in data.items()
    ]
    task = _chosen_sites(make_task(records, spec, asked), sites)
    config = _config(task, head, opened)
    run = Run(
        task,
        opened,
        config,
        settings or Finetuning(),
        Path(folder or tempfile.mkdtemp(prefix="xstefaland-")),
        causal,
        progress,
    )
    _claim(run, folds)
    title = name or f"{spec.name}-{_form(config)}"
    done = run.folder / f"{title}.safetensors"
    if done.exists():
        return read(done)
    started = time.monotonic()
    versions = _versions(run)
    labels = _folds(task, folds)
    scores = comparison.cross_validate(run, versions, labels, data, hints, observed)
    trained = comparison.trained(run, task, config, versions, "final")
    minutes = (time.monotonic() - started) / 60
    weights = publish_head(
        trained,
        config,
        task,
        opened,
        name=title,
        form=_form(config),
        description=f"{spec.long_name or spec.name}, finetuned on own data",
        default_for=(),
        training={**asdict(run.settings), "minutes": round(minutes, 2), "data": []},
        metrics=comparison.summary(scores),
        readings=("causal",) if causal else ("two-way",),
        folder=run.folder,
        dtype="float32",
    )
    if progress:
        comparison.report(scores, weights, minutes)
    return weights


def _target(target: str | TargetSpec) -> TargetSpec:
    """Look a target up, or check one's own."""
    if isinstance(target, TargetSpec):
        problems = target.problems()
        if problems:
            raise InputError("; ".join(problems))
        return target
    if target in TARGETS:
        return TARGETS[target]
    raise InputError(
        f"target={target!r} is not known; use one of {', '.join(TARGETS)}, or describe "
        f'your own: xstefaland.weights.TargetSpec(name={target!r}, units="...")'
    )


def _with_forcing_of_heads(asked: Requirements) -> Requirements:
    """Add forcings that heads take and the encoder does not know."""
    known = {variable.name for variable in asked.forcing}
    more = [VariableSpec(n, CATALOGUE[n].units) for n in FORCING if n not in known]
    return replace(asked, forcing=(*asked.forcing, *more), required=())


def _chosen_sites(task: Task, sites: Sequence[str] | None) -> Task:
    """Keep the sites to train on; the others are dropped."""
    if sites is None:
        return task
    ids = task.sites["site"].tolist()
    wanted = {str(site) for site in sites}
    roles = {
        site: "train" if wanted & {site, site.partition("-")[2]} else "dropped"
        for site in ids
    }
    found = {site.partition("-")[2] for site in ids} | set(ids)
    unknown = sorted(wanted - found)
    if unknown:
        raise InputError(
            f"sites={unknown[:5]} have no observations or are not in the Dataset; it "
            f"has {', '.join(site.partition('-')[2] for site in ids[:5])}, ..."
        )
    return task.with_roles(roles)


def _config(task: Task, head: str | Mapping[str, Any], encoder: Weights) -> HeadConfig:
    """Configure the head: what the data have, in the form that is asked."""
    entries: dict[str, Any] = {
        "forcing": tuple(n for n in FORCING if n in task.known_forcing),
        "attributes": task.known_attributes,
        "embedding": int(encoder.card.config["d_model"]),
        "also_log": ("precipitation",),
        "targets": (task.target.name,),
        "link": "logit" if task.target.transform == "logit" else "identity",
    }
    if isinstance(head, str):
        kind, hbv, rest = head.partition(PHYSICS)
        if rest or not re.fullmatch("resconn|no_resconn|lstm|linear", kind):
            raise InputError(
                f"head={head!r} is not possible; use 'resconn', 'no_resconn', 'lstm' "
                "or 'linear', with '-hbv' behind it for HBV"
            )
        entries["kind"] = kind
        if hbv:
            if task.target.name not in FLUXES:
                raise InputError(f"head={head!r}: HBV has no {task.target.name!r}")
            others = tuple(name for name in FLUXES if name != task.target.name)
            entries |= {"physics": "hbv", "targets": (task.target.name, *others)}
    else:
        entries |= dict(head)
    return HeadConfig(**entries)


def _form(config: HeadConfig) -> str:
    return config.kind + (PHYSICS if config.physics else "")


def _claim(run: Run, folds: int | xr.DataArray | None) -> None:
    """Write down what the folder holds, or refuse one that holds another run."""
    run.folder.mkdir(parents=True, exist_ok=True)
    what: dict[str, Any] = {
        "task": run.task.fingerprint(),
        "sites": sorted(run.task.sites.query("role == 'train'")["site"]),
        "encoder": run.encoder.sha256,
        "head": run.config.to_dict(),
        "settings": asdict(run.settings),
        "causal": run.causal,
        "folds": folds.values.tolist() if isinstance(folds, xr.DataArray) else folds,
    }
    what = json.loads(json.dumps(what))
    path = run.folder / "run.json"
    if path.exists():
        had = json.loads(path.read_text())
        other = [key for key in what if had.get(key) != what[key]]
        if other:
            raise InputError(
                f"folder={str(run.folder)!r} holds another run: {', '.join(other)} "
                "differ. Give another folder, or delete it to start anew"
            )
    path.write_text(json.dumps(what, indent=1))


def _versions(run: Run) -> list[Version]:
    """Complete inputs and inputs with some hidden, each with its embeddings."""
    task = run.task
    required = [name for name in REQUIRED if name in task.forcing_names]
    if run.config.physics:
        required.append("potential_evapotranspiration")
    dropped = drop_inputs(task, required, run.settings.seed + 1)
    if run.config.kind == "lstm":
        return [Version(None, None), Version(dropped, None)]
    model: Any = run.encoder.model()
    versions = []
    for name, hidden in (("full", None), ("dropped", dropped)):
        folder = run.folder / "embeddings" / name
        precision = run.settings.precision
        cache = cache_embeddings(model, task, folder, hidden, precision, run.causal)
        versions.append(Version(hidden, cache))
    return versions


def _folds(task: Task, folds: int | xr.DataArray | None) -> NDArray[np.int64] | None:
    """Fold of each training site, in the order of the task's training sites."""
    if folds is None:
        return None
    sites = task.sites.query("role == 'train'")
    if isinstance(folds, xr.DataArray):
        table = dict(
            zip(folds[folds.dims[0]].values.tolist(), folds.values, strict=True)
        )
        known = {str(key): int(value) for key, value in table.items()}
        ids = [site.partition("-")[2] for site in sites["site"]]
        lacking = [site for site in ids if site not in known]
        if lacking:
            raise InputError(f"folds= has no entry for the sites {lacking[:5]}")
        return np.array([known[site] for site in ids])
    places = splits.same_place(sites["lat"].to_numpy(), sites["lon"].to_numpy())
    drawn = splits.random_holdout(
        sites["site"].to_numpy(), folds, groups=places.values, rng=0
    )
    return np.asarray(drawn.values, np.int64)
