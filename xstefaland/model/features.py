"""Features: from physical inputs of a head to scaled numbers, without gaps."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from xstefaland.errors import InputError
from xstefaland.model.config import HeadConfig
from xstefaland.model.process import SPINUP_DAYS, WEATHER, process_channels
from xstefaland.model.scaling import Scaling

LATITUDE_UNIT = 30.0
"""Degrees from the equator that count as one."""


class Features(nn.Module):
    """Physical inputs to scaled features: 0 and a flag where a value is absent.

    Beside forcing and attributes there may be two kinds of inputs that nobody passes:
    process channels (:mod:`xstefaland.model.process`), computed here from the weather
    of the record, and the place in year and world (:func:`season_and_latitude`).

    Parameters
    ----------
    config : HeadConfig
        Names of all inputs.
    """

    def __init__(self, config: HeadConfig) -> None:
        super().__init__()
        self.flags, self.place = config.flags, config.place
        self.channels = config.channels
        self.forcing_scaling = Scaling(len(config.forcing))
        self.attribute_scaling = Scaling(len(config.attributes))
        self.log_scaling = Scaling(len(config.also_log))
        self.logged = [config.forcing.index(name) for name in config.also_log]
        twice = 2 if config.flags else 1
        self.forcing_size = twice * len(config.forcing) + len(config.also_log)
        self.attribute_size = twice * len(config.attributes)
        if config.channels:  # heads without them have no such tensors
            self.channel_scaling = Scaling(len(config.channels))
            self.weather = [config.forcing.index(name) for name in WEATHER]
            self.forcing_size += len(config.channels) + int(config.flags)
        if config.place:
            self.forcing_size += 4

    def forward(
        self,
        forcing: Tensor,
        attributes: Tensor,
        *,
        spinup_days: int = SPINUP_DAYS,
        channels: Tensor | None = None,
        day_of_year: Tensor | None = None,
        latitude: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return features without NaN.

        Parameters
        ----------
        forcing, attributes : Tensor
            Physical values ``(B, T, forcing)`` and ``(B, attribute)``, NaN = missing.
        spinup_days : int
            So many first days are run before the record; 0: no day may know of later
            ones.
        channels : Tensor, optional
            Process channels ``(B, T, channel)`` of a window, where `forcing` is only
            part of the record; by default they are computed from `forcing`.
        day_of_year : Tensor, optional
            1..366, ``(T,)`` or ``(B, T)``.
        latitude : Tensor, optional
            Degrees north ``(B,)``, NaN = unknown.

        Returns
        -------
        series, static : Tensor
            ``(B, T, forcing_size)`` and ``(B, attribute_size)``.

        Raises
        ------
        InputError
            When the place is an input of the head and was not passed.
        """
        series = [self.forcing_scaling(forcing).nan_to_num(0.0)]
        if self.logged:
            logged = self.log_scaling(forcing[..., self.logged])
            series.append(logged.nan_to_num(0.0))
        if self.flags:
            series.append((~forcing.isnan()).to(forcing.dtype))
        if self.channels:
            series += self._channels(forcing, channels, spinup_days)
        if self.place:
            if day_of_year is None or latitude is None:
                raise InputError(
                    "this head was trained with `place`: pass head(..., "
                    "day_of_year=..., latitude=...)"
                )
            day_of_year = day_of_year.expand(forcing.shape[:2])
            series.append(season_and_latitude(day_of_year, latitude))
        return torch.cat(series, -1), self.static(attributes)

    def static(self, attributes: Tensor) -> Tensor:
        """Return the features of attributes alone ``(B, attribute_size)``."""
        scaled: Tensor = self.attribute_scaling(attributes).nan_to_num(0.0)
        if not self.flags:
            return scaled
        return torch.cat([scaled, (~attributes.isnan()).to(scaled.dtype)], -1)

    def _channels(
        self, forcing: Tensor, channels: Tensor | None, spinup: int
    ) -> list[Tensor]:
        """Scale the channels; one flag says whether they are known, as all are."""
        if channels is None:
            weather = forcing[..., self.weather]
            channels = process_channels(
                weather, self.channels, spinup=spinup, causal=spinup == 0
            )
        known = (~channels[..., :1].isnan()).to(forcing.dtype)
        scaled: Tensor = self.channel_scaling(channels).nan_to_num(0.0)
        return [scaled, known] if self.flags else [scaled]


def season_and_latitude(day_of_year: Tensor, latitude: Tensor) -> Tensor:
    """
    Tell a day's place in the year and a site's in the world.

    Sine and cosine of the day of the year, which in the south is counted half a year
    later, so that winter is winter; the distance from the equator; and a flag. Where
    the latitude is unknown so is the season, and all four are 0.

    Parameters
    ----------
    day_of_year : Tensor
        1..366, ``(B, T)``.
    latitude : Tensor
        Degrees north ``(B,)``, NaN = unknown.

    Returns
    -------
    Tensor
        ``(B, T, 4)``.

    Examples
    --------
    Cosine, distance and flag of midwinter at 45 degrees north and south:

    >>> days = torch.tensor([[0.0], [182.625]])
    >>> season_and_latitude(days, torch.tensor([45.0, -45.0]))[:, 0, 1:].round()
    tensor([[1., 2., 1.],
            [1., 2., 1.]])
    """
    known = (~latitude.isnan()).to(day_of_year.dtype)
    latitude = latitude.nan_to_num(0.0)
    side = torch.where(latitude < 0, -known, known).unsqueeze(1)
    angle = day_of_year * (2 * math.pi / 365.25)
    place = torch.stack([latitude.abs() / LATITUDE_UNIT, known], -1)
    place = place.unsqueeze(1).expand(*angle.shape, 2)
    season = torch.stack([angle.sin() * side, angle.cos() * side], -1)
    return torch.cat([season, place.to(season.dtype)], -1)
