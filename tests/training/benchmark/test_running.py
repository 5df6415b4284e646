"""Benchmarks end to end on small data: pieces, resuming, leaks, own systems."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xstefaland
from xstefaland import metrics, weights
from xstefaland.errors import InputError
from xstefaland.testing import example_points, tiny_weights
from xstefaland.training.benchmark import (
    PROTOCOLS,
    SYSTEMS,
    Protocol,
    Table,
    holdouts,
    run_benchmark,
)
from xstefaland.training.benchmark.work import Unavailable
from xstefaland.training.benchmark.writing import write
from xstefaland.training.fitting import Finetuning
from xstefaland.weights import TargetSpec, Weights

SHORT = Finetuning(
    updates=3, batch_size=4, days=60, warmup=10, precision="float32",
    checkpoint_updates=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    """A tiny encoder in a file that stays where it is."""
    return tiny_weights(tmp_path_factory.mktemp("encoder") / "tiny.safetensors")


def gauges(folder: Path) -> dict[str, xr.Dataset]:
    """Nine gauges whose flow is the rain of the last days."""
    ds = example_points(9, 500)
    flow = 0.5 * ds.precipitation.rolling(time=3, min_periods=1).mean()
    lon = xr.DataArray(np.linspace(0, 40, 9), dims="site")
    return {
        "mine": ds.assign(flow=flow.assign_attrs(units="mm d-1")).assign_coords(
            longitude=lon
        )
    }


FLOW = Protocol(
    name="mine",
    title="Flow of my gauges",
    data=gauges,
    targets={"streamflow": "flow"},
    split=holdouts.blocks(3),
    systems=("resconn", "linear"),
    scores=("nse", "rmse"),
    skip=0,
    settings=SHORT,
)


def in_order(sites: pd.DataFrame) -> np.ndarray:
    """Three sites a fold."""
    return np.repeat([0, 1, 2], 3)


def run(protocol: Protocol, encoder: Weights, runs: Path, **more):
    """Run silently."""
    return run_benchmark(
        protocol, Path(), runs, encoder=encoder, progress=False, **more
    )


FEW = ["resconn", "ablation", "zero", "lstm", "linear"]
HERE = [n for n in SYSTEMS if n != "tabpfn" or find_spec("tabpfn")]  # weights of others


@pytest.mark.parametrize("every", [FEW, pytest.param(HERE, marks=pytest.mark.slow)])
def test_every_system_on_every_site(encoder, tmp_path: Path, every):
    """One score a site and system, each by a system that never saw the site."""
    outcome = run(FLOW, encoder, tmp_path, systems=every)
    counts = outcome.scores.groupby("system", sort=False).size()
    assert counts.index.tolist() == every
    assert (counts == 9).all()
    assert outcome.scores["nse"].notna().all()
    folds = outcome.sites.set_index("site")["fold"]
    assert (outcome.scores["site"].map(folds) == outcome.scores["fold"]).all()
    linear = outcome.scores.query("system == 'linear'")
    assert linear["nse"].median() > 0.8  # averages of three days are among its features
    assert not list(tmp_path.glob("streamflow/*/embeddings"))
    assert outcome.about["scored"] == 9


def without(encoder: Weights, path: Path, *sites: int) -> Weights:
    """The same encoder, whose card says that it was not trained at some gauges."""
    left_out = tuple(f"archive-site{number:03d}" for number in sites)
    card = replace(encoder.card, name=path.stem, left_out=left_out)
    return weights.save(path.with_suffix(".safetensors"), encoder.tensors(), card)


def test_each_fold_has_an_encoder_that_never_saw_it(encoder, tmp_path: Path):
    """What it saw is not scored by any system; a fold without one is refused."""
    protocol = replace(FLOW, split=in_order, in_corpus=True)
    few = ["resconn", "ablation", "linear"]
    first = without(encoder, tmp_path / "first", 0, 1, 2, 3)
    other = tiny_weights(tmp_path / "other.safetensors", seed=1)
    second = without(other, tmp_path / "second", 3, 4)
    message = r"fold 2: none of its 3 sites .*\n.*train an encoder that leaves them out"
    with pytest.raises(InputError, match=message):
        run(protocol, (first, second), tmp_path / "runs", systems=few)
    outcome = run(protocol, (second, first), tmp_path / "runs", systems=few, folds=2)
    sites = outcome.scores.groupby(["system", "fold"])["site"].nunique()
    assert sites.unstack().to_numpy().tolist() == [[3, 2]] * 3
    assert not set(outcome.scores["site"]) & {"mine-site005"}
    about = [outcome.about[name] for name in ("unseen", "scored", "asked")]
    assert about == [5, 5, 6]
    assert "second (sha256" in outcome.about["encoder"]
    page = write(outcome, tmp_path / "page").read_text()
    assert "trained at none of the 5 scored sites; the other 1 of these folds" in page
    heads = {
        fold: weights.load(next((tmp_path / "runs").glob(f"*/*fold{fold}-resconn/*s")))
        for fold in (0, 1)
    }
    read = {fold: head.card.encoder.sha256 for fold, head in heads.items()}
    assert read == {0: first.sha256, 1: second.sha256}
    alone = run(protocol, second, tmp_path / "b", systems=few[:1], folds=[1]).scores
    own = outcome.scores.query("system == 'resconn' and fold == 1")
    assert own["nse"].tolist() == alone["nse"].tolist()  # embedded by its own encoder
    (cost,) = (tmp_path / "runs").glob("*/seed0-fold0-resconn/cost.json")
    spent = json.loads(cost.read_text())
    assert 0 < spent["training"] < spent["processor"]
    again = {"systems": few, "folds": [1]}
    with pytest.raises(InputError, match="holds another run: encoder differ"):
        run(
            protocol,
            without(encoder, tmp_path / "third", 4),
            tmp_path / "runs",
            **again,
        )
    assert len(run(protocol, second, tmp_path / "runs", **again).scores) == 6
    with pytest.raises(InputError, match=r"folds=\[7\]: \[7\] are none; there are"):
        run(protocol, second, tmp_path / "runs", folds=[7])


def test_encoders_of_one_run_read_the_same(encoder, tmp_path: Path):
    """Others are refused, and none at all."""
    other = tiny_weights(tmp_path / "other.safetensors", attributes=("elevation",))
    with pytest.raises(InputError, match="tiny read other variables than tiny"):
        run(FLOW, [encoder, other], tmp_path)
    with pytest.raises(InputError, match=r"encoder=\[\] names none"):
        run(FLOW, [], tmp_path)
    with pytest.raises(InputError, match="fills with one encoder"):
        run(PROTOCOLS["reconstruction"], [encoder, other], tmp_path)


def test_observations_of_sites_held_out_change_nothing(encoder, tmp_path: Path):
    """Predictions at fold 0 are the same whatever was observed there."""

    def changed(folder: Path) -> dict[str, xr.Dataset]:
        ds = gauges(folder)["mine"]
        values = ds["flow"].values.copy()
        values[: len(first)] = np.random.default_rng(0).random((len(first), 500))
        return {"mine": ds.assign(flow=ds.flow.copy(data=values))}

    class Recorder:
        """A system of one's own that keeps what a table predicts."""

        def run(self, work):
            results = SYSTEMS["linear"].run(work)
            found.append(results[0][2])
            return results

    first, found = range(3), []
    for name, data in (("a", gauges), ("b", changed)):
        protocol = replace(FLOW, data=data, split=in_order)
        run(protocol, encoder, tmp_path / name, systems=["own"], folds=2,
            own={"own": Recorder()})  # fmt: skip
    np.testing.assert_array_equal(found[0], found[2])
    assert not np.array_equal(found[1], found[3])


