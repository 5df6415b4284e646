"""Blocks: plain arrays of some sites through an encoder, whatever their length.

Numpy in, numpy out. Beside input and output there are the embeddings of as many sites
as the device has memory for, and one batch of windows. Embeddings stay on the device
until they are wanted elsewhere. Heads are trained on those of :func:`embed_block`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from xstefaland.inference import progress
from xstefaland.inference.batches import (
    BatchSize,
    Limit,
    choose_batch_size,
    choose_sites,
    in_batches,
)
from xstefaland.inference.gaps import begun, near_weather
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
    required : tuple of tuple of int
        Columns of the forcing of which one must be there, group by group; any will do
        without.
    """

    forcing: Floats
    attributes: Floats
    latitude: Floats
    day_of_year: NDArray[Any]
    required: tuple[tuple[int, ...], ...] = ()

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
        """Return ``(site, time)``: whether the weather had begun by that day."""
        return begun(self.forcing, self.required)

    def near_weather(self, max_gap: int | None, causal: bool) -> NDArray[np.bool_]:
        """Return ``(site, time)``: whether the weather is not farther than that."""
        return near_weather(self.forcing, max_gap, self.required, causal=causal)

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
            self.required,
        )

    def take(self, sites: NDArray[np.intp] | slice) -> Block:
        """Return the block of some of the sites."""
        return Block(
            self.forcing[sites],
            self.attributes[sites],
            self.latitude[sites],
            self.day_of_year,
            self.required,
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
        shape = {None: [block.days], "year": [len(_rows(0, pool, groups))]}
        width = self.model.config.d_model
        out = np.full((block.sites, *shape.get(pool, []), width), np.nan, np.float32)
        for chosen in self.in_parts(sites, block.days):
            part = self.embedding(
                block.take(chosen), pool, groups, everywhere, causal, max_gap
            )
            out[chosen] = part.cpu().numpy()
        return out

    def embedding(
        self,
        block: Block,
        pool: Pool = None,
        groups: NDArray[np.intp] | None = None,
        everywhere: bool = False,
        causal: bool = False,
        max_gap: int | None = None,
    ) -> Tensor:
        """Embed all sites of a block at once; the answer stays on the device."""
        import torch

        near = block.near_weather(max_gap, causal)
        seen = block.begun() & near if causal else near
        if causal and pool == "static":  # no window's token differs from another's
            block = block.first_days(self.model.config.window)
        with torch.inference_mode():
            if pool == "static":
                out = self._static(block, causal)
            elif pool is None:
                out = self._daily(block, causal)
                if not everywhere:
                    out.masked_fill_(self._given(~seen)[..., None], torch.nan)
            else:
                rows = _rows(block.days, pool, groups)
                out = self._pooled(block, rows, near, causal)
                out = out[:, 0] if pool == "mean" else out
        return out

    def in_parts(
        self, sites: NDArray[np.intp], days: int
    ) -> Iterator[NDArray[np.intp]]:
        """Split sites into as many at once as the device has memory for."""
        size = choose_sites(self.model.config.d_model, days, self.device)
        for begin in range(0, len(sites), size):
            yield sites[begin : begin + size]

    def reconstruct(self, block: Block) -> tuple[Floats, Floats]:
        """Reconstruct, see :func:`reconstruct_block`."""
        import torch

        series = np.full(block.forcing.shape, np.nan, np.float32)
        static = np.full(block.attributes.shape, np.nan, np.float32)
        for chosen in self.in_parts(block.with_forcing(), block.days):
            part = block.take(chosen)
            days = self._zeros(*part.forcing.shape)
            places = self._zeros(*part.attributes.shape)
            with torch.inference_mode():
                for batch in self._windows(part, decode=True):
                    batch.add_days(days, batch.decoded[0])
                    batch.add(places, batch.decoded[1] / batch.windows)
            series[chosen], static[chosen] = days.cpu().numpy(), places.cpu().numpy()
        return series, static

    def _daily(self, block: Block, causal: bool) -> Tensor:
        """Return day tokens ``(site, time, d)``, windows faded into each other."""
        days = self._laid_out(block, causal)[2]
        out = self._zeros(block.sites, days, self.model.config.d_model)
        for batch in self._windows(block, causal=causal):
            batch.add_days(out, batch.hidden[:, :-1])
        return out[:, : block.days]

    def _static(self, block: Block, causal: bool) -> Tensor:
        """Return static tokens ``(site, d)``: the mean of the windows'."""
        out = self._zeros(block.sites, self.model.config.d_model)
        for batch in self._windows(block, causal=causal):
            batch.add(out, batch.hidden[:, -1] / batch.windows)
        return out

    def _pooled(
        self, block: Block, rows: Floats, near: NDArray[np.bool_], causal: bool
    ) -> Tensor:
        """Return means ``(site, row, d)`` of the days that count; of none it is NaN."""
        import torch

        more = ((0, 0), (0, self._laid_out(block, causal)[2] - block.days))
        padded, days = np.pad(rows, more), np.pad(near, more)
        out = self._zeros(block.sites, len(rows), self.model.config.d_model)
        for batch in self._windows(block, causal=causal):
            batch.add(out, batch.pooled(batch.hidden[:, :-1], padded, days))
        counts = self._given(near.astype(np.float32) @ rows.T)
        return out / counts.masked_fill(counts == 0, torch.nan)[..., None]

    def _laid_out(
        self, block: Block, causal: bool
    ) -> tuple[NDArray[np.intp], Floats, int]:
        """Return starts and fading of a record's windows, and the days they span."""
        config = self.model.config
        record = block.days, config.window, config.stride
        if causal:  # the last window may reach beyond the record
            starts, fade = causal_starts(*record), causal_weights(*record)
        else:
            starts, fade = window_starts(*record), fade_weights(*record)
        return starts, fade, int(starts[-1]) + fade.shape[1]

    def _windows(
        self, block: Block, decode: bool = False, causal: bool = False
    ) -> Iterator[_Batch]:
        """Run all windows of a block's sites through the model, batch by batch."""
        starts, fade, days = self._laid_out(block, causal)
        block = block if days == block.days else block.first_days(days)
        length = fade.shape[1]
        size = choose_batch_size(self.batch_size, self.model, length, self.device)
        sites = np.repeat(np.arange(block.sites), len(starts))
        windows = np.tile(np.arange(len(starts)), block.sites)

        def run(rows: slice) -> _Batch:
            """Encode some of the windows, which may belong to several sites."""
            window = windows[rows]
            batch = _Batch(sites[rows], starts[window], fade[window], len(starts))
            return self._encode(block, batch, decode, causal)

        progress.expect(len(sites))
        for _, batch in in_batches(run, len(sites), size, self.limit):
            yield batch
            progress.step(len(batch.site))

    def _encode(
        self, block: Block, batch: _Batch, decode: bool, causal: bool
    ) -> _Batch:
        """Run one batch of windows, and decode it if asked."""
        calendar = self.model.config.calendar
        days = batch.days
        forcing = self.tensor(block.forcing[batch.site[:, None], days])
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

    def _zeros(self, *shape: int) -> Tensor:
        """Make sums on the device, float32 whatever the precision of the model."""
        import torch

        return torch.zeros(shape, device=self.device)

    def _given(self, values: NDArray[Any]) -> Tensor:
        """Bring values to the device as they are."""
        import torch

        return torch.from_numpy(values).to(self.device)

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
        self.site, self.fade, self.windows = site, fade, windows
        self.days = start[:, None] + np.arange(fade.shape[1])  # (B, W)

    def pooled(self, tokens: Tensor, rows: Floats, days: NDArray[np.bool_]) -> Tensor:
        """Sum days ``(B, W, d)`` that count to the pooled rows ``(B, row, d)``."""
        import torch

        counts = self.fade * days[self.site[:, None], self.days]
        share = rows[:, self.days].swapaxes(0, 1) * counts[:, None]
        return torch.from_numpy(share).to(tokens.device) @ tokens.float()

    def add(self, out: Tensor, values: Tensor) -> None:
        """Add ``(B, ...)`` to the batch's sites in `out`."""
        out.index_add_(0, _on(out, self.site), values.float())

    def add_days(self, out: Tensor, values: Tensor) -> None:
        """Add faded days ``(B, W, n)`` to their days in `out` ``(site, time, n)``."""
        places = self.site[:, None] * out.shape[1] + self.days
        faded = values.float() * _on(out, self.fade)[..., None]
        flat, last = out.view(-1, out.shape[2]), faded.flatten(0, 1)
        flat.index_add_(0, _on(out, places.ravel()), last)


def _on(place: Tensor, values: NDArray[Any]) -> Tensor:
    """Bring values to where a tensor is."""
    import torch

    return torch.from_numpy(values).to(place.device)


def _rows(days: int, pool: Pool, groups: NDArray[np.intp] | None) -> Floats:
    """Tell which days belong to each pooled row: 1 or 0, ``(row, time)``."""
    if pool not in ("mean", "year"):
        return np.empty((0, days), np.float32)
    if groups is None:
        groups = np.zeros(days, np.intp)
    count = 1 if pool == "mean" else int(groups.max()) + 1
    member: Floats = (groups == np.arange(count)[:, None]).astype(np.float32)
    return member
