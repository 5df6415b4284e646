"""The corpus: windows, order of variables, building from archives, left-out places."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from sklearn.neighbors import KDTree

from xstefaland.errors import InputError
from xstefaland.inputs.variables import CATALOGUE
from xstefaland.testing import example_points
from xstefaland.training import corpus as corpora
from xstefaland.training.corpus import Corpus, masks, statistics, training_values
from xstefaland.training.places import left_out_sites
from xstefaland.training.sources import SOURCES, Source


def test_a_batch_holds_the_values_of_its_window(corpus: Corpus) -> None:
    """Values, absent variables, day of year and latitude are those of the record."""
    shard = corpus.shards["long"]
    batch = corpus.batch("long", np.array([3, 8]), np.array([310, 30]), 20)
    column = corpus.forcing.index("temperature")
    np.testing.assert_array_equal(
        batch.forcing[0, :, column], shard.forcing[3, 310:330, 1]
    )
    absent = corpus.forcing.index("shortwave_radiation")
    assert np.isnan(batch.forcing[0, :, absent]).all()
    first = pd.Timestamp("2000-03-01") + pd.Timedelta(days=310)
    assert batch.day_of_year[0, 0] == first.day_of_year
    assert batch.latitude[0] == np.float32(shard.sites["lat"][3])
    clay = batch.attributes[0, corpus.attributes.index("clay")]
    assert clay == np.float32(shard.attributes["clay"].iloc[3])
    np.testing.assert_array_equal(batch.climate, shard.climate[[3, 8]])
    assert (batch.source, batch.rows.tolist()) == ("long", [3, 8])
    assert batch.starts.tolist() == [310, 30]
    np.testing.assert_array_equal(
        batch.forcing[1, :, column], shard.forcing[8, 30:50, 1]
    )


def test_variables_stand_in_the_order_of_the_catalogue(corpus: Corpus) -> None:
    """The union of all sources, whatever their order."""
    assert corpus.forcing == (
        "precipitation",
        "temperature",
        "shortwave_radiation",
        "potential_evapotranspiration",
    )
    assert list(corpus.attributes) == [n for n in CATALOGUE if n in corpus.attributes]
    assert {"elevation", "clay"} <= set(corpus.attributes)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    """The error names the calls that write a corpus."""
    with pytest.raises(InputError, match=r"corpus\.build\(data, folder\).*write_shard"):
        Corpus(tmp_path)


def test_building_reads_every_source_once_and_keeps_what_is_there(
    tmp_path: Path,
) -> None:
    """Files are listed with licence and hash; a second call reads nothing anew."""
    (tmp_path / "a.bin").write_bytes(b"abc")
    read: list[Path] = []

    def reader(folder: Path) -> xr.Dataset:
        read.append(folder)
        return example_points(3, 400).assign_attrs(license="CC0-1.0")

    table = [Source(name, reader, 2.0, ("a.bin",)) for name in ("one", "two")]
    built = corpora.build(tmp_path, tmp_path / "corpus", table)
    assert list(built.shards) == ["one", "two"]
    assert built.shards["one"].weight == 2.0
    digest = hashlib.sha256(b"abc").hexdigest()
    assert built.data == [{"name": "a.bin", "licence": "CC0-1.0", "sha256": digest}]
    again = corpora.build(tmp_path, tmp_path / "corpus", table)
    assert read == [tmp_path, tmp_path]
    pd.testing.assert_frame_equal(again.sites, built.sites)


def test_masks_follow_the_roles(corpus: Corpus) -> None:
    """Every site is in exactly one of the roles' masks."""
    role = left_out_sites(corpus.sites, 0.2, seed=0)
    parts = [masks(corpus, role, [name]) for name in ("train", "held out", "dropped")]
    for name in corpus.shards:
        assert (sum(p[name].astype(int) for p in parts) == 1).all()


def test_values_for_scaling_are_those_of_the_sites_to_keep(corpus: Corpus) -> None:
    """Every seventh day of every kept site, sources joined; the table's attributes."""
    keep = {n: np.zeros(len(s.sites), bool) for n, s in corpus.shards.items()}
    keep["long"][5] = keep["short"][7] = True
    forcing, attributes = training_values(corpus, keep)
    long, short = corpus.shards["long"], corpus.shards["short"]
    rain = np.concatenate([long.forcing[5, ::7, 0], short.forcing[7, ::7, 0]])
    np.testing.assert_array_equal(forcing["precipitation"], rain)
    sun = short.forcing[7, ::7, short.variables.index("shortwave_radiation")]
    np.testing.assert_array_equal(forcing["shortwave_radiation"], sun)
    clay = [long.attributes["clay"].iloc[5], short.attributes["clay"].iloc[7]]
    np.testing.assert_array_equal(attributes["clay"], np.float32(clay))


