"""Combine heads into one file whose answer is the mean of theirs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from xstefaland.errors import WeightsError, join_problems
from xstefaland.weights.card import Card, EncoderReference
from xstefaland.weights.files import Weights, save
from xstefaland.weights.members import (
    ANSWER,
    LEVEL,
    Band,
    Member,
    joined_inputs,
    joined_quantiles,
)
from xstefaland.weights.network import MEMBERS
from xstefaland.weights.opening import WeightsLike, load
from xstefaland.weights.targets import TargetSpec

if TYPE_CHECKING:
    from torch import Tensor

Item = TypeVar("Item")


def combine(
    heads: Sequence[WeightsLike],
    out: str | os.PathLike[str],
    *,
    level: Sequence[WeightsLike] = (),
    name: str | None = None,
    targets: Sequence[str] | None = None,
    bands: Sequence[Band] = (),
    dtype: Literal["float32", "float16"] = "float32",
    **entries: Any,
) -> Weights:
    """Write one weights file that holds several heads.

    :func:`xstefaland.predict` gives the mean of their answers, from one run of the
    encoder; quantiles are averaged level by level, then corrected by the bands.

    Parameters
    ----------
    heads : sequence of str, path or Weights
        One head or more. They may differ in kind, inputs and seed, and must share
        encoder (those that read none take part with any), units, limits and quantiles;
        a head without quantiles counts as its answer at every level. The members of
        an ensemble take part one by one, without its bands.
    out : path
        The file to write.
    level : sequence of str, path or Weights
        Heads that do not answer: at each site the mean of their answers over the days
        takes the place of that of the others. For soil moisture, whose level a network
        without attributes knows best (`benchmarks/results/weights.md`), of one target,
        and for predictions that may know days to come.
    name : str, optional
        Name of the weights; default: that of the file.
    targets : sequence of str, optional
        What to predict; default: all that every head predicts. Several targets of one
        balance can come from physical heads alone, so that their mean balances too.
    bands : sequence of Band
        Corrections of the quantiles, fitted on answers of these heads combined
        (:func:`xstefaland.training.conformal.fit_band`).
    dtype : {"float32", "float16"}
        Storage, as in :func:`~xstefaland.weights.save`.
    **entries
        Further entries of the :class:`~xstefaland.weights.Card`, such as `skill`,
        `failures`, `command`, `doi`, `metrics`.

    Returns
    -------
    Weights
        The written file.

    Raises
    ------
    WeightsError
        When the heads do not go together; every reason at once.

    Notes
    -----
    What an input must be given for is what any member needs; what is hidden from any
    is hidden from all. Sites count as left out when no member was trained on them.

    Examples
    --------
    >>> import xstefaland
    >>> from xstefaland.testing import example_points, tiny_head, tiny_weights
    >>> encoder = tiny_weights()
    >>> heads = [tiny_head(encoder, seed=seed) for seed in (1, 2)]
    >>> both = combine(heads, encoder.path.with_name("both.safetensors"))
    >>> both.name, len(both.members)
    ('both', 2)
    >>> ds = example_points(2, 400)
    >>> flow = xstefaland.predict(ds, "streamflow", head=both, weights=encoder)
    >>> dict(flow.sizes)
    {'site': 2, 'time': 400}
    """
    opened = [load(head) for head in (*heads, *level)]
    problems = _problems(opened, targets)
    first = len(opened) - len(level)
    members = [
        _member(network, LEVEL if number >= first else None)
        for number, head in enumerate(opened)
        for network in head.card.networks
    ]
    inputs = {k: joined_inputs(members, k, problems) for k in ("forcing", "attributes")}
    if problems:
        raise WeightsError(join_problems("the heads cannot be combined", problems))
    cards = [head.card for head in opened]
    together: dict[str, Any] = {
        "kind": "head",
        "name": name or Path(out).stem,
        "config": {},
        **inputs,
        "encoder": _encoder(cards),
        "targets": _targets(cards, targets),
        "members": tuple(members),
        "bands": tuple(bands),
        "required": _once(choice for card in cards for choice in card.required),
        "masked_inputs": _once(
            hidden for card in cards for hidden in card.masked_inputs
        ),
        "readings": _common([card.readings for card in cards]),
        "static": cards[0].static,
        "quantiles": joined_quantiles(members),
        "spinup_days": cards[0].spinup_days,
        "training": {"data": _data(cards)},
        "left_out": _common([card.left_out for card in cards]),
        "licence": " AND ".join(_once(card.licence for card in cards)),
    }
    return save(out, _tensors(opened), Card(**together | entries), dtype)


def _problems(heads: Sequence[Weights], targets: Sequence[str] | None) -> list[str]:
    """Tell why heads do not go together, beside what their members would tell."""
    if not heads:
        return ["there are none; pass one or more"]
    wrong = [head.name for head in heads if head.kind != "head"]
    if wrong:
        return [f"{wrong} are encoders"]
    cards, problems = [head.card for head in heads], []
    encoders = {r.sha256: r.name for card in cards if (r := _reference(card))}
    if len(encoders) > 1:
        problems.append(f"they read several encoders: {encoders}")
    if not _targets(cards, targets):
        problems.append("they have no target in common")
    lacking = sorted(set(targets or ()) - {t.name for t in _targets(cards, None)})
    if lacking:
        problems.append(f"not all of them predict {lacking}")
    if not _common([card.readings for card in cards]):
        problems.append(f"they read in different ways: {[c.readings for c in cards]}")
    for entry in ("static", "spinup_days"):
        if len({getattr(card, entry) for card in cards}) > 1:
            problems.append(f"they differ in `{entry}`")
    return problems


def _member(network: Card | Member, role: str | None) -> Member:
    """Take from a card what a member needs; its role stays unless another is said."""
    had = network.role if isinstance(network, Member) else ANSWER
    training = {k: v for k, v in network.training.items() if k != "data"}
    entries = ("name", "config", "forcing", "attributes", "targets")
    own = {entry: getattr(network, entry) for entry in entries}
    return Member(**own, training=training, role=role or had)


def _tensors(heads: Sequence[Weights]) -> dict[str, Tensor]:
    """Put the tensors of all networks side by side."""
    out, count = {}, 0
    for head in heads:
        first = count
        count += len(head.card.networks)
        for key, tensor in head.tensors().items():
            number = 0
            if head.card.members:
                _, place, key = key.split(".", 2)
                number = int(place)
            out[f"{MEMBERS}.{first + number}.{key}"] = tensor
    return out


def _reference(card: Card) -> EncoderReference | None:
    """Return the encoder of a head, None where none of its networks reads it."""
    reads = any(network.config.get("kind") != "lstm" for network in card.networks)
    return card.encoder if reads else None


def _encoder(cards: Sequence[Card]) -> EncoderReference | None:
    """Return the one encoder that is read."""
    return next((found for card in cards if (found := _reference(card))), None)


def _targets(
    cards: Sequence[Card], names: Sequence[str] | None
) -> tuple[TargetSpec, ...]:
    """Return what every head predicts, as the first one says it; of these, `names`."""
    shared = _common([[spec.name for spec in card.targets] for card in cards])
    known = {spec.name: spec for spec in cards[0].targets}
    return tuple(known[name] for name in names or shared if name in shared)


def _data(cards: Sequence[Card]) -> list[Any]:
    """List the data of all heads, each once."""
    every = [entry for card in cards for entry in card.training.get("data", [])]
    return [entry for index, entry in enumerate(every) if entry not in every[:index]]


def _once(items: Iterable[Item]) -> tuple[Item, ...]:
    """Items in their order, without repetition."""
    return tuple(dict.fromkeys(items))


def _common(groups: Sequence[Sequence[Item]]) -> tuple[Item, ...]:
    """Return the items of the first group that all others have."""
    return tuple(x for x in groups[0] if all(x in group for group in groups[1:]))
