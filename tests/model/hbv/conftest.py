"""Weather and logits for the tests of HBV."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

BACKENDS = ("reference", "numba")


@dataclass
class Basins:
    """Forcing and lean logits of some made-up basins."""

    forcing: Tensor
    static: Tensor
    daily: Tensor
    components: int

    def lean(self, **changes: object) -> dict[str, object]:
        """Keyword arguments of ``simulate_lean``."""
        given = {
            "forcing": self.forcing,
            "static_logits": self.static,
            "dynamic_logits": self.daily,
            "components": self.components,
        }
        return given | changes


@pytest.fixture
def basins() -> Callable[..., Basins]:
    """Make basins with seasons, rain, snow and drought from a seed."""

    def make(
        days: int = 40,
        sites: int = 3,
        components: int = 3,
        dtype: torch.dtype = torch.float64,
        seed: int = 0,
        dynamic: int = 3,
    ) -> Basins:
        g = torch.Generator().manual_seed(seed)
        noise = torch.randn(3, days, sites, generator=g, dtype=torch.float64)
        season = torch.sin(torch.arange(days, dtype=torch.float64) / 58)[:, None]
        rain = 12 * noise[0].clamp(min=0) * (noise[2] > 0)
        forcing = torch.stack(
            [rain, 2 + 9 * season + 4 * noise[1], 2.2 + 1.5 * season + 0.2 * noise[2]],
            -1,
        )
        width = (14 - dynamic) * components + 2
        static = torch.randn(sites, width, generator=g, dtype=torch.float64)
        daily = torch.randn(
            days, sites, dynamic * components, generator=g, dtype=torch.float64
        )
        tables = (table.to(dtype) for table in (forcing, static, daily))
        return Basins(*tables, components=components)

    return make


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """Each backend that runs on this machine's processor."""
    if request.param == "numba":
        pytest.importorskip("numba")
    return str(request.param)
