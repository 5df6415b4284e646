"""Heads that have a name, in one table, and what each is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xstefaland.errors import InputError
from xstefaland.model import HeadConfig
from xstefaland.model.physics import FLUXES
from xstefaland.model.process import AVERAGES, CHANNELS, WEATHER

KINDS = ("resconn", "no_resconn", "lstm", "linear")
OTHERS = (
    "resconn_additive",
    "dlinear",
    "informer",
    "reformer",
    "transformer",
    "direct",
)
"""Forms that others compare with; given the same inputs."""

STRONG: dict[str, Any] = {"channels": CHANNELS, "place": True}
"""Moving averages, the landscape library, season and latitude."""

CLIMATE = (
    "p_mean",
    "pet_mean",
    "aridity",
    "p_seasonality",
    "frac_snow",
    "temperature_mean",
)
"""Attributes that follow from the weather."""

LEVEL_ATTRIBUTES = (*CLIMATE, "sand", "clay", "soil_porosity")
"""What the level of soil moisture may depend on: climate from the weather, texture."""

HEADS: dict[str, dict[str, Any]] = {
    **{kind: {"kind": kind, **STRONG} for kind in KINDS},
    **{f"{kind}-hbv": {"kind": kind, "physics": "hbv", **STRONG} for kind in KINDS},
    "lstm-averages": {"kind": "lstm", "channels": AVERAGES, "place": True},
    **{f"{kind}-plain": {"kind": kind} for kind in KINDS},
    **{kind: {"kind": kind, **STRONG} for kind in OTHERS},
    **{
        f"{kind}-anomaly": {
            "kind": kind,
            "form": "anomaly",
            "attributes": LEVEL_ATTRIBUTES,
        }
        for kind in ("lstm", "resconn")
    },
}
"""Name -> entries of :class:`~xstefaland.model.HeadConfig`; the other entries are what
the data have. "plain" ones see neither channels nor the place."""

DEFAULT = "resconn"

TELLING: dict[str, Any] = {
    "kind": "resconn",
    "physics": None,
    "form": "direct",
    "channels": (),
    "place": False,
}
"""Entries that tell one system from another, and what they are where none is given."""


def entries_of(
    head: str | Mapping[str, Any],
    target: str,
    forcing: Sequence[str],
    attributes: Sequence[str],
) -> dict[str, Any]:
    """Look up what a head is made of, less the inputs that the data lack.

    Parameters
    ----------
    head : str or mapping
        A name of :data:`HEADS`, or entries of a HeadConfig that differ from those of
        :data:`DEFAULT`. What such a mapping states stays as it is.
    target : str
        What is trained.
    forcing, attributes : sequence of str
        Inputs that there are.

    Returns
    -------
    dict
        Entries of a HeadConfig: its form, inputs and targets.

    Raises
    ------
    InputError
        For a name that is not in the table.
    """
    name = head if isinstance(head, str) else DEFAULT
    given = {} if isinstance(head, str) else dict(head)
    if name not in HEADS:
        raise InputError(
            f"head={name!r} is not possible; use {', '.join(map(repr, HEADS))}, or a "
            "dict of entries of HeadConfig"
        )
    entries = {"forcing": tuple(forcing), "attributes": attributes, **HEADS[name]}
    entries["attributes"] = tuple(n for n in entries["attributes"] if n in attributes)
    if not set(WEATHER) <= set(given.get("forcing", forcing)):
        entries.pop("channels", None)
    if not forcing:  # without weather there is no season
        entries.pop("place", None)
    entries |= given
    others = tuple(name for name in FLUXES if name != target)
    entries.setdefault("targets", (target, *(others if entries.get("physics") else ())))
    return entries


def form_of(config: HeadConfig) -> str:
    """Name the system of a head, or the nearest one.

    Examples
    --------
    >>> form_of(HeadConfig(targets=("a",), forcing=(), attributes=(), kind="lstm"))
    'lstm-plain'
    """
    own = {entry: getattr(config, entry) for entry in TELLING}
    for name, entries in HEADS.items():
        if own == {entry: entries.get(entry, TELLING[entry]) for entry in TELLING}:
            return name
    return config.kind + ("-hbv" if config.physics else "")