def test_a_broken_run_goes_on(encoder, tmp_path: Path):
    """What is done is not done again; the rest is; the scores are those of one run."""
    calls = []

    class Breaking:
        """Ends the process, so to say, in the second fold."""

        def run(self, work):
            calls.append(work.folder.name)
            if len(calls) == 2:
                raise KeyboardInterrupt
            return SYSTEMS["linear"].run(work)

    own = {"mine": Breaking()}
    with pytest.raises(KeyboardInterrupt):
        run(FLOW, encoder, tmp_path / "a", systems=["mine"], own=own)
    again = run(FLOW, encoder, tmp_path / "a", systems=["mine"], own=own)
    assert calls == [f"seed0-fold{k}-mine" for k in (0, 1, 1, 2)]
    whole = run(FLOW, encoder, tmp_path / "b", systems=["linear"])
    columns = ["site", "nse", "fold"]
    pd.testing.assert_frame_equal(again.scores[columns], whole.scores[columns])


def test_a_folder_holds_one_run(encoder, tmp_path: Path):
    """Another budget in the same folder is refused."""
    run(FLOW, encoder, tmp_path, systems=["linear"], folds=1)
    other = replace(FLOW, settings=replace(SHORT, updates=4))
    with pytest.raises(InputError, match="holds another run: settings differ"):
        run(other, encoder, tmp_path, systems=["linear"], folds=1)
    assert json.loads((tmp_path / "run.json").read_text())["protocol"] == "mine"


