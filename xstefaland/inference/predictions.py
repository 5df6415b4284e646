"""Predictions: plain arrays of some sites through encoder and heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xstefaland.errors import InputError
from xstefaland.inference.batches import in_batches
from xstefaland.inference.blocks import Block, Encoder, Floats
from xstefaland.inference.loaded import Reference

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Ceiling:
    """An upper limit of a target that is each site's own.

    Parameters
    ----------
    target : int
        Column of the head's answer.
    attribute : int or None
        Column of the block's attributes that holds the limit, such as the porosity for
        soil moisture.
    value : float
        The limit of sites whose attribute is missing.
    """

    target: int
    attribute: int | None
    value: float


@dataclass(frozen=True)
class ExternalColumns:
    """Embeddings of others, in columns of the block.

    Parameters
    ----------
    columns : tuple of int
        Of the block's forcing where `daily`, else of its attributes.
    daily : bool
        Whether they change with time.
    """

    columns: tuple[int, ...]
    daily: bool

    def of(self, block: Block) -> Floats:
        """Take them out ``(site, time, width)``; a gap has the last one before it."""
        if self.daily:
            return _without_gaps(block.forcing[..., list(self.columns)])
        values = block.attributes[:, None, list(self.columns)]
        return np.repeat(values, max(block.days, 1), 1)


@dataclass(frozen=True)
class HeadTask:
    """What to ask of one head.

    Parameters
    ----------
    reference : Reference
        Its weights.
    forcing, attributes : tuple of int
        Columns of the block that it takes, in its order.
    targets : tuple of int
        Columns of its answer that are wanted.
    levels : tuple of int or int or None
        Quantiles that are wanted: some, one (no axis in the answer), or a head
        without quantiles.
    static : bool
        The answer has no time.
    spinup_days : int
        Days that are run before the first one counts; none where days must not know
        of later ones.
    ceilings : tuple of Ceiling
        Upper limits beside the head's own; sequence heads only.
    ensemble : bool
        The head is an :class:`~xstefaland.model.Ensemble`, which gives its answer, or
        its levels when asked for them.
    external : ExternalColumns or None
        What it reads in place of the encoder's embedding.
    """

    reference: Reference
    forcing: tuple[int, ...]
    attributes: tuple[int, ...]
    targets: tuple[int, ...]
    levels: tuple[int, ...] | int | None = None
    static: bool = False
    spinup_days: int = 365
    ceilings: tuple[Ceiling, ...] = ()
    ensemble: bool = False
    external: ExternalColumns | None = None

    @property
    def quantiles(self) -> int | None:
        """Length of the answer's quantile axis, None where there is none."""
        return len(self.levels) if isinstance(self.levels, tuple) else None


def predict_block(
    encoder: Encoder,
    heads: Sequence[tuple[Any, HeadTask]],
    block: Block,
    *,
    causal: bool = False,
    max_gap: int | None = None,
) -> list[Floats]:
    """Predict for some sites; the encoder runs once for all heads.

    Parameters
    ----------
    encoder : Encoder
        The encoder and its settings. It takes the block's first columns.
    heads : sequence of (Module, HeadTask)
        Networks in place, and what to ask of them.
    block : Block
        Inputs, with the heads' own columns after those of the encoder.
    causal : bool
        Whether a day's answer depends on the attributes and the days up to it alone,
        see :func:`~xstefaland.inference.blocks.embed_block`. States start cold: there
        is no spin-up, as its days are later than the first one.
    max_gap : int or None
        Days from observed weather, as the block requires it, up to which there is an
        answer, see :func:`~xstefaland.inference.gaps.near_weather`.

    Returns
    -------
    list of ndarray
        One per head and target: ``(site, time)``, static ones ``(site,)``, with the
        quantiles last. Sites without any forcing value are NaN, and with `causal` days
        before all that is required was observed; for static targets, sites without any
        value at all.

    Raises
    ------
    InputError
        For a head that cannot answer causally.
    """
    if causal:
        _require_causal(heads)
    static = all(task.static for _, task in heads)
    sites = _sites_with_values(block) if static else block.with_forcing()
    out = [
        np.full(_shape(task, block), np.nan, np.float32)
        for _, task in heads
        for _ in task.targets
    ]
    near = _weather(block, encoder, heads).near_weather(max_gap, causal)
    for chosen in encoder.in_parts(sites, block.days):
        answers = _predict_sites(encoder, heads, block.take(chosen), static, causal)
        for array, answer in zip(out, answers, strict=True):
            array[chosen] = answer
    for array in out:
        if array.shape[:2] == near.shape and not static:
            array[~near] = np.nan
    return out


def _weather(
    block: Block, encoder: Encoder, heads: Sequence[tuple[Any, HeadTask]]
) -> Block:
    """Leave embeddings of others out: they may change once a year, and have no gaps."""
    daily = [t.external for _, t in heads if t.external and t.external.daily]
    others = {column for each in daily for column in each.columns}
    if required := tuple(g for g in block.required if not others & {*g}):
        return replace(block, required=required)
    own = block.forcing[..., : len(encoder.model.config.forcing)]
    return replace(block, forcing=own, required=())


