"""Adapters: light layers that bend a frozen embedding to a task.

All take the embedding ``(B, T, d)``, the task's forcing features ``(B, T, nx)`` and its
attribute features ``(B, ns)``, and return ``(B, T, d)``.

Source: StefaLand paper, section 2.3 and appendix D; `residual` is its default.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from xstefaland.errors import InputError
from xstefaland.model.embedding import Dropout
from xstefaland.model.layers import Linear


def linear_of_parts(layer: nn.Linear, series: list[Tensor], static: Tensor) -> Tensor:
    """Apply a layer to ``cat([*series, static], -1)``, the constant part only once.

    Parameters
    ----------
    layer : Linear
        Its inputs are the series' columns, then those of `static`.
    series : list of Tensor
        ``(B, T, n)`` each.
    static : Tensor
        ``(B, ns)``, the same every day.

    Returns
    -------
    Tensor
        ``(B, T, out)``.
    """
    split = layer.in_features - static.shape[-1]
    constant = functional.linear(static, layer.weight[:, split:], layer.bias)
    varying = functional.linear(torch.cat(series, -1), layer.weight[:, :split])
    return varying + constant.unsqueeze(1)


def _mlp(sizes: tuple[int, int, int], dropout: float) -> nn.Sequential:
    """Linear, ReLU, dropout, Linear."""
    return nn.Sequential(
        nn.Linear(sizes[0], sizes[1]),
        nn.ReLU(),
        Dropout(dropout),
        nn.Linear(sizes[1], sizes[2]),
    )


class Residual(nn.Module):
    """Two residual steps: a mix of everything, then forcing and attributes."""

    def __init__(
        self, width: int, forcing: int, attributes: int, dropout: float
    ) -> None:
        super().__init__()
        self.forcing = Linear(forcing, width)
        self.attributes = Linear(attributes, width)
        self.mix = _mlp((3 * width, 2 * width, width), 2 * dropout)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.dropout = Dropout(dropout)

    def forward(self, hidden: Tensor, forcing: Tensor, attributes: Tensor) -> Tensor:
        """Adapt, see the module."""
        series = self.dropout(torch.relu(self.forcing(forcing)))
        static = self.dropout(torch.relu(self.attributes(attributes)))
        mixed = linear_of_parts(self.mix[0], [hidden, series], static)  # type: ignore[arg-type]
        mixed = self.mix[1:](mixed)
        both = series + static.unsqueeze(1)
        out: Tensor = self.norm2(self.norm1(hidden + mixed) + both)
        return out


class FeedForward(nn.Module):
    """A two-layer network on embedding and forcing, without residual."""

    def __init__(
        self, width: int, forcing: int, attributes: int, dropout: float
    ) -> None:
        super().__init__()
        self.mix = _mlp((width + forcing, 2 * width, width), dropout)

    def forward(self, hidden: Tensor, forcing: Tensor, attributes: Tensor) -> Tensor:
        """Adapt, see the module."""
        out: Tensor = self.mix(torch.cat([hidden, forcing], -1))
        return out


class Bottleneck(nn.Module):
    """Down to a quarter of the width and back, with a residual."""

    def __init__(
        self,
        width: int,
        forcing: int,
        attributes: int,
        dropout: float,
        narrow: int | None = None,
    ) -> None:
        super().__init__()
        self.mix = _mlp((width + forcing, narrow or width // 4, width), dropout)
        self.norm = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)

    def forward(self, hidden: Tensor, forcing: Tensor, attributes: Tensor) -> Tensor:
        """Adapt, see the module."""
        mixed = self.mix(torch.cat([hidden, forcing], -1))
        out: Tensor = self.norm(hidden + self.dropout(mixed))
        return out


class Gated(nn.Module):
    """A gate decides how much of a linear map is added."""

    def __init__(
        self, width: int, forcing: int, attributes: int, dropout: float
    ) -> None:
        super().__init__()
        self.gate = nn.Linear(width + forcing, width)
        self.transform = nn.Linear(width + forcing, width)

    def forward(self, hidden: Tensor, forcing: Tensor, attributes: Tensor) -> Tensor:
        """Adapt, see the module."""
        both = torch.cat([hidden, forcing], -1)
        out: Tensor = hidden + torch.sigmoid(self.gate(both)) * self.transform(both)
        return out


class MixtureOfExperts(nn.Module):
    """Four small networks mixed by a soft gate, with a residual."""

    def __init__(
        self,
        width: int,
        forcing: int,
        attributes: int,
        dropout: float,
        experts: int = 4,
        hidden: int | None = None,
    ) -> None:
        super().__init__()
        sizes = (width + forcing, hidden or width, width)
        self.gate = nn.Linear(width + forcing, experts)
        self.experts = nn.ModuleList(_mlp(sizes, dropout) for _ in range(experts))
        self.norm = nn.LayerNorm(width)

    def forward(self, hidden: Tensor, forcing: Tensor, attributes: Tensor) -> Tensor:
        """Adapt, see the module."""
        both = torch.cat([hidden, forcing], -1)
        answers = torch.stack([expert(both) for expert in self.experts], -1)
        weights = torch.softmax(self.gate(both), -1).unsqueeze(-2)
        out: Tensor = self.norm(hidden + (answers * weights).sum(-1))
        return out


class Convolution(nn.Module):
    """Two convolutions over three days, with a residual."""

    def __init__(
        self, width: int, forcing: int, attributes: int, dropout: float
    ) -> None:
        super().__init__()
        self.project = nn.Linear(width + forcing, width)
        self.mix = nn.Sequential(
            nn.Conv1d(width, 2 * width, 3, padding="same"),
            nn.ReLU(),
            Dropout(dropout),
            nn.Conv1d(2 * width, width, 3, padding="same"),
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, hidden: Tensor, forcing: Tensor, attributes: Tensor) -> Tensor:
        """Adapt, see the module."""
        mixed = self.project(torch.cat([hidden, forcing], -1))
        mixed = self.mix(mixed.transpose(1, 2)).transpose(1, 2)
        out: Tensor = self.norm(hidden + mixed)
        return out


class Attention(nn.Module):
    """Self-attention, cross-attention to the forcing, feed-forward; post-norm."""

    def __init__(
        self, width: int, forcing: int, attributes: int, dropout: float
    ) -> None:
        super().__init__()
        self.project = Linear(forcing, width)
        self.self_attention = nn.MultiheadAttention(width, 4, dropout, batch_first=True)
        self.cross_attention = nn.MultiheadAttention(
            width, 4, dropout, batch_first=True
        )
        self.mix = _mlp((width, 2 * width, width), dropout)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.norm3 = nn.LayerNorm(width)

    def forward(self, hidden: Tensor, forcing: Tensor, attributes: Tensor) -> Tensor:
        """Adapt, see the module."""
        series = self.project(forcing)
        mixed = self.self_attention(hidden, hidden, hidden, need_weights=False)[0]
        hidden = self.norm1(hidden + mixed)
        mixed = self.cross_attention(hidden, series, series, need_weights=False)[0]
        hidden = self.norm2(hidden + mixed)
        out: Tensor = self.norm3(hidden + self.mix(hidden))
        return out


class Identity(nn.Module):
    """The embedding as it is."""

    def __init__(
        self, width: int, forcing: int, attributes: int, dropout: float
    ) -> None:
        super().__init__()

    def forward(self, hidden: Tensor, forcing: Tensor, attributes: Tensor) -> Tensor:
        """Return `hidden`."""
        return hidden


ADAPTERS: dict[str, Callable[[int, int, int, float], nn.Module]] = {
    "residual": Residual,
    "feedforward": FeedForward,
    "bottleneck": Bottleneck,
    "gated": Gated,
    "moe": MixtureOfExperts,
    "conv": Convolution,
    "attention": Attention,
    "none": Identity,
}


def build_adapter(
    name: str, width: int, forcing: int, attributes: int, dropout: float
) -> nn.Module:
    """Build an adapter by name.

    Parameters
    ----------
    name : str
        A key of :data:`ADAPTERS`.
    width, forcing, attributes : int
        Sizes of embedding, forcing features and attribute features.
    dropout : float
        In training.
    """
    if name not in ADAPTERS:
        raise InputError(f"Unknown adapter {name!r}; choose one of {sorted(ADAPTERS)}.")
    return ADAPTERS[name](width, forcing, attributes, dropout)
