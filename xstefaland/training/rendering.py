"""How a batch of the corpus is shown to the encoder: shortened, thinned and hidden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from xstefaland.training.corpus import Batch
from xstefaland.training.masking import Masking, attribute_mask, forcing_mask
from xstefaland.training.shards import OBSERVED, Bools, Floats

SHORTEST = 60  # [days] of a shortened window; what has less than twice that stays whole


@dataclass(frozen=True, kw_only=True)
class Rendering:
    """How batches are shown.

    Parameters
    ----------
    short_windows : float
        Share of batches cut to a random shorter length.
    stretch_share : float
        Share of samples whose climate attributes come from a random stretch of the
        record instead of the whole.
    thin : float
        Share of samples in which every forcing but precipitation and temperature is
        absent with even chance: neither seen nor asked for, as where a user has only
        some of a family.
    masking : Masking
        What is hidden.
    """

    short_windows: float = 0.1
    stretch_share: float = 0.5
    thin: float = 0.3
    masking: Masking = field(default_factory=Masking)


@dataclass(frozen=True)
class Shown:
    """A batch as the encoder gets it."""

    batch: Batch
    forcing_mask: Bools  # (window, day, forcing), True = hidden
    attribute_mask: Bools  # (window, attribute)


def render(
    batch: Batch,
    names: Sequence[str],
    groups: Sequence[str],
    climate: Sequence[int],
    rendering: Rendering,
    rng: np.random.Generator,
) -> Shown:
    """Draw what the encoder sees of a batch.

    Parameters
    ----------
    batch : Batch
        Windows of one source.
    names : sequence of str
        Forcings of the corpus.
    groups : sequence of str
        Masking group of each attribute.
    climate : sequence of int
        Positions of the climate indices among the attributes, -1 where absent.
    rendering : Rendering
        See there.
    rng : numpy.random.Generator
        Of all draws.

    Returns
    -------
    Shown
        Masks are drawn over the forcings that the batch has at all.
    """
    masking = rendering.masking
    batch = _shorten(batch, rng, rendering.short_windows)
    batch = _other_climate(batch, climate, rendering, rng)
    unknown = rng.random(len(batch.latitude)) < masking.drop_latitude
    latitude = np.where(unknown, np.float32(np.nan), batch.latitude)
    samples, days, _ = batch.forcing.shape
    have: Bools = np.asarray(np.isfinite(batch.forcing).any((0, 1)))
    series = np.ones(batch.forcing.shape, bool)
    present = [name for name, there in zip(names, have, strict=True) if there]
    series[:, :, have] = forcing_mask(rng, samples, days, present, masking)
    static = attribute_mask(rng, samples, groups, masking)
    forcing = _thinned(batch.forcing, names, rendering.thin, rng)
    return Shown(replace(batch, forcing=forcing, latitude=latitude), series, static)


def _thinned(
    forcing: Floats, names: Sequence[str], share: float, rng: np.random.Generator
) -> Floats:
    """Take optional forcings of a share of the samples away."""
    spare = np.array([name not in OBSERVED for name in names])
    chosen = rng.random((len(forcing), 1)) < share
    absent = chosen & spare & (rng.random((len(forcing), len(names))) < 0.5)
    return np.where(absent[:, None], np.float32(np.nan), forcing)


def _shorten(batch: Batch, rng: np.random.Generator, share: float) -> Batch:
    """Cut a share of the batches to a random shorter length."""
    days = batch.forcing.shape[1]
    if rng.random() >= share or days < 2 * SHORTEST:
        return batch
    days = int(rng.integers(SHORTEST, days))
    return replace(
        batch,
        forcing=batch.forcing[:, :days],
        day_of_year=batch.day_of_year[:, :days],
    )


def _other_climate(
    batch: Batch,
    climate: Sequence[int],
    rendering: Rendering,
    rng: np.random.Generator,
) -> Batch:
    """Take climate attributes of some samples from a stretch, of others away."""
    attributes = batch.attributes.copy()
    samples, stretches, _ = batch.climate.shape
    drawn = batch.climate[np.arange(samples), rng.integers(0, stretches, samples)]
    wanted = rng.random(samples) < rendering.stretch_share
    absent = rng.random(samples) < rendering.masking.drop_climate
    wanted &= np.isfinite(drawn).any(1)  # records of less than a year have none
    for column, place in enumerate(climate):
        if place >= 0:
            values = np.where(wanted, drawn[:, column], attributes[:, place])
            attributes[:, place] = np.where(absent, np.float32(np.nan), values)
    return replace(batch, attributes=attributes)
