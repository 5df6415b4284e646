"""The corpus: windows, order, left-out places, real files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics.pairwise import haversine_distances

from xstefaland.errors import InputError
from xstefaland.training import sources
from xstefaland.training.corpus import Corpus, left_out_sites, masks


def everything(corpus: Corpus) -> dict[str, np.ndarray]:
    """Keep all sites."""
    return {n: np.ones(len(s.sites), bool) for n, s in corpus.shards.items()}


def test_a_batch_holds_the_values_of_its_window(corpus: Corpus) -> None:
    """Values, absent variables, day of year and latitude are those of the record."""
    shard = corpus.shards["camels-era5land"]
    batch = corpus.batch("camels-era5land", np.array([3]), np.array([310]), 20)
    short = corpus.batch("caravan", np.array([0]), np.array([0]), 100)
    column = corpus.forcing.index("temperature")
    np.testing.assert_array_equal(
        batch.forcing[0, :, column], shard.forcing[3, 310:330, 1]
    )
    absent = corpus.forcing.index("potential_evapotranspiration")
    assert np.isnan(short.forcing[0, :, absent]).all()
    first = pd.Timestamp("2000-03-01") + pd.Timedelta(days=310)
    assert batch.day_of_year[0, 0] == first.day_of_year
    assert batch.latitude[0] == np.float32(shard.sites["lat"][3])


def test_an_epoch_repeats_with_its_seed_and_differs_from_the_next(
    corpus: Corpus,
) -> None:
    """Batches are the same for the same seed, others for another."""
    epochs = [
        list(corpus.epoch(seed, window=365, size=8, keep=everything(corpus)))
        for seed in (1, 1, 2)
    ]
    for a, b in zip(epochs[0], epochs[1], strict=True):
        np.testing.assert_array_equal(a.forcing, b.forcing)
    same = [
        np.array_equal(a.forcing, b.forcing, equal_nan=True)
        for a, b in zip(epochs[0], epochs[2], strict=True)
    ]
    assert not all(same)


def test_an_epoch_visits_every_kept_site_and_no_other(corpus: Corpus) -> None:
    """Left-out sites never appear; the others all do."""
    keep = everything(corpus)
    keep["camels-era5land"][::2] = False
    seen = set()
    for batch in corpus.epoch(0, window=365, size=8, keep=keep):
        if batch.forcing.shape[1] == 365:
            seen |= set(batch.latitude.tolist())
    latitude = corpus.shards["camels-era5land"].sites["lat"].to_numpy(np.float32)
    assert seen == set(latitude[keep["camels-era5land"]].tolist())


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    """The error names the call that writes a corpus."""
    with pytest.raises(InputError, match=r"corpus\.build\(data, folder\)"):
        Corpus(tmp_path)


def test_left_out_places_are_far_from_training_sites(corpus: Corpus) -> None:
    """No training site shares a gauge with, or lies within 10 km of, a held-out one."""
    sites = corpus.sites
    role = left_out_sites(sites, 0.2, seed=0)
    held, train = sites[role == "held out"], sites[role == "train"]
    assert len(held) > 0
    assert set(held["gauge"]).isdisjoint(train["gauge"])
    radians = [np.deg2rad(part[["lat", "lon"]].to_numpy()) for part in (held, train)]
    assert haversine_distances(*radians).min() * 6371 > 10
    assert (role == "dropped").any()


def test_masks_follow_the_roles(corpus: Corpus) -> None:
    """Every site is in exactly one of the roles' masks."""
    role = left_out_sites(corpus.sites, 0.2, seed=0)
    parts = [masks(corpus, role, [name]) for name in ("train", "held out", "dropped")]
    for name in corpus.shards:
        assert (sum(p[name].astype(int) for p in parts) == 1).all()


def test_the_left_out_list_ships_in_the_weights() -> None:
    """No basin of the left-out list shares its number with one that is not on it."""
    from xstefaland.weights import load

    card = load("stefaland-base-v1").card
    assert len(card.left_out) > 500
    assert any(s.startswith("uscrn-") for s in card.left_out)


@pytest.mark.parametrize("name", list(sources.SOURCES))
def test_real_sources_hold_plausible_values(real_data: Path, name: str) -> None:
    """Units are right: means of the real files lie where the world's weather does."""
    source = sources.SOURCES[name](real_data)
    bounds = {
        "precipitation": (0.4, 6),
        "temperature": (-10, 25),
        "shortwave_radiation": (100, 260),
        "relative_humidity": (40, 95),
        "vapour_pressure": (300, 2500),
        "surface_pressure": (80_000, 102_000),
        "potential_evapotranspiration": (0.05, 5),
    }
    for variable, values in source.forcing.items():
        assert values.dtype == np.float32
        assert values.shape[0] == len(source.sites)
        if variable in bounds:
            low, high = bounds[variable]
            assert low < np.nanmean(values) < high, variable
    assert not set(source.attributes) & {"q_mean", "runoff_ratio", "baseflow_index"}
    assert "streamflow" not in source.forcing
    assert source.sites["site"].is_unique


def test_caravan_gauges_match_camels(real_data: Path) -> None:
    """CAMELS basins are found again in Caravan by their gauge number."""
    camels = sources.camels_era5land(real_data).sites["gauge"]
    caravan = sources.caravan(real_data).sites["gauge"]
    assert caravan.isin(camels).sum() > 600
