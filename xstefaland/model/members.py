"""Ensembles: several heads that answer as one, by the mean of their answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from xstefaland.model.bands import BandConfig, BandCorrection
from xstefaland.model.config import HeadConfig
from xstefaland.model.heads import build_head
from xstefaland.model.limits import Limited

Options = dict[str, Any]

MEDIAN = 0.5
"""The quantile that stands for the answer of a head with quantiles; cards say it again
(:mod:`xstefaland.weights.members`), as they are read without torch."""


@dataclass(frozen=True, kw_only=True)
class EnsembleConfig:
    """What the members of an ensemble are, and what they give together.

    Parameters
    ----------
    members : tuple of HeadConfig
        They may differ in kind and inputs; those that have quantiles have the same.
    targets : tuple of str
        What all of them predict, in order; a member may predict more.
    forcing, attributes : tuple of str
        Inputs of any member, in order.
    bands : tuple of BandConfig
        Corrections of the quantiles of some of the targets, on the same levels.
    level_from : tuple of int
        Members that do not answer, by number: the mean over the days of their answers
        takes the place of that of the others' at each site.
    """

    members: tuple[HeadConfig, ...]
    targets: tuple[str, ...]
    forcing: tuple[str, ...]
    attributes: tuple[str, ...]
    bands: tuple[BandConfig, ...] = ()
    level_from: tuple[int, ...] = ()

    @property
    def quantiles(self) -> tuple[float, ...]:
        """Levels that members give by themselves."""
        return next((m.quantiles for m in self.members if m.quantiles), ())

    @property
    def levels(self) -> tuple[float, ...]:
        """Levels that can be asked for."""
        return self.quantiles or next((band.levels for band in self.bands), ())

    @property
    def causal_possible(self) -> bool:
        """Whether every member can do without days to come; a mean cannot."""
        able = all(member.causal_possible for member in self.members)
        return able and not self.level_from

    @property
    def static(self) -> bool:
        """Whether answers have no time; :class:`Ensemble` takes no mixture."""
        return all(member.static for member in self.members)

    @property
    def embeds(self) -> bool:
        """Whether any member reads the embedding."""
        return any(member.embeds for member in self.members)


class Ensemble(Limited):
    """Heads whose answers, and whose quantiles level by level, are averaged.

    A member without quantiles counts as its answer at every level. Averaging quantile
    functions keeps the spread of the members, where averaging distributions would
    widen it; then each level is corrected, see
    :class:`~xstefaland.model.bands.BandCorrection`. Where some members give the level
    (`level_from`), a site's answers are moved so that their mean over its days is that
    of those members.

    Parameters
    ----------
    config : EnsembleConfig
        The members and their columns.

    References
    ----------
    Lichtendahl, Grushka-Cockayne and Winkler (2013), Management Science 59, 1594-1611.
    """

    def __init__(self, config: EnsembleConfig) -> None:
        super().__init__(len(config.targets), saved=False)
        self.config = config
        self.members = nn.ModuleList(build_head(member) for member in config.members)
        bands = [BandCorrection(band) for band in config.bands]
        self.bands = nn.ModuleList(bands)
        self.banded = {band.target: band for band in bands}
        self.columns = [
            tuple(
                [getattr(config, kind).index(name) for name in getattr(member, kind)]
                for kind in ("forcing", "attributes")
            )
            for member in config.members
        ]

    def limit(
        self, minimum: Sequence[float | None], maximum: Sequence[float | None]
    ) -> None:
        """Set the limits of the ensemble and of its members' answers."""
        super().limit(minimum, maximum)
        for member in self.members:
            names: Any = member.config.targets  # type: ignore[union-attr]
            low, high = (
                [
                    dict(zip(self.config.targets, side, strict=True)).get(n)
                    for n in names
                ]
                for side in (minimum, maximum)
            )
            member.limit(low, high)  # type: ignore[operator]

    def forward(
        self,
        embedding: Tensor,
        forcing: Tensor,
        attributes: Tensor,
        *,
        levels: bool = False,
        maximum: Tensor | None = None,
        **options: Any,
    ) -> Tensor:
        """Predict.

        Parameters
        ----------
        embedding, forcing, attributes : Tensor
            As for a sequence head, with the columns of the ensemble's config.
        levels : bool
            Give the quantiles of ``config.levels`` as a last axis instead of the
            answer; NaN for targets that have none.
        maximum : Tensor, optional
            Further upper limits ``(B, target)``, NaN where unknown.
        **options
            For every member, such as ``spinup_days``.

        Returns
        -------
        Tensor
            ``(B, T, target)``, without ``T`` for static heads, with the levels last
            where they are asked for.
        """
        if maximum is not None:
            options["maximum"] = maximum
        parts: tuple[list[Tensor], list[Tensor]] = [], []
        for number, (member, columns) in enumerate(
            zip(self.members, self.columns, strict=True)
        ):
            first, second = columns
            given = embedding, forcing[..., first], attributes[..., second]
            gives_level = number in self.config.level_from
            part = self._member(member, given, levels and not gives_level, options)
            parts[gives_level].append(part)
        mean = torch.stack(parts[0]).mean(0)
        if parts[1]:
            level = torch.stack(parts[1]).mean(0).mean(1, keepdim=True)
            mean = mean + level - mean[..., :1].mean(1, keepdim=True)
        answer = self.within_limits(mean[..., 0], maximum) if parts[1] else mean[..., 0]
        return self._levels(answer, mean[..., 1:], maximum) if levels else answer

    def _member(
        self, member: Any, given: tuple[Tensor, ...], levels: bool, options: Options
    ) -> Tensor:
        """Return one member's answer, then its quantiles if asked, on the last axis."""
        config: HeadConfig = member.config
        if "maximum" in options:
            own = self._own(options["maximum"], config.targets)
            options = {**options, "maximum": own}
        values: Tensor = member(*given, **options)
        wanted = [config.targets.index(name) for name in self.config.targets]
        if not config.quantiles:
            count = 1 + levels * len(self.config.levels)
            values = values[..., wanted, None]
            return values.expand(*values.shape[:-1], count)
        values, middle = values[..., wanted, :], config.quantiles.index(MEDIAN)
        answer = values[..., middle : middle + 1]
        return torch.cat([answer, values], -1) if levels else answer

    def _own(self, maximum: Tensor, targets: Sequence[str]) -> Tensor:
        """Bring upper limits ``(B, target)`` to the columns of a member."""
        own = maximum.new_full((len(maximum), len(targets)), torch.nan)
        own[:, [targets.index(name) for name in self.config.targets]] = maximum
        return own

    def _levels(
        self, answer: Tensor, quantiles: Tensor, maximum: Tensor | None
    ) -> Tensor:
        """Correct the quantiles of each target by its band, and keep the limits."""
        out = []
        for column, name in enumerate(self.config.targets):
            own, levels = answer[..., column], quantiles[..., column, :]
            if name in self.banded:
                levels = self.banded[name](own, levels)
            elif not self.config.quantiles:
                levels = torch.full_like(levels, torch.nan)
            out.append(levels)
        values = torch.stack(out, -1)
        return self.within_limits(values, maximum).transpose(-1, -2)