def test_statistics_are_of_the_transformed_values_and_the_range_is_physical() -> None:
    """By hand, missing values left out; a constant has deviation one."""
    values = np.array([-0.5, np.e - 1, np.nan], np.float32)  # no log of less than 0
    found = statistics(values, log=True)
    assert found["mean"] == pytest.approx(0.5)
    assert found["std"] == pytest.approx(0.5)
    assert found["maximum"] == pytest.approx(np.e - 1)
    assert statistics(np.ones(3, np.float32), log=False)["std"] == 1.0
    unknown = statistics(np.full(3, np.nan, np.float32), log=True)
    assert unknown == {"mean": 0.0, "std": 1.0, "minimum": None, "maximum": None}


def test_sources_read_the_files_they_name(real_data: Path) -> None:
    """Names are unique, files are there, weights are positive."""
    assert len({source.name for source in SOURCES}) == len(SOURCES)
    for source in SOURCES:
        assert source.weight > 0
        assert all((real_data / name).is_file() for name in source.files), source.name
    share = next(s for s in SOURCES if s.name == "caravan").weight
    assert share / sum(s.weight for s in SOURCES) < 0.15  # 100 days of one season


@pytest.fixture(scope="module")
def real_corpus(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """All archives: half a minute and 800 MB."""
    return corpora.build(real_data, tmp_path_factory.mktemp("real") / "corpus")


@pytest.mark.slow
def test_real_sources_hold_plausible_values(real_corpus: Corpus) -> None:
    """Units are right: means of the real files lie where the world's weather does."""
    bounds = {
        "precipitation": (0.4, 6),
        "temperature": (-10, 25),
        "shortwave_radiation": (100, 260),
        "relative_humidity": (40, 95),
        "vapour_pressure": (300, 2500),
        "wind_speed": (0.5, 6),
        "surface_pressure": (80_000, 102_000),
        "potential_evapotranspiration": (0.05, 5),
    }
    assert list(real_corpus.shards) == sorted(source.name for source in SOURCES)
    for shard in real_corpus.shards.values():
        for column, variable in enumerate(shard.variables):
            if variable in bounds:
                low, high = bounds[variable]
                mean = np.nanmean(shard.forcing[:, ::7, column])
                assert low < mean < high, (shard.name, variable)
        assert not set(shard.attributes) & {"q_mean", "runoff_ratio", "baseflow_index"}
        assert "streamflow" not in shard.variables
    assert real_corpus.sites["site"].is_unique


@pytest.mark.slow
@pytest.mark.parametrize("seed", [3, 11])
def test_no_real_training_site_is_near_a_held_out_one(
    real_corpus: Corpus, seed: int
) -> None:
    """Counted in another way: straight-line distances, ids of gauges by hand."""
    sites = real_corpus.sites
    role = left_out_sites(sites, 0.1, seed)
    held, train = sites[role == "held out"], sites[role == "train"]
    assert set(held["source"]) >= {"camels-era5land", "camels-gb", "caravan", "uscrn"}

    def points(table: pd.DataFrame) -> np.ndarray:
        lat, lon = np.radians(table["lat"]), np.radians(table["lon"])
        east, north = np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon)
        return 6371 * np.stack([east, north, np.sin(lat)], 1)

    distance, _ = KDTree(points(held)).query(points(train))
    assert distance.min() > 9.99
    for wanted, marks in {
        "usa": ("camels-era5", "camels-day", "camels-nl", "camels-mau", "mopex-",
                "caravan-camels_", "caravan-hysets_"),
        "gb": ("camels-gb-", "caravan-camelsgb_"),
        "ch": ("camels-ch-", "caravan-camelsch_"),
    }.items():  # fmt: skip
        ids = [
            part["site"][part["site"].str.startswith(marks)] for part in (held, train)
        ]
        numbers = [set(each.str.extract(r"[-_]([^-_]+)$")[0]) for each in ids]
        assert numbers[0], wanted
        assert not numbers[0] & numbers[1], wanted
