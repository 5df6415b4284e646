"""Scaling of physical values, kept as buffers inside the weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Scaling(nn.Module):
    """Standardise physical values, after ``log1p`` for skewed variables.

    Missing values (NaN) stay NaN.

    Parameters
    ----------
    size : int
        Number of variables on the last axis. A new Scaling is the identity until
        :meth:`assign` is called or weights are loaded.
    """

    mean: Tensor
    std: Tensor
    log: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("std", torch.ones(size))
        self.register_buffer("log", torch.zeros(size))

    def assign(
        self, mean: Sequence[float], std: Sequence[float], log: Sequence[bool]
    ) -> None:
        """Set the statistics; `mean` and `std` are those of the transformed values."""
        self.mean.copy_(torch.as_tensor(mean))
        self.std.copy_(torch.as_tensor(std))
        self.log.copy_(torch.as_tensor(log, dtype=self.log.dtype))

    def forward(self, values: Tensor) -> Tensor:
        """Physical values ``(..., variable)`` to scaled ones."""
        if self.log.any():
            values = torch.where(
                self.log > 0, torch.log1p(values.clamp_min(0.0)), values
            )
        return (values - self.mean) / self.std

    def inverse(self, scaled: Tensor) -> Tensor:
        """Scaled values ``(..., variable)`` back to physical ones."""
        values = scaled * self.std + self.mean
        log = self.log > 0
        # where() alone: beyond 88 the exponential that is not chosen has no gradient
        return torch.where(log, torch.expm1(values.masked_fill(~log, 0.0)), values)
