"""What the commands on scale count: graphs, batches, traffic, and the plan."""

from __future__ import annotations

import csv
import runpy
from pathlib import Path

import pytest
import scale
import scale_device
import scale_graph
import scale_plan
import torch
from dask.utils import format_bytes
from encoder import operations
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import xstefaland
from xstefaland.inference import batches
from xstefaland.testing import example_grid, example_points, tiny_head, tiny_weights
from xstefaland.weights import Weights

SCRIPTS = sorted(path.stem for path in scale.RESULTS.parent.glob("*.py"))


@pytest.fixture
def weights() -> Weights:
    """An encoder 16 wide: nothing else is."""
    return tiny_weights(window=40, stride=15)


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_finds_its_modules(benchmarks: Path, script: str) -> None:
    """`make benchmark-NAME` runs it alone."""
    found = runpy.run_path(str(benchmarks / f"{script}.py"))
    assert f"benchmarks/{script}.py" in found["__file__"]


def test_a_graph_is_counted_by_the_chunk(weights: Weights, tmp_path: Path) -> None:
    """More chunks, as many tasks each; what is in memory travels; nothing is read."""
    options = {"weights": weights, "head": tiny_head(weights)}
    rows = {}
    for cells in (16, 64):
        path = scale_graph.archive(tmp_path, cells, side=2, years=1)
        assert not list(path.glob("temperature/c/**/*"))  # no value was written
        for in_memory in (False, True):
            row = scale_graph.counted(path, in_memory, **options)
            assert row["cells"] == 4 * row["chunks"] == cells
            rows[cells, in_memory] = row
    for in_memory in (False, True):
        few, many = rows[16, in_memory], rows[64, in_memory]
        assert few["optimised"] == many["optimised"] < many["tasks a chunk"]
        assert few["graph [MiB]"] < many["graph [MiB]"] <= 4 * few["graph [MiB]"]
    assert rows[64, True]["optimised"] < rows[64, False]["optimised"]


def test_heads_take_what_the_package_would_give_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A card whose memory is free, by the code that asks a card."""
    rows = {row["device"]: row for row in scale_device.head_batches(256)}
    for size in scale_device.CARDS:
        free = int(size * 1e9)
        monkeypatch.setattr(batches, "free_memory", lambda device, free=free: free)
        days, cuda = round(365.25 * 40), torch.device("cuda")
        found = batches.choose_sites(256, days, cuda)
        assert rows[f"card of {size} GB"]["40 years"] == found > 50
    runs = rows["CPU"]["runs for 80000 cells, 40 years"]
    assert runs == 80_000 * rows["CPU"]["40 years"]


def test_embeddings_stay_where_they_are(weights: Weights) -> None:
    """Between encoder and head none travels; to a user who asks for them all do."""
    ds = example_points(sites=3, days=100)
    head = tiny_head(weights)
    moved = scale_device.travelled(
        xstefaland.predict, ds, 16, target=["streamflow"], weights=weights, head=head
    )
    assert moved["of them embeddings"] == 0
    assert moved["back"] == 4  # one number a day
    assert moved["to the device"] > 4 * 3  # three forcings in overlapping windows
    asked = scale_device.travelled(xstefaland.embed, ds, 16, weights=weights)
    assert asked["of them embeddings"] == asked["back"] == 4 * 16


def test_operations_are_those_that_torch_counts(tmp_path: Path) -> None:
    """Of one window, and of a head's matrices; spin-up counts as days."""
    encoder = tiny_weights(tmp_path / "e.safetensors", window=365, stride=183)
    model = encoder.model()
    config = model.config
    count = len(config.forcing), len(config.attributes)
    plain = sdpa_kernel(SDPBackend.MATH)  # the fused one is not counted
    with FlopCounterMode(display=False) as seen, torch.no_grad(), plain:
        model.encode(
            torch.rand(1, 365, count[0]),
            torch.rand(1, count[1]),
            day_of_year=torch.ones(1, 365),
            latitude=torch.zeros(1),
        )
    assert operations(config) == pytest.approx(seen.get_total_flops(), rel=0.05)
    head = tiny_head(encoder, kind="linear", attributes=())
    site = scale_plan.work(encoder, head, 730)
    assert site.encoder == 3 * operations(config)
    network = head.model()
    with FlopCounterMode(display=False) as seen, torch.no_grad():
        network(torch.rand(1, 730, 16), torch.rand(1, 730, 2), torch.rand(1, 0))
    assert site.head == pytest.approx(seen.get_total_flops() * 1095 / 730)
    assert site.steps == 0
    assert scale_plan.work(encoder, tiny_head(encoder), 730).steps == 1095


def test_the_rate_comes_from_the_table(tmp_path: Path) -> None:
    """Half the time, twice the rate; without a table there is none."""
    path = tmp_path / "scale.csv"
    assert scale_plan.rate_of_a_core(path) is None
    rates = []
    for seconds in (8.0, 4.0):
        part, what = scale_plan.ONE_CORE
        row = {"part": part, "what": what, "layers": 1, "chunks": 2, "seconds": seconds}
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            writer.writeheader()
            writer.writerows([{**row, "what": "another", "seconds": 1}, row])
        rates.append(scale_plan.rate_of_a_core(path))
    assert rates[1] == 2 * rates[0]
    encoder, head = scale.weights(str(tmp_path), 1)
    site = scale_plan.work(encoder, head, scale.DAYS)
    assert rates[0] * 8 == pytest.approx(2 * scale.SIDE**2 * (site.encoder + site.head))


def test_a_plan_scales(weights: Weights) -> None:
    """Hours of a core are work over rate; a card's steps count by the batch."""
    site = scale_plan.Work(encoder=3e9, head=1e9, steps=100)
    rows = {row["what"]: row for row in scale_plan.costs(site, 256, 4e9)}
    assert rows["80 000 cells"]["CPU [core-hours]"] == "22.2"
    without = scale_plan.costs(site, 256, None)
    assert {row["CPU [core-hours]"] for row in without} == {"not measured"}
    steps = scale_plan.Work(encoder=0, head=0, steps=100)
    assert scale_plan.seconds_on_a_card(steps, 201, 100) == pytest.approx(3e-3)


def test_written_bytes_are_those_of_the_answer(weights: Weights) -> None:
    """The size of a lazy answer for forty years, site by site."""
    grid = example_grid(2, 2, scale_plan.DAYS, start="1981-01-01").chunk(lat=1)
    rows = {(row["target"], row["dtype"]): row for row in scale_plan.written(16)}
    head = tiny_head(weights)
    answers = {
        "a daily target (`streamflow`)": xstefaland.predict(
            grid, "streamflow", weights=weights, head=head
        ),
        "`embedding`, daily": xstefaland.embed(grid, weights=weights),
        '`embedding`, `pool="year"`': xstefaland.embed(
            grid, weights=weights, pool="year"
        ),
        '`embedding`, `pool="mean"`': xstefaland.embed(
            grid, weights=weights, pool="mean"
        ),
    }
    for name, answer in answers.items():
        assert rows[name, "float32"]["80 000 cells"] == format_bytes(
            answer.nbytes // 4 * 80_000
        )
    small = rows['`embedding`, `pool="mean"`', "int8"]["80 000 cells"]
    assert small == format_bytes(16 * 80_000)
