"""What can be predicted: names, CF units and limits of the targets we train."""

from __future__ import annotations

from xstefaland.weights.specs import TargetSpec

_MM, _RATE = "mm", "mm d-1"
TARGETS = {
    name: TargetSpec(
        name=name,
        units=units,
        standard_name=standard,
        long_name=long,
        minimum=0.0,
        maximum=1.0 if name == "soil_moisture" else None,
    )
    for name, units, standard, long in (
        ("streamflow", _RATE, None, "Streamflow per basin area"),
        (
            "soil_moisture",
            "m3 m-3",
            "volume_fraction_of_condensed_water_in_soil",
            "Volumetric soil moisture at 5 cm",
        ),
        ("surface_runoff", _RATE, None, "Fast outflow of the upper zone"),
        ("interflow", _RATE, None, "Slow outflow of the upper zone"),
        ("baseflow", _RATE, None, "Outflow of the lower zone"),
        ("evapotranspiration", _RATE, None, "Actual evapotranspiration"),
        (
            "snow_water_equivalent",
            _MM,
            "lwe_thickness_of_surface_snow_amount",
            "Solid and liquid water in the snowpack",
        ),
        ("recharge", _RATE, None, "Water from the soil to the upper zone"),
        ("percolation", _RATE, None, "Water from the upper to the lower zone"),
        ("capillary_rise", _RATE, None, "Water from the lower zone to the soil"),
        ("soil_water", _MM, None, "Water in the soil store"),
        ("upper_zone_storage", _MM, None, "Water in the upper zone"),
        ("lower_zone_storage", _MM, None, "Water in the lower zone"),
    )
}
