"""Blocks: plain arrays of some sites through an encoder, whatever their length.

Numpy in, numpy out. Beside input and output there is never more than one batch of
windows in memory. Heads are trained on embeddings made by :func:`embed_block`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from xstefaland.inference import progress
from xstefaland.inference.batches import BatchSize, Limit, choose_batch_size, in_batches
from xstefaland.inference.gaps import near_weather
from xstefaland.inference.loaded import placed, resolve_device
from xstefaland.inference.windows import (
    causal_starts,
    causal_weights,
    fade_weights,
    window_starts,
)

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

Pool = Literal["mean", "year", "static"] | None
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Block:
    """Inputs of some sites that share their days; float32, NaN = missing.

    Parameters
    ----------
    forcing : ndarray
        Physical values ``(site, time, forcing)``.
    attributes : ndarray
        Physical values ``(site, attribute)``.
    latitude : ndarray
        Degrees north ``(site,)``.
    day_of_year : ndarray
        1..366, ``(time,)``.
    """

    forcing: Floats
    attributes: Floats
    latitude: Floats
    day_of_year: NDArray[Any]

    @property
    def sites(self) -> int:
        """Number of sites."""
        return len(self.forcing)

    @property
    def days(self) -> int:
        """Number of days."""
        return int(self.forcing.shape[1])

    def with_forcing(self) -> NDArray[np.intp]:
        """Return the sites that have any forcing value at all."""
        return np.flatnonzero(np.isfinite(self.forcing).any((1, 2)))

    def begun(self) -> NDArray[np.bool_]:
        """Return ``(site, time)``: whether there was any forcing up to that day."""
        there = np.isfinite(self.forcing).any(2)
        return np.maximum.accumulate(there, axis=1)

    def first_days(self, days: int) -> Block:
        """Return the block of the first `days`, ending in missing ones if need be."""
        more = max(days - self.days, 0)
        return Block(
            np.pad(
                self.forcing[:, :days],
                ((0, 0), (0, more), (0, 0)),
                constant_values=np.nan,
            ),
            self.attributes,
            self.latitude,
            np.pad(self.day_of_year[:days], (0, more), constant_values=1),
        )

    def take(self, sites: NDArray[np.intp] | slice) -> Block:
        """Return the block of some of the sites."""
        return Block(
            self.forcing[sites],
            self.attributes[sites],
            self.latitude[sites],
            self.day_of_year,
        )


def embed_block(
    model: nn.Module,
    forcing: Floats,
    attributes: Floats,
    latitude: Floats,
    day_of_year: NDArray[Any],
    *,
    batch_size: BatchSize = "auto",
    device: str = "auto",
    precision: str = "float32",
    pool: Pool = None,
    groups: NDArray[np.intp] | None = None,
    limit: Limit | None = None,
    causal: bool = False,
) -> Floats:
    """Embed the records of some sites.

    Parameters
    ----------
    model : StefaLand
        The encoder.
    forcing, attributes, latitude, day_of_year : ndarray
        See :class:`Block`.
    batch_size : int or "auto"
        Windows at once; it changes speed and memory, not the result.
    device, precision : str
        As in :class:`~xstefaland.set_options`.
    pool : {None, "mean", "year", "static"}
        None: every day. ``"mean"``, ``"year"``: the mean of days, see `groups`.
        ``"static"``: the static token, the mean of the windows' tokens.
    groups : ndarray of int, optional
        ``(time,)``: the row that a day counts for when pooling, -1 for none. Needed
        by ``"year"``; ``"mean"`` takes all days without it.
    limit : Limit, optional
        Shared between blocks, so that they learn from each other what fits.
    causal : bool
        Whether a day's embedding depends on the attributes and the days up to it
        alone: on ``window - stride`` days before it at least, fewer only at the
        record's start. The attributes are the caller's: climate that was computed from
        the whole record knows the future. The model should have been trained for it.

    Returns
    -------
    ndarray of float32
        ``(site, time, d)``; pooled ``(site, d)``, by year ``(site, year, d)``. A site
        without any forcing value is NaN and costs nothing; read causally, so are days
        before the site's first forcing value.

    Examples
    --------
    >>> from xstefaland.testing import tiny_encoder
    >>> forcing = np.ones((2, 500, 3), np.float32)
    >>> forcing[1] = np.nan
    >>> attributes, latitude = np.ones((2, 4), np.float32), np.zeros(2, np.float32)
    >>> days = np.arange(500) % 365 + 1
    >>> out = embed_block(tiny_encoder(), forcing, attributes, latitude, days)
    >>> out.shape, np.isnan(out[1]).all()
    ((2, 500, 16), np.True_)
    """
    block = Block(forcing, attributes, latitude, day_of_year)
    encoder = Encoder(model, batch_size, device, precision, limit)
    return encoder.embed(block, pool, groups, causal=causal)


def reconstruct_block(
    model: nn.Module,
    forcing: Floats,
    attributes: Floats,
    latitude: Floats,
    day_of_year: NDArray[Any],
    *,
    batch_size: BatchSize = "auto",
    device: str = "auto",
    precision: str = "float32",
    limit: Limit | None = None,
) -> tuple[Floats, Floats]:
    """Reconstruct forcing and attributes from what is there of them.

    Parameters
    ----------
    model, forcing, attributes, latitude, day_of_year
        See :func:`embed_block`.
    batch_size, device, precision, limit
        See :func:`embed_block`.

    Returns
    -------
    forcing, attributes : ndarray of float32
        Physical values ``(site, time, forcing)`` and ``(site, attribute)``, also where
        there were values. Windows are faded into each other; attributes are the mean
        of the windows'. A site without any forcing value is NaN.
    """
    block = Block(forcing, attributes, latitude, day_of_year)
    encoder = Encoder(model, batch_size, device, precision, limit)
    return encoder.reconstruct(block)


class Encoder:
    """An encoder with the settings it works under; see :func:`embed_block`."""

    def __init__(
        self,
        model: nn.Module,
        batch_size: BatchSize,
        device: str,
        precision: str,
        limit: Limit | None = None,
        sites: Limit | None = None,
    ) -> None:
        self.device = resolve_device(device)
        self.model: Any = placed(model, self.device, precision)
        self.batch_size = batch_size
        self.limit, self.sites = limit or Limit(), sites or Limit()

    def embed(
        self,
        block: Block,
        pool: Pool = None,
        groups: NDArray[np.intp] | None = None,
        everywhere: bool = False,
        causal: bool = False,
        max_gap: int | None = None,
    ) -> Floats:
        """Embed, see :func:`embed_block`; `everywhere`: without any forcing too."""
        sites = np.arange(block.sites) if everywhere else block.with_forcing()
        config = self.model.config
        rows = _rows(block.days, pool, groups)
        near = near_weather(block.forcing, max_gap, causal=causal)
        days = near
        shape = {None: (block.days,), "year": (rows.shape[0],)}.get(pool, ())
        out = np.full((block.sites, *shape, config.d_model), np.nan, np.float32)
        out[sites] = 0.0
        if causal and pool == "static":  # no window's token differs from another's
            block = block.first_days(config.window)
        if causal:  # the last window may reach beyond the record
            rows = np.pad(rows, ((0, 0), (0, config.window)))
            days = np.pad(near, ((0, 0), (0, config.window)))
        for batch in self._windows(block, sites, causal=causal):
            hidden = batch.hidden
            if pool is None:
                batch.add_days(out, hidden[:, :-1])
            elif pool == "static":
                batch.add(out, hidden[:, -1] / batch.windows)
            elif pool == "mean":
                batch.add(out, batch.pooled(hidden[:, :-1], rows, days)[:, 0])
            else:
                batch.add(out, batch.pooled(hidden[:, :-1], rows, days))
        if pool in ("mean", "year"):
            _divide(out, (days.astype(np.float32) @ rows.T).reshape(out.shape[:-1]))
        if pool is None and not everywhere:
            out[~(near & block.begun() if causal else near)] = np.nan
        return out

    def reconstruct(self, block: Block) -> tuple[Floats, Floats]:
        """Reconstruct, see :func:`reconstruct_block`."""
        sites = block.with_forcing()
        series = np.full(block.forcing.shape, np.nan, np.float32)
        static = np.full(block.attributes.shape, np.nan, np.float32)
        series[sites], static[sites] = 0.0, 0.0
        for batch in self._windows(block, sites, decode=True):
            batch.add_days(series, batch.decoded[0])
            batch.add(static, batch.decoded[1] / batch.windows)
        return series, static

    def _windows(
        self,
        block: Block,
        sites: NDArray[np.intp],
        decode: bool = False,
        causal: bool = False,
    ) -> Iterator[_Batch]:
        """Run all windows of some sites through the model, batch by batch."""
        config = self.model.config
        record = block.days, config.window, config.stride
        if causal:
            starts, fade = causal_starts(*record), causal_weights(*record)
            block = block.first_days(int(starts[-1]) + config.window)
        else:
            starts, fade = window_starts(*record), fade_weights(*record)
        size = choose_batch_size(
            self.batch_size, self.model, fade.shape[1], self.device
        )
        pairs = np.stack(
            [np.repeat(sites, len(starts)), np.tile(np.arange(len(starts)), len(sites))]
        )

        def run(rows: slice) -> _Batch:
            site, window = pairs[:, rows]
            batch = _Batch(site, starts[window], fade[window], len(starts))
            return self._encode(block, batch, decode, causal)

        progress.expect(pairs.shape[1])
        for _, batch in in_batches(run, pairs.shape[1], size, self.limit):
            yield batch
            progress.step(len(batch.site))

    def _encode(
        self, block: Block, batch: _Batch, decode: bool, causal: bool
    ) -> _Batch:
        """Run one batch of windows, and decode it if asked."""
        import torch

        calendar = self.model.config.calendar
        days = batch.start[:, None] + np.arange(batch.fade.shape[1])
        forcing = self.tensor(block.forcing[batch.site[:, None], days])
        with torch.inference_mode():
            batch.hidden = self.model.encode(
                forcing,
                self.tensor(block.attributes[batch.site]),
                day_of_year=self.tensor(block.day_of_year[days]) if calendar else None,
                latitude=self.tensor(block.latitude[batch.site]) if calendar else None,
                causal=causal,
            )
            if decode:
                batch.decoded = self.model.decode(batch.hidden, physical=True)
        return batch

    def tensor(self, values: NDArray[Any]) -> Tensor:
        """Bring values to the device as float32; infinities become NaN."""
        import torch

        tensor = torch.from_numpy(np.ascontiguousarray(values, np.float32))
        tensor = tensor.to(self.device, non_blocking=True)
        return tensor.masked_fill(tensor.isinf(), torch.nan)


class _Batch:
    """Windows that go through the model together."""

    hidden: torch.Tensor
    decoded: tuple[torch.Tensor, torch.Tensor]

    def __init__(
        self,
        site: NDArray[np.intp],
        start: NDArray[np.intp],
        fade: Floats,
        windows: int,
    ) -> None:
        self.site, self.start, self.fade, self.windows = site, start, fade, windows

    def pooled(self, tokens: Tensor, rows: Floats, days: NDArray[np.bool_]) -> Tensor:
        """Sum days ``(B, W, d)`` that count to the pooled rows ``(B, row, d)``."""
        import torch

        length = self.fade.shape[1]
        share = np.stack([rows[:, begin : begin + length] for begin in self.start])
        window = self.start[:, None] + np.arange(length)
        counts = self.fade * days[self.site[:, None], window]
        share = share * counts[:, None, :]
        return torch.from_numpy(share).to(tokens.device) @ tokens.float()

    def add(self, out: Floats, values: Tensor) -> None:
        """Add ``(B, ...)`` to the batch's sites in `out`."""
        np.add.at(out, self.site, values.float().cpu().numpy())

    def add_days(self, out: Floats, values: Tensor) -> None:
        """Add faded days ``(B, W, n)`` to their days in `out` ``(site, time, n)``.

        Days beyond the record's end are dropped.
        """
        import torch

        fade = torch.from_numpy(self.fade).to(values.device)
        faded = (values.float() * fade[..., None]).cpu().numpy()
        length = self.fade.shape[1]
        for site, begin, days in zip(self.site, self.start, faded, strict=True):
            part = out[site, begin : begin + length]
            part += days[: len(part)]


def _rows(days: int, pool: Pool, groups: NDArray[np.intp] | None) -> Floats:
    """Tell which days belong to each pooled row: 1 or 0, ``(row, time)``."""
    if pool not in ("mean", "year"):
        return np.empty((0, days), np.float32)
    if groups is None:
        groups = np.zeros(days, np.intp)
    count = 1 if pool == "mean" else int(groups.max()) + 1
    member: Floats = (groups == np.arange(count)[:, None]).astype(np.float32)
    return member


def _divide(sums: Floats, counts: Floats) -> None:
    """Turn sums ``(..., d)`` into means, in place; of no day it is NaN."""
    sums /= np.where(counts > 0, counts, np.nan)[..., None]
