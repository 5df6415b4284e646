"""Finetune a head on any Dataset with observations, and say how good it is."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from xstefaland.bars import tqdm
from xstefaland.errors import InputError, join_problems
from xstefaland.inference.plans import plan_encoder, require_reading
from xstefaland.inputs.hints import Climate, Hints, Latitude
from xstefaland.inputs.observed import inputs_that_tell
from xstefaland.inputs.requirements import Requirements
from xstefaland.training import choices, comparison, folders
from xstefaland.training.channels import Channels, cache_channels
from xstefaland.training.comparison import FinetuningRun
from xstefaland.training.external import given_embeddings
from xstefaland.training.fitting import Finetuning
from xstefaland.training.publishing import publish_head
from xstefaland.training.systems import form_of
from xstefaland.training.tasks import Task, make_task, read_records
from xstefaland.training.versions import (
    Cache,
    Version,
    cache_embeddings,
    drop_inputs,
    other_climate,
    without_place,
)
from xstefaland.weights.card import CAUSAL, TWO_WAY
from xstefaland.weights.files import Weights, read
from xstefaland.weights.opening import WeightsLike
from xstefaland.weights.targets import TargetSpec

NEVER_HIDDEN = ("precipitation", "temperature")
"""Inputs that are never hidden in training."""

EMBEDDINGS, CHANNELS, SCORES = "embeddings", "channels", "scores.csv"
"""What a folder holds beside the weights and checkpoints."""

ABOUT = ("title", "source", "license", "references")
"""Attributes of a Dataset that the card repeats."""

Data = Mapping[str, xr.Dataset]


def finetune(
    ds: xr.Dataset | Mapping[str, xr.Dataset],
    target: str | TargetSpec,
    observed: str | None = None,
    *,
    encoder: WeightsLike | None = None,
    embeddings: xr.DataArray | None = None,
    head: str | Mapping[str, Any] = "resconn",
    sites: Sequence[str] | None = None,
    folds: int | xr.DataArray | None = None,
    period: slice | None = None,
    minimum_days: int = 365,
    extra: Sequence[str] = (),
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
        other days) by name. Observations without ``time`` make a static target: one
        answer a site. Such a Dataset needs neither time nor forcing.
    target : str or TargetSpec
        A name of :data:`xstefaland.weights.TARGETS`, or a target of your own:
        ``TargetSpec(name="snow_depth", units="m", minimum=0.0)``.
    observed : str, optional
        Name of the observed variable; default: the target's name.
    encoder : str, path or Weights, optional
        Default: the registry's.
    embeddings : xarray.DataArray, optional
        Embeddings of others in place of the encoder's, such as those of AlphaEarth or
        TerraMind (:mod:`xstefaland.datasets.vectors` reads files): dims ``(site,
        embedding)`` or ``(site, time, embedding)``, labelled as the sites are. The head
        needs ``predict(..., embeddings=)`` then.
    head : str or mapping
        A name of :data:`xstefaland.training.systems.HEADS`: ``"resconn"``,
        ``"no_resconn"``, ``"lstm"`` or ``"linear"``, with ``"-hbv"`` for one that sets
        the parameters of HBV, with ``"-plain"`` for one without process channels and
        place, ``"lstm-anomaly"`` or ``"resconn-anomaly"`` for soil moisture; or entries
        of :class:`~xstefaland.model.HeadConfig` to change in "resconn", such as
        ``{"quantiles": (0.1, 0.5, 0.9)}``.
    sites : sequence of str, optional
        Sites to train on, by their label (``"<data set>-<label>"`` where several data
        sets have it); default: all with observations. The card lists the others.
    folds : int or DataArray, optional
        Cross-validation over sites: so many random folds (gauges within 10 km stay
        together), or a fold number for each site, -1 for never left out
        (:mod:`xstefaland.splits`). The head, two LSTMs on the same windows (with and
        without process channels and place), and the bundled head, where there is one,
        are scored on the sites left out. The head that is returned is trained on all
        sites.
    period : slice, optional
        Days to train on.
    minimum_days : int
        Sites with fewer observations are left out; of static targets, those without.
    extra : sequence of str
        Columns of sites beside the catalogue's attributes, such as a curvature of the
        terrain. They are taken as they are, and predictions need them by that name.
    settings : Finetuning, optional
        Length of the run, windows, learning rate.
    causal : bool
        Train for causal reading; the encoder must have been trained for it, and
        the head answers with ``causal=True`` alone.
    name : str, optional
        Name of the weights; default: target and head.
    folder : path, optional
        Where everything is kept: the weights file, checkpoints, scores by site. A run
        that was broken off goes on from there. Default: a temporary folder.
    rename, units, latitude, climate
        As in :func:`xstefaland.predict`; `units` also for the observations.
    progress : bool
        Show progress, and the skill at the end.

    Returns
    -------
    Weights
        Pass it as ``xstefaland.predict(ds, target, head=weights)``; trained with an
        `encoder` that is not in the registry, with ``weights=encoder`` too. Its card
        holds the skill of the cross-validation; the scores by site lie beside the file.

    Raises
    ------
    InputError
        With everything that is wrong with the Dataset or the arguments, or when
        `folder` holds another run.
    WeightsError
        When the encoder cannot be had or was not trained for `causal`.

    Warns
    -----
    UserWarning
        For observations beyond the target's limits, which are taken as missing.

    Notes
    -----
    What would be taken or derived from the observed variable as an input (``swe`` is an
    alias of one) is hidden in training and, by the card's `masked_inputs`, ever after.

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
    spec = choices.find_target(target)
    opened, asked = plan_encoder(encoder)
    require_reading(causal, opened)
    hints = Hints.of(rename, units, latitude, climate, causal)
    data, source = _data(ds), observed or spec.name
    task = read_task(data, spec, asked, source, hints, period, minimum_days, extra)
    task = choices.choose_sites(task, sites)
    width, given = int(opened.card.config["d_model"]), None
    if embeddings is not None:
        given = given_embeddings(data, task, embeddings)
        width = given.about.width
    config = choices.head_config(task, head, width, causal)
    labels = choices.choose_folds(task, folds)
    place = Path(folder or tempfile.mkdtemp(prefix="xstefaland-"))
    settings = settings or Finetuning()
    run = FinetuningRun(task, opened, config, settings, place, causal, external=given)
    _claim(run, labels)
    title = name or f"{spec.name}-{form_of(config)}"
    with tqdm(disable=not progress, delay=0.5, mininterval=0.5) as bar:
        weights = _finetuned(replace(run, bar=bar), labels, title, data, source)
    if progress:
        minutes = weights.card.training["minutes"]
        tqdm.write(comparison.report(_scores(run), weights, minutes))
    return weights


def _data(ds: xr.Dataset | Data) -> Data:
    """Name every data set; one alone is called "data"."""
    data: dict[str, Any] = {"data": ds}
    if not isinstance(ds, xr.Dataset | xr.DataArray):
        data = dict(ds)
    problems = choices.data_name_problems(list(data))
    problems += [
        f"{name!r} is a {type(each).__name__}, not an xarray.Dataset"
        for name, each in data.items()
        if not isinstance(each, xr.Dataset)
    ]
    if problems or not data:
        raise InputError(
            join_problems("ds= cannot be used", problems or ["it has no data set"])
        )
    return data


def read_task(
    data: Data,
    spec: TargetSpec,
    asked: Requirements,
    observed: str,
    hints: Hints,
    period: slice | None,
    minimum_days: int,
    extra: Sequence[str] = (),
) -> Task:
    """Prepare all data sets; what is wrong with any of them is said at once."""
    there = [ds[observed] for ds in data.values() if observed in ds.variables]
    static = bool(there) and all("time" not in each.dims for each in there)
    more = (tuple(extra), static)
    asked = choices.asked_of_data(asked, spec, frozenset(), *more)
    telling = [inputs_that_tell(ds, observed, asked, hints) for ds in data.values()]
    asked = choices.asked_of_data(asked, spec, frozenset().union(*telling), *more)
    records, problems = [], []
    for name, ds in data.items():
        try:
            found = read_records(
                ds,
                spec,
                asked,
                observed=observed,
                hints=hints,
                name=name,
                period=period,
                minimum_days=minimum_days,
            )
            records.append(found)
        except InputError as error:
            problems.append(f"{name}: {error}" if len(data) > 1 else str(error))
    if problems:
        raise InputError("\n".join(problems))
    return make_task(records, spec, asked)


def _finetuned(
    run: FinetuningRun,
    folds: NDArray[np.int64] | None,
    title: str,
    data: Data,
    observed: str,
) -> Weights:
    """Score by cross-validation, train on all sites, and write the weights file."""
    done = run.folder / f"{title}.safetensors"
    if done.exists():
        return read(done)
    started = time.monotonic()
    versions = _versions(run)
    heads = 1 if folds is None else 1 + len(run.systems()) * len(set(folds) - {-1})
    run.bar.reset(heads * run.settings.updates)
    if folds is not None:
        scores = comparison.cross_validate(run, versions, folds)
        bundled = comparison.score_bundled(run, versions[0])
        pd.concat([scores, bundled]).to_csv(run.folder / SCORES, index=False)
    head = comparison.trained(run, run.task, run.config, versions, "final")
    minutes = round((time.monotonic() - started) / 60, 2)
    spec = run.task.target
    weights = publish_head(
        head,
        run.config,
        run.task,
        run.external.about if run.external else run.encoder,
        name=title,
        form=form_of(run.config),
        description=f"{spec.long_name or spec.name}, finetuned on own data",
        default_for=(),
        training={
            **asdict(run.settings),
            "minutes": minutes,
            "data": _sources(run.task, data, observed),
        },
        metrics=comparison.summary(_scores(run)),
        readings=(CAUSAL if run.causal else TWO_WAY,),
        folder=run.folder,
        dtype="float32",
    )
    for cache in (EMBEDDINGS, CHANNELS):
        shutil.rmtree(run.folder / cache, ignore_errors=True)
    return weights


def _scores(run: FinetuningRun) -> pd.DataFrame:
    """Read the scores by site; none where nothing was cross-validated."""
    path = run.folder / SCORES
    if not path.exists():
        return pd.DataFrame(columns=["site", "system", "fold", *comparison.SCORES])
    return pd.read_csv(path, dtype={"site": str})


def _sources(task: Task, data: Data, observed: str) -> list[dict[str, Any]]:
    """Say for the card which data the head was trained on."""
    sources = []
    for records in task.records:
        ds = data[records.name]
        attrs = {key: str(ds.attrs[key]) for key in ABOUT if key in ds.attrs}
        sources.append(
            {
                "name": records.name,
                "observed": observed,
                "sites": len(records.rows("train")),
                "days": _span(records.dates),
                "sha256": replace(task, records=(records,)).fingerprint(),
                **attrs,
            }
        )
    return sources


def _span(dates: pd.DatetimeIndex) -> str:
    """First and last day, nothing for records without days."""
    return "" if dates.hasnans else f"{dates[0]:%Y-%m-%d}..{dates[-1]:%Y-%m-%d}"


def _claim(run: FinetuningRun, folds: NDArray[np.int64] | None) -> None:
    """Write down what the folder holds, or refuse one that holds another run."""
    what = {
        "task": run.task.fingerprint(),
        "sites": run.task.sites.query("role == 'train'")["site"].tolist(),
        "encoder": run.encoder.sha256,
        "head": run.config.to_dict(),
        "settings": run.settings.identity(),
        "causal": run.causal,
        "folds": None if folds is None else folds.tolist(),
        "embeddings": run.external.fingerprint() if run.external else None,
    }
    folders.claim(run.folder, what, "folder")


def _versions(run: FinetuningRun) -> list[Version]:
    """Complete inputs, and inputs with some hidden and the climate of other years."""
    task = run.task
    required = [name for name in NEVER_HIDDEN if name in task.forcing_names]
    if run.config.physics:
        required.append("potential_evapotranspiration")
    dropped = drop_inputs(task, required, run.settings.seed + 1)
    climate = other_climate(task, run.settings.seed + 2)
    placeless = without_place(task, run.settings.seed + 3)
    full = Version(None, None, channels=_channels(run))
    hidden = replace(full, hidden=dropped, attributes=climate, placeless=placeless)
    versions = {"full": full, "dropped": hidden}
    if run.external is not None:  # nothing of theirs is hidden
        given = run.external.cache
        return [replace(each, embeddings=given) for each in versions.values()]
    if run.config.embeds:
        run.bar.unit = " sites"
        run.bar.reset(2 * sum(len(records.used()) for records in task.records))
        for name, version in versions.items():
            versions[name] = replace(
                version, embeddings=_embeddings(run, name, version)
            )
        run.bar.unit = " updates"
    return list(versions.values())


def _channels(run: FinetuningRun) -> Channels | None:
    """Compute the process channels of all systems that are trained."""
    wanted = [name for config in run.systems().values() for name in config.channels]
    if not wanted:
        return None
    names = tuple(dict.fromkeys(wanted))
    folder = run.folder / CHANNELS
    run.bar.set_description("process channels")
    return cache_channels(run.task, names, folder, causal=run.causal)


def _embeddings(run: FinetuningRun, name: str, version: Version) -> Cache:
    """Embed all records with the inputs of a version."""
    run.bar.set_description(f"embeddings, {name} inputs")
    model: Any = run.encoder.model()
    return cache_embeddings(
        model,
        run.task,
        run.folder / EMBEDDINGS / name,
        version.hidden,
        run.settings.precision,
        run.causal,
        run.bar.update,
        version.attributes,
        run.settings.device,
    )
