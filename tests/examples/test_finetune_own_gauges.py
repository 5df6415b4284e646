"""The finetuning example: its data, its split, and what it leaves behind."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from xstefaland import datasets, weights


@pytest.fixture
def own_gauges(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module examples/finetune_own_gauges.py."""
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[2] / "examples")
    for name in ("pictures", "finetune_own_gauges"):
        monkeypatch.setitem(sys.modules, name, sys.modules.get(name, ModuleType(name)))
        sys.modules.pop(name)
    return importlib.import_module("finetune_own_gauges")


def test_discharge_becomes_the_archive_s_depth(
    own_gauges: ModuleType, real_data: Path
) -> None:
    """m3 s-1 over km2 and back; the archive's own names are gone."""
    own = own_gauges.streamflow(real_data, 5)
    sites = own.ds["gauge_id"].values.tolist()
    truth = datasets.camels_gb(real_data, sites).streamflow.sel(time=own.ds.time)
    np.testing.assert_allclose(own.ds.flow, truth, rtol=1e-4)
    assert not {"precipitation", "streamflow", "Q"} & set(own.ds)
    assert own.ds.P.attrs == {}


def test_sites_to_train_on_and_more(own_gauges: ModuleType, real_data: Path) -> None:
    """Four sites are put aside; all have observations."""
    own = own_gauges.soil_temperature(real_data, 9)
    train, more = own_gauges.split(own)
    assert (len(train), len(more)) == (5, own_gauges.MORE)
    assert not set(train) & set(more)
    assert (own.ds.soil_temperature.notnull().mean("time") > 0.9).all()


@pytest.mark.parametrize("target", ["streamflow", "snow_water_equivalent"])
def test_the_example_runs(
    own_gauges: ModuleType,
    real_data: Path,
    tiny_table: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    target: str,
) -> None:
    """With a tiny encoder: weights, scores, a picture, and what is printed."""
    words = f"--data {real_data} --target {target} --sites 4 --folds 2 --updates 2"
    own_gauges.main([*words.split(), "--output", str(tmp_path)])
    folder = tmp_path / f"{target}-0"
    head = weights.load(folder / f"{target}-resconn.safetensors")
    assert head.card.metrics["sites"] == 4
    more = pd.read_csv(folder / "more-sites.csv", index_col="site")
    assert len(more) == own_gauges.MORE
    assert np.isfinite(more["nse"]).all()
    assert (folder / f"{target}.png").stat().st_size > 10_000
    assert "Sites that were not used at all" in capsys.readouterr().out
