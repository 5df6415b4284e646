"""Where the sites of a Dataset are: points, basins or a grid; from one to another."""

from xstefaland.geometry.basins import basin_means

__all__ = ["basin_means"]
