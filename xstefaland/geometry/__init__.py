"""Where the sites of a Dataset are: points, basins or a grid, and their latitude."""
