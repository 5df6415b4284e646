"""One transformer layer with fused projections."""

from __future__ import annotations

import math

import torch
from torch import Tensor, bfloat16, nn, softmax
from torch.nn import functional

from xstefaland.model.config import EncoderConfig
from xstefaland.model.embedding import Dropout


class TransformerLayer(nn.Module):
    """Self-attention and feed-forward with residuals; pre- or post-norm.

    Source: Vaswani et al. (2017); the released StefaLand is post-norm with ReLU.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        width = config.d_model
        self.heads, self.pre = config.heads, config.norm == "pre"
        # in place: neither the layer before nor the gradient needs its input
        relu = config.activation == "relu"
        self.activation = functional.relu_ if relu else functional.gelu
        self.in_proj = nn.Linear(width, 3 * width)
        self.out_proj = nn.Linear(width, width)
        self.linear1 = nn.Linear(width, config.ffn)
        self.linear2 = nn.Linear(config.ffn, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.dropout = Dropout(config.dropout)

    def forward(
        self, tokens: Tensor, padding: Tensor | None = None, causal: bool = False
    ) -> Tensor:
        """Tokens ``(B, N, d)`` to the same.

        `padding` ``(B, N)`` is True on filler; `causal` tokens see those before them
        and themselves only.
        """
        if self.pre:
            tokens = self._attend(self.norm1(tokens), padding, causal).add_(tokens)
            return self._feed_forward(self.norm2(tokens)).add_(tokens)
        tokens = self.norm1(self._attend(tokens, padding, causal).add_(tokens))
        out: Tensor = self.norm2(self._feed_forward(tokens).add_(tokens))
        return out

    def _feed_forward(self, tokens: Tensor) -> Tensor:
        """Change each token by itself."""
        hidden = self.dropout(self.activation(self.linear1(tokens)))
        out: Tensor = self.dropout(self.linear2(hidden))
        return out

    def _attend(self, tokens: Tensor, padding: Tensor | None, causal: bool) -> Tensor:
        """Let tokens see each other, those before them only where causal."""
        batch, count, width = tokens.shape
        packed = self.in_proj(tokens).view(batch, count, 3, self.heads, -1)
        query, key, value = packed.permute(2, 0, 3, 1, 4)  # (B, heads, N, d/heads)
        keep = None if padding is None else ~padding[:, None, None, :]
        explicit = self._explicit(query)
        if causal and (explicit or keep is not None):  # the fused kernel takes either
            earlier = torch.ones(count, count, dtype=torch.bool, device=tokens.device)
            keep = earlier.tril_() if keep is None else earlier.tril_() & keep
        if explicit:
            mixed = self._explicit_attention(query, key, value, keep)
        else:
            mixed = functional.scaled_dot_product_attention(
                query, key, value, keep, is_causal=causal and keep is None
            )
        mixed = mixed.transpose(1, 2).reshape(batch, count, width)
        out: Tensor = self.dropout(self.out_proj(mixed))
        return out

    def _explicit(self, query: Tensor) -> bool:
        """Tell whether plain matrix products are the faster or the only way.

        On CPUs bfloat16 is faster so (measured), and dropout inside the fused kernel
        would draw full-width random numbers.
        """
        dropping = self.training and self.dropout.threshold > 0
        return dropping or (query.dtype == bfloat16 and query.device.type == "cpu")

    def _explicit_attention(
        self, query: Tensor, key: Tensor, value: Tensor, keep: Tensor | None
    ) -> Tensor:
        """Attend with all scores in memory ``(B, heads, N, N)``."""
        scores = (query / math.sqrt(query.shape[-1])) @ key.transpose(-1, -2)
        if keep is not None:  # added: the gradient needs no mask, a sixth of the time
            unseen = scores.new_zeros(keep.shape).masked_fill_(~keep, float("-inf"))
            scores = scores.add_(unseen)
        out: Tensor = self.dropout(softmax(scores, -1)) @ value
        return out