def test_seeds_and_folds(encoder, tmp_path: Path):
    """Each seed is a run of its own; the first folds alone where asked."""
    protocol = replace(FLOW, split=in_order)
    outcome = run(protocol, encoder, tmp_path, systems=["lstm"], folds=1, seeds=2)
    table = outcome.scores.pivot(index="site", columns="seed", values="rmse")
    assert table.shape == (3, 2)
    assert (table[0] != table[1]).all()


def test_neighbours_of_a_held_out_site_teach_nobody():
    """Within ten kilometres, or the same gauge, they are dropped."""
    sites = pd.DataFrame(
        {"lat": [47.0, 47.05, 60.0, 10.0], "lon": 8.0, "gauge": ["", "", "7", "7"]}
    )
    place = holdouts.places(sites)
    roles = holdouts.roles(np.array([0, 1, 2, 1]), 0, place)
    assert roles.tolist() == ["held out", "dropped", "train", "train"]
    roles = holdouts.roles(np.array([0, 1, 2, 1]), 2, place)
    assert roles.tolist() == ["train", "train", "held out", "dropped"]
    near = holdouts.places(sites, 1.0)
    assert holdouts.roles(np.array([0, 1, 2, 1]), 0, near)[1] == "train"


def test_blocks_are_dealt_whole():
    """More blocks than folds: sites together stay together, folds are scattered."""
    lat = np.repeat(np.linspace(-60, 60, 12), 10)
    sites = pd.DataFrame({"lat": lat, "lon": np.tile(np.arange(10) / 10, 12)})
    sites.loc[3, "lat"] = np.nan
    folds = holdouts.blocks(3, 12)(sites)
    assert folds[3] == -1
    by_row = pd.Series(folds).where(folds >= 0).groupby(lat)
    assert (by_row.nunique() == 1).all()
    assert by_row.first().value_counts().tolist() == [4, 4, 4]
    assert set(holdouts.blocks(3)(sites)) == {-1, 0, 1, 2}


def test_static_targets(encoder, tmp_path: Path):
    """Several targets of one Dataset, none an input of the other's."""

    def soils(folder: Path) -> dict[str, xr.Dataset]:
        ds = gauges(folder)["mine"].drop_dims("time")
        clay = (40 - ds.elevation / 60).assign_attrs(units="percent")
        return {"soil": ds.assign(clay=clay, sand=(90 - clay).assign_attrs(clay.attrs))}

    protocol = replace(
        FLOW, data=soils, targets={"clay": "clay", "sand": "sand"}, scores=("r2",)
    )
    outcome = run(protocol, encoder, tmp_path, systems=["linear", "zero"])
    assert outcome.scores.groupby(["target", "system"]).size().tolist() == [9] * 4
    every = PROTOCOLS["landslide"].systems
    assert {"attribute-vectors", "transformer", "direct", "no_resconn"} <= set(every)
    ran = run(protocol, encoder, tmp_path / "every", systems=every, folds=1).scores
    assert set(ran["system"]) == set(every)
    assert ran["predicted"].notna().all()
    clay = outcome.scores.query("target == 'clay' and system == 'linear'")
    observed, predicted = (
        xr.DataArray(clay[name].to_numpy(), dims="site")
        for name in ("observed", "predicted")
    )
    assert metrics.corr(observed, predicted, "site") > 0.4


def test_messages(encoder, tmp_path: Path):
    """Unknown systems; splits that hold nothing out or everything."""
    with pytest.raises(InputError, match=r"\['forest'\] are not known; there are"):
        run(FLOW, encoder, tmp_path, systems=["forest"])
    nobody = replace(FLOW, split=lambda sites: np.full(len(sites), -1))
    with pytest.raises(InputError, match="no site is in any fold"):
        run(nobody, encoder, tmp_path, systems=["linear"])
    everybody = replace(FLOW, split=lambda sites: np.zeros(len(sites), int))
    with pytest.raises(InputError, match="fold 0 leaves no site to train on"):
        run(everybody, encoder, tmp_path, systems=["linear"])


def test_shipped_folds_are_those_of_the_field(real_data: Path):
    """Ten groups and seven unions of hydrologic units, for all 671 basins."""
    groups = pd.read_csv(real_data / "camels_groups.csv", dtype={"basin": str})
    sites = pd.DataFrame({"label": groups["basin"]})
    pub, pur = (holdouts.listed(f"camels-{name}")(sites) for name in ("pub", "pur"))
    np.testing.assert_array_equal(pub, groups["pub_group"] - 1)
    np.testing.assert_array_equal(pur, groups["pur_region"] - 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [name for name, each in PROTOCOLS.items() if isinstance(each, Protocol)]
)
def test_every_protocol_reads_its_data(real_data: Path, name, encoder, tmp_path: Path):
    """Quick runs of one fold with one table: the declarations hold together."""
    outcome = run_benchmark(
        PROTOCOLS[name], real_data, tmp_path, encoder=encoder, systems=["linear"],
        folds=1, quick=True, progress=False,
    )  # fmt: skip
    assert len(outcome.scores)
    assert set(PROTOCOLS[name].systems) <= set(SYSTEMS)


