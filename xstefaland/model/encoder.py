"""StefaLand: a masked autoencoder over daily forcings and static attributes."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from xstefaland.errors import InputError
from xstefaland.model.config import EncoderConfig
from xstefaland.model.decoder import Decoder
from xstefaland.model.embedding import CalendarEmbedding, Dropout, VariableEmbedding
from xstefaland.model.scaling import Scaling
from xstefaland.model.transformer import TransformerLayer


class StefaLand(nn.Module):
    """Foundation model: physical values in, embeddings and reconstructions out.

    Each day is one token (the sum of its forcings' embeddings), the attributes are one
    token appended last. NaN means missing and becomes a learned mask token.

    Parameters
    ----------
    config : EncoderConfig
        Variables, sizes and form.

    References
    ----------
    Kraabel et al. (2025), StefaLand, arXiv:2509.17942, section 2 and appendix A.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        width, dropout = config.d_model, config.dropout
        self.forcing_scaling = Scaling(len(config.forcing))
        self.attribute_scaling = Scaling(len(config.attributes))
        self.forcing_embedding = VariableEmbedding(
            len(config.forcing), width, dropout=dropout
        )
        self.attribute_embedding = VariableEmbedding(
            len(config.attributes), width, mask=config.static_mask, dropout=dropout
        )
        if config.calendar:
            self.calendar = CalendarEmbedding(width)
        self.position = nn.Parameter(  # starts as the original's do
            torch.empty(config.max_positions, width).uniform_(-0.02, 0.02)
        )
        if config.static_position == "own":
            self.static_position = nn.Parameter(
                torch.empty(width).uniform_(-0.02, 0.02)
            )
        self.layers = nn.ModuleList(
            TransformerLayer(config) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)
        self.to_embedding = nn.Linear(width, width)
        self.decoder = Decoder(config)

    def encode(
        self,
        forcing: Tensor,
        attributes: Tensor,
        *,
        day_of_year: Tensor | None = None,
        latitude: Tensor | None = None,
        forcing_mask: Tensor | None = None,
        attribute_mask: Tensor | None = None,
        padding: Tensor | None = None,
        substitute: Tensor | None = None,
        causal: bool = False,
    ) -> Tensor:
        """Embed windows of forcing.

        Parameters
        ----------
        forcing : Tensor
            Physical values ``(B, T, forcing)`` in the config's order, NaN = missing.
        attributes : Tensor
            Physical values ``(B, attribute)``, NaN = missing.
        day_of_year : Tensor, optional
            1..366, ``(B, T)``; needed when ``config.calendar``.
        latitude : Tensor, optional
            Degrees north ``(B,)``, NaN where unknown; default unknown everywhere.
        forcing_mask, attribute_mask : Tensor, optional
            True = hide the value although it is there.
        padding : Tensor, optional
            True on days that only fill the batch, ``(B, T)``.
        substitute : Tensor, optional
            Scalars ``(B, attribute)`` for missing attributes, see
            :class:`~xstefaland.model.embedding.VariableEmbedding`.
        causal : bool
            Read forwards only: a day's token depends on the attributes, that day and
            the days before it, the static token on the attributes alone. By default
            every token depends on the whole window.

        Returns
        -------
        Tensor
            ``(B, T + 1, d_model)``: day tokens, then the static token.
        """
        series = self._day_tokens(forcing, forcing_mask, day_of_year, latitude)
        static = self._static_token(attributes, attribute_mask, substitute)
        tokens = torch.cat([series, static.unsqueeze(1)], 1)
        tokens = self.dropout(tokens + self._positions(forcing.shape[1]))
        if self.config.scale_input:
            tokens = tokens * math.sqrt(self.config.d_model)
        tokens = self._mix(tokens, padding, causal)
        out: Tensor = self.to_embedding(self.dropout(self.norm(tokens)))
        return out

    def decode(
        self, hidden: Tensor, *, physical: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Reconstruct forcing ``(B, T, forcing)`` and attributes ``(B, attribute)``.

        Values are scaled ones (as the loss needs them) unless `physical`.
        """
        forcing, attributes = self.decoder(hidden)
        if physical:
            forcing = self.forcing_scaling.inverse(forcing)
            attributes = self.attribute_scaling.inverse(attributes)
        return forcing, attributes

    def _day_tokens(
        self,
        forcing: Tensor,
        mask: Tensor | None,
        day_of_year: Tensor | None,
        latitude: Tensor | None,
    ) -> Tensor:
        """Embed the days ``(B, T, d)``; what is missing or masked is not seen."""
        if forcing.shape[1] >= self.config.max_positions:
            raise InputError(
                f"A window of {forcing.shape[1]} days exceeds the model's "
                f"{self.config.max_positions - 1}; cut it into windows of "
                f"{self.config.window} days."
            )
        missing = forcing.isnan() if mask is None else forcing.isnan() | mask
        tokens = self.forcing_embedding(self.forcing_scaling(forcing), missing)
        if self.config.calendar:
            if day_of_year is None:
                raise InputError(
                    "This model was trained with the calendar: pass "
                    "`day_of_year=` with shape (batch, time)."
                )
            if latitude is None:
                latitude = forcing.new_full((len(forcing),), float("nan"))
            tokens = tokens + self.calendar(day_of_year, latitude)
        out: Tensor = tokens
        return out

    def _static_token(
        self, attributes: Tensor, mask: Tensor | None, substitute: Tensor | None
    ) -> Tensor:
        """Embed the attributes as one token a site ``(B, d)``."""
        missing = attributes.isnan() if mask is None else attributes.isnan() | mask
        scaled = self.attribute_scaling(attributes)
        out: Tensor = self.attribute_embedding(scaled, missing, substitute)
        return out

    def _mix(self, tokens: Tensor, padding: Tensor | None, causal: bool) -> Tensor:
        """Run the layers; read causally, the static token goes first and is seen."""
        first = 1 if causal else 0
        if padding is not None:
            padding = nn.functional.pad(padding, (first, 1 - first), value=False)
        tokens = tokens.roll(first, 1) if causal else tokens
        for layer in self.layers:
            tokens = layer(tokens, padding, causal)
        return tokens.roll(-first, 1) if causal else tokens

    def _positions(self, days: int) -> Tensor:
        """Positions of the days and the static token ``(T + 1, d)``."""
        if self.config.static_position == "last":
            return self.position[: days + 1]
        return torch.cat([self.position[:days], self.static_position.unsqueeze(0)])
