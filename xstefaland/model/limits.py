"""Limits of a head's targets: streamflow is never negative, a share is at most one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Limited(nn.Module):
    """A head whose answers are kept within limits.

    Parameters
    ----------
    targets : int
        Number of targets. A new head has no limits until :meth:`limit` is called or
        weights that hold them are loaded.
    saved : bool
        Whether the limits are tensors of the weights file.
    """

    minimum: Tensor
    maximum: Tensor

    def __init__(self, targets: int, *, saved: bool) -> None:
        super().__init__()
        for name, value in (("minimum", -torch.inf), ("maximum", torch.inf)):
            limits = torch.full((targets,), value)
            self.register_buffer(name, limits, persistent=saved)

    def limit(
        self, minimum: Sequence[float | None], maximum: Sequence[float | None]
    ) -> None:
        """Set the limits, one per target in physical units; None is no limit."""
        low = [-torch.inf if value is None else value for value in minimum]
        high = [torch.inf if value is None else value for value in maximum]
        where = next(self.parameters()).device  # these may still be without memory
        self.minimum = torch.as_tensor(low, dtype=torch.float32, device=where)
        self.maximum = torch.as_tensor(high, dtype=torch.float32, device=where)

    def within_limits(self, values: Tensor, maximum: Tensor | None = None) -> Tensor:
        """Clip values to the limits.

        Parameters
        ----------
        values : Tensor
            Physical values ``(B, ..., target)``.
        maximum : Tensor, optional
            Further upper limits of each site ``(B, target)``; NaN where unknown.
        """
        high = self.maximum
        if maximum is not None:
            between = (1,) * (values.ndim - 2)
            own = maximum.reshape(len(maximum), *between, -1)
            high = torch.fmin(high, own)  # the one that is known, if one is NaN
        return values.clamp(self.minimum, high)
