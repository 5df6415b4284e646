"""The examples on grids: what they make of a small grid, with tiny weights."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import xstefaland

geopandas = pytest.importorskip("geopandas")
shapely = pytest.importorskip("shapely")
pytest.importorskip("exactextract")


@pytest.mark.usefixtures("tiny_table")
def test_grid_to_basins(
    grid_to_basins: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three basins, both ways, a picture."""
    grid_to_basins.main(["--cells", "4", "--out", str(tmp_path)])
    said = capsys.readouterr().out
    assert "upper" in said
    assert "of_cells" in said
    assert (tmp_path / "grid_to_basins.png").stat().st_size > 20_000


@pytest.mark.usefixtures("tiny_table")
def test_both_ways_agree_where_a_basin_is_a_cell(grid_to_basins: ModuleType) -> None:
    """A basin inside one cell answers as the cell does, when both have no area."""
    ds = grid_to_basins.load(None, 2)
    middle = shapely.box(4.95, 44.95, 5.05, 45.05)
    inside = geopandas.GeoDataFrame(index=["a"], geometry=[middle], crs="EPSG:4326")
    means, flow = grid_to_basins.both_ways(ds, inside)
    same = means.drop_vars("area").stefaland.predict("streamflow")
    np.testing.assert_allclose(same, flow.of_cells, atol=1e-5)


def test_real_grid(
    grid_to_basins: ModuleType, grid_soil_moisture: ModuleType, real_data: Path
) -> None:
    """Both read the real grid, one of them lazily, and it is accepted."""
    ds = grid_to_basins.load(real_data, 6)
    assert dict(ds.sizes) == {"time": 365, "lat": 6, "lon": 6}
    lazy = grid_soil_moisture.load(real_data, 10)
    assert lazy.precipitation.data.npartitions == 9
    assert xstefaland.check(lazy, "soil_moisture").ok


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.usefixtures("tiny_table")
def test_soil_moisture_on_a_cluster(
    grid_soil_moisture: ModuleType, tmp_path: Path
) -> None:
    """The cluster's answer is the eager one; a map is drawn."""
    ds = grid_soil_moisture.load(None, 6)
    moisture, seconds = grid_soil_moisture.predict(ds, 1)
    assert seconds > 0
    expected = ds.compute().stefaland.predict("soil_moisture")
    np.testing.assert_allclose(moisture, expected, atol=5e-7)
    assert moisture.isnull().all("time").sum() == 1
    grid_soil_moisture.draw(tmp_path / "map.png", moisture, "a test")
    assert (tmp_path / "map.png").stat().st_size > 20_000
    assert grid_soil_moisture.place(moisture[0, 0, 0]) == "45.0°N 5.0°E"
