"""Predictions: plain arrays of some sites through encoder and heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xstefaland.inference.batches import in_batches
from xstefaland.inference.blocks import Block, Encoder, Floats
from xstefaland.inference.loaded import Reference

BYTES = 2**28
"""Memory that the embeddings and states of the sites at work may take."""


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
        Days that are run before the first one counts.
    """

    reference: Reference
    forcing: tuple[int, ...]
    attributes: tuple[int, ...]
    targets: tuple[int, ...]
    levels: tuple[int, ...] | int | None = None
    static: bool = False
    spinup_days: int = 365

    @property
    def quantiles(self) -> int | None:
        """Length of the answer's quantile axis, None where there is none."""
        return len(self.levels) if isinstance(self.levels, tuple) else None


def predict_block(
    encoder: Encoder, heads: Sequence[tuple[Any, HeadTask]], block: Block
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

    Returns
    -------
    list of ndarray
        One per head and target: ``(site, time)``, static ones ``(site,)``, with the
        quantiles last. Sites without any forcing value are NaN; for static targets,
        those without any value at all.
    """
    static = all(task.static for _, task in heads)
    sites = _sites_with_values(block) if static else block.with_forcing()
    out = [
        np.full(_shape(task, block), np.nan, np.float32)
        for _, task in heads
        for _ in task.targets
    ]
    width = encoder.model.config.d_model
    at_once = max(1, BYTES // (40 * width * max(block.days, 1)))
    for begin in range(0, len(sites), at_once):
        chosen = sites[begin : begin + at_once]
        answers = _predict_sites(encoder, heads, block.take(chosen), static)
        for array, answer in zip(out, answers, strict=True):
            array[chosen] = answer
    return out


def _sites_with_values(block: Block) -> NDArray[np.intp]:
    by_forcing = np.isfinite(block.forcing).any((1, 2))
    return np.flatnonzero(by_forcing | np.isfinite(block.attributes).any(1))


def _shape(task: HeadTask, block: Block) -> tuple[int, ...]:
    days = () if task.static else (block.days,)
    levels = () if task.quantiles is None else (task.quantiles,)
    return (block.sites, *days, *levels)


def _predict_sites(
    encoder: Encoder, heads: Sequence[tuple[Any, HeadTask]], block: Block, static: bool
) -> list[Floats]:
    config = encoder.model.config
    own = Block(
        block.forcing[..., : len(config.forcing)],
        block.attributes[..., : len(config.attributes)],
        block.latitude,
        block.day_of_year,
    )
    if block.days == 0:  # no weather at all: the static token stands for the record
        embedding = encoder.embed(own, "static", everywhere=True)[:, None]
        nothing = np.full((block.sites, 1, block.forcing.shape[2]), np.nan, np.float32)
        block = Block(nothing, block.attributes, block.latitude, block.day_of_year)
    else:
        embedding = encoder.embed(own, everywhere=static)
    answers = []
    for head, task in heads:
        answers += _run_head(encoder, head, task, embedding, block)
    return answers


def _run_head(
    encoder: Encoder, head: Any, task: HeadTask, embedding: Floats, block: Block
) -> list[Floats]:
    """Run one head over whole records; return one array per wanted target."""
    import torch

    def run(rows: slice) -> Floats:
        with torch.inference_mode():
            answer = head(
                encoder.tensor(embedding[rows]),
                encoder.tensor(block.forcing[rows][..., list(task.forcing)]),
                encoder.tensor(block.attributes[rows][..., list(task.attributes)]),
                warmup_days=task.spinup_days,
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
