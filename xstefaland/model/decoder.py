"""From embeddings back to values: the decoder and the per-variable heads."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from xstefaland.model.config import EncoderConfig
from xstefaland.model.embedding import HIDDEN, Dropout
from xstefaland.model.transformer import TransformerLayer


class VariableProjection(nn.Module):
    """One small head per variable, Linear(d -> 64), GELU, Linear(64 -> 1), batched."""

    def __init__(self, size: int, d_model: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.size = size
        self.expand = nn.Linear(d_model, size * HIDDEN)
        bound = 1 / math.sqrt(HIDDEN)
        self.weight = nn.Parameter(torch.empty(size, HIDDEN).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(size))
        self.dropout = Dropout(dropout)

    def forward(self, token: Tensor) -> Tensor:
        """Token ``(..., d_model)`` -> scaled values ``(..., variable)``."""
        hidden = self.dropout(functional.gelu(self.expand(token)))
        hidden = hidden.unflatten(-1, (self.size, HIDDEN))
        out: Tensor = (hidden * self.weight).sum(-1) + self.bias
        return out


class Decoder(nn.Module):
    """Decoder of the masked autoencoder on day and static tokens ``(B, T + 1, d)``."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        width, self.kind = config.d_model, config.decoder
        if self.kind == "transformer":
            self.layers = nn.ModuleList(
                TransformerLayer(config) for _ in range(config.decoder_layers)
            )
            self.scale = math.sqrt(width) if config.scale_input else 1.0
        else:
            both = self.kind == "bilstm"
            size = width // 2 if both else width
            self.lstm = nn.LSTM(width, size, batch_first=True, bidirectional=both)
        self.norm = nn.LayerNorm(width)
        self.dropout = Dropout(config.dropout)
        self.forcing = VariableProjection(len(config.forcing), width, config.dropout)
        self.attributes = VariableProjection(
            len(config.attributes), width, config.dropout
        )

    def forward(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings ``(B, T + 1, d)`` to scaled forcing and attributes.

        Returns ``(B, T, forcing)`` and ``(B, attribute)``.
        """
        if self.kind == "transformer":
            hidden = hidden * self.scale
            for layer in self.layers:
                hidden = layer(hidden)
        else:
            hidden = self.lstm(hidden)[0]
        hidden = self.dropout(self.norm(hidden))
        return self.forcing(hidden[:, :-1]), self.attributes(hidden[:, -1])
