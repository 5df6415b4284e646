"""Physics heads: a network gives the parameters of HBV 1.1, which gives fluxes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from xstefaland.errors import InputError
from xstefaland.model.config import HeadConfig
from xstefaland.model.embedding import Dropout
from xstefaland.model.features import Features
from xstefaland.model.hbv import States, lean_widths, simulate_lean
from xstefaland.model.limits import Limited
from xstefaland.model.process import CARRIED, SPINUP_DAYS, WEATHER
from xstefaland.model.season import fill_by_season
from xstefaland.model.trunks import TRUNKS

FLUXES = {  # target -> field of model.hbv.Fluxes
    "streamflow": "streamflow",
    "surface_runoff": "surface_runoff",
    "interflow": "interflow",
    "baseflow": "baseflow",
    "evapotranspiration": "evapotranspiration",
    "snow_water_equivalent": "snow_water_equivalent",
    "recharge": "recharge",
    "percolation": "percolation",
    "capillary_rise": "capillary_rise",
    "soil_water": "soil_moisture",
    "upper_zone_storage": "upper_zone",
    "lower_zone_storage": "lower_zone",
}


class HbvHead(Limited):
    """A recurrent head whose states become HBV parameters.

    Three parameters change daily (beta, k0, beta_et); the others are one number per
    component and site, from the mean state over the record: its answer is never a
    causal one.

    Parameters
    ----------
    config : HeadConfig
        With ``physics="hbv"``; targets are keys of :data:`FLUXES`.
    """

    def __init__(self, config: HeadConfig) -> None:
        unknown = sorted(set(config.targets) - set(FLUXES))
        if unknown:
            raise InputError(
                f"HBV has no targets {unknown}; choose from {list(FLUXES)}."
            )
        super().__init__(len(config.targets), saved=False)
        self.config = config
        self.features = Features(config)
        sizes = self.features.forcing_size, self.features.attribute_size
        self.trunk = TRUNKS[config.kind](config, *sizes)
        self.dropout = Dropout(config.dropout)
        static, daily = lean_widths(components=config.components)
        self.static_logits = nn.Linear(config.width, static)
        self.daily_logits = nn.Linear(config.width, daily)
        self.columns = [config.forcing.index(name) for name in WEATHER]

    def forward(
        self,
        embedding: Tensor,
        forcing: Tensor,
        attributes: Tensor,
        *,
        spinup_days: int = SPINUP_DAYS,
        maximum: Tensor | None = None,
        channels: Tensor | None = None,
        day_of_year: Tensor | None = None,
        latitude: Tensor | None = None,
    ) -> Tensor:
        """Simulate; arguments and result as for a sequence head.

        What is missing of the three forcings that drive HBV is filled by the season,
        see :func:`~xstefaland.model.season.fill_by_season`.
        """
        spinup = min(spinup_days, forcing.shape[1])
        series, static = self.features(
            forcing,
            attributes,
            spinup_days=spinup,
            channels=channels,
            day_of_year=day_of_year,
            latitude=latitude,
        )
        state = self.dropout(self.trunk(embedding, series, static, spinup))
        constant = self.static_logits(state.mean(1)).float()
        daily = self.daily_logits(state).float().transpose(0, 1)  # (T, B, ...)
        weather = forcing[..., self.columns].float()
        weather = fill_by_season(weather, carried=CARRIED)
        weather = weather.transpose(0, 1).contiguous()
        start = self._spun_up(weather[:spinup], constant, daily[:spinup])
        fluxes = simulate_lean(
            weather,
            constant,
            daily,
            components=self.config.components,
            initial_states=start,
        )
        wanted = [getattr(fluxes, FLUXES[name]) for name in self.config.targets]
        out = torch.stack(wanted, -1).transpose(0, 1)
        return out if self.training else self.within_limits(out, maximum)

    def _spun_up(
        self, weather: Tensor, constant: Tensor, daily: Tensor
    ) -> States | None:
        """Return the storages after the days of spin-up, None where there are none."""
        if not len(weather):
            return None
        with torch.no_grad():
            components = self.config.components
            fluxes = simulate_lean(weather, constant, daily, components=components)
        return fluxes.states
