"""Sending: weights files to the workers of a cluster that share no folder with us."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from xstefaland.weights.opening import WeightsLike, load

if TYPE_CHECKING:
    from distributed import Client, Worker


def send_weights(client: Client, *weights: WeightsLike) -> None:
    """Send weights files to all workers of a cluster, those that join later included.

    It is needed where the workers see neither the folder of the file nor the network:
    listed weights are else fetched by name, and a shared folder is simply read.

    Parameters
    ----------
    client : distributed.Client
        The cluster.
    *weights : str, path or Weights
        Encoders and heads; bundled ones are there already.

    Raises
    ------
    WeightsNotFoundError, WeightsError
        When there is no such file here, or it cannot be used.

    Examples
    --------
    >>> from distributed import Client  # doctest: +SKIP
    >>> send_weights(Client(), "encoder.safetensors")  # doctest: +SKIP
    """
    from distributed import WorkerPlugin

    class Delivery(WorkerPlugin):
        """Writes a file into the worker's own folder; it travels by value."""

        def __init__(self, sha256: str, content: bytes) -> None:
            self.sha256, self.content = sha256, content

        def setup(self, worker: Worker) -> None:
            """Write the file; called on every worker, also on those that come later."""
            from xstefaland.inference import loaded

            path = Path(worker.local_directory) / f"{self.sha256}.safetensors"
            path.write_bytes(self.content)
            loaded.keep(self.sha256, path)

    for each in weights:
        opened = load(each)
        delivery = Delivery(opened.sha256, opened.path.read_bytes())
        client.register_plugin(delivery, name=f"xstefaland-{opened.sha256}")
