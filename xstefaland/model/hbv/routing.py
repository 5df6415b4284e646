"""
Gamma unit hydrograph in plain torch.

Water that leaves the three outlets of a site reaches its gauge spread over 15 days,
with weights of the gamma density of shape ``a`` and scale ``b`` at the middle of each
day, scaled to a sum of one. The same weights route the total and its three parts.
"""

from __future__ import annotations

import torch
from torch import Tensor

from xstefaland.model.hbv.parameters import ROUTING

TAPS = 15
"""Days over which a day's water arrives."""

SHAPE_OFFSET, SCALE_OFFSET = 0.1, 0.5


def route_values(logits: Tensor) -> tuple[Tensor, Tensor]:
    """
    Turn routing logits into ``route_a`` and ``route_b``.

    Parameters
    ----------
    logits : Tensor [site, 2]

    Returns
    -------
    tuple of Tensor [site]
        Values between their bounds (1 and days), before the offsets are added.
    """
    a, b = (p.low + logits[:, i].sigmoid() * (p.high - p.low)
            for i, p in enumerate(ROUTING))  # fmt: skip
    return a, b


def unit_hydrograph(route_a: Tensor, route_b: Tensor, days: int = TAPS) -> Tensor:
    """
    Weights with which a day's water arrives on that day and the days after it.

    Parameters
    ----------
    route_a, route_b : Tensor [site]
        Parameters of the gamma density, less 0.1 and 0.5 d.
    days : int
        Length of the record; a record shorter than 15 days has fewer weights.

    Returns
    -------
    Tensor [day, site]
        Weights; they add up to one.

    Examples
    --------
    >>> weights = unit_hydrograph(torch.tensor([0.9]), torch.tensor([0.0]))
    >>> weights[:3, 0]  # shape 1: falls by exp(-1 / 0.5) a day
    tensor([0.8647, 0.1170, 0.0158])
    """
    shape = torch.relu(route_a) + SHAPE_OFFSET
    scale = torch.relu(route_b) + SCALE_OFFSET
    time = torch.arange(min(days, TAPS), device=shape.device)[:, None] + 0.5
    # In float64, because the derivative of weights that add up to one is a small
    # difference of large numbers.
    time, shape, scale = time.double(), shape.double(), scale.double()
    weights = torch.softmax((shape - 1) * time.log() - time / scale, dim=0)
    return weights.to(route_a.dtype)


def convolve(flow: Tensor, weights: Tensor, before: Tensor | None = None) -> Tensor:
    """
    Spread flow over the following days.

    Parameters
    ----------
    flow : Tensor [..., time, site]
        Flow before routing, mm d-1.
    weights : Tensor [day, site]
        What `unit_hydrograph` returned.
    before : Tensor [..., days before, site], optional
        Flow of the days before the first one; zero by default.

    Returns
    -------
    Tensor [..., time, site]
        Flow at the gauge, mm d-1.
    """
    taps, days = weights.shape[0], flow.shape[-2]
    line = flow if before is None else torch.cat([before, flow], dim=-2)
    missing = taps - 1 - (line.shape[-2] - days)
    line = torch.nn.functional.pad(line, (0, 0, missing, 0))
    terms = [
        weights[k] * line[..., taps - 1 - k : taps - 1 - k + days, :]
        for k in range(taps)
    ]
    return torch.stack(terms).sum(dim=0)
