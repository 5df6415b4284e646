"""Bands: quantiles around an answer, corrected by what was measured elsewhere.

A band holds, for each level of a target, by how much the quantile lies off, as a
function of the answer: on the scale of the band, linear between knots and constant
beyond them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class BandConfig:
    """The correction of one target's quantiles.

    Parameters
    ----------
    target : str
        What is corrected.
    levels : tuple of float
        The quantiles, rising.
    knots : tuple of float
        Answers on the scale, two or more, rising.
    offsets : tuple of tuple of float
        For each knot, what is added at each level, on the scale.
    root : bool
        The scale is the square root of the height above `low`; else the value itself.
    low : float
        The target's lower limit; used where `root` is set.
    """

    target: str
    levels: tuple[float, ...]
    knots: tuple[float, ...]
    offsets: tuple[tuple[float, ...], ...]
    root: bool = False
    low: float = 0.0


class BandCorrection(nn.Module):
    """The correction of one target's quantiles, see :class:`BandConfig`."""

    knots: Tensor
    offsets: Tensor

    def __init__(self, config: BandConfig) -> None:
        super().__init__()
        self.target, self.root, self.low = config.target, config.root, config.low
        for name in ("knots", "offsets"):
            # no tensor of a file: here even where a network is built without memory
            values = torch.tensor(
                getattr(config, name), dtype=torch.float32, device="cpu"
            )
            self.register_buffer(name, values, persistent=False)

    def forward(self, answer: Tensor, quantiles: Tensor) -> Tensor:
        """Correct quantiles.

        Parameters
        ----------
        answer : Tensor
            Physical values ``(...)``.
        quantiles : Tensor
            Physical values ``(..., level)``; the answer itself where nothing better
            is known.

        Returns
        -------
        Tensor
            Physical values ``(..., level)`` that do not fall with the level.
        """
        scaled = self._scaled(quantiles) + self._offset(self._scaled(answer))
        if self.root:
            scaled = scaled.clamp_min(0.0).square() + self.low
        return scaled.sort(-1).values

    def _scaled(self, values: Tensor) -> Tensor:
        """Bring physical values to the scale."""
        return (values - self.low).clamp_min(0.0).sqrt() if self.root else values

    def _offset(self, place: Tensor) -> Tensor:
        """Interpolate what is added, ``(..., level)``, between the knots."""
        place = place.clamp(self.knots[0], self.knots[-1]).contiguous()
        above = torch.searchsorted(self.knots, place).clamp(1, len(self.knots) - 1)
        begin, end = self.knots[above - 1], self.knots[above]
        share = ((place - begin) / (end - begin)).unsqueeze(-1)
        return torch.lerp(self.offsets[above - 1], self.offsets[above], share)
