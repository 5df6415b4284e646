"""Layers that several parts of the model share."""

from __future__ import annotations

from torch import nn


class Linear(nn.Linear):
    """Torch's linear layer, also without inputs: then a bias that starts at zero.

    Torch would warn of a weight without elements, though there is nothing to draw.

    Examples
    --------
    >>> Linear(0, 2).bias.tolist()
    [0.0, 0.0]
    """

    def reset_parameters(self) -> None:
        """Draw weight and bias as torch does, where there is a weight."""
        if self.in_features:
            super().reset_parameters()
        elif self.bias is not None:
            nn.init.zeros_(self.bias)
