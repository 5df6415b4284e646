"""Epochs: shares by weight, every site in its turn, the same for the same seed."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from xstefaland.errors import InputError
from xstefaland.testing import example_points
from xstefaland.training.corpus import Batch, Corpus
from xstefaland.training.epochs import Epochs
from xstefaland.training.shards import write_shard


def everything(corpus: Corpus) -> dict[str, np.ndarray]:
    """Keep all sites."""
    return {n: np.ones(len(s.sites), bool) for n, s in corpus.shards.items()}


def source_of(batch: Batch) -> str:
    """The long source is cut to 365 days, the short one has 100."""
    return {365: "long", 100: "short"}[batch.forcing.shape[1]]


def epochs(corpus: Corpus, keep: dict | None = None, windows: int = 320) -> Epochs:
    """Batches of eight."""
    keep = keep or everything(corpus)
    return Epochs(corpus, keep, window=365, size=8, windows=windows)


def test_weights_decide_the_share_of_windows(corpus: Corpus) -> None:
    """Three quarters of the batches are the source's with three times the weight."""
    counts = Counter(source_of(b) for b in epochs(corpus).batches(0))
    assert counts == {"long": 30, "short": 10}
    part = epochs(corpus, windows=8 * 7)
    drawn = [Counter(source_of(b) for b in part.batches(s))["long"] for s in range(60)]
    assert set(drawn) == {5, 6}
    assert np.mean(drawn) == pytest.approx(5.25, abs=0.2)


def test_an_epoch_repeats_with_its_seed_and_differs_from_the_next(
    corpus: Corpus,
) -> None:
    """Batches are the same for the same seed, others for another."""
    runs = [list(epochs(corpus).batches(*seed)) for seed in ((1, 0), (1, 0), (1, 1))]
    for a, b in zip(runs[0], runs[1], strict=True):
        np.testing.assert_array_equal(a.forcing, b.forcing)
        np.testing.assert_array_equal(a.latitude, b.latitude)
    pairs = zip(runs[0], runs[2], strict=True)
    same = [np.array_equal(a.forcing, b.forcing, equal_nan=True) for a, b in pairs]
    assert not any(same)


def test_an_epoch_goes_on_where_it_stopped(corpus: Corpus) -> None:
    """Passing over batches gives the ones that would have come."""
    whole = list(epochs(corpus).batches(1, 2))
    rest = list(epochs(corpus).batches(1, 2, first=13))
    assert len(rest) == len(whole) - 13
    for a, b in zip(whole[13:], rest, strict=True):
        np.testing.assert_array_equal(a.forcing, b.forcing)


def test_sites_take_turns_and_left_out_ones_never_come(corpus: Corpus) -> None:
    """Each kept site is drawn as often as any other, to within one turn."""
    keep = everything(corpus)
    keep["long"][::2] = False
    latitude = corpus.shards["long"].sites["lat"].to_numpy(np.float32)
    seen: Counter[float] = Counter()
    for batch in epochs(corpus, keep).batches(0):
        if source_of(batch) == "long":
            seen.update(batch.latitude.tolist())
    assert set(seen) == set(latitude[keep["long"]].tolist())
    assert max(seen.values()) - min(seen.values()) <= 1


def test_shares_are_what_an_epoch_draws(corpus: Corpus) -> None:
    """Updates and basin-years of each source, counted without reading."""
    keep = everything(corpus)
    keep["long"][:4] = False
    table = epochs(corpus, keep).shares(3)
    batches = list(epochs(corpus, keep).batches(3))
    for name, row in table.iterrows():
        own = [b for b in batches if b.source == name]
        assert row["updates"] == len(own) > 0
        years = sum(b.day_of_year.size for b in own) / 365
        assert row["basin_years"] == pytest.approx(years)
    assert table["sites"].tolist() == [20, 30]
    assert table["share_of_updates"].tolist() == [0.75, 0.25]
    years = np.array([30 * 365, 10 * 100])
    np.testing.assert_allclose(table["share_of_basin_years"], years / years.sum())


def test_sources_and_sites_come_in_a_random_order(corpus: Corpus) -> None:
    """Neither one source after the other nor the sites in their own order."""
    drawn = list(epochs(corpus).batches(0))
    order = [source_of(batch) for batch in drawn]
    changes = sum(a != b for a, b in pairwise(order))
    assert changes > 6  # blocks would change once
    latitude = corpus.shards["long"].sites["lat"].to_numpy(np.float32)
    long = next(b for b in epochs(corpus).batches(5) if source_of(b) == "long")
    for block in np.split(latitude, 3):
        assert not np.isin(long.latitude, block).all()


def test_windows_hold_observed_weather_however_rare_it_is(tmp_path: Path) -> None:
    """One observed spell in ten years: every window holds some of it."""
    ds = example_points(6, 3650)
    hidden = np.ones(3650, bool)
    hidden[2000:2110] = False
    ds["precipitation"].values[:3, hidden] = np.nan
    ds["temperature"].values[3:5] = np.nan
    write_shard(tmp_path / "corpus" / "own", ds)
    corpus = Corpus(tmp_path / "corpus")
    for batch in epochs(corpus).batches(0):
        observed = np.isfinite(batch.forcing[..., :2]).all(-1).sum(1)
        assert (observed >= 365 // 4).all()
    keep = {"own": np.isin(np.arange(6), [3, 4])}
    with pytest.raises(InputError, match="share_left_out"):
        epochs(corpus, keep)
