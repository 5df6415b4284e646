"""No leaks on the real corpus: places, gauges, and what scaling was computed from.

The corpus here has every real site of every source, and the first weeks of its weather:
enough for lists of sites and for statistics.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from xstefaland.model import HeadConfig
from xstefaland.training import sources, tasks
from xstefaland.training.corpus import Corpus, left_out_sites, masks
from xstefaland.training.finetuning import (
    Finetuning,
    Version,
    finetune,
    head_statistics,
)
from xstefaland.training.pretraining import Pretraining, roles, variable_statistics

pytestmark = pytest.mark.slow
RADIUS = 6371.0  # of the Earth [km]
APART = 10.0  # [km]
DAYS = 42
SETTINGS = Pretraining(steps=1)
HEAD = HeadConfig(
    targets=("streamflow",),
    forcing=("precipitation", "temperature"),
    attributes=("elevation", "aridity"),
    kind="lstm",
    width=4,
    also_log=("precipitation",),
)


def write_corpus(data: Path, folder: Path) -> None:
    """Write the first weeks of every real source."""
    for name, read in sources.SOURCES.items():
        source, own = read(data), folder / name
        own.mkdir(parents=True)
        forcing = [values[:, :DAYS] for values in source.forcing.values()]
        np.save(own / "forcing.npy", np.stack(forcing, -1))
        for target, values in source.targets.items():
            np.save(own / f"{target}.npy", values[:, :DAYS])
        site = source.sites["site"]
        attributes = pd.DataFrame(dict(source.attributes), index=site)
        attributes.to_parquet(own / "attributes.parquet")
        source.sites.to_parquet(own / "sites.parquet")
        about = {"forcing": list(source.forcing), "repeats": 1}
        (own / "about.json").write_text(json.dumps(about))


@pytest.fixture(scope="module")
def real_corpus(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """All sites of all sources."""
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(real_data, folder)
    return Corpus(folder)


def spoilt(corpus: Corpus, folder: Path, where: dict[str, np.ndarray]) -> Corpus:
    """Copy a corpus with absurd weather, attributes and flow at some of its sites."""
    for name, shard in corpus.shards.items():
        own = folder / name
        own.mkdir(parents=True)
        sites, rows = shard.sites, where[name]
        forcing, attributes = np.array(shard.forcing), shard.attributes.copy()
        forcing[rows] = 1e4
        attributes.loc[rows] = 1e5
        np.save(own / "forcing.npy", forcing)
        for path in shard.folder.glob("*.npy"):
            if path.name != "forcing.npy":
                values = np.load(path)
                values[rows] = 1e4
                np.save(own / path.name, values)
        sites.to_parquet(own / "sites.parquet")
        attributes.to_parquet(own / "attributes.parquet")
        (own / "about.json").write_bytes((shard.folder / "about.json").read_bytes())
    return Corpus(folder)


def on_sphere(table: pd.DataFrame) -> np.ndarray:
    """Points of the unit sphere ``(site, 3)``."""
    lat, lon = np.deg2rad(table["lat"]), np.deg2rad(table["lon"])
    level = np.cos(lat)
    return np.stack([level * np.cos(lon), level * np.sin(lon), np.sin(lat)], 1)


def nearest(table: pd.DataFrame, others: pd.DataFrame) -> np.ndarray:
    """Distance along the great circle to the nearest of the others [km]."""
    points, far = on_sphere(table), on_sphere(others)
    chord = np.array([np.sqrt(((far - p) ** 2).sum(1)).min() for p in points])
    return 2 * RADIUS * np.arcsin(chord / 2)


def test_distances_here_are_right() -> None:
    """A degree of latitude is 111.19 km, of longitude at 60 north half of that."""
    place = pd.DataFrame({"lat": [60.0], "lon": [10.0]})
    north = pd.DataFrame({"lat": [61.0, -60.0], "lon": [10.0, 10.0]})
    east = pd.DataFrame({"lat": [60.0], "lon": [11.0]})
    assert nearest(place, north)[0] == pytest.approx(111.195, abs=0.01)
    assert nearest(place, east)[0] == pytest.approx(55.60, abs=0.01)


@pytest.mark.parametrize("seed", [3, 0])
def test_training_sites_are_far_from_held_out_ones(
    real_corpus: Corpus, seed: int
) -> None:
    """Over all sources none shares a gauge with, or lies within 10 km of, one."""
    sites = real_corpus.sites
    role = left_out_sites(sites, 0.1, seed)
    held, train = sites[role == "held out"], sites[role == "train"]
    assert len(held) > 300
    assert len(train) > 5000
    assert held["source"].nunique() > 1
    assert nearest(held, train).min() > APART
    gauges = set(held["gauge"]) - {""}
    assert len(gauges) > 100
    assert gauges.isdisjoint(train["gauge"])


def test_no_more_is_dropped_than_must_be(real_corpus: Corpus) -> None:
    """Every dropped site is near, or shares a gauge with, a held-out one."""
    sites = real_corpus.sites
    role = left_out_sites(sites, 0.1, 3)
    held, dropped = sites[role == "held out"], sites[role == "dropped"]
    assert len(dropped) > 10
    shares = dropped["gauge"].isin(set(held["gauge"]) - {""}).to_numpy()
    assert (shares | (nearest(dropped, held) <= APART)).all()


def test_the_same_gauge_is_left_out_of_every_source(real_corpus: Corpus) -> None:
    """A CAMELS basin that is held out is not learnt from under its Caravan number."""
    sites = real_corpus.sites
    role = left_out_sites(sites, 0.1, 3)
    twice = sites[(sites["gauge"] != "") & sites["gauge"].duplicated(keep=False)]
    assert len(twice) > 800
    held = set(twice.loc[role[twice.index] == "held out", "gauge"])
    assert len(held) > 20
    same = twice["gauge"].isin(held)
    assert not (role[twice.index][same] == "train").any()


def test_the_list_on_the_card_keeps_its_distance(real_corpus: Corpus) -> None:
    """No site that the bundled encoder learnt from is near one of a cell left out.

    The list holds held-out and dropped sites; those of cells that are on it as a whole
    stand for the held-out ones. No gauge is on both sides.
    """
    from xstefaland.weights import load

    sites, card = real_corpus.sites, load("stefaland-base-v1").card
    listed = sites["site"].isin(card.left_out)
    held = sites[listed.groupby(sites["place"]).transform("all")]
    learnt = sites[~listed]
    assert len(held) > 500
    assert nearest(held, learnt).min() > APART
    assert (set(sites[listed]["gauge"]) - {""}).isdisjoint(learnt["gauge"])


@pytest.mark.parametrize(
    "head",
    ["streamflow-resconn-v1", "streamflow-resconn-hbv-v1", "soil-moisture-resconn-v1"],
)
def test_what_heads_left_out_is_on_their_encoder_s_list(
    real_corpus: Corpus, head: str
) -> None:
    """Sites that have the target, and that the encoder has not seen either."""
    from xstefaland.weights import load

    shards = real_corpus.shards
    target = load(head).card.targets[0].name
    have = [n for n, s in shards.items() if (s.folder / f"{target}.npy").exists()]
    names = set().union(*(shards[name].sites["site"] for name in have))
    encoder = set(load("stefaland-base-v1").card.left_out)
    assert len(set(load(head).card.left_out)) > 10
    assert set(load(head).card.left_out) <= encoder & names


@pytest.mark.xfail(
    strict=True,
    reason="the draw is over the list of all places, so that one source more or less "
    "moves it: with today's data 691 of the 770 sites of `roles` were learnt from",
)
def test_roles_are_those_of_the_bundled_encoder(real_corpus: Corpus) -> None:
    """What `roles` holds out, the encoder trained with these settings left out."""
    from xstefaland.weights import load

    sites, card = real_corpus.sites, load("stefaland-base-v1").card
    held = sites["site"][roles(real_corpus, SETTINGS) == "held out"]
    assert set(held) <= set(card.left_out)


@pytest.mark.xfail(strict=True, reason="the draw is over the list of all places")
def test_a_source_more_holds_out_the_same_places() -> None:
    """Whether a place is held out does not depend on the other places."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "site": [f"s{n}" for n in range(400)],
            "gauge": "",
            "lat": rng.uniform(-50, 60, 400),
            "lon": rng.uniform(-120, 120, 400),
        }
    )
    cell = np.floor(table[["lat", "lon"]] / 0.5).astype(int).astype(str)
    table["place"] = cell["lat"] + " " + cell["lon"]
    whole, part = (left_out_sites(t, 0.2, 3) for t in (table, table.iloc[:300]))
    assert ((whole == "held out")[:300] == (part == "held out")).all()


