"""Evidence: what a card says on skill, and on where a model was trained."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from xstefaland.weights.typed import refuse_unplain

EVERYWHERE = "all"
"""What skill is grouped by, and the one group, where sites are not told apart."""


@dataclass(frozen=True, kw_only=True)
class Skill:
    """Skill of a head on some of the sites that it was not trained on.

    Parameters
    ----------
    target : str
        What was predicted.
    by : str
        How sites are grouped: ``"region"``, ``"aridity"``, ``"snow"``, or ``"all"``.
    group : str
        Which of these groups.
    sites : int
        Sites in it.
    scores : dict
        Medians over these sites, such as ``{"nse": 0.61}``, or other numbers.
    inputs : str
        ``"complete"``, or what was hidden.
    """

    target: str
    by: str
    group: str
    sites: int
    scores: dict[str, Any]
    inputs: str = "complete"

    def __post_init__(self) -> None:
        """Bring the scores to plain JSON values."""
        refuse_unplain(self, "scores")

    def __str__(self) -> str:
        """Return the scores in a few words.

        Examples
        --------
        >>> row = {"by": "region", "group": "GB", "sites": 40, "scores": {"nse": 0.7}}
        >>> print(Skill(target="streamflow", **row))
        nse 0.7 (40 sites)
        """
        scores = ", ".join(f"{name} {value}" for name, value in self.scores.items())
        return f"{scores} ({self.sites} sites)"


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where a model was trained.

    Parameters
    ----------
    count : int
        Number of sites.
    cells : tuple of str
        The one-degree cells that they lie in, by their south-west corners, as the
        tiles of elevation models are named: ``"N45W093"``.
    """

    count: int
    cells: tuple[str, ...]

    @classmethod
    def of(cls, latitude: Iterable[float], longitude: Iterable[float]) -> Places:
        """Describe the places of some sites.

        Parameters
        ----------
        latitude, longitude : iterable of float
            Degrees north and east, one of each per site; sites without (NaN) are
            counted alone.

        Examples
        --------
        >>> Places.of([45.3, 45.9, -33.2], [-92.5, -92.1, 18.4])
        Places(count=3, cells=('N45W093', 'S34E018'))
        """
        pairs = list(zip(latitude, longitude, strict=True))
        known = [pair for pair in pairs if all(map(math.isfinite, pair))]
        return cls(count=len(pairs), cells=tuple(sorted({cell(*p) for p in known})))


def cell(latitude: float, longitude: float) -> str:
    """Name the one-degree cell of a point by its south-west corner.

    Examples
    --------
    >>> cell(-0.5, 7.25)
    'S01E007'
    """
    south, west = math.floor(latitude), math.floor((longitude + 180) % 360 - 180)
    north_south, east_west = "NS"[south < 0], "EW"[west < 0]
    return f"{north_south}{abs(south):02d}{east_west}{abs(west):03d}"
