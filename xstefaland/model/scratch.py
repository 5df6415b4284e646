"""Trunks in the form of the foundation model, trained on the task alone.

Controls of pretraining: the same layers, of the embedding's width, without anything
learned before. They take and return what the trunks of :mod:`xstefaland.model.trunks`
do. Windows are those of :mod:`xstefaland.model.sequence_baselines`: a day sees its
whole window, later days of it too.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from xstefaland.model.config import EncoderConfig, HeadConfig
from xstefaland.model.layers import Linear
from xstefaland.model.recurrence import run_lstm
from xstefaland.model.sequence_baselines import WINDOW, cut_windows
from xstefaland.model.transformer import TransformerLayer

LAYERS, HEADS = 4, 4
DROPOUT = 0.1


class Scratch(nn.Module):
    """Day tokens and a static token through the encoder's layers, from scratch.

    Source: the StefaLand paper's ablation in which all parameters are trained on the
    task ("scratch"; "transformer" in version 1).
    """

    def __init__(self, config: HeadConfig, forcing: int, attributes: int) -> None:
        super().__init__()
        width = config.embedding
        form = EncoderConfig(
            forcing=("any",),
            attributes=(),
            d_model=width,
            heads=HEADS if width % HEADS == 0 else 1,
            ffn=2 * width,
            dropout=DROPOUT,
        )
        self.day = Linear(forcing, width)
        self.place = Linear(attributes, width)
        self.position = nn.Parameter(
            torch.empty(2 * WINDOW + 1, width).uniform_(-0.02, 0.02)
        )
        self.layers = nn.ModuleList(TransformerLayer(form) for _ in range(LAYERS))
        self.norm = nn.LayerNorm(width)
        self.after = nn.Linear(width, config.width)

    def forward(
        self, embedding: Tensor, forcing: Tensor, attributes: Tensor, spinup: int
    ) -> Tensor:
        """Features to states ``(B, T, width)``; `embedding` is not looked at."""
        out: Tensor = self.after(self.tokens(forcing, attributes))
        return out

    def tokens(self, forcing: Tensor, attributes: Tensor) -> Tensor:
        """Embed days ``(B, T, d)``."""
        count, days = forcing.shape[:2]
        windows = cut_windows(self.day(forcing))  # (B * k, 2 WINDOW, d)
        place = self.place(attributes).repeat_interleave(len(windows) // count, 0)
        tokens = torch.cat([windows, place.unsqueeze(1)], 1) + self.position
        for layer in self.layers:
            tokens = layer(tokens)
        own = self.norm(tokens[:, WINDOW:-1])
        out: Tensor = own.reshape(count, -1, own.shape[-1])[:, :days]
        return out


class Direct(Scratch):
    """The autoencoder whole, with the target as one more channel of the decoder.

    The channel is hidden everywhere, so nothing of it enters; the decoder is the
    released one, an LSTM over the tokens.

    Source: the StefaLand paper, version 3, ablation "direct".
    """

    def __init__(self, config: HeadConfig, forcing: int, attributes: int) -> None:
        super().__init__(config, forcing, attributes)
        self.decoder = nn.LSTM(config.embedding, config.embedding, batch_first=True)

    def forward(
        self, embedding: Tensor, forcing: Tensor, attributes: Tensor, spinup: int
    ) -> Tensor:
        """Features to states ``(B, T, width)``; `embedding` is not looked at."""
        decoded = run_lstm(self.decoder, self.tokens(forcing, attributes), spinup)
        out: Tensor = self.after(decoded)
        return out
