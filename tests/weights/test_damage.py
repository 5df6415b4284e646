"""Damaged and hostile files: each is refused by a WeightsError, in bounded memory."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from xstefaland.errors import WeightsError
from xstefaland.testing import tiny_head, tiny_weights
from xstefaland.weights import Band, Card, Weights, combine, read
from xstefaland.weights.files import LONGEST_HEADER, METADATA_KEY

FUZZ = settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
NUMBERS = st.sampled_from(
    [
        0,
        1,
        -1,
        2,
        7,
        2**20,
        2**31,
        2**63,
        10**400,
        0.0,
        -0.5,
        1e-320,
        1e300,
        True,
        False,
    ]
)
WORDS = st.sampled_from(
    ["", "rain", "precipitation", "NaN", "two-way", "moe", "\ud800"]
)
SCALARS = st.none() | NUMBERS | WORDS | st.floats() | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=3)
    ),
    max_leaves=8,
)

DEEP = st.tuples(
    st.sampled_from(["[", '{"x":', '{"format":']), st.integers(1, 10**5)
).map(lambda drawn: drawn[0] * drawn[1])


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> list[Weights]:
    """A sound encoder, heads with and without physics, and an ensemble with a band."""
    encoder = tiny_weights()
    fluxes = ("streamflow", "recharge")
    weather = ("precipitation", "temperature", "potential_evapotranspiration")
    physics = {"physics": "hbv", "components": 2, "forcing": weather}
    heads = [tiny_head(encoder), tiny_head(encoder, fluxes, **physics)]
    levels, offsets = (0.1, 0.5, 0.9), ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0))
    band = Band(target="streamflow", levels=levels, knots=(0.0, 1.0), offsets=offsets)
    path = tmp_path_factory.mktemp("ensemble") / "both.safetensors"
    return [encoder, *heads, combine(heads, path, bands=[band])]


def paths(values: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where values lie in a card."""
    items: Any = ()
    if isinstance(values, dict):
        items = values.items()
    elif isinstance(values, list):
        items = enumerate(values)
    inner = [path for key, value in items for path in paths(value, (*here, key))]
    return [here, *inner] if here else inner


def mutated(data: st.DataObject, weights: Weights) -> str:
    """Replace, delete or repeat up to three entries of a card."""
    values = json.loads(weights.card.to_json())
    for _ in range(data.draw(st.sampled_from([1, 1, 1, 3]))):
        every = paths(values)
        sizes = [p for p in every if len(p) > 1 and p[-2] == "config"]
        *way, last = data.draw(st.sampled_from(every) | st.sampled_from(sizes or every))
        place = values
        for key in way:
            place = place[key]
        change = data.draw(st.sampled_from(["replace", "delete", "repeat"]))
        if change == "delete":
            del place[last]
        elif change == "repeat" and isinstance(place, list):
            place.append(copy.deepcopy(place[last]))
        else:
            place[last] = data.draw(NUMBERS | VALUES)
    return json.dumps(values)


def is_refused(path: Path) -> bool:
    """Open a file and build its model; any error but ours passes through."""
    try:
        read(path).model()
    except WeightsError:
        return True
    return False


@FUZZ
@given(data=st.data())
def test_any_card(
    data: st.DataObject, originals: list[Weights], tmp_path: Path
) -> None:
    """A changed card is a card still, or refused; and so is its model."""
    weights = data.draw(st.sampled_from(originals))
    text = mutated(data, weights)
    path = tmp_path / "x.safetensors"
    save_file(load_file(weights.path), path, metadata={METADATA_KEY: text})
    if not is_refused(path):
        assert Card.from_json(read(path).card.to_json()) == read(path).card


@FUZZ
@given(text=st.text(max_size=80) | VALUES.map(json.dumps) | DEEP)
def test_any_text(text: str) -> None:
    """Text of any sort is no card, or lacks entries."""
    with pytest.raises(WeightsError):
        Card.from_json(text)


@FUZZ
@given(data=st.data())
def test_any_bytes(
    data: st.DataObject, originals: list[Weights], tmp_path: Path
) -> None:
    """Flipped bits and lost ends give a model still, or a refusal."""
    content = bytearray(data.draw(st.sampled_from(originals)).path.read_bytes())
    header = 8 + int.from_bytes(content[:8], "little")
    for _ in range(data.draw(st.integers(0, 4))):
        most = data.draw(st.sampled_from([7, header - 1, len(content) - 1]))
        place = data.draw(st.integers(0, most))
        content[place] ^= 1 << data.draw(st.integers(0, 7))
    end = data.draw(st.just(len(content)) | st.integers(0, len(content)))
    path = tmp_path / "x.safetensors"
    path.write_bytes(content[:end])
    refused = is_refused(path)
    assert refused or end == len(content)


