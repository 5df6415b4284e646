"""What the tests of the examples share."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from xstefaland import testing
from xstefaland.testing import tiny_head, tiny_weights
from xstefaland.weights import Weights, read, registry, save
from xstefaland.weights.network import LIMITS
from xstefaland.weights.registry import record
from xstefaland.weights.targets import TARGETS

SHIPPED = registry.table()
ENCODER = SHIPPED.default_encoder
FLOW, SOIL = (SHIPPED.head_for(name) for name in ("streamflow", "soil_moisture"))
HBV = SHIPPED.head_for("streamflow", "resconn-hbv")
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FLUXES = ("streamflow", "surface_runoff", "interflow", "baseflow")
FLUXES += ("evapotranspiration", "snow_water_equivalent", "recharge", "percolation")
FLUXES += ("capillary_rise", "soil_water", "upper_zone_storage", "lower_zone_storage")
LEFT_OUT = (
    "camels-era5land-12144000",
    "camels-daymet-01435000",
    "camels-era5land-06878000",
    "uscrn-54808",
    "uscrn-04125",
    "uscrn-94077",
)


def _imported(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setitem(sys.modules, name, sys.modules.get(name, ModuleType(name)))
    sys.modules.pop(name)
    return importlib.import_module(name)


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module examples/demo.py."""
    monkeypatch.setenv("MPLBACKEND", "Agg")
    _imported("pictures", monkeypatch)
    _imported("archives", monkeypatch)
    return _imported("demo", monkeypatch)


@pytest.fixture
def embeddings(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module examples/embeddings_sklearn.py."""
    return _imported("embeddings_sklearn", monkeypatch)


def _published(weights: Weights, folder: Path, name: str) -> Weights:
    """The same tensors under another name, in the folder of bundled weights."""
    targets = tuple(TARGETS[target.name] for target in weights.card.targets)
    card = replace(weights.card, name=name, targets=targets, left_out=LEFT_OUT)
    if card.encoder is not None:
        encoder = read(folder / f"{ENCODER}.safetensors")
        reference = replace(card.encoder, name=encoder.name, sha256=encoder.sha256)
        card = replace(card, encoder=reference)
    state = load_file(weights.path)
    for limit, none in LIMITS.items():
        if limit in state:
            stated = [getattr(target, limit) for target in targets]
            state[limit] = torch.tensor([none if x is None else x for x in stated])
    return save(folder / f"{name}.safetensors", state, card)


@pytest.fixture
def tiny_table(tmp_path: Path) -> Iterator[Path]:
    """A table of weights of its own, with tiny random ones under the bundled names."""
    folder = tmp_path / "bundled"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        (tmp_path / "registry.json").write_text(registry.REGISTRY_FILE.read_text())
        patch.setattr(registry, "BUNDLED", folder)
        patch.setattr(registry, "REGISTRY_FILE", tmp_path / "registry.json")
        encoder = tiny_weights()
        base = _published(encoder, folder, ENCODER)
        record(base, form="base", version="v1", description="tiny")
        evaporation = (2.0, 1.5, "mm d-1", "linear")
        patch.setitem(testing.FORCING, "potential_evapotranspiration", evaporation)
        weather = ("precipitation", "temperature", "potential_evapotranspiration")
        hbv = {"physics": "hbv", "components": 2, "forcing": weather}
        heads: list[tuple[str, str, tuple[str, ...], dict[str, Any]]] = [
            (FLOW.name, FLOW.form, ("streamflow",), {}),
            (SOIL.name, SOIL.form, ("soil_moisture",), {}),
            (HBV.name, HBV.form, FLUXES, hbv),
        ]
        for name, form, targets, config in heads:
            head = _published(tiny_head(encoder, targets, **config), folder, name)
            own = targets if len(targets) == 1 else targets[1:]
            record(head, form=form, version="v1", description="", default_for=own)
        yield folder


@pytest.fixture
def grid_to_basins(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module examples/grid_to_basins.py."""
    monkeypatch.setenv("MPLBACKEND", "Agg")
    _imported("pictures", monkeypatch)
    return _imported("grid_to_basins", monkeypatch)


@pytest.fixture
def grid_soil_moisture(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module examples/grid_soil_moisture.py."""
    pytest.importorskip("distributed")
    monkeypatch.setenv("MPLBACKEND", "Agg")
    _imported("pictures", monkeypatch)
    return _imported("grid_soil_moisture", monkeypatch)
