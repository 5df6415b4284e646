"""Asks: what is wanted of prepared inputs, as plain values that a graph can hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import xarray as xr

from xstefaland.inference import lazy
from xstefaland.inference.blocks import Pool
from xstefaland.inference.filling import fill
from xstefaland.inference.labels import MissingBy
from xstefaland.inference.lazy import Settings
from xstefaland.inference.loaded import Reference
from xstefaland.inference.plans import HeadGroup
from xstefaland.inference.predictions import HeadTask
from xstefaland.inference.quality import quality
from xstefaland.inputs.prepare import Prepared
from xstefaland.weights import Weights

PHYSICS_FORCING = ("precipitation", "temperature", "potential_evapotranspiration")
Variables = dict[str, xr.Variable]


class Ask(Protocol):
    """A question that :class:`Prepared` inputs answer, lazily where they are lazy."""

    def answer(self, ds: xr.Dataset, prepared: Prepared) -> Variables:
        """Answer for the sites of a Dataset, by the names that the answers have."""

    def quality(self, prepared: Prepared) -> Variables:
        """Return the coordinates that say how good the input was."""


@dataclass(frozen=True)
class AskEmbedding:
    """Daily or pooled embeddings.

    Parameters
    ----------
    encoder : Reference
        The encoder.
    width : int
        Length of an embedding.
    forcings : int
        How many forcings the encoder knows.
    settings : Settings
        How to work.
    pool : {None, "mean", "year", "static"}
        What to do with time.
    missing_by : {"site", "day"}
        What the share of missing values is of.
    """

    encoder: Reference
    width: int
    forcings: int
    settings: Settings
    pool: Pool
    missing_by: MissingBy

    @classmethod
    def of(
        cls, encoder: Weights, settings: Settings, pool: Pool, missing_by: MissingBy
    ) -> AskEmbedding:
        """Ask an encoder."""
        width, known = int(encoder.card.config["d_model"]), len(encoder.card.forcing)
        by: MissingBy = missing_by if pool is None else "site"
        return cls(Reference.of(encoder), width, known, settings, pool, by)

    def answer(self, ds: xr.Dataset, prepared: Prepared) -> Variables:
        """Return the embedding."""
        options = (self.encoder, self.width, self.settings, self.pool)
        return {lazy.EMBEDDING: lazy.embed(prepared, *options)}

    def quality(self, prepared: Prepared) -> Variables:
        """Return what was missing and rejected."""
        return quality(prepared, self.forcings, self.missing_by)


@dataclass(frozen=True)
class AskTargets:
    """Targets of heads on one encoder.

    Parameters
    ----------
    encoder : Reference
        The encoder.
    heads : tuple of HeadTask
        What to ask of each head.
    targets : tuple of str
        Names of the answers, head by head.
    forcings, settings, missing_by
        As in :class:`AskEmbedding`.
    filled : tuple of str
        Forcings that a physical model fills where they are missing.
    """

    encoder: Reference
    heads: tuple[HeadTask, ...]
    targets: tuple[str, ...]
    forcings: int
    settings: Settings
    missing_by: MissingBy
    filled: tuple[str, ...]

    @classmethod
    def of(
        cls,
        plan: HeadGroup,
        settings: Settings,
        quantiles: Sequence[float] | None,
        missing_by: MissingBy,
    ) -> AskTargets:
        """Ask the heads of a plan."""
        return cls(
            encoder=Reference.of(plan.encoder),
            heads=tuple(plan.tasks(quantiles)),
            targets=plan.targets,
            forcings=len(plan.encoder.card.forcing),
            settings=settings,
            missing_by="site" if plan.requirements.static else missing_by,
            filled=PHYSICS_FORCING if plan.physics else (),
        )

    def answer(self, ds: xr.Dataset, prepared: Prepared) -> Variables:
        """Return a variable for each target."""
        answers = lazy.predict(prepared, self.encoder, self.heads, self.settings)
        return dict(zip(self.targets, answers, strict=True))

    def quality(self, prepared: Prepared) -> Variables:
        """Return what was missing, rejected and filled."""
        return quality(prepared, self.forcings, self.missing_by, self.filled)


@dataclass(frozen=True)
class AskReconstruction:
    """The Dataset's own variables without gaps.

    Parameters
    ----------
    encoder, forcings, settings
        As in :class:`AskEmbedding`.
    add : bool
        Add variables that the Dataset lacks.
    """

    encoder: Reference
    forcings: int
    settings: Settings
    add: bool

    @classmethod
    def of(cls, encoder: Weights, settings: Settings, add: bool) -> AskReconstruction:
        """Ask an encoder."""
        known = len(encoder.card.forcing)
        return cls(Reference.of(encoder), known, settings, add)

    def answer(self, ds: xr.Dataset, prepared: Prepared) -> Variables:
        """Return filled variables and their flags."""
        answers = lazy.reconstruct(prepared, self.encoder, self.settings)
        return fill(ds, prepared, answers, add=self.add)

    def quality(self, prepared: Prepared) -> Variables:
        """Return what was missing and rejected."""
        return quality(prepared, self.forcings)
