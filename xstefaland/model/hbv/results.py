"""What a run returns: fluxes and storages of every site and day, and final states."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class States:
    """
    Storages of every component at the end of a day, and the water still on its way.

    Attributes
    ----------
    snowpack, meltwater, soil_moisture, upper_zone, lower_zone : Tensor
        ``[site, component]``, mm. `meltwater` is the liquid water in the snow.
    recent_flow : Tensor
        ``[site, 4, day]``: unrouted total flow, surface runoff, interflow and baseflow
        (mm d-1) of the last days, at most 14, which have not fully arrived.
    """

    snowpack: Tensor
    meltwater: Tensor
    soil_moisture: Tensor
    upper_zone: Tensor
    lower_zone: Tensor
    recent_flow: Tensor

    def stores(self) -> Tensor:
        """Stack the five storages ``[site, 5, component]``."""
        return torch.stack(
            [
                self.snowpack,
                self.meltwater,
                self.soil_moisture,
                self.upper_zone,
                self.lower_zone,
            ],
            dim=1,
        )

    def detach(self) -> States:
        """Cut the states from the run they come from."""
        named = {f.name: getattr(self, f.name).detach() for f in fields(self)}
        return replace(self, **named)


@dataclass(frozen=True)
class Fluxes:
    """
    Fluxes and storages ``[time, site]``, averaged over components.

    Attributes
    ----------
    streamflow : Tensor
        Routed total runoff, mm d-1 (weighted if component weights were given).
    surface_runoff, interflow, baseflow : Tensor
        Its parts, routed, mm d-1: fast and slow outflow of the upper zone, outflow of
        the lower zone.
    streamflow_unrouted, surface_runoff_unrouted, interflow_unrouted, \
baseflow_unrouted : Tensor
        The same before routing, mm d-1.
    evapotranspiration, potential_evapotranspiration : Tensor
        Actual and potential, mm d-1.
    snowpack, meltwater : Tensor
        Solid and liquid water in the snow at the end of the day, mm.
    recharge, excess : Tensor
        From soil to upper zone, by infiltration and above field capacity, mm d-1.
    evapotranspiration_factor : Tensor
        Share of the potential that the soil allows, 0 to 1.
    to_soil : Tensor
        Water that leaves the snow, mm d-1.
    percolation, capillary_rise : Tensor
        Upper to lower zone, and lower zone to soil, mm d-1.
    soil_moisture, upper_zone, lower_zone : Tensor
        Storages at the end of the day, mm.
    states : States
        Final states, from which a run can go on.
    all_days : tuple of Tensor
        Routed streamflow and baseflow of all days that ran, those of the warm-up too.
    """

    streamflow: Tensor
    surface_runoff: Tensor
    interflow: Tensor
    baseflow: Tensor
    streamflow_unrouted: Tensor
    surface_runoff_unrouted: Tensor
    interflow_unrouted: Tensor
    baseflow_unrouted: Tensor
    evapotranspiration: Tensor
    potential_evapotranspiration: Tensor
    snowpack: Tensor
    meltwater: Tensor
    recharge: Tensor
    excess: Tensor
    evapotranspiration_factor: Tensor
    to_soil: Tensor
    percolation: Tensor
    capillary_rise: Tensor
    soil_moisture: Tensor
    upper_zone: Tensor
    lower_zone: Tensor
    states: States
    all_days: tuple[Tensor, Tensor] = field(repr=False)

    @property
    def baseflow_index(self) -> Tensor:
        """Routed baseflow over streamflow ``[site]`` of all days that ran, percent."""
        flow, base = (series.sum(dim=0) for series in self.all_days)
        return 100 * base / (flow + 1e-5)  # as the peers': 0 where no water flows

    @property
    def snow_water_equivalent(self) -> Tensor:
        """Solid and liquid water in the snow, mm."""
        return self.snowpack + self.meltwater

    @property
    def storage(self) -> Tensor:
        """All water in the five stores, mm (without water being routed)."""
        snow = self.snowpack + self.meltwater
        return snow + self.soil_moisture + self.upper_zone + self.lower_zone


SERIES: tuple[str, ...] = (
    "streamflow_unrouted",
    "surface_runoff_unrouted",
    "interflow_unrouted",
    "baseflow_unrouted",
    "evapotranspiration",
    "snowpack",
    "meltwater",
    "recharge",
    "excess",
    "evapotranspiration_factor",
    "to_soil",
    "percolation",
    "capillary_rise",
    "soil_moisture",
    "upper_zone",
    "lower_zone",
    "streamflow",
    "surface_runoff",
    "interflow",
    "baseflow",
)
"""Order in which backends return the series."""

MEMORY = 14
"""Days of unrouted flow that a continued run must know."""


def collect(
    outputs: tuple[Tensor, ...], pet: Tensor, history: Tensor, cut: int
) -> Fluxes:
    """
    Name what a backend returned.

    Parameters
    ----------
    outputs : tuple of Tensor
        Series in the order of `SERIES`, then final storages.
    pet : Tensor [time, site]
        Potential evapotranspiration of the days that ran, mm d-1.
    history : Tensor [site, 4, day]
        Unrouted flow before the first day.
    cut : int
        First days that are left out of the series.

    Returns
    -------
    Fluxes
    """
    series = dict(zip(SERIES, outputs[:-1], strict=True))
    flow = torch.stack([s[-MEMORY:].T for s in outputs[:4]], dim=1)
    recent = torch.cat([history, flow], dim=2)[:, :, -MEMORY:]
    sp, mw, sm, uz, lz = outputs[-1].unbind(1)
    return Fluxes(
        **{name: values[cut:] for name, values in series.items()},
        potential_evapotranspiration=pet[cut:],
        states=States(sp, mw, sm, uz, lz, recent),
        all_days=(series["streamflow"], series["baseflow"]),
    )
