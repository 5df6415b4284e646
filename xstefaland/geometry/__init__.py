"""Where the sites of a Dataset are: points, basins or a grid; from one to another."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xstefaland.geometry.basins import basin_means
    from xstefaland.geometry.rasters import sample_attributes

__all__ = ["basin_means", "sample_attributes"]

_WHERE = {"basin_means": "basins", "sample_attributes": "rasters"}


def __getattr__(name: str) -> Any:
    # What finds the latitude of sites must not load what cuts polygons.
    if name in _WHERE:
        return getattr(import_module(f"xstefaland.geometry.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
