"""Small weights, a small grid in six regions, and what a run on it should give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xstefaland
from xstefaland.store.handing import RegionWriter
from xstefaland.testing import example_grid, tiny_head, tiny_weights


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A small encoder with a window of 40 days at a stride of 15."""
    path = tmp_path_factory.mktemp("weights") / "encoder.safetensors"
    return tiny_weights(path, window=40, stride=15)


@pytest.fixture(scope="session")
def head(weights: Any) -> Any:
    """A head on it for two targets, in a file beside it."""
    path = weights.path.with_name("head.safetensors")
    return tiny_head(weights, ["streamflow", "soil_moisture"], path=path)


@pytest.fixture(scope="session")
def grid() -> xr.Dataset:
    """Twelve cells, the last of which is sea."""
    return example_grid(3, 4, 60)


@pytest.fixture(scope="session")
def flow(grid: xr.Dataset, weights: Any, head: Any) -> xr.DataArray:
    """Streamflow of the grid, predicted at once."""
    return xstefaland.predict(grid, "streamflow", weights=weights, head=head)


@pytest.fixture
def run(weights: Any, head: Any) -> Callable[..., Any]:
    """Run streamflow quietly, a region for two cells; keywords change it."""

    def call(
        ds: xr.Dataset, store: Any, target: Any = "streamflow", **more: Any
    ) -> Any:
        options: dict[str, Any] = {"weights": weights, "progress": False}
        if target not in ("embedding", "reconstruction"):
            options["head"] = head
        if "lat" in ds.dims:
            options["regions"] = {"lat": 1, "lon": 2}
        return xstefaland.run(ds, target, store, **{**options, **more})

    return call


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """In a ``with`` block one region, by its number, cannot be written."""
    write = RegionWriter.write

    @contextmanager
    def block(failed: int, message: str) -> Iterator[None]:
        def fail(writer: RegionWriter, number: int) -> int:
            if number == failed:
                raise OSError(message)
            return write(writer, number)

        with monkeypatch.context() as patch:
            patch.setattr(RegionWriter, "write", fail)
            yield

    return block


def assert_same(actual: Any, expected: Any) -> None:
    """Relative L2 distance below 1e-5, missing values at the same places."""
    actual, expected = np.asarray(actual, float), np.asarray(expected, float)
    np.testing.assert_array_equal(np.isnan(actual), np.isnan(expected))
    there = ~np.isnan(expected)
    distance = np.linalg.norm((actual - expected)[there])
    assert distance <= 1e-5 * np.linalg.norm(expected[there])


@pytest.fixture(scope="session")
def same() -> Callable[[Any, Any], None]:
    """Compare arrays of a model's answers."""
    return assert_same


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Where a run may write."""
    return tmp_path / "out.zarr"
