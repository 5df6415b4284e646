"""Evidence: what a card says on skill, and on where a model was trained."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xstefaland.errors import WeightsError
from xstefaland.weights.typed import refuse_unplain

EARTH_RADIUS = 6371.0  # [km]
BLOCK = 500  # sites whose distances to all cells are in memory at once
Degrees = npt.NDArray[np.floating[Any]]

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

    def corners(self) -> npt.NDArray[np.float64]:
        """Return the south-west corners of the cells ``(cell, 2)`` [degrees N, E].

        Raises
        ------
        WeightsError
            For names that are none of a cell.

        Examples
        --------
        >>> Places(count=1, cells=("N45W093",)).corners().tolist()
        [[45.0, -93.0]]
        """
        return np.array([corner(name) for name in self.cells], float).reshape(-1, 2)

    def distance(self, latitude: Degrees, longitude: Degrees) -> Degrees:
        """Measure how far sites are from the places of the training.

        Parameters
        ----------
        latitude, longitude : ndarray
            Degrees north and east, one of each per site.

        Returns
        -------
        ndarray
            Distance [km] along the surface to the nearest cell, zero inside of one:
            places lie somewhere in their cell, so they are as far or farther. Beyond
            some 1000 km it may be a degree too long. NaN where a position is unknown,
            infinite where there is no cell.

        Raises
        ------
        WeightsError
            As :meth:`corners`.

        Examples
        --------
        >>> places = Places(count=1, cells=("N45W093",))
        >>> places.distance(np.array([45.5, 47.0]), np.array([-92.5, -92.5])).round(1)
        array([  0. , 111.2])
        """
        corners = self.corners()
        starts = range(0, len(latitude), BLOCK)
        blocks = [slice(start, start + BLOCK) for start in starts]
        parts = [_to_cells(latitude[b], longitude[b], corners) for b in blocks]
        return np.concatenate([np.empty(0), *parts])


def _to_cells(latitude: Degrees, longitude: Degrees, corners: Degrees) -> Degrees:
    """Distances [km] to the nearest point of the nearest cell (haversine)."""
    lat, lon = latitude[:, None], longitude[:, None]
    nearest = np.clip(lat, corners[:, 0], corners[:, 0] + 1)
    beside = (lon - corners[:, 1] - 0.5 + 180) % 360 - 180  # of the cell's middle
    beside = np.radians(np.maximum(abs(beside) - 0.5, 0))
    apart = np.sin(np.radians(lat - nearest) / 2) ** 2
    level = np.cos(np.radians(lat)) * np.cos(np.radians(nearest))
    squares = apart + level * np.sin(beside / 2) ** 2
    square = squares.min(1, initial=np.inf)
    angle = 2 * np.arcsin(np.sqrt(np.clip(square, 0, 1)))
    known = np.isfinite(latitude) & np.isfinite(longitude)
    out = np.where(np.isposinf(square), np.inf, EARTH_RADIUS * angle)
    return np.where(known, out, np.nan)


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


def corner(name: str) -> tuple[int, int]:
    """Read the south-west corner of a one-degree cell [degrees N, E] from its name.

    Raises
    ------
    WeightsError
        For a text that names no cell.

    Examples
    --------
    >>> corner("S01E007")
    (-1, 7)
    """
    found = re.fullmatch(r"([NS])(\d\d)([EW])(\d\d\d)", name)
    if found is None:
        raise WeightsError(
            f"a card's `places` names the cell '{name!s:.20}'; cells are named by "
            "their south-west corner, such as 'N45W093'"
        )
    south, west = int(found[2]), int(found[4])
    return (
        south if found[1] == "N" else -south,
        west if found[3] == "E" else -west,
    )
