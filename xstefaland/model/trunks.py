"""Trunks: from features of weather and place, and an embedding, to states day by day.

All take the embedding ``(B, T, d)``, features of the forcing ``(B, T, nx)`` and of the
attributes ``(B, ns)``, and the days of spin-up; they return states ``(B, T, width)``.
The recurrent part runs once over a whole record; it is spun up on the first days and
started again, so that values count from the first day on.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from xstefaland.model.adapters import build_adapter, linear_of_parts
from xstefaland.model.config import HeadConfig
from xstefaland.model.recurrence import run_lstm
from xstefaland.model.scratch import Direct, Scratch
from xstefaland.model.sequence_baselines import (
    AdditiveResConn,
    DLinear,
    Informer,
    Reformer,
)


class ResConn(nn.Module):
    """Adapter, then an LSTM that sees the inputs before and after itself.

    Source: StefaLand paper, section 2.3 (StefaLand-resConn).
    """

    def __init__(self, config: HeadConfig, forcing: int, attributes: int) -> None:
        super().__init__()
        width, hidden = config.embedding, config.width
        inputs = forcing + attributes
        self.norm = nn.LayerNorm(width)
        self.scale = nn.Parameter(torch.full((1,), 0.1))
        self.adapter = build_adapter(
            config.adapter, width, forcing, attributes, config.dropout / 4
        )
        self.before = nn.Linear(width + inputs, width)
        self.lstm = nn.LSTM(width, hidden, batch_first=True)
        self.after = nn.Linear(hidden + inputs, hidden)

    def forward(
        self, embedding: Tensor, forcing: Tensor, attributes: Tensor, spinup: int
    ) -> Tensor:
        """Features to states ``(B, T, width)``."""
        hidden = self.norm(embedding) * self.scale
        hidden = self.adapter(hidden, forcing, attributes)
        hidden = linear_of_parts(self.before, [hidden, forcing], attributes)
        state = run_lstm(self.lstm, hidden, spinup)
        return state + linear_of_parts(self.after, [state, forcing], attributes)


class NoResConn(nn.Module):
    """Adapter, then an LSTM, without a second look at the inputs."""

    def __init__(self, config: HeadConfig, forcing: int, attributes: int) -> None:
        super().__init__()
        width = config.embedding
        self.norm = nn.LayerNorm(width)
        self.scale = nn.Parameter(torch.full((1,), 0.1))
        self.adapter = build_adapter(
            config.adapter, width, forcing, attributes, config.dropout / 4
        )
        self.lstm = nn.LSTM(width, config.width, batch_first=True)

    def forward(
        self, embedding: Tensor, forcing: Tensor, attributes: Tensor, spinup: int
    ) -> Tensor:
        """Features to states ``(B, T, width)``."""
        hidden = self.norm(embedding) * self.scale
        return run_lstm(self.lstm, self.adapter(hidden, forcing, attributes), spinup)


class Recurrent(nn.Module):
    """The baseline without any embedding: Linear, ReLU, LSTM."""

    def __init__(self, config: HeadConfig, forcing: int, attributes: int) -> None:
        super().__init__()
        self.before = nn.Linear(forcing + attributes, config.width)
        self.lstm = nn.LSTM(config.width, config.width, batch_first=True)

    def forward(
        self, embedding: Tensor, forcing: Tensor, attributes: Tensor, spinup: int
    ) -> Tensor:
        """Features to states ``(B, T, width)``; `embedding` is not looked at."""
        hidden = torch.relu(linear_of_parts(self.before, [forcing], attributes))
        return run_lstm(self.lstm, hidden, spinup)


class Pointwise(nn.Module):
    """One linear map of embedding and inputs, day by day."""

    def __init__(self, config: HeadConfig, forcing: int, attributes: int) -> None:
        super().__init__()
        self.before = nn.Linear(config.embedding + forcing + attributes, config.width)

    def forward(
        self, embedding: Tensor, forcing: Tensor, attributes: Tensor, spinup: int
    ) -> Tensor:
        """Features to states ``(B, T, width)``."""
        return linear_of_parts(self.before, [embedding, forcing], attributes)


TRUNKS = {
    "resconn": ResConn,
    "no_resconn": NoResConn,
    "lstm": Recurrent,
    "linear": Pointwise,
    "resconn_additive": AdditiveResConn,
    "dlinear": DLinear,
    "informer": Informer,
    "reformer": Reformer,
    "transformer": Scratch,
    "direct": Direct,
}
