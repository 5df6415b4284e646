"""Trunks of others, small: what the foundation model's paper compares itself with.

They take and return what the trunks of :mod:`xstefaland.model.trunks` do; none looks
at an embedding but :class:`AdditiveResConn`. Attention sees windows of
:data:`WINDOW` days, each with the one before it, so that it can run over long records.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from xstefaland.model.adapters import linear_of_parts
from xstefaland.model.config import HeadConfig
from xstefaland.model.recurrence import run_lstm

WINDOW = 182
"""Days that attend to each other and to as many before them."""

HEADS, LAYERS = 4, 2


class AdditiveResConn(nn.Module):
    """The forcing, convolved and mapped, is added to the embedding before an LSTM.

    Source: StefaLand, version 3, the residual head: ``r = conv(x) + linear(x)``,
    ``h = LSTM(embedding + r)``. The convolution looks back alone.
    """

    kernel = 7

    def __init__(self, config: HeadConfig, forcing: int, attributes: int) -> None:
        super().__init__()
        width = config.embedding
        self.norm = nn.LayerNorm(width)
        self.linear = nn.Linear(forcing + attributes, width)
        self.conv = nn.Conv1d(forcing, width, self.kernel)
        self.lstm = nn.LSTM(width, config.width, batch_first=True)

    def forward(
        self, embedding: Tensor, forcing: Tensor, attributes: Tensor, spinup: int
    ) -> Tensor:
        """Features to states ``(B, T, width)``."""
        residual = linear_of_parts(self.linear, [forcing], attributes)
        residual = residual + _looking_back(self.conv, forcing)
        return run_lstm(self.lstm, self.norm(embedding) + residual, spinup)


class DLinear(nn.Module):
    """Linear in the last days, apart for their moving average and what is left.

    Source: Zeng et al. (2023), https://doi.org/10.1609/aaai.v37i9.26317
    """

    days, smooth, rank = 180, 25, 16

    def __init__(self, config: HeadConfig, forcing: int, attributes: int) -> None:
        super().__init__()
        self.trend = nn.Conv1d(forcing, self.rank, self.days)
        self.rest = nn.Conv1d(forcing, self.rank, self.days)
        self.out = nn.Linear(self.rank + attributes, config.width)

    def forward(
        self, embedding: Tensor, forcing: Tensor, attributes: Tensor, spinup: int
    ) -> Tensor:
        """Features to states ``(B, T, width)``."""
        past = _padded(forcing.transpose(1, 2), self.smooth - 1)
        trend = functional.avg_pool1d(past, self.smooth, 1).transpose(1, 2)
        state = _looking_back(self.trend, trend)
        state = state + _looking_back(self.rest, forcing - trend)
        return linear_of_parts(self.out, [state], attributes)


class _Attention(nn.Module):
    """A trunk of attention layers over windows; how they attend is the subclass's."""

    def __init__(self, config: HeadConfig, forcing: int, attributes: int) -> None:
        super().__init__()
        width = config.width
        self.before = nn.Linear(forcing + attributes, width)
        self.layers = nn.ModuleList(
            nn.ModuleDict(
                {
                    "inputs": nn.Linear(width, 3 * width),
                    "output": nn.Linear(width, width),
                    "norm": nn.LayerNorm(width),
                    "feed": nn.Sequential(
                        nn.Linear(width, 2 * width),
                        nn.GELU(),
                        nn.Linear(2 * width, width),
                    ),
                    "last": nn.LayerNorm(width),
                }
            )
            for _ in range(LAYERS)
        )

    def forward(
        self, embedding: Tensor, forcing: Tensor, attributes: Tensor, spinup: int
    ) -> Tensor:
        """Features to states ``(B, T, width)``."""
        hidden = linear_of_parts(self.before, [forcing], attributes)
        windows, days = (
            cut_windows(hidden),
            hidden.shape[1],
        )  # (B * windows, 2 W, width)
        windows = windows + _positions(windows)
        for layer in self.layers:
            windows = self._layer(layer, windows)
        last = windows[:, WINDOW:].reshape(len(hidden), -1, hidden.shape[-1])
        return last[:, :days]

    def _layer(self, layer: nn.Module, hidden: Tensor) -> Tensor:
        """Attention and a feed-forward step, each added and normed."""
        parts = layer.get_submodule("inputs")(hidden)
        heads = parts.unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        mixed = self.attend(*heads).transpose(1, 2).flatten(2)
        hidden = hidden + layer.get_submodule("output")(mixed)
        hidden = layer.get_submodule("norm")(hidden)
        fed: Tensor = layer.get_submodule("feed")(hidden)
        out: Tensor = layer.get_submodule("last")(hidden + fed)
        return out

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Mix days that are not later, ``(B, head, T, width / head)``."""
        raise NotImplementedError


class Informer(_Attention):
    """Sparse attention: the queries that stand out attend, the others take the mean.

    A query stands out when its largest score exceeds its mean score most. Here they
    are compared over all keys, not over a sample of them, so an answer is not random.
    Which days stand out in a window depends on its later days too.

    Source: Zhou et al. (2021), https://doi.org/10.1609/aaai.v35i12.17325
    """

    factor = 5

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attend with ``factor * log(T)`` queries; the rest is the mean of the past."""
        days = query.shape[2]
        scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
        past = torch.ones(days, days, dtype=torch.bool, device=query.device).tril()
        count = torch.arange(1, days + 1, device=query.device, dtype=query.dtype)
        mean = scores.masked_fill(~past, 0.0).sum(-1) / count
        scores = scores.masked_fill(~past, -torch.inf)
        chosen = min(days, math.ceil(self.factor * math.log(days)))
        limit = (scores.amax(-1) - mean).topk(chosen, -1).values[..., -1:]
        active = ((scores.amax(-1) - mean) >= limit).unsqueeze(-1)
        lazy = value.cumsum(2) / count[:, None]
        return torch.where(active, scores.softmax(-1) @ value, lazy)


