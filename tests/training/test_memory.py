"""Memory targets: of whole records, at the drawn windows, from earlier days only."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from xstefaland.model.process import MEMORY, WEATHER, process_channels
from xstefaland.testing import example_points
from xstefaland.training.corpus import Corpus
from xstefaland.training.memory import ReadOut, Targets, memory_targets
from xstefaland.training.shards import Shard, write_shard

START, DAYS = 800, 365
SHORT, YEAR = MEMORY.index("precipitation_7d"), MEMORY.index("precipitation_365d")
STORE = MEMORY.index("soil_water_00")


def weather(shard: Shard, row: int) -> torch.Tensor:
    """Precipitation, temperature and PET of one record."""
    columns = [shard.variables.index(name) for name in WEATHER]
    return torch.from_numpy(shard.forcing[row][:, columns])[None]


def test_targets_are_those_of_the_record_at_the_drawn_window(corpus: Corpus) -> None:
    """Computed from the whole record, not from the window; bit by bit."""
    rows, starts = np.array([5, 17]), np.array([START, 420])
    batch = corpus.batch("long", rows, starts, DAYS)
    found = Targets(corpus).of(batch)
    assert found.dtype == torch.float32
    for each, row, start in zip(found, rows, starts, strict=True):
        record = weather(corpus.shards["long"], row)
        whole = process_channels(record, MEMORY, spinup=0, causal=True)[0].half()
        assert torch.equal(each, whole[start : start + DAYS].float())
        alone = record[:, start : start + DAYS]
        window = process_channels(alone, MEMORY, spinup=0, causal=True)[0]
        assert not torch.allclose(each[:, YEAR], window[:, YEAR], atol=0.05)


def test_a_shortened_batch_has_the_targets_of_its_days(corpus: Corpus) -> None:
    """Windows are cut at their end."""
    batch = corpus.batch("long", np.array([3]), np.array([START]), DAYS)
    short = replace(batch, forcing=batch.forcing[:, :90])
    targets = Targets(corpus)
    assert torch.equal(targets.of(short), targets.of(batch)[:, :90])


def test_the_future_changes_no_target(tmp_path: Path) -> None:
    """What comes after a day, gaps or storms, is nothing to it; the past is."""
    ds = example_points(3, 1200)
    ds["precipitation"].values[1, 600:640] = np.nan
    plain = write_shard(tmp_path / "plain", ds)
    changed = ds.copy(deep=True)
    changed["precipitation"].values[:, 900:] += 30.0
    changed["temperature"].values[0, 1000:] = np.nan
    changed["temperature"].values[:, 950:] -= 15.0
    other = write_shard(tmp_path / "other", changed)
    before, after = memory_targets(plain), memory_targets(other)
    np.testing.assert_array_equal(before[:, :900], after[:, :900])
    assert not np.array_equal(before[:, 900:], after[:, 900:], equal_nan=True)


def test_targets_wait_for_the_days_they_look_back_on(tmp_path: Path) -> None:
    """A record that begins late, with a gap; a source without PET has none."""
    ds = example_points(2, 1200)
    ds["temperature"].values[1, :200] = np.nan
    ds["precipitation"].values[1, 300:310] = np.nan
    found = memory_targets(write_shard(tmp_path / "own", ds))
    for column, wait in ((SHORT, 7), (YEAR, 365), (STORE, 366)):
        first = np.isfinite(found[..., column]).argmax(1)
        late = 200 + wait - 1 + (10 if wait > 100 else 0)
        assert first.tolist() == [wait - 1, late]
    assert np.isfinite(found[0, 365:]).all()
    assert np.isnan(found[1, 300:310]).all()
    assert np.isfinite(found[1, 310, SHORT])


def test_a_source_without_pet_has_no_targets(tmp_path: Path) -> None:
    """Nothing can be computed, nothing is asked, and the loss is 0."""
    corpus = Path(tmp_path / "corpus")
    ds = example_points(3, 400).drop_vars(
        ["potential_evapotranspiration", "latitude"], errors="ignore"
    )
    with pytest.warns(UserWarning, match="latitude"):
        shard = write_shard(corpus / "own", ds)
    assert "potential_evapotranspiration" not in shard.variables
    targets = Targets(Corpus(corpus))
    batch = Corpus(corpus).batch("own", np.arange(3), np.zeros(3, int), 365)
    assert targets.of(batch).isnan().all()
    mean, spread = targets.statistics({"own": np.ones(3, bool)})
    assert (mean == 0).all()
    assert (spread == 1).all()
    read_out = ReadOut.scaled(4, mean, spread)
    predicted = read_out(torch.ones(3, 366, 4)).detach()
    assert float(read_out.loss(predicted, targets.of(batch))) == 0


def test_targets_are_computed_once_and_anew_where_others_are_asked(
    corpus: Corpus,
) -> None:
    """A file of other names is replaced; an unfinished one is no file."""
    shard = corpus.shards["short"]
    unfinished = shard.folder / "memory.part"
    unfinished.mkdir()
    first = np.array(memory_targets(shard))
    assert not unfinished.exists()
    folder = shard.folder / "memory"
    stamp = (folder / "targets.npy").stat().st_mtime_ns
    memory_targets(shard)
    assert (folder / "targets.npy").stat().st_mtime_ns == stamp
    (folder / "names.json").write_text(json.dumps(MEMORY[::-1]))
    np.testing.assert_array_equal(memory_targets(shard), first)
    assert (folder / "targets.npy").stat().st_mtime_ns > stamp
    assert first.dtype == np.float16
    assert first.nbytes == 30 * 100 * 156


def test_statistics_are_those_of_the_sites_to_keep(corpus: Corpus) -> None:
    """Each fourth kept site and 61st day, what is unknown left out."""
    keep = {"long": np.arange(24) >= 8, "short": np.zeros(30, bool)}
    targets = Targets(corpus)
    mean, spread = targets.statistics(keep)
    values = targets.sources["long"][8::4, ::61].astype(np.float64)
    for column in (SHORT, YEAR, STORE):
        own = values[..., column]
        assert mean[column] == pytest.approx(np.nanmean(own), rel=1e-5)
        assert spread[column] == pytest.approx(np.nanstd(own), rel=1e-5)


def test_the_loss_is_a_mean_over_days_then_over_targets() -> None:
    """Scaled errors 1 and 3 of the first, 2 of the second: (5 + 4) / 2."""
    mean, spread = np.zeros((2, len(MEMORY)), np.float32)
    mean[:2], spread[:] = (10.0, -1.0), 1.0
    spread[1] = 4.0
    read_out = ReadOut.scaled(3, mean, spread)
    targets = torch.full((1, 2, len(MEMORY)), math.nan)
    predicted = torch.zeros(1, 2, len(MEMORY))
    targets[0, :, 0] = torch.tensor([11.0, 7.0])
    targets[0, 0, 1] = 7.0
    assert float(read_out.loss(predicted, targets)) == pytest.approx((5 + 4) / 2)


def test_the_read_out_takes_day_tokens_alone() -> None:
    """The static token comes last and is not read."""
    read_out = ReadOut(4)
    tokens = torch.randn(2, 11, 4)
    given = read_out(tokens)
    assert given.shape == (2, 10, len(MEMORY))
    tokens[:, -1] = 7.0
    assert torch.equal(read_out(tokens), given)
