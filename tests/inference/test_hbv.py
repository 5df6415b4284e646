"""A physics head through the public call: several fluxes, one run."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

import xstefaland
from xstefaland.testing import example_points, tiny_head

FORCING = ("precipitation", "temperature", "potential_evapotranspiration")


def test_fluxes_of_one_head(weights: Any, same: Any) -> None:
    """Potential evapotranspiration is derived, fluxes are a Dataset, lazy or not."""
    targets = ["streamflow", "evapotranspiration", "snow_water_equivalent"]
    head = tiny_head(weights, targets, forcing=FORCING, physics="hbv", components=2)
    ds = example_points(3, 60)
    options: dict[str, Any] = {"head": head, "weights": weights}
    fluxes = xstefaland.predict(ds, targets, **options)
    assert list(fluxes.data_vars) == targets
    for flux in fluxes.data_vars.values():
        assert flux.dims == ("site", "time")
        assert bool((flux >= 0).all())
    report = xstefaland.check(ds, targets, **options)
    how = dict(zip(report.table["name"], report.table["how"], strict=True))
    assert how["potential_evapotranspiration"] == "derived"
    lazy = xstefaland.predict(ds.chunk(site=1), targets, **options)
    for name in targets:
        same(lazy[name], fluxes[name])
    assert np.isfinite(fluxes.to_dataarray()).all()
    assert isinstance(fluxes, xr.Dataset)