def _require_causal(heads: Sequence[tuple[Any, HeadTask]]) -> None:
    """Refuse heads whose answer of a day needs the days after it."""
    names = [
        task.reference.name for head, task in heads if not head.config.causal_possible
    ]
    if names:
        raise InputError(
            f"heads {names} need a site's whole record for each of its days (HBV's "
            "constant parameters and the adapters 'conv' and 'attention' do); use "
            "causal=False, or another head."
        )


def _sites_with_values(block: Block) -> NDArray[np.intp]:
    """Return the sites that have a forcing or an attribute."""
    by_forcing = np.isfinite(block.forcing).any((1, 2))
    return np.flatnonzero(by_forcing | np.isfinite(block.attributes).any(1))


def _shape(task: HeadTask, block: Block) -> tuple[int, ...]:
    """Return the shape of a target's answer."""
    days = () if task.static else (block.days,)
    levels = () if task.quantiles is None else (task.quantiles,)
    return (block.sites, *days, *levels)


def _predict_sites(
    encoder: Encoder,
    heads: Sequence[tuple[Any, HeadTask]],
    block: Block,
    static: bool,
    causal: bool,
) -> list[Floats]:
    """Embed some sites and run all heads over them."""
    config = encoder.model.config
    own = Block(
        block.forcing[..., : len(config.forcing)],
        block.attributes[..., : len(config.attributes)],
        block.latitude,
        block.day_of_year,
    )
    begun = _weather(block, encoder, heads).begun()
    if block.days == 0:  # no weather at all: the static token stands for the record
        embedding = encoder.embedding(own, "static", everywhere=True, causal=causal)
        embedding = embedding[:, None]
        block = block.first_days(1)
    elif not any(head.config.embeds and not task.external for head, task in heads):
        embedding = encoder.tensor(np.zeros((block.sites, 1, 1)))
    else:  # causal: a NaN before the first weather would never leave a head's state
        whole = static or causal
        embedding = encoder.embedding(own, everywhere=whole, causal=causal)
    answers = []
    for head, task in heads:
        given = embedding
        if task.external is not None:
            given = encoder.tensor(task.external.of(block))
        for answer in _run_head(encoder, head, task, given, block, causal):
            if causal and not task.static:
                answer[~begun] = np.nan
            answers.append(answer)
    return answers


def _run_head(
    encoder: Encoder,
    head: Any,
    task: HeadTask,
    embedding: Tensor,
    block: Block,
    causal: bool,
) -> list[Floats]:
    """Run one head over whole records; return one array per wanted target."""
    import torch

    def run(rows: slice) -> Floats:
        """Answer for some of the sites, fewer where memory does not hold all."""
        attributes = block.attributes[rows]
        more: dict[str, Any] = {}
        if task.ensemble and task.levels is not None:
            more["levels"] = True
        if task.ceilings:
            limits = _ceilings(task, len(head.config.targets), attributes)
            more["maximum"] = encoder.tensor(limits)
        with torch.inference_mode():
            answer = head(
                embedding[rows],
                encoder.tensor(block.forcing[rows][..., list(task.forcing)]),
                encoder.tensor(attributes[:, list(task.attributes)]),
                spinup_days=0 if causal else task.spinup_days,
                day_of_year=encoder.tensor(block.day_of_year),
                latitude=encoder.tensor(block.latitude[rows]),
                **more,
            )
        values: Floats = answer.float().cpu().numpy()
        return values

    parts = [
        part for _, part in in_batches(run, block.sites, block.sites, encoder.sites)
    ]
    answer = np.concatenate(parts)
    if task.levels is None:
        return [answer[..., column] for column in task.targets]
    levels = list(task.levels) if isinstance(task.levels, tuple) else task.levels
    return [answer[..., column, :][..., levels] for column in task.targets]


def _without_gaps(series: Floats) -> Floats:
    """Fill each day ``(site, time, n)`` from the last one before, else the first."""
    there = np.isfinite(series).all(-1)
    rows = np.where(there, np.arange(series.shape[1]), -1)
    rows = np.maximum.accumulate(rows, axis=1)
    rows = np.where(rows < 0, there.argmax(1)[:, None], rows)
    filled: Floats = np.take_along_axis(series, rows[..., None], 1)
    return filled


def _ceilings(task: HeadTask, targets: int, attributes: Floats) -> Floats:
    """Return the upper limits ``(site, target)``, NaN where there is none."""
    limits = np.full((len(attributes), targets), np.nan, np.float32)
    for ceiling in task.ceilings:
        limits[:, ceiling.target] = ceiling.value
        if ceiling.attribute is not None:
            own = attributes[:, ceiling.attribute]
            known = np.isfinite(own)
            limits[known, ceiling.target] = own[known]
    return limits
