"""Climate attributes as another period would give them.

A user's record is rarely the one a head was trained on. Each site gets some renderings
of its climate attributes, each from a random stretch of its record of one to thirty
years (long and short ones equally often).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xstefaland.inputs.climate import CLIMATE_INDICES, climate_indices
from xstefaland.training.corpus import Shard

Floats = NDArray[np.float32]
RENDERINGS = 12
YEAR = 365
LONGEST = 30


def renderings(shard: Shard, seed: int = 0) -> Floats:
    """Climate attributes ``(site, rendering, index)`` from stretches of a source.

    The first rendering comes from three years in a row, for tests. Sources whose
    records are shorter than three years, or start on different days, have none: all
    NaN. They are computed once and kept beside the source.
    """
    path = shard.folder / "climate.npy"
    if not path.exists():
        np.save(path, _draw(shard, seed))
    found: Floats = np.load(path, mmap_mode="r")
    return found


def _draw(shard: Shard, seed: int) -> Floats:
    sites = len(shard.sites)
    out = np.full((sites, RENDERINGS, len(CLIMATE_INDICES)), np.nan, np.float32)
    years = shard.days // YEAR
    if years < 3 or shard.sites["start"].nunique() > 1:
        return out
    rng = np.random.default_rng(seed)
    names = ("precipitation", "temperature", "potential_evapotranspiration")
    columns = [shard.variables.index(name) for name in names]
    weather = np.asarray(shard.forcing[..., columns])
    for number in range(RENDERINGS):
        longest = min(years, LONGEST)
        length = 3 if number == 0 else round(longest ** rng.random())
        first = YEAR * int(rng.integers(0, years - length + 1))
        out[:, number] = _indices(weather[:, first : first + YEAR * length], length)
    return out


def _indices(weather: Floats, years: int) -> Floats:
    """Take the indices of a stretch; one or two years count as if they came again."""
    again = -(-3 // years)
    longer = np.concatenate([weather] * again, 1)
    # 365-day years keep the seasons in place; three of them need 1096 days
    longer = np.concatenate([longer, longer[:, :YEAR]], 1)
    dates = pd.date_range("2001-01-01", periods=longer.shape[1])
    found = climate_indices(*np.moveaxis(longer, -1, 0), dates)
    return np.stack([found[name] for name in CLIMATE_INDICES], -1).astype(np.float32)
