"""Runs into Zarr: region by region, resumable, by one process or many."""
