"""Cross-variable group masking: what the autoencoder has to guess.

Forcings are hidden in contiguous stretches, and those that follow from one another
together, else reconstruction is algebra; attributes in whole groups. Some samples lose
a whole forcing, some all attributes, some nothing, so that inference with missing input
(or with complete input) is in distribution.

Source: StefaLand paper, section 2.2. The released sampler hides 38 % where 50 % is
asked, and edge days hardly ever; this one is stationary in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]

FAMILIES = (
    (
        "temperature",
        "temperature_max",
        "temperature_min",
        "potential_evapotranspiration",
    ),
    ("relative_humidity", "vapour_pressure"),
)
"""Forcings that follow from one another; every other one is a family of its own."""


def family_of(name: str) -> tuple[str, ...]:
    """All members of a forcing's family, itself among them.

    Examples
    --------
    >>> family_of("vapour_pressure"), family_of("wind_speed")
    (('relative_humidity', 'vapour_pressure'), ('wind_speed',))
    """
    return next((family for family in FAMILIES if name in family), (name,))


@dataclass(frozen=True, kw_only=True)
class Masking:
    """How much is hidden, and how.

    Parameters
    ----------
    share : float
        Share of days hidden per forcing, in samples with hidden stretches.
    shortest, longest : int
        Length of a hidden stretch [days].
    untouched : float
        Share of samples without hidden stretches.
    drop_forcing : float
        Share of samples in which forcings are hidden over the whole window; how many is
        uniform between one and all but one (families, where these go together).
    one_by_one : float
        Share of samples in which members of a family are hidden each for itself.
    group_share : float
        Probability that an attribute group is hidden.
    drop_attributes : float
        Share of samples in which all attributes are hidden.
    drop_climate : float
        Share of samples whose climate attributes are absent: neither seen nor asked
        for.
    drop_latitude : float
        Share of samples whose latitude is hidden.
    """

    share: float = 0.5
    shortest: int = 30
    longest: int = 90
    untouched: float = 0.3
    drop_forcing: float = 0.3
    one_by_one: float = 0.2
    group_share: float = 0.5
    drop_attributes: float = 0.2
    drop_climate: float = 0.2
    drop_latitude: float = 0.1


def stretches(
    rng: np.random.Generator, rows: int, days: int, masking: Masking
) -> Bools:
    """Hide contiguous stretches, each day with probability ``masking.share``.

    Hidden and open stretches alternate; the process is entered at a random point long
    after its start, so the first day is as likely hidden as the middle one.

    Returns
    -------
    numpy.ndarray
        ``(rows, days)``, True = hidden.
    """
    low, high = masking.shortest, masking.longest
    odds = (1 - masking.share) / masking.share
    cycles = int(np.ceil((days + 4 * high * (1 + odds)) / (low * (1 + odds)))) + 1
    hidden = rng.integers(low, high + 1, (rows, cycles))
    open_ = rng.integers(low, high + 1, (rows, cycles)) * odds
    edges = np.stack([hidden, open_], -1).reshape(rows, -1).cumsum(1)
    start = rng.uniform(2 * high * (1 + odds), 4 * high * (1 + odds), (rows, 1))
    day = start + np.arange(days)
    passed = np.stack([np.searchsorted(e, d) for e, d in zip(edges, day, strict=True)])
    mask: Bools = passed % 2 == 0
    return mask


def forcing_mask(
    rng: np.random.Generator,
    samples: int,
    days: int,
    names: Sequence[str],
    masking: Masking,
) -> Bools:
    """Hidden forcing values ``(samples, days, variable)``, family by family.

    In a share of the samples every variable is hidden for itself.
    """
    families = list(dict.fromkeys(family_of(name) for name in names))
    member = [families.index(family_of(name)) for name in names]
    together = _unit_mask(rng, samples, days, len(families), masking)[:, :, member]
    apart = _unit_mask(rng, samples, days, len(names), masking)
    one_by_one = rng.random((samples, 1, 1)) < masking.one_by_one
    return np.where(one_by_one, apart, together)


def _unit_mask(
    rng: np.random.Generator, samples: int, days: int, variables: int, masking: Masking
) -> Bools:
    """Stretches, untouched samples and forcings hidden throughout."""
    mask = stretches(rng, samples * variables, days, masking)
    mask = mask.reshape(samples, variables, days).transpose(0, 2, 1)
    mask = mask & (rng.random((samples, 1, 1)) >= masking.untouched)
    if variables > 1:
        count = rng.integers(1, variables, (samples, 1))
        count = count * (rng.random((samples, 1)) < masking.drop_forcing)
        rank = rng.random((samples, variables)).argsort(1)
        mask = mask | (rank < count)[:, None, :]
    return mask


def attribute_mask(
    rng: np.random.Generator, samples: int, groups: Sequence[str], masking: Masking
) -> Bools:
    """Hidden attributes ``(samples, attribute)``; `groups` names the group of each."""
    names, member = np.unique(np.asarray(groups), return_inverse=True)
    hidden = rng.random((samples, len(names))) < masking.group_share
    hidden |= rng.random((samples, 1)) < masking.drop_attributes
    mask: Bools = hidden[:, member]
    return mask
