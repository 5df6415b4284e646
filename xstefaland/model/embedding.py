"""From scaled numbers to tokens: one embedding per variable, one batched operation."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

HIDDEN = 64  # width between the two linear maps of a variable's embedding


class VariableEmbedding(nn.Module):
    """Embed each variable by Linear(1 -> 64), GELU, Linear(64 -> d), and sum.

    A missing value becomes a learned vector of its variable (``mask="vector"``) or a
    learned scalar that passes the embedding (``mask="value"``, the released form for
    attributes).

    Parameters
    ----------
    size : int
        Number of variables.
    d_model : int
        Width of a token.
    mask : {"vector", "value"}
        What stands for a missing value.
    dropout : float
        Dropout after the activation.
    """

    def __init__(
        self,
        size: int,
        d_model: int,
        *,
        mask: Literal["vector", "value"] = "vector",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.mask = mask
        bound = 1 / math.sqrt(HIDDEN)
        self.weight1 = nn.Parameter(torch.empty(size, HIDDEN).uniform_(-1, 1))
        self.bias1 = nn.Parameter(torch.empty(size, HIDDEN).uniform_(-1, 1))
        self.weight2 = nn.Parameter(
            torch.empty(size, HIDDEN, d_model).uniform_(-bound, bound)
        )
        self.bias2 = nn.Parameter(torch.zeros(size, d_model))
        shape = (size, d_model) if mask == "vector" else (size,)
        # Starts as the original's do.
        self.missing = nn.Parameter(torch.empty(shape).uniform_(-0.02, 0.02))
        self.dropout = Dropout(dropout)

    def forward(
        self, values: Tensor, missing: Tensor, substitute: Tensor | None = None
    ) -> Tensor:
        """Embed and sum.

        Parameters
        ----------
        values : Tensor
            Scaled values ``(..., variable)``.
        missing : Tensor
            True where masked or missing, same shape.
        substitute : Tensor, optional
            Per-sample scalars ``(..., variable)`` in place of the learned ones
            (``mask="value"`` only): what the released code's table holds per row.

        Returns
        -------
        Tensor
            One token ``(..., d_model)``.
        """
        if self.mask == "value":
            scalar = self.missing if substitute is None else substitute
            values = torch.where(missing, scalar, values)
            missing = torch.zeros_like(missing)
        values = values.masked_fill(missing, 0.0).to(self.weight1.dtype)
        hidden = functional.gelu(values.unsqueeze(-1) * self.weight1 + self.bias1)
        present = (~missing).to(hidden.dtype)
        hidden = self.dropout(hidden) * present.unsqueeze(-1)
        token = hidden.flatten(-2) @ self.weight2.flatten(0, 1) + present @ self.bias2
        if self.mask == "vector":
            token = token + (1 - present) @ self.missing
        out: Tensor = token
        return out


class CalendarEmbedding(nn.Module):
    """Day of year and latitude to a vector per day.

    Without it a masked stretch cannot be told from another season.
    """

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.expand = nn.Linear(4, HIDDEN)
        self.project = nn.Linear(HIDDEN, d_model)

    def forward(self, day_of_year: Tensor, latitude: Tensor) -> Tensor:
        """Day of year ``(B, T)``, latitude [degrees north] ``(B,)`` -> ``(B, T, d)``.

        An unknown latitude is NaN.
        """
        angle = day_of_year * (2 * math.pi / 365.25)
        known = ~latitude.isnan()
        place = torch.stack([latitude.nan_to_num() / 90, known.to(angle.dtype)], -1)
        place = place.unsqueeze(1).expand(*angle.shape, 2)
        features = torch.cat(
            [angle.sin().unsqueeze(-1), angle.cos().unsqueeze(-1), place], -1
        )
        features = features.to(self.expand.weight.dtype)
        out: Tensor = self.project(functional.gelu(self.expand(features)))
        return out


class Dropout(nn.Module):
    """Dropout whose random numbers are bytes: eight times fewer draws than usual.

    The rate is rounded to the next 1/256.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.threshold = round(rate * 256)

    def forward(self, values: Tensor) -> Tensor:
        """Zero a share of `values` in training and rescale the rest."""
        if not self.training or self.threshold == 0:
            return values
        count = values.numel()
        words = torch.empty((count + 7) // 8, dtype=torch.int64, device=values.device)
        # the full range of int64: every byte is uniform
        words.random_(torch.iinfo(torch.int64).min, None)
        keep = words.view(torch.uint8)[:count].view(values.shape) >= self.threshold
        return values * keep * (256 / (256 - self.threshold))
