"""Where the sites of a Dataset are: points, basins or a grid; from one to another."""

from xstefaland.geometry.basins import basin_means
from xstefaland.geometry.rasters import sample_attributes

__all__ = ["basin_means", "sample_attributes"]
