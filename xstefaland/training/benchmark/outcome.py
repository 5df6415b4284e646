"""What a benchmark gave, whatever it compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import pandas as pd


class Declared(Protocol):
    """What a page says of a benchmark."""

    @property
    def name(self) -> str:
        """Of files."""

    @property
    def title(self) -> str:
        """Of the page."""

    @property
    def note(self) -> str:
        """What a reader should know."""

    @property
    def scores(self) -> tuple[str, ...]:
        """Functions of :mod:`xstefaland.metrics`; the first decides."""

    @property
    def published(self) -> str | None:
        """Key of published scores."""


@dataclass(frozen=True)
class Outcome:
    """What a benchmark gave.

    Attributes
    ----------
    protocol : Declared
        What was run: a Protocol or a Reconstruction.
    scores : DataFrame
        One row for each target, system, fold, seed and site: scores of its series; or
        of static targets what was observed and predicted.
    sites : DataFrame
        One row a target and site: ``lat``, ``lon``, ``fold``.
    about : dict
        Encoder, data, budget, minutes.
    """

    protocol: Declared
    scores: pd.DataFrame
    sites: pd.DataFrame
    about: dict[str, object]
