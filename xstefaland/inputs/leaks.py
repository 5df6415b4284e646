"""What is never an input: targets, what is computed from them, unusable products."""

from __future__ import annotations

import re
from collections.abc import Collection

_FLOW = "it is measured or computed from streamflow, which is a target"
_SOIL_WATER = "soil moisture is a target, and model soil water leaks it"
_ERA5_PET = (
    "the potential evaporation of ERA5 and ERA5-Land is not a reference "
    "evapotranspiration (several times too high); PET is computed instead"
)
_FORBIDDEN: tuple[tuple[str, str], ...] = (
    (r"(stream_?flow|(river_)?discharge|q_?obs|runoff|mrro|mrros|s?s?ro)(_.*)?", _FLOW),
    (r"(river|water_volume_transport_in_river).*|dis_m3_.*|run_mm_.*", _FLOW),
    (r"q_?mean|q5|q95|runoff_ratio|slope_fdc|stream_elas|hfd_mean", _FLOW),
    (r"baseflow(_.*)?|(high|low)_q_.*|zero_q_.*", _FLOW),
    (r"soil_moisture(_.*)?|sm_\d+cm|(mass_content_of_water_in_)?soil_water.*",
     _SOIL_WATER),
    (r"volumetric_soil_water.*|swvl\d.*|mrsos?|swc_pc_.*", _SOIL_WATER),
    (r"(pet_mean|aridity)_era5_?land", _ERA5_PET),
    (r"pev|potential_evaporation(_sum)?(_era5_?land)?|pet_era5(_?land)?", _ERA5_PET),
)  # fmt: skip
_CARAVAN_MARKS = {
    "moisture_index",
    "total_precipitation_sum",
    "potential_evaporation_sum",
}
_CARAVAN_PET = re.compile(r"pet_mean|aridity", re.IGNORECASE)

PRODUCTS = re.compile(
    r"_(daymet|era5[_-]?land|era5|nldas2?|maurer(_extended)?|gridmet|prism|mswep|mswx|"
    r"chirps|e[_-]?obs|eobs|imerg|cru|gldas|hadukgrid|haduk|camels|fao_pm)$",
    re.IGNORECASE,
)
"""Ending of a name that says from which product the values are."""


def forbidden(name: str, beside: Collection[str] = ()) -> str | None:
    """Why a variable of this name is never an input, or None if it may be one.

    Parameters
    ----------
    name : str
        Name of a variable in a Dataset, in any case.
    beside : collection of str
        The Dataset's other names: PET and aridity of Caravan's attribute tables, which
        come from ERA5-Land's potential evaporation, are known by their neighbours.

    Returns
    -------
    str or None
        The reason.

    Examples
    --------
    >>> forbidden("runoff_ratio")
    'it is measured or computed from streamflow, which is a target'
    >>> forbidden("pr") is None
    True
    """
    for pattern, reason in _FORBIDDEN:
        if re.fullmatch(pattern, name, flags=re.IGNORECASE):
            return reason
    if _CARAVAN_PET.fullmatch(name) and _CARAVAN_MARKS & set(beside):
        return _ERA5_PET
    return None