def test_every_lost_end_is_noticed(originals: list[Weights], tmp_path: Path) -> None:
    """A file that lacks its last bytes, or half its header, is refused when opened."""
    content = originals[0].path.read_bytes()
    path = tmp_path / "x.safetensors"
    for end in (0, 4, 8, 60, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:end])
        with pytest.raises(WeightsError, match="not a safetensors file"):
            read(path)


def test_long_header_is_not_read(tmp_path: Path) -> None:
    """A header beyond the limit is refused before it is parsed."""
    path = tmp_path / "x.safetensors"
    size = LONGEST_HEADER + 1
    path.write_bytes(size.to_bytes(8, "little") + b" " * size)
    with pytest.raises(WeightsError, match=f"its header claims {size} bytes"):
        read(path)


HOSTILE: list[dict[str, Any]] = [
    {"d_model": 2**20, "ffn": 2**20, "heads": 2},
    {"d_model": 2**15, "ffn": 2**14},
    {"layers": 10**6},
    {"max_positions": 2**20, "d_model": 2**12},
    {"decoder": "transformer", "decoder_layers": 10**6},
    {"width": 2**20},
    {"width": 2**14, "embedding": 2**14, "adapter": "moe"},
    {"components": 2**20},
    {"also_log": ["precipitation"] * 10_000, "width": 2**13},
]
HOSTILE_MEMBERS: list[dict[str, Any]] = [
    {"width": 2**20},
    {"components": 2**20},
    {"width": 2**14, "embedding": 2**14, "adapter": "moe"},
]

WORKER = """
import json, resource, sys
import torch
from xstefaland import model
from xstefaland.errors import WeightsError
from xstefaland.weights import read
read(sys.argv[1]).model()  # whatever is loaded on first use is loaded now
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + 200 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
for path in sys.argv[2:]:
    try:
        read(path).model()
        print("built")
    except WeightsError as error:
        print(str(error).replace("\\n", " "))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits its own memory by /proc")
def test_hostile_configs_take_no_memory(
    originals: list[Weights], tmp_path: Path
) -> None:
    """A file of some kB that claims GB is refused for its shapes, within 200 MB."""
    files = []
    for number, changes in enumerate(HOSTILE):
        weights = next(w for w in originals[::-1] if set(changes) <= set(w.card.config))
        values = json.loads(weights.card.to_json())
        values["config"] |= changes
        files.append(tmp_path / f"{number}.safetensors")
        metadata = {METADATA_KEY: json.dumps(values)}
        save_file(load_file(weights.path), files[-1], metadata=metadata)
    ensemble = originals[-1]
    for number, changes in enumerate(HOSTILE_MEMBERS):
        values = json.loads(ensemble.card.to_json())
        values["members"][1]["config"] |= changes
        files.append(tmp_path / f"member-{number}.safetensors")
        metadata = {METADATA_KEY: json.dumps(values)}
        save_file(load_file(ensemble.path), files[-1], metadata=metadata)
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", WORKER, str(originals[0].path), *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        env={"OMP_NUM_THREADS": "1"},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert time.perf_counter() - start < 60
    lines = done.stdout.splitlines()
    every = [*HOSTILE, *HOSTILE_MEMBERS]
    assert len(lines) == len(every)
    for line, changes in zip(lines, every, strict=True):
        assert "has shape" in line or "it must be 1 to" in line, (changes, line)


@pytest.mark.parametrize(
    ("count", "message"),
    [(65, "there are 65 members; 64 can be"), (40, "'members.2.* is missing")],
)
def test_many_members_are_refused(
    originals: list[Weights], tmp_path: Path, count: int, message: str
) -> None:
    """A card that lists more members than the file has tensors for is not believed."""
    values = json.loads(originals[-1].card.to_json())
    values["members"] = (values["members"] * count)[:count]
    path = tmp_path / "x.safetensors"
    metadata = {METADATA_KEY: json.dumps(values)}
    save_file(load_file(originals[-1].path), path, metadata=metadata)
    with pytest.raises(WeightsError, match=message):
        read(path).model()


def test_opening_a_big_card_is_bounded(
    tmp_path: Path, peak_memory: Callable[[], int]
) -> None:
    """A card of empty lists takes no more than its text allows, and is refused."""
    text = '{"format": 2, "metrics": {"x": [' + "[]," * (LONGEST_HEADER // 4) + "[]]}}"
    path = tmp_path / "x.safetensors"
    save_file({}, path, metadata={METADATA_KEY: text})
    with safe_open(path, framework="numpy") as file:
        assert len(file.metadata()[METADATA_KEY]) == len(text)
    Path("/proc/self/clear_refs").write_text("5")  # forget earlier peaks
    before = peak_memory()
    with pytest.raises(WeightsError, match="missing entry 'config'"):
        read(path)
    assert peak_memory() - before < 300_000_000
