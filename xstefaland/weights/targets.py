"""What can be predicted: each target's units, CF names, limits, and how it is trained.

One entry of :data:`TARGETS` makes a target known everywhere; a
:class:`TargetSpec` of one's own does the same for one head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from xstefaland.inputs.requirements import range_problems

TRANSFORMS = ("linear", "log1p", "logit")
LOSSES = (
    "nse",
    "mse",
    "kge",
    "kge_alone",
    "log",
    "cross_entropy",
    "balanced",
    "focal",
)


@dataclass(frozen=True, kw_only=True)
class TargetSpec:
    """One output of a head.

    Parameters
    ----------
    name : str
        The quantity's name, such as ``"streamflow"``.
    units : str
        CF units of the answer.
    standard_name, long_name : str or None
        CF attributes of the answer.
    minimum, maximum : float or None
        Physical limits in `units`; answers are clipped to them.
    depth : float or None
        Depth below the surface that it is measured at [m].
    transform : {"linear", "log1p", "logit"}
        Applied to the observations before scaling; ``"logit"`` is for probabilities.
    loss : str
        One of :data:`LOSSES`; the last three are of probabilities.
        Trained on squared errors in units of each site's own variance, on squared
        errors, on the first with half of the weight on the KGE of each window or on
        errors of logarithms, or on the likelihood of a yes or no.

    Examples
    --------
    >>> TARGETS["soil_temperature_20cm"].units, TARGETS["soil_temperature_20cm"].depth
    ('degC', 0.2)
    """

    name: str
    units: str
    standard_name: str | None = None
    long_name: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    depth: float | None = None
    transform: str = "linear"
    loss: str = "mse"

    def problems(self) -> list[str]:
        """Tell what makes the entry unusable."""
        out = range_problems(self.name, self.minimum, self.maximum)
        for entry, choices in (("transform", TRANSFORMS), ("loss", LOSSES)):
            given = getattr(self, entry)
            if given not in choices:
                out.append(
                    f"target '{self.name}' has {entry} '{given}'; there are "
                    f"{', '.join(choices)}"
                )
        if self.depth is not None and self.depth < 0:
            out.append(f"target '{self.name}' has a negative depth: {self.depth}")
        return out


_NOT_NEGATIVE: dict[str, Any] = {"minimum": 0.0}
_RATE: dict[str, Any] = {"units": "mm d-1", "loss": "nse", **_NOT_NEGATIVE}
_STORE: dict[str, Any] = {"units": "mm", "loss": "nse", **_NOT_NEGATIVE}
_SHARE: dict[str, Any] = {"units": "percent", "minimum": 0.0, "maximum": 100.0}
_MOISTURE: dict[str, Any] = {
    "units": "m3 m-3",
    "standard_name": "volume_fraction_of_condensed_water_in_soil",
    "minimum": 0.0,
    "maximum": 0.65,  # porosity of a loose mineral soil; a site's own may be lower
}
_SOIL_HEAT: dict[str, Any] = {
    "units": "degC",
    "standard_name": "soil_temperature",
    "minimum": -70.0,
    "maximum": 90.0,
}

# CF's table has runoff and baseflow as mass fluxes [kg m-2 s-1] or amounts [kg m-2]
# alone, and texture as volume fractions alone: the depth rates and mass shares below
# have no standard name.
_ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "streamflow": ("Streamflow per basin area", _RATE),
    "surface_runoff": ("Fast outflow of the upper zone", _RATE),
    "interflow": ("Slow outflow of the upper zone", _RATE),
    "baseflow": ("Outflow of the lower zone", _RATE),
    "evapotranspiration": (
        "Actual evapotranspiration",
        {**_RATE, "standard_name": "lwe_water_evaporation_rate"},
    ),
    "recharge": ("Water from the soil to the upper zone", _RATE),
    "percolation": ("Water from the upper to the lower zone", _RATE),
    "capillary_rise": ("Water from the lower zone to the soil", _RATE),
    "snow_water_equivalent": (
        "Solid and liquid water in the snowpack",
        {**_STORE, "standard_name": "lwe_thickness_of_surface_snow_amount"},
    ),
    "soil_water": ("Water in the soil store", _STORE),
    "upper_zone_storage": ("Water in the upper zone", _STORE),
    "lower_zone_storage": ("Water in the lower zone", _STORE),
    "snow_depth": (
        "Depth of snow",
        {"units": "m", "standard_name": "surface_snow_thickness", **_NOT_NEGATIVE},
    ),
    "soil_moisture": (
        "Volumetric soil moisture at 5 cm",
        {**_MOISTURE, "depth": 0.05},
    ),
    "soil_temperature": ("Soil temperature at 5 cm", {**_SOIL_HEAT, "depth": 0.05}),
    **{
        f"{name}_{depth}cm": (f"{title} at {depth} cm", {**row, "depth": depth / 100})
        for name, title, row in (
            ("soil_moisture", "Volumetric soil moisture", _MOISTURE),
            ("soil_temperature", "Soil temperature", _SOIL_HEAT),
        )
        for depth in (10, 20, 50, 100)
    },
    "clay": ("Clay, share of the fine earth's mass", _SHARE),
    "sand": ("Sand, share of the fine earth's mass", _SHARE),
    "silt": ("Silt, share of the fine earth's mass", _SHARE),
    "landslide_probability": (
        "Probability of a landslide",
        {
            "units": "1",
            "minimum": 0.0,
            "maximum": 1.0,
            "transform": "logit",
            "loss": "cross_entropy",
        },
    ),
}

TARGETS: dict[str, TargetSpec] = {
    name: TargetSpec(name=name, long_name=title, **row)
    for name, (title, row) in _ROWS.items()
}
"""Every target by its name."""
