"""Fixtures of the weights tests: small files, a table of their own, a web server."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch

from xstefaland.model import EncoderConfig, StefaLand
from xstefaland.weights import (
    Card,
    EncoderReference,
    TargetSpec,
    VariableSpec,
    Weights,
    registry,
    save,
)


@pytest.fixture
def encoder_card() -> Card:
    """A card of an encoder with two forcings and one attribute."""
    config = EncoderConfig(
        forcing=("precipitation", "temperature"),
        attributes=("elevation",),
        d_model=8,
        layers=1,
        heads=2,
        ffn=16,
        window=30,
        stride=15,
    )
    return Card(
        kind="encoder",
        name="tiny-v1",
        config=config.to_dict(),
        forcing=(
            VariableSpec(
                name="precipitation",
                units="mm d-1",
                mean=0.9,
                std=1.1,
                transform="log1p",
                minimum=0.0,
                maximum=300.0,
            ),
            VariableSpec(name="temperature", units="degC", mean=8.0, std=10.0),
        ),
        attributes=(
            VariableSpec(
                name="elevation", units="m", mean=1e5, std=3e2, group="topography"
            ),
        ),
        training={"data": [{"name": "made up", "licence": "CC0", "sha256": "0" * 64}]},
        left_out=("01013500",),
        metrics={"precipitation": {"nse": 0.5}},
    )


@pytest.fixture
def encoder_model(encoder_card: Card) -> StefaLand:
    """The network that belongs to the card, with the card's scaling."""
    torch.manual_seed(1)
    model = StefaLand(EncoderConfig.from_dict(encoder_card.config))
    for specs, scaling in (
        (encoder_card.forcing, model.forcing_scaling),
        (encoder_card.attributes, model.attribute_scaling),
    ):
        scaling.assign(
            [spec.mean for spec in specs],
            [spec.std for spec in specs],
            [spec.transform == "log1p" for spec in specs],
        )
    return model.eval()


@pytest.fixture
def encoder_file(
    tmp_path: Path, encoder_card: Card, encoder_model: StefaLand
) -> Weights:
    """That network as a weights file."""
    return save(
        tmp_path / "tiny-v1.safetensors", encoder_model.state_dict(), encoder_card
    )


HeadMaker = Callable[..., Weights]


@pytest.fixture
def make_head(tmp_path: Path, encoder_file: Weights) -> HeadMaker:
    """Write a head file on the tiny encoder; its tensors are never used as a model."""

    def make(name: str, targets: list[str], **entries: Any) -> Weights:
        card = Card(
            kind="head",
            name=name,
            config={},
            encoder=EncoderReference(name="tiny-v1", sha256=encoder_file.sha256),
            targets=tuple(TargetSpec(name=t, units="mm d-1") for t in targets),
            **entries,
        )
        return save(tmp_path / f"{name}.safetensors", {"x": torch.ones(3)}, card)

    return make


@dataclass
class Table:
    """A registry of the test's own, in place of the package's."""

    folder: Path
    entries: list[registry.Entry] = field(default_factory=list)

    def add(self, weights: Weights, form: str, **entries: Any) -> registry.Entry:
        """List an existing file (not bundled unless said so) and write the table."""
        card = weights.card
        values: dict[str, Any] = {
            "name": card.name,
            "kind": card.kind,
            "form": form,
            "version": "v1",
            "file": weights.path.name,
            "sha256": weights.sha256,
            "size": weights.path.stat().st_size,
            "targets": tuple(target.name for target in card.targets),
            "default_for": tuple(target.name for target in card.targets),
            "readings": card.readings,
            "encoder": card.encoder.name if card.encoder else None,
        }
        self.entries.append(registry.Entry(**{**values, **entries}))
        self.write()
        return self.entries[-1]

    def write(self) -> None:
        """Write the entries as the table's JSON file."""
        content = {
            "default_encoder": "tiny-v1",
            "entries": [asdict(entry) for entry in self.entries],
        }
        registry.REGISTRY_FILE.write_text(json.dumps(content))


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Table:
    """An empty table, and a clean environment with a cache folder of its own."""
    bundled = tmp_path / "package" / "bundled"
    bundled.mkdir(parents=True)
    monkeypatch.setattr(registry, "REGISTRY_FILE", bundled.parent / "registry.json")
    monkeypatch.setattr(registry, "BUNDLED", bundled)
    monkeypatch.setenv("XSTEFALAND_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("XSTEFALAND_WEIGHTS_URL", "XSTEFALAND_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    return Table(bundled)


@dataclass
class Answer:
    """What the server says to one request; ``claimed`` is its Content-Length."""

    body: bytes = b""
    status: int = 200
    claimed: int | None = None


@pytest.fixture
def answer() -> type[Answer]:
    """The class of the server's answers."""
    return Answer


@dataclass
class Server:
    """A web server on loopback that plays back answers and keeps the requests."""

    url: str
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    def put(self, path: str, *answers: Answer) -> None:
        """Set what is answered at `path`, in turn; the last one repeats."""
        self.answers[path] = list(answers)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, table: Table) -> Iterator[Server]:
    """A running web server which XSTEFALAND_WEIGHTS_URL names."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.requests.append(self.path)
            answers = state.answers.get(self.path, [Answer(status=404)])
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            length = len(answer.body) if answer.claimed is None else answer.claimed
            self.send_response(answer.status)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: Any) -> None:
            """Keep quiet."""

    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = Server(f"http://127.0.0.1:{web.server_address[1]}/weights")
    monkeypatch.setenv("XSTEFALAND_WEIGHTS_URL", state.url)
    thread = threading.Thread(target=web.serve_forever, args=(0.01,))
    thread.start()
    yield state
    web.shutdown()
    thread.join()
    web.server_close()