class Reformer(_Attention):
    """Attention within buckets: days whose directions hash alike see each other.

    Queries are keys. A fixed rotation takes each to one of `buckets`, and it attends to
    those of its bucket that are not later (and to itself). In the original buckets are
    sorted and cut to save memory; windows are short here, so they are masks.

    Source: Kitaev et al. (2020), https://arxiv.org/abs/2001.04451
    """

    buckets, rounds = 8, 2

    def __init__(self, config: HeadConfig, forcing: int, attributes: int) -> None:
        super().__init__(config, forcing, attributes)
        size = (self.rounds, config.width // HEADS, self.buckets // 2)
        self.register_buffer("rotations", torch.randn(size))

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attend within the buckets of each round; rounds are averaged."""
        days = query.shape[2]
        unit = functional.normalize(query, dim=-1)
        turned = torch.einsum("bhtd,rdk->rbhtk", unit, self.get_buffer("rotations"))
        bucket = torch.cat([turned, -turned], -1).argmax(-1)
        same = bucket.unsqueeze(-1) == bucket.unsqueeze(-2)
        past = torch.ones(days, days, dtype=torch.bool, device=query.device).tril()
        parts = [
            functional.scaled_dot_product_attention(
                query, unit, value, attn_mask=each & past
            )
            for each in same
        ]
        return torch.stack(parts).mean(0)


def _padded(series: Tensor, days: int) -> Tensor:
    """Repeat the first day of ``(B, n, T)`` before it."""
    return functional.pad(series, (days, 0), mode="replicate")


def _looking_back(conv: nn.Conv1d, series: Tensor) -> Tensor:
    """Convolve ``(B, T, n)`` over the days up to each one."""
    past = _padded(series.transpose(1, 2), conv.kernel_size[0] - 1)
    out: Tensor = conv(past).transpose(1, 2)
    return out


def cut_windows(hidden: Tensor) -> Tensor:
    """Cut ``(B, T, n)`` to windows with the one before each ``(B * k, 2 WINDOW, n)``.

    They are counted from the first day, so that later days change nothing; it is
    repeated before the record, and the last one behind it.
    """
    ends = (WINDOW, -hidden.shape[1] % WINDOW)
    padded = functional.pad(hidden.transpose(1, 2), ends, mode="replicate")
    cut = padded.unfold(-1, 2 * WINDOW, WINDOW)  # (B, n, k, 2 WINDOW)
    return cut.permute(0, 2, 3, 1).flatten(0, 1)


def _positions(windows: Tensor) -> Tensor:
    """Sines and cosines of the position in a window ``(2 WINDOW, n)``."""
    days, width = windows.shape[1:]
    position = torch.arange(days, device=windows.device)[:, None]
    rate = torch.arange(0, width, 2, device=windows.device) / width
    angle = position / 10_000**rate
    return torch.stack([angle.sin(), angle.cos()], -1).flatten(1)[:, :width]
