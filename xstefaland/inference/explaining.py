"""Explaining: what an answer leans on, by hiding one group of inputs at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import xarray as xr

from xstefaland.errors import InputError
from xstefaland.inference import labels, lazy
from xstefaland.inference.asks import PHYSICS_FORCING
from xstefaland.inference.batches import BatchSize
from xstefaland.inference.gaps import MAX_GAP
from xstefaland.inference.lazy import Settings
from xstefaland.inference.loaded import Reference
from xstefaland.inference.plans import HeadGroup, plan_predictions, require_reading
from xstefaland.inputs.hints import Climate, Hints, Latitude
from xstefaland.inputs.prepare import Prepared, prepare
from xstefaland.weights.opening import WeightsLike

Names = Mapping[str, str] | None
By = Literal["group", "variable"]
HIDDEN = "hidden"


def explain(
    ds: xr.Dataset,
    target: str,
    *,
    by: By = "group",
    head: WeightsLike | None = None,
    weights: WeightsLike | None = None,
    rename: Names = None,
    units: Names = None,
    latitude: Latitude | None = None,
    climate: Climate | None = None,
    causal: bool = False,
    max_gap: int | None = MAX_GAP,
    batch_size: BatchSize = "auto",
    device: str | None = None,
    precision: str | None = None,
) -> xr.DataArray:
    """Say how an answer changes when each input is hidden from the model.

    Parameters
    ----------
    ds : xarray.Dataset
        As in :func:`xstefaland.predict`.
    target : str
        What is predicted.
    by : {"group", "variable"}
        Hide attributes by group (climate, topography, soil, ...) or one by one;
        forcings are hidden one by one.
    head, weights, rename, units, latitude, climate, causal, max_gap
        As in :func:`xstefaland.predict`.
    batch_size, device, precision
        As in :func:`xstefaland.predict`.

    Returns
    -------
    xarray.DataArray
        The answer without the input minus the answer with all of them, in the
        target's units: the dims of the answer, then `hidden`, with the names of what
        was hidden; lazy where the input is. The attribute ``not_hidden`` names the
        forcings that no answer can do without.

    Raises
    ------
    UnknownTargetError, InputError, MissingVariableError, WeightsError
        As :func:`xstefaland.predict`; an InputError also where nothing can be hidden.

    See Also
    --------
    xstefaland.plotting.explanation : The same as bars.

    Notes
    -----
    The models were trained with inputs hidden, so a hidden one is nothing new to them.
    What is derived from it (PET from temperature, climate from precipitation) stays,
    and inputs that say the same stand in for each other: the changes do not add up.
    The model runs once for each name in `hidden`, and once with all inputs.

    Examples
    --------
    >>> import xstefaland
    >>> from xstefaland.testing import example_points, tiny_head, tiny_weights
    >>> ds, weights = example_points(), tiny_weights()
    >>> head = tiny_head(weights)
    >>> change = xstefaland.explain(ds, "streamflow", head=head, weights=weights)
    >>> change.dims
    ('site', 'time', 'hidden')
    >>> change.hidden.values.tolist()
    ['shortwave_radiation', 'topography', 'soil', 'vegetation']
    >>> change.attrs["not_hidden"]
    'precipitation, temperature'
    """
    _check(target, by)
    settings = Settings.current(batch_size, device, precision, causal, max_gap)
    (plan,) = plan_predictions([target], head, weights, causal=causal)
    require_reading(causal, plan.encoder, *(h.weights for h in plan.heads))
    hints = Hints.of(rename, units, latitude, climate, causal)
    prepared = prepare(ds, plan.requirements, hints)
    groups, kept = _choices(prepared, by, _needed(plan))
    if not groups:
        raise InputError(
            f"nothing can be hidden: the Dataset has no input besides {', '.join(kept)}"
            ", which no answer can do without"
        )
    full = _answer(plan, prepared, settings)
    changes = [
        _answer(plan, _without(prepared, names), settings) - full
        for names in groups.values()
    ]
    what = {"long_name": "input that was hidden"}
    return labels.labelled(
        ds,
        prepared,
        _together(changes),
        name=f"{target}_change",
        attrs={
            **_describe(plan, target),
            "not_hidden": ", ".join(kept),
            "history": labels.history(ds, f"explain({target!r}, by={by!r})"),
        },
        extra={HIDDEN: xr.Variable(HIDDEN, list(groups), what)},
    )


def _check(target: object, by: object) -> None:
    """Refuse several targets and unknown ways to group, both in one error."""
    problems = []
    if not isinstance(target, str):
        problems.append(f"target={target!r} is not possible; pass one name")
    if by not in ("group", "variable"):
        problems.append(f"by={by!r} is not possible; use 'group' or 'variable'")
    if problems:
        raise InputError("; ".join(problems))


def _needed(plan: HeadGroup) -> list[Sequence[str]]:
    """Of each choice one variable must stay; a physical model needs all of its own."""
    own = [(name,) for name in PHYSICS_FORCING] if plan.physics else []
    return [*plan.requirements.required, *own]


def _choices(
    prepared: Prepared, by: By, needed: Iterable[Sequence[str]]
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Name the groups that can be hidden, with their variables, and what has to stay.

    What the Dataset lacks is in none.
    """
    found = prepared.examination
    there = {name for name, origin in found.origins.items() if origin.available}
    groups: dict[str, list[str]] = {}
    for variable in found.requirements.variables:
        whole = by == "group" and variable in found.requirements.attributes
        key = (variable.group or "other attributes") if whole else variable.name
        if variable.name in there:
            groups.setdefault(key, []).append(variable.name)
    last = {n for choice in needed for n in choice if set(choice) & there == {n}}
    kept = [key for key, names in groups.items() if last & set(names)]
    return {k: tuple(names) for k, names in groups.items() if k not in kept}, kept


def _without(prepared: Prepared, names: Sequence[str]) -> Prepared:
    """Take variables away: they are missing, and a masked model knows what that is."""
    asked, assembly = prepared.examination.requirements, prepared.assembly
    forcing, attributes = (
        tuple(
            None if variable.name in names else column
            for variable, column in zip(variables, columns, strict=True)
        )
        for variables, columns in (
            (asked.forcing, assembly.forcing),
            (asked.attributes, assembly.attributes),
        )
    )
    return replace(
        prepared, assembly=replace(assembly, forcing=forcing, attributes=attributes)
    )


def _answer(plan: HeadGroup, inputs: Prepared, settings: Settings) -> xr.Variable:
    """Answer for the one target; lazy where the inputs are."""
    encoder = Reference.of(plan.encoder)
    return lazy.predict(inputs, encoder, plan.tasks(None), settings)[0]


def _together(changes: Sequence[xr.Variable]) -> xr.Variable:
    """Stack the changes along a new dim, which comes first here."""
    out: xr.Variable = xr.Variable.concat(changes, HIDDEN)  # type: ignore[no-untyped-call]
    return out


def _describe(plan: HeadGroup, target: str) -> dict[str, str]:
    """Return units, name and makers of a change; it is no standard quantity of CF."""
    head = plan.heads[0].weights
    spec = next(spec for spec in head.card.targets if spec.name == target)
    what = (spec.long_name or target.replace("_", " ")).lower()
    return {
        "units": spec.units,
        "long_name": f"change of {what} when an input is hidden",
        **labels.made_by(plan.encoder, head),
    }
