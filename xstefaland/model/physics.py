"""Physics heads: a network gives the parameters of HBV 1.1, which gives fluxes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from xstefaland.errors import InputError
from xstefaland.model.config import HeadConfig
from xstefaland.model.embedding import Dropout
from xstefaland.model.hbv import lean_widths, simulate_lean
from xstefaland.model.heads import SPINUP_DAYS, TRUNKS, Features

FORCING = ("precipitation", "temperature", "potential_evapotranspiration")
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


class HbvHead(nn.Module):
    """A recurrent head whose states become HBV parameters.

    Three parameters change daily (beta, k0, beta_et); the others are one number per
    component and site, from the mean state over the record.

    Parameters
    ----------
    config : HeadConfig
        With ``physics="hbv"``; targets are keys of :data:`FLUXES`.
    """

    def __init__(self, config: HeadConfig) -> None:
        super().__init__()
        unknown = sorted(set(config.targets) - set(FLUXES))
        if unknown:
            raise InputError(
                f"HBV has no targets {unknown}; choose from {list(FLUXES)}."
            )
        self.config = config
        self.features = Features(config)
        sizes = self.features.forcing_size, self.features.attribute_size
        self.trunk = TRUNKS[config.kind](config, *sizes)
        self.dropout = Dropout(config.dropout)
        static, daily = lean_widths(components=config.components)
        self.static_logits = nn.Linear(config.width, static)
        self.daily_logits = nn.Linear(config.width, daily)
        self.columns = [config.forcing.index(name) for name in FORCING]

    def forward(
        self,
        embedding: Tensor,
        forcing: Tensor,
        attributes: Tensor,
        *,
        warmup_days: int = SPINUP_DAYS,
    ) -> Tensor:
        """Simulate; arguments and result as for a sequence head.

        Missing precipitation counts as none, missing temperature and potential
        evapotranspiration as their mean over the record.
        """
        series, static = self.features(forcing, attributes)
        spinup = min(warmup_days, forcing.shape[1])
        state = self.trunk(embedding, series, static, spinup)
        state = self.dropout(state)
        constant = self.static_logits(state.mean(1)).float()
        daily = self.daily_logits(state).float().transpose(0, 1)  # (T, B, ...)
        weather = self._weather(forcing).transpose(0, 1)
        start = None
        if spinup:
            with torch.no_grad():
                start = simulate_lean(
                    weather[:spinup],
                    constant,
                    daily[:spinup],
                    components=self.config.components,
                ).states
        fluxes = simulate_lean(
            weather,
            constant,
            daily,
            components=self.config.components,
            initial_states=start,
        )
        wanted = [getattr(fluxes, FLUXES[name]) for name in self.config.targets]
        return torch.stack(wanted, -1).transpose(0, 1)

    def _weather(self, forcing: Tensor) -> Tensor:
        """Precipitation, temperature, PET ``(B, T, 3)`` without gaps."""
        weather = forcing[..., self.columns].float()
        mean = weather.nanmean(1, keepdim=True).nan_to_num(0.0)
        mean[..., 0] = 0.0
        return torch.where(weather.isnan(), mean, weather).contiguous()