def test_a_table_of_ones_own(encoder, tmp_path: Path):
    """Any estimator of scikit-learn is a system in one line, any quantity a target."""
    from sklearn.dummy import DummyRegressor

    mean = Table(lambda probability, seed: DummyRegressor())
    level = TargetSpec(name="lake_level", units="mm d-1")
    protocol = replace(FLOW, targets={level: "flow"})
    outcome = run(protocol, encoder, tmp_path, systems=["mean"], own={"mean": mean})
    assert (outcome.scores["nse"] <= 0.01).all()
    assert set(outcome.scores["target"]) == {"lake_level"}


def test_heads_are_kept_and_answer(encoder, tmp_path: Path):
    """What was scored is what the file gives for the same sites, controls too."""
    few = ["resconn", "ablation", "zero", "lstm-plain", "attribute-vectors"]
    # the file has half precision, so scores agree to some digits
    outcome = run(FLOW, encoder, tmp_path, systems=few, folds=1)
    ds = gauges(Path())["mine"]
    for system in few:
        scores = outcome.scores.query("system == @system").set_index("site")["rmse"]
        folder = tmp_path / "streamflow" / f"seed0-fold0-{system}"
        (path,) = folder.glob("*.safetensors")
        head = weights.load(path)
        assert set(head.card.left_out) >= set(scores.index)
        own = encoder
        if system in ("ablation", "zero"):
            kind = {"ablation": "random", "zero": "zero"}[system]
            (own,) = tmp_path.glob(f"streamflow/*/encoder-{kind}.safetensors")
        more = {}
        if system == "attribute-vectors":
            assert "stand-in" in head.card.external.name
            size = head.card.external.width
            more["embeddings"] = xr.DataArray(
                np.ones((9, size)), {"site": ds.site.values}, ("site", "e")
            )
        sites = ds.sel(site=[site.removeprefix("mine-") for site in scores.index])
        flow = xstefaland.predict(sites, "streamflow", head=head, weights=own, **more)
        found = metrics.rmse(sites.flow, flow)
        if not more:
            np.testing.assert_allclose(found, scores, rtol=0.02)
        assert bool(found.notnull().all())


def test_a_system_that_is_not_here_is_passed_over(encoder, tmp_path: Path):
    """The others are run; the page says why; one site and system still have figures."""
    calls = []

    class Absent:
        """Has not what it needs."""

        def run(self, work):
            calls.append(work.folder.name)
            raise Unavailable("the system 'absent' needs a package")

    protocol = replace(FLOW, split=lambda sites: np.arange(9))
    options = {"own": {"absent": Absent()}, "folds": 1}
    outcome = run(protocol, encoder, tmp_path, systems=["absent", "linear"], **options)
    assert set(outcome.scores["system"]) == {"linear"}
    page = write(outcome, tmp_path / "page").read_text()
    assert "Not run: the system 'absent' needs a package." in page
    with pytest.raises(InputError, match=r"came to an end(.|\n)*'absent' needs a"):
        run(protocol, encoder, tmp_path, systems=["absent"], **options)
    assert len(calls) == 2  # when it is there, it is run


def test_a_system_out_of_time_stops(encoder, tmp_path: Path):
    """It has no score, the others do; the page says so; it is not tried again."""
    calls = []

    class Slow:
        """Says now and then how far it is."""

        def run(self, work):
            calls.append(work.folder.name)
            work.progress(0.4)
            return SYSTEMS["linear"].run(work)

    protocol = replace(FLOW, split=in_order)
    options = {"systems": ["linear", "slow"], "own": {"slow": Slow()}, "folds": 1}
    outcome = run(protocol, encoder, tmp_path, hours=0, **options)
    assert set(outcome.scores["system"]) == {"linear"}
    assert outcome.about["stopped"] == {"streamflow/seed0-fold0-slow": 0.4}
    page = write(outcome, tmp_path / "page").read_text()
    assert "Stopped after 0 hours" in page
    assert "seed0-fold0-slow at 40%" in page
    again = run(protocol, encoder, tmp_path, **options)
    assert again.about["stopped"] == outcome.about["stopped"]
    assert len(calls) == 1
    with pytest.raises(InputError, match="no system came to an end"):
        run(protocol, encoder, tmp_path / "b", hours=0,
            **{**options, "systems": ["slow"]})  # fmt: skip
