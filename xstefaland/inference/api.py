"""What a user calls: plain functions from a Dataset to labelled answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, overload

import xarray as xr

from xstefaland.errors import InputError, XStefalandError
from xstefaland.inference import labels, lazy
from xstefaland.inference.asks import AskEmbedding, AskReconstruction, AskTargets
from xstefaland.inference.batches import BatchSize
from xstefaland.inference.blocks import Pool
from xstefaland.inference.gaps import MAX_GAP
from xstefaland.inference.labels import MissingBy
from xstefaland.inference.lazy import Settings
from xstefaland.inference.plans import (
    HeadGroup,
    default_heads,
    plan_encoder,
    plan_predictions,
    require_reading,
)
from xstefaland.inference.unseen import behind, told
from xstefaland.inputs.advice import advice
from xstefaland.inputs.examine import Examination, examine
from xstefaland.inputs.external import MOST, columns, with_embeddings
from xstefaland.inputs.hints import Climate, Hints, Latitude
from xstefaland.inputs.prepare import Prepared, prepare
from xstefaland.inputs.report import READY, Report, joined
from xstefaland.inputs.requirements import Requirements
from xstefaland.options import get_options
from xstefaland.weights import Weights
from xstefaland.weights.opening import WeightsLike

Names = Mapping[str, str] | None
OF_ENCODERS = (lazy.EMBEDDING, "reconstruction")
"""Targets of :func:`xstefaland.run` that no head answers."""


def check(
    ds: xr.Dataset,
    target: str | Sequence[str] | None = None,
    *,
    weights: WeightsLike | None = None,
    head: WeightsLike | None = None,
    rename: Names = None,
    units: Names = None,
    latitude: Latitude | None = None,
    climate: Climate | None = None,
    causal: bool = False,
) -> Report:
    """Say what a Dataset has, what a model needs, and what is wrong.

    Parameters
    ----------
    ds : xarray.Dataset
        Daily forcing and site attributes.
    target : str or list of str, optional
        What is to be predicted; default: embeddings, which ``"embedding"`` and
        ``"reconstruction"`` of :func:`xstefaland.run` need too.
    weights, head, rename, units, latitude, climate, causal
        As in :func:`predict`: what reads causally has heads and inputs of its own.

    Returns
    -------
    Report
        ``.ok``, ``.problems``, ``.warnings`` and ``.table``. Nothing is raised and
        nothing lazy is computed. Weights that cannot be had, or that do not read as is
        asked, are a problem too.

    Examples
    --------
    >>> import xstefaland
    >>> from xstefaland.testing import example_points, tiny_weights
    >>> ds = example_points()
    >>> xstefaland.check(ds, weights=tiny_weights()).ok
    True
    """
    try:
        if target is None or target in OF_ENCODERS:
            fills = target == "reconstruction"
            encoder, alone = plan_encoder(weights, fills=fills)
            asked, spinup = [alone], 0
            files: tuple[Weights, ...] = (encoder,)
            require_reading(causal, encoder)
        else:
            plans = plan_predictions(_listed(target), head, weights, causal=causal)
            asked = [plan.requirements for plan in plans]
            spinup = max(plan.spinup_days for plan in plans)
            files = behind(plans)
            _require_reading(causal, plans)
    except XStefalandError as error:
        nothing = Requirements(forcing=(), static=True)
        report = examine(ds, nothing).report
        return replace(report, problems=[str(error)], ignored={})
    hints = Hints.of(rename, units, latitude, climate, causal)
    found = [examine(ds, each, hints) for each in asked]
    reports = [_advised(each, spinup) for each in found]
    if target is None:
        reports[0] = replace(reports[0], targets=_status(found[0], causal))
    if seen := told(found[0], files):
        facts = {**reports[0].facts, "Training": seen}
        reports[0] = replace(reports[0], facts=facts)
    return joined(reports)


def embed(
    ds: xr.Dataset,
    *,
    pool: Pool = None,
    weights: WeightsLike | None = None,
    rename: Names = None,
    units: Names = None,
    latitude: Latitude | None = None,
    climate: Climate | None = None,
    causal: bool = False,
    max_gap: int | None = MAX_GAP,
    missing_by: MissingBy = "site",
    batch_size: BatchSize = "auto",
    device: str | None = None,
    precision: str | None = None,
) -> xr.DataArray:
    """Embed the weather and attributes of every site.

    Parameters
    ----------
    ds : xarray.Dataset
        Daily forcing (dims ``time`` and those of the sites) and site attributes.
    pool : {None, "mean", "year", "static"}
        None: one embedding per day. ``"mean"``: the mean of all days. ``"year"``: of
        the days of each calendar year. ``"static"``: the token of the attributes.
    weights : str, path or Weights, optional
        The encoder; default: the registry's.
    rename : mapping, optional
        ``{"name in the Dataset": "canonical name"}`` where names are not recognised.
    units : mapping, optional
        ``{"name in the Dataset": "units"}`` where the Dataset states none.
    latitude : str, float or DataArray, optional
        Name of the variable that holds the latitude, or the latitude [degrees north],
        where it is not recognised; an array goes by the labels of its sites.
    climate : slice, Dataset, "record" or "none"
        From where climate attributes come that the Dataset lacks: a reference period
        (``slice("1990", "2010")``), a table of them (:func:`derive_climate`), the
        whole record, or nowhere.
    causal : bool
        A day's answer depends on the attributes and the days up to it alone, as
        forecasts need; by default the encoder sees whole windows, later days included.
        The weights must have been trained for it: their card says so.
    max_gap : int or None
        Days from observed weather up to which there is an answer; beyond them it is
        NaN. Weather is each input that the weights require (of a head usually rain
        and a temperature), any forcing where they require none. None: every day has
        an answer.
    missing_by : {"site", "day"}
        Whether `fraction_missing` is the share of a site's whole record, or of each
        day; of an answer without days it is that of the record.
    batch_size : int or "auto"
        Windows in the model at once. It changes speed and memory, not the answer.
    device, precision : str, optional
        As in :class:`~xstefaland.set_options`, whose values are the default. They are
        fixed when the result is made, not when it is computed.

    Returns
    -------
    xarray.DataArray
        ``embedding``: the input's dims in their order with ``embedding`` last, time
        dropped or replaced by ``year`` when pooled; lazy where the input is. All
        coordinates come along; `fraction_missing` and `values_rejected` are added. A
        site without any forcing value is NaN.

    Raises
    ------
    InputError
        With everything that is wrong with the Dataset.
    WeightsError
        When the weights cannot be had or used.

    See Also
    --------
    predict : Targets from embeddings.

    Examples
    --------
    >>> import xstefaland
    >>> from xstefaland.testing import example_points, tiny_weights
    >>> ds, weights = example_points(), tiny_weights()
    >>> dict(xstefaland.embed(ds, weights=weights).sizes)
    {'site': 6, 'time': 1200, 'embedding': 16}
    >>> yearly = xstefaland.embed(ds, weights=weights, pool="year")
    >>> yearly.year.values.tolist()
    [2000, 2001, 2002, 2003, 2004]
    """
    if pool not in (None, "mean", "year", "static"):
        raise InputError(
            f"pool={pool!r} is not possible; use None, 'mean', 'year' or 'static'."
        )
    settings = Settings.current(batch_size, device, precision, causal, max_gap)
    _check_missing_by(missing_by)
    encoder, asked = plan_encoder(weights)
    require_reading(causal, encoder)
    hints = Hints.of(rename, units, latitude, climate, causal)
    prepared = prepare(ds, asked, hints)
    ask = AskEmbedding.of(encoder, settings, pool, missing_by)
    (answer,) = ask.answer(ds, prepared).values()
    extra = ask.quality(prepared)
    if pool == "year":
        years = lazy.years_of(prepared.time)
        attrs = {"long_name": "calendar year"}
        extra["year"] = xr.Variable("year", years, attrs)
    return labels.labelled(
        ds,
        prepared,
        answer,
        name="embedding",
        attrs={
            **labels.describe_embedding(encoder, pool),
            "history": labels.history(ds, f"embed(pool={pool!r}) with {encoder.name}"),
        },
        extra=extra,
    )


@overload
def predict(
    ds: xr.Dataset,
    target: str,
    *,
    head: WeightsLike | None = ...,
    weights: WeightsLike | None = ...,
    quantiles: Sequence[float] | None = ...,
    embeddings: xr.DataArray | None = ...,
    rename: Names = ...,
    units: Names = ...,
    latitude: Latitude | None = ...,
    climate: Climate | None = ...,
    causal: bool = ...,
    max_gap: int | None = ...,
    missing_by: MissingBy = ...,
    batch_size: BatchSize = ...,
    device: str | None = ...,
    precision: str | None = ...,
) -> xr.DataArray: ...


@overload
def predict(
    ds: xr.Dataset,
    target: list[str] | tuple[str, ...],
    *,
    head: WeightsLike | None = ...,
    weights: WeightsLike | None = ...,
    quantiles: Sequence[float] | None = ...,
    embeddings: xr.DataArray | None = ...,
    rename: Names = ...,
    units: Names = ...,
    latitude: Latitude | None = ...,
    climate: Climate | None = ...,
    causal: bool = ...,
    max_gap: int | None = ...,
    missing_by: MissingBy = ...,
    batch_size: BatchSize = ...,
    device: str | None = ...,
    precision: str | None = ...,
) -> xr.Dataset: ...


def predict(
    ds: xr.Dataset,
    target: str | list[str] | tuple[str, ...],
    *,
    head: WeightsLike | None = None,
    weights: WeightsLike | None = None,
    quantiles: Sequence[float] | None = None,
    embeddings: xr.DataArray | None = None,
    rename: Names = None,
    units: Names = None,
    latitude: Latitude | None = None,
    climate: Climate | None = None,
    causal: bool = False,
    max_gap: int | None = MAX_GAP,
    missing_by: MissingBy = "site",
    batch_size: BatchSize = "auto",
    device: str | None = None,
    precision: str | None = None,
) -> xr.DataArray | xr.Dataset:
    """Predict one target or several at every site.

    Parameters
    ----------
    ds : xarray.Dataset
        Daily forcing (dims ``time`` and those of the sites) and site attributes. For
        static targets it may be without time, where the head allows it.
    target : str or list of str
        Such as ``"streamflow"``; ``xstefaland.weights.list()`` names all.
    head : str, path or Weights, optional
        Name, sort (``"resconn"``) or file of the head, for all targets; default: each
        target's entry in the registry.
    weights : str, path or Weights, optional
        The encoder; default: the one that the head was trained on.
    quantiles : sequence of float, optional
        Levels, of those the head was trained for; adds the dim ``quantile``.
    embeddings : xarray.DataArray, optional
        Of heads that were trained on embeddings of others: those of these sites, dims
        ``(site, embedding)`` or ``(site, time, embedding)``, see
        :func:`xstefaland.inputs.external.aligned`. A site without one is NaN.
    rename, units, latitude, climate, causal, max_gap, missing_by
        As in :func:`embed`.
    batch_size, device, precision
        As in :func:`embed`. Heads always work in float32.

    Returns
    -------
    xarray.DataArray or xarray.Dataset
        A string gives a DataArray, a list a Dataset. Dims and coordinates are the
        input's; static targets have no ``time``. Values count from the first day on
        (attribute `spinup_days`). A site without a required input is NaN. Coordinates
        are added: `fraction_missing`, `values_rejected` (fill values and values beyond
        the valid range), and `fraction_filled` where HBV's weather had gaps, which
        are filled by the season.

    Raises
    ------
    UnknownTargetError
        For targets that no head predicts; those that exist are listed.
    InputError
        With everything that is wrong with the Dataset.
    MissingVariableError
        When a required input is missing.
    WeightsError
        When head and encoder do not belong together, or a file cannot be used.

    Examples
    --------
    >>> import xstefaland
    >>> from xstefaland.testing import example_points, tiny_head, tiny_weights
    >>> ds, weights = example_points(), tiny_weights()
    >>> head = tiny_head(weights, ["streamflow", "soil_moisture"])
    >>> flow = xstefaland.predict(ds, "streamflow", head=head, weights=weights)
    >>> flow.dims, flow.attrs["units"]
    (('site', 'time'), 'mm d-1')
    >>> both = ["streamflow", "soil_moisture"]
    >>> list(xstefaland.predict(ds, both, head=head, weights=weights).data_vars)
    ['streamflow', 'soil_moisture']
    """
    targets = _listed(target)
    settings = Settings.current(batch_size, device, precision, causal, max_gap)
    _check_missing_by(missing_by)
    plans = plan_predictions(targets, head, weights, causal=causal)
    _require_reading(causal, plans)
    asks = [AskTargets.of(plan, settings, quantiles, missing_by) for plan in plans]
    hints = Hints.of(rename, units, latitude, climate, causal)
    given = _with_external(ds, embeddings, plans)
    ready = [prepare(given, plan.requirements, hints) for plan in plans]
    parts: dict[str, xr.DataArray] = {}
    for plan, ask, prepared in zip(plans, asks, ready, strict=True):
        parts |= _labelled_targets(ds, plan, prepared, ask, quantiles)
    past = labels.history(ds, f"predict({target!r})")
    if isinstance(target, str):
        return parts[target].assign_attrs(history=past)
    chosen = [parts[name] for name in targets]
    made = labels.made_by(plans[0].encoder) if len(plans) == 1 else {}
    return labels.merged(ds, chosen, {**made, "history": past})


def reconstruct(
    ds: xr.Dataset,
    *,
    weights: WeightsLike | None = None,
    add: bool = False,
    rename: Names = None,
    units: Names = None,
    latitude: Latitude | None = None,
    climate: Climate | None = None,
    batch_size: BatchSize = "auto",
    device: str | None = None,
    precision: str | None = None,
) -> xr.Dataset:
    """Fill gaps in forcing and attributes with what the model expects there.

    Parameters
    ----------
    ds : xarray.Dataset
        As in :func:`embed`.
    weights : str, path or Weights, optional
        The encoder; default: the registry's.
    add : bool
        Add the variables that the model knows and the Dataset lacks, under their
        canonical names.
    rename, units, latitude, climate, batch_size, device, precision
        As in :func:`embed`.

    Returns
    -------
    xarray.Dataset
        The Dataset's own forcings and attributes that the model knows, under their
        own names, in their own units and dims, with gaps filled; observed values are
        those of the input, bit for bit. A gap is NaN, an infinity, or a number that
        the attributes ``_FillValue`` or ``missing_value`` name. Integers stay as they
        are, and so do sites without any forcing value. For each follows a CF flag
        variable, ``<name>_flag`` (not for integers): 0 given, 1 reconstructed,
        2 missing.

    Raises
    ------
    InputError
        With everything that is wrong with the Dataset.

    Notes
    -----
    A day that the time axis leaves out is not added; reindex the Dataset for that.

    Examples
    --------
    >>> import xstefaland
    >>> from xstefaland.testing import example_points, tiny_weights
    >>> ds, weights = example_points(), tiny_weights()
    >>> gappy = ds.assign(temperature=ds.temperature.where(ds.temperature > 0))
    >>> filled = xstefaland.reconstruct(gappy, weights=weights)
    >>> bool(filled.temperature.isnull().any())
    False
    >>> int((filled.temperature_flag == 1).sum() - gappy.temperature.isnull().sum())
    0
    """
    settings = Settings.current(batch_size, device, precision)
    encoder, asked = plan_encoder(weights, fills=True)
    hints = Hints.of(rename, units, latitude, climate)
    prepared = prepare(ds, asked, hints)
    ask = AskReconstruction.of(encoder, settings, add)
    past = labels.history(ds, f"reconstruct() with {encoder.name}")
    attrs = {**ds.attrs, **labels.made_by(encoder), "history": past}
    out = labels.framed(ds, ask.answer(ds, prepared))
    return out.assign_coords(ask.quality(prepared)).assign_attrs(attrs)


def _advised(found: Examination, spinup_days: int) -> Report:
    """Add to a report what speaks against answers."""
    report = found.report
    if get_options()["validation"] == "ignore":
        return report
    warnings = [*report.warnings, *advice(found, spinup_days)]
    return replace(report, warnings=warnings)


def _status(found: Examination, causal: bool) -> dict[str, str]:
    """Say of each target whose head is at hand whether its inputs are there."""
    out: dict[str, str] = {}
    for head in default_heads(causal):
        lacking = found.lacking(head.required)
        status = f"needs {' and '.join(lacking)}" if lacking else READY
        if not lacking and 0 < len(found.days) < head.spinup_days:
            status += f", from less than the {head.spinup_days} days of a spin-up"
        out |= dict.fromkeys(head.default_for, status)
    return out


def _listed(target: str | Sequence[str]) -> list[str]:
    """Targets as a list without repetition; anything but names is refused."""
    if isinstance(target, str):
        return [target]
    targets: list[Any] = list(target) if isinstance(target, list | tuple) else []
    if not targets or not all(isinstance(name, str) for name in targets):
        raise InputError(
            f"target={target!r} is not possible; pass a name such as 'streamflow', or "
            "a list of names."
        )
    return list(dict.fromkeys(targets))


def _require_reading(causal: bool, plans: Sequence[HeadGroup]) -> None:
    """Refuse plans whose encoder or heads were not trained to read as is asked."""
    for plan in plans:
        require_reading(causal, plan.encoder, *(h.weights for h in plan.heads))


def _check_missing_by(missing_by: object) -> None:
    """Refuse anything but the two ways to tell what was missing."""
    if missing_by not in ("site", "day"):
        raise InputError(
            f"missing_by={missing_by!r} is not possible; use 'site' or 'day'."
        )


def _with_external(
    ds: xr.Dataset, embeddings: xr.DataArray | None, plans: Sequence[HeadGroup]
) -> xr.Dataset:
    """Add the embeddings of others that heads read, or say what does not fit."""
    wanted = {
        (found.width, found.daily): (
            f"'{head.weights.name}' was trained on {found.name}, width {found.width}, "
            + ("with `time`" if found.daily else "without `time`")
        )
        for plan in plans
        for head in plan.heads
        if (found := head.weights.card.external) is not None
    }
    if embeddings is None:  # they may be columns of the Dataset already
        if wanted and columns(1)[0] not in ds:
            raise InputError(
                f"{'; '.join(wanted.values())}: pass those of these sites, "
                "embeddings=DataArray with dims (site, embedding) or (site, time, "
                "embedding)"
            )
        return ds
    given = with_embeddings(ds, embeddings)
    width = len([name for name in columns(MOST) if name in given])
    daily = "time" in embeddings.dims
    lacking = [text for key, text in wanted.items() if key != (width, daily)]
    if lacking or not wanted:
        reads = "; ".join(lacking) or "no head that answers reads any: leave it out"
        raise InputError(
            f"embeddings= with dims {embeddings.dims} and width {width} do not fit: "
            f"{reads}."
        )
    return given


def _labelled_targets(
    ds: xr.Dataset,
    plan: HeadGroup,
    prepared: Prepared,
    ask: AskTargets,
    quantiles: Sequence[float] | None,
) -> dict[str, xr.DataArray]:
    """Give each answer of a plan the name and attributes of its target."""
    answers, extra = ask.answer(ds, prepared), ask.quality(prepared)
    if quantiles is not None:
        attrs = {"long_name": "quantile of the prediction", "units": "1"}
        extra[lazy.QUANTILE] = xr.Variable(lazy.QUANTILE, list(quantiles), attrs)
    out = {}
    for head in plan.heads:
        specs: dict[str, Any] = {s.name: s for s in head.weights.card.targets}
        for name in head.targets:
            attrs = labels.describe_target(specs[name], plan.encoder, head.weights)
            out[name] = labels.labelled(
                ds, prepared, answers[name], name=name, attrs=attrs, extra=extra
            )
    return out
