"""The table of targets: complete, in step with heads and weights, fit to be stored."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from cf_xarray.units import units as registry_of_units

from xstefaland.inputs.variables import CATALOGUE
from xstefaland.model.physics import FLUXES
from xstefaland.weights import TARGETS, TargetSpec, load, registry

DEPTHS = {"": 0.05, "_10cm": 0.1, "_20cm": 0.2, "_50cm": 0.5, "_100cm": 1.0}
CANONICAL = {  # CF standard name table: name, canonical units
    "lwe_water_evaporation_rate": "m s-1",
    "lwe_thickness_of_surface_snow_amount": "m",
    "surface_snow_thickness": "m",
    "volume_fraction_of_condensed_water_in_soil": "1",
    "soil_temperature": "K",
}


@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
def test_entry_is_sound(target: TargetSpec) -> None:
    """Units parse and are those of the CF name; nothing contradicts itself."""
    assert target.problems() == []
    assert target.long_name
    assert TARGETS[target.name] is target
    units = registry_of_units(target.units)
    if target.standard_name is not None:
        assert units.is_compatible_with(CANONICAL[target.standard_name])


def test_physics_targets_are_in_the_table() -> None:
    """Whatever HBV gives has units here: rates and stores, never negative."""
    for name in FLUXES:
        assert TARGETS[name].units in ("mm d-1", "mm")
        assert TARGETS[name].minimum == 0.0


def test_listed_weights_predict_targets_of_the_table() -> None:
    """Names, units and CF names in published files are those of the table."""
    for entry in registry.table().heads:
        for spec in load(entry.name).card.targets:
            known = TARGETS[spec.name]
            assert (spec.units, spec.long_name) == (known.units, known.long_name)
            assert spec.standard_name in (None, known.standard_name)
            assert spec.minimum == known.minimum


@pytest.mark.parametrize("quantity", ["soil_moisture", "soil_temperature"])
def test_soil_is_known_at_five_depths(quantity: str) -> None:
    """The plain name is 5 cm; the others name their depth."""
    for suffix, depth in DEPTHS.items():
        target = TARGETS[f"{quantity}{suffix}"]
        assert target.depth == depth
        assert f"at {depth * 100:.0f} cm" in str(target.long_name)


def test_a_share_and_a_probability() -> None:
    """Texture is a percentage, a landslide a probability with its own loss."""
    for name in ("clay", "sand", "silt"):
        assert (TARGETS[name].minimum, TARGETS[name].maximum) == (0.0, 100.0)
        assert TARGETS[name].units == CATALOGUE[name].units
    landslide = TARGETS["landslide_probability"]
    assert (landslide.transform, landslide.loss) == ("logit", "cross_entropy")
    assert (landslide.minimum, landslide.maximum) == (0.0, 1.0)


def test_limits_hold_the_observations(real_data) -> None:
    """Real soil moisture and soil temperature lie within their targets' limits."""
    with xr.open_dataset(real_data / "uscrn_soil_moisture.nc") as ds:
        for short, quantity in (("sm", "soil_moisture"), ("st", "soil_temperature")):
            for suffix in DEPTHS:
                target = TARGETS[f"{quantity}{suffix}"]
                values = ds[f"{short}{suffix or '_5cm'}"]
                assert values.attrs["units"] == target.units
                low = -np.inf if target.minimum is None else target.minimum
                high = np.inf if target.maximum is None else target.maximum
                inside = (values >= low) & (values <= high)
                share = float(inside.sum() / values.notnull().sum())
                assert share > 0.998  # at 100 cm, 0.11 % of the values lie above 0.65