def statistics_of(corpus: Corpus) -> tuple[object, object, list[float]]:
    """Scaling of the encoder, of a head's inputs, and of its target."""
    role = roles(corpus, SETTINGS)
    task = tasks.load_task(
        corpus, "streamflow", role,
        start="1979-01-01", end="2020-12-31", minimum_days=10,
    )  # fmt: skip
    short = Finetuning(steps=1, batch_size=2, days=10, warmup=2, precision="float32")
    head = finetune(task, HEAD, [Version(None, None)], short)
    scaling = head.get_submodule("target_scaling")
    target = [float(b) for _, b in scaling.named_buffers()]
    return variable_statistics(corpus, SETTINGS), head_statistics(task, HEAD), target


def test_statistics_know_the_training_sites_only(
    real_corpus: Corpus, tmp_path: Path
) -> None:
    """Absurd values at every held-out and dropped site change none; one training
    site's change all."""
    role = roles(real_corpus, SETTINGS)
    others = masks(real_corpus, role, ["held out", "dropped"])
    before = statistics_of(real_corpus)
    assert statistics_of(spoilt(real_corpus, tmp_path / "others", others)) == before
    one = masks(real_corpus, role, ["train"])
    one = {name: rows & (rows.cumsum() == 1) for name, rows in one.items()}
    after = statistics_of(spoilt(real_corpus, tmp_path / "one", one))
    for old, new in zip(before, after, strict=True):
        assert old != new
