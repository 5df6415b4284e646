"""The map of where weights were trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from xstefaland.errors import InputError
from xstefaland.plotting import training_places
from xstefaland.testing import example_points, tiny_weights
from xstefaland.weights import Places, Weights, save


@pytest.fixture
def weights(tmp_path: Path) -> Weights:
    """Trained in Switzerland and at the Cape."""
    tiny = tiny_weights()
    places = Places.of([47.2, 47.9, -33.1], [8.1, 8.7, 18.4])
    card = replace(tiny.card, places=places)
    return save(tmp_path / "placed.safetensors", tiny.tensors(), card)


def test_each_cell_is_drawn_where_it_lies(weights: Weights) -> None:
    """Squares of one degree, east across, within the limits."""
    ax = training_places(weights, coastlines=False)
    (cells,) = ax.collections
    boxes = {tuple(path.get_extents().bounds) for path in cells.get_paths()}
    assert boxes == {(8, 47, 1, 1), (18, -34, 1, 1)}
    assert ax.get_xlim() == (4, 23)
    assert ax.get_ylim() == (-38, 52)
    assert ax.get_title(loc="left") == "tiny: 3 places in 2 cells"


def test_own_sites_are_points_among_them(weights: Weights) -> None:
    """With weather or without; longitudes up to 360 are brought home."""
    ds = example_points(sites=3, days=5)
    east = ds.longitude.copy(data=ds.longitude + 360).assign_attrs(ds.longitude.attrs)
    ax = training_places(weights, ds.assign_coords(longitude=east), coastlines=False)
    points = np.asarray(ax.collections[1].get_offsets())
    wanted = np.stack([ds.longitude, ds.latitude], -1)
    np.testing.assert_allclose(points, wanted, atol=1e-4)
    low, high = ax.get_xlim()
    assert low <= points[:, 0].min() <= points[:, 0].max() <= high
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["training", "your sites"]


def test_what_cannot_be_drawn(weights: Weights) -> None:
    """Weights that record nothing, and sites that lie nowhere."""
    with pytest.raises(InputError, match=r"records no places.*xstefaland\.unseen"):
        training_places(tiny_weights())
    nowhere = xr.Dataset(coords={"site": ["a"]})
    with pytest.raises(InputError, match="no site has a latitude and a longitude"):
        training_places(weights, nowhere)
