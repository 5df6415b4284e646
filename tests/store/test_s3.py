"""A real S3 server on loopback: written, killed, continued, read back."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import xarray as xr

from xstefaland.errors import InputError, RunError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # of the server's own libraries
]


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, Any]]:
    """Options for fsspec of an S3 server that holds one bucket."""
    pytest.importorskip("s3fs")
    pytest.importorskip("flask_cors")
    servers = pytest.importorskip("moto.server")
    import s3fs

    started = servers.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    started.start()
    host, port = started.get_host_and_port()
    options = {
        "key": "test",
        "secret": "test",
        "endpoint_url": f"http://{host}:{port}",
    }
    s3fs.S3FileSystem(**options).mkdir("bucket")
    yield options
    started.stop()


def test_a_run_on_an_object_store(
    grid: xr.Dataset,
    flow: xr.DataArray,
    run: Callable[..., Any],
    same: Callable[[Any, Any], None],
    server: dict[str, Any],
    failing: Callable[..., Any],
) -> None:
    """One region fails, the rest stays, the same call ends it; another is refused."""
    url = f"s3://bucket/{uuid.uuid4().hex}/out.zarr"
    with failing(2, "connection reset"), pytest.raises(RunError, match="reset"):
        run(grid, url, storage_options=server, shards=True)
    with pytest.raises(InputError, match="max_gap"):
        run(grid, url, storage_options=server, shards=True, max_gap=3)
    report = run(grid, url, storage_options=server, shards=True)
    assert (report.written, report.skipped) == (1, 5)
    same(report.open().streamflow, flow)
    same(xr.open_zarr(url, storage_options=server, consolidated=True).streamflow, flow)
