"""Heads against controls: jobs, splits, renderings, scores, tables, publication."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from weights import (
    asking,
    heads,
    imagined,
    jobs,
    observations,
    publish,
    queue,
    renderings,
    report,
    scores,
    splits,
    tables,
)
from weights.jobs import Job

from xstefaland.testing import example_points, tiny_weights
from xstefaland.training.conformal import LEVELS
from xstefaland.training.sources import Source
from xstefaland.weights import load

SITES, DAYS = 60, 900
SMALL = {"updates": 4, "batch_size": 4, "days": 120, "warmup": 30}


def gauges(folder: Path) -> xr.Dataset:
    """Made-up gauges; flow follows rain, soil temperature the air's."""
    ds = example_points(SITES, DAYS, start="2009-01-01")
    ds["streamflow"] = (0.4 * ds.precipitation).assign_attrs(units="mm d-1")
    warm = 0.8 * ds.temperature + 2
    ds["soil_temperature"] = warm.assign_attrs(units="degC")
    return ds.assign_attrs(license="CC0-1.0")


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> heads.Runs:
    """Runs on one made-up source, half of whose places are held out."""
    (tmp_path / "gauges.nc").write_bytes(b"made up")
    source = Source("own", gauges, 1.0, ("gauges.nc",))
    label = observations.Labels("own", "US", "2009-01-01", "2012-12-31")
    used = {"streamflow": (label,), "soil_temperature": (label,)}
    encoder = tiny_weights(tmp_path / "tiny.safetensors")
    for module in (observations, asking):
        monkeypatch.setattr(module, "SOURCES", (source,))
    monkeypatch.setattr(observations, "OBSERVED", used)
    for module in (splits, heads):
        monkeypatch.setattr(module, "REGIONS", {"own": "US"})
    monkeypatch.setattr(
        splits, "DEFAULTS", replace(splits.DEFAULTS, share_left_out=0.75)
    )
    monkeypatch.setattr(heads, "SETTINGS", {})
    monkeypatch.setattr(heads, "OTHERWISE", SMALL)
    monkeypatch.setattr(queue, "FIRST_RELEASE", str(encoder.path))
    monkeypatch.setattr(queue, "BUNDLED", ())
    folder = tmp_path / "proof"
    queue.plan(folder, encoder.path)
    return heads.Runs(folder, tmp_path)


def test_a_line_is_a_job_and_a_job_is_a_line() -> None:
    """Options that are not there are zero; what is no job says what one is."""
    job = Job("streamflow", "random", "lstm", "none", 2, basins=25, draw=1)
    assert str(job) == "streamflow random lstm none 2 basins=25 draw=1"
    assert Job.read(str(job)) == job
    assert job.folder == "streamflow-random-lstm-none-2-basins25-draw1"
    for line in ("streamflow random lstm none", "a b c d 0", f"{job} many=3"):
        with pytest.raises(ValueError, match="systems are resconn"):
            Job.read(line)


def test_the_list_needs_the_embeddings_of_one_encoder_at_a_time() -> None:
    """Each encoder's jobs stand together, and no job stands there twice."""
    listed = list(jobs.every_job("mine"))
    assert len(set(listed)) == len(listed)
    order = [job.encoder for job in listed]
    changes = [
        name
        for name, before in zip(order, [None, *order[:-1]], strict=True)
        if name != before
    ]
    assert changes == ["none", "mine", "random", "zero", "v1"]
    assert {job.target for job in listed} == set(observations.OBSERVED)
    assert {job.split for job in listed} == {*splits.SPLITS, *jobs.FIFTHS}


def sites() -> pd.DataFrame:
    """Gauges of both sides of an ocean; one of them in two products."""
    names = ["camels-daymet-1", "camels-era5land-1", "mopex-2", "camels-gb-3"]
    return pd.DataFrame(
        {
            "site": names,
            "gauge": ["1", "1", "2", "3"],
            "country": ["US", "US", "US", "England"],
            "lat": [40.0, 40.0, 42.2, 52.0],
            "lon": [-90.0, -90.0, -91.2, -1.0],
        }
    )


def test_regions_are_left_out_whole() -> None:
    """Heads of one side are scored on the other, whatever the encoder has seen."""
    there = splits.roles(sites(), Job("streamflow", "us-to-europe", "lstm", "none", 0))
    back = splits.roles(sites(), Job("streamflow", "europe-to-us", "lstm", "none", 0))
    assert list(there.values()) == ["train", "train", "train", "held out"]
    assert list(back.values()) == ["held out", "held out", "held out", "train"]


def test_each_place_is_in_one_fifth_and_far_from_what_teaches() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"lat": rng.uniform(40, 44, 200), "lon": rng.uniform(5, 9, 200)}
    )
    table = table.assign(site=[f"own-{n}" for n in range(200)], gauge="", country="")
    parts = {
        name: splits.roles(table, Job("streamflow", name, "lstm", "none", 0))
        for name in jobs.FIFTHS
    }
    held = pd.DataFrame(parts) == "held out"
    assert (held.sum(axis=1) == 1).all()
    assert held.sum().between(20, 60).all()
    near = pd.DataFrame(parts) == "dropped"
    assert near.any(axis=None)
    assert not (near & held).any(axis=None)
    moved = splits.roles(table[::-1][:150], Job("x", "fifth-2", "lstm", "none", 0))
    assert all((parts["fifth-2"][k] == "held out") == (v == "held out") for k, v in
               moved.items())  # fmt: skip


def test_a_gauge_of_two_products_is_one_place() -> None:
    """One basin to train on may be two records; more basins hold the fewer."""
    for draw in range(4):
        job = Job("streamflow", "us-to-europe", "lstm", "none", 0, basins=1, draw=draw)
        role = splits.roles(sites(), job)
        assert role["camels-daymet-1"] == role["camels-era5land-1"]
        assert role["mopex-2"] != role["camels-daymet-1"]
        assert role["camels-gb-3"] == "held out"


def test_renderings_hide_what_they_say(runs: heads.Runs) -> None:
    """Weather alone: rain, temperature and what follows; HBV sees its evaporation."""
    task = runs.task("streamflow")
    found = renderings.renderings(task, runs.folder / "channels")
    forcing, attributes = found["weather"].hidden["own"]
    hidden = {n for n, h in zip(task.forcing_names, forcing[0], strict=True) if h}
    shown = {
        n for n, h in zip(task.attribute_names, attributes[0], strict=True) if not h
    }
    assert not hidden & {"precipitation", "temperature", "potential_evapotranspiration"}
    assert "shortwave_radiation" in hidden
    assert shown == set(task.records[0].derived)
    column = task.forcing_names.index("potential_evapotranspiration")
    assert found["hidden"].hidden["own"][0][:, column].any()
    physical = renderings.with_physics(task, found["hidden"])
    assert not physical.hidden["own"][0][:, column].any()


def test_a_job_is_trained_scored_and_left_when_done(runs: heads.Runs) -> None:
    """Every rendering at held-out places; the same again gives the same numbers."""
    job = Job("streamflow", "random", "resconn", "tiny", 0)
    heads.run(runs, job)
    table = pd.read_csv(runs.head(job) / "scores.csv")
    role = splits.roles(runs.task("streamflow").sites, job)
    held = {site for site, each in role.items() if each == "held out"}
    assert set(table["inputs"]) == {"complete", "hidden", "weather"}
    assert set(table["site"]) == held
    assert table["unseen"].all()
    about = json.loads((runs.head(job) / "about.json").read_text())
    assert about["updates"] == 4
    assert about["embedding_ms"] > 0
    written = (runs.head(job) / "scores.csv").stat().st_mtime_ns
    heads.run(runs, job)
    assert (runs.head(job) / "scores.csv").stat().st_mtime_ns == written
    (runs.head(job) / "scores.csv").unlink()  # as when it was stopped while scoring
    heads.run(runs, job)
    again = pd.read_csv(runs.head(job) / "scores.csv")
    pd.testing.assert_frame_equal(again, table)


def test_imagined_weather_has_the_rivers_of_physics(
    runs: heads.Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mix of landscapes is found and dries up without rain; it is never scored on."""
    monkeypatch.setattr(imagined, "SITES", 10)
    task = runs.task("streamflow")
    (real,) = task.records
    weather = real.forcing[..., imagined._columns(task, imagined.WEATHER)]
    flows = imagined._flows(np.ascontiguousarray(weather))
    shares = np.zeros(12, np.float32)
    shares[[1, 4]] = 0.2, 0.5
    task = replace(task, records=(replace(real, observed=flows @ shares),))
    found = imagined._mix(flows[0], flows[0] @ shares)
    np.testing.assert_allclose(found, shares, atol=1e-4)
    assert imagined._mix(flows[0], 3 * flows[0] @ shares) is None  # more than falls
    both = imagined.with_imagined(task, tmp_path / "imagined")
    made = both.records[1]
    assert len(made.sites) == 10
    assert set(made.sites["role"]) == {"train"}
    role = splits.unseen(task.sites).set_axis(task.sites["label"])
    assert set(role[made.sites["label"]]) == {"train"}
    dry = made.sites["site"].str.endswith("-no-rain").to_numpy()
    ends = made.sites["site"].str.endswith("-rain-that-ends").to_numpy()
    assert made.observed[dry].max() < 0.05 < made.observed[ends].mean()
    again = imagined.with_imagined(task, tmp_path / "imagined").records[1]
    np.testing.assert_array_equal(again.forcing, made.forcing)
    monkeypatch.setattr(heads, "with_imagined", lambda *_: both)
    job = Job("streamflow", "random", "lstm-imagined", "none", 0)
    heads.run(runs, job)
    table = pd.read_csv(runs.head(job) / "scores.csv")
    assert not table["site"].str.startswith("imagined").any()


def test_regressions_see_the_features_that_they_name(runs: heads.Runs) -> None:
    """Trees neither attributes nor latitude but climate; embeddings the day's alone."""
    task = runs.task("streamflow")
    job = Job("streamflow", "random", "boosted-both", "tiny", 0)
    versions = heads.seen(runs, job, task)
    shown = tables._shown(task, versions, "weather", 0)
    records = task.records[0]
    held = records.sites["role"].eq("held out").to_numpy()
    assert all(shown["own"][row] is versions["weather"] for row in np.flatnonzero(held))
    row, version = 0, shown["own"][0]
    counts = {}
    for name in ("trees", "boosted-averages", "ridge-embedding", "boosted-both"):
        made = tables._features(tables.TABLES[name], shown)(task, records, row)
        counts[name] = np.isfinite(made).any(0).sum()
    width = versions["complete"].embeddings["own"].shape[-1]
    assert counts["ridge-embedding"] == width
    assert counts["boosted-both"] == counts["boosted-averages"] + width
    seen = tables._site(tables.TABLES["trees"], task, records, row, version)
    named = np.array(task.attribute_names)[np.isfinite(seen.attributes[0])]
    assert set(named) <= set(tables.CLIMATE)
    assert np.isnan(seen.latitude).all()


def test_the_level_is_that_of_the_other_head(runs: heads.Runs) -> None:
    """Means over the days of a site come from the one, anomalies from the other."""
    task = runs.task("streamflow")
    records, rows = task.records[0], np.arange(2)
    own = np.array([[[1.0], [3.0]], [[5.0], [9.0]]], np.float32)
    other = np.full((2, 2, 1), 10, np.float32)
    found = heads._levelled([(records, rows, own)], [(records, rows, other)], task)
    np.testing.assert_allclose(found[0][2][..., 0], [[9, 11], [8, 12]])


def test_embeddings_go_when_no_job_needs_them(runs: heads.Runs) -> None:
    """Those of a pending job stay."""
    kept = runs.embeddings("streamflow", "tiny")
    gone = runs.embeddings("streamflow", "random")
    for folder in (kept, gone):
        (folder / "complete").mkdir(parents=True)
    left = [Job("streamflow", "random", "resconn", "tiny", 0)]
    queue._delete_embeddings(runs, left)
    assert kept.exists()
    assert not gone.exists()


def test_done_and_failed_jobs_are_not_pending(runs: heads.Runs) -> None:
    """Comments are no jobs; an edited queue counts at once."""
    lines = [f"streamflow random lstm none {seed}" for seed in range(3)]
    (runs.folder / "queue.txt").write_text("\n".join(["# mine", *lines, ""]))
    (runs.folder / "failed.txt").write_text(lines[1] + "\n")
    done = runs.head(Job.read(lines[0]))
    done.mkdir(parents=True)
    (done / "scores.csv").touch()
    assert [str(job) for job in queue.pending(runs)] == lines[2:]


def frame() -> pd.DataFrame:
    """Scores of two systems, three seeds; the first is better by .1 at every place."""
    rows = []
    rng = np.random.default_rng(0)
    for seed in range(3):
        for number in range(20):
            base = rng.normal(0.5, 0.1)
            for name, extra in (("resconn/tiny", 0.1), ("lstm", 0.0)):
                values = dict.fromkeys(scores.SCORES, base + extra)
                place = {"site": f"s{number}", "place": f"p{number // 2}"}
                what = {"target": "streamflow", "split": "random", "inputs": "complete"}
                options = dict.fromkeys(jobs.OPTIONS, 0)
                rows.append(
                    {**what, **options, "name": name, "seed": seed, **place, **values}
                )
    return pd.DataFrame(rows)


def test_pairs_are_compared_over_places_and_seeds() -> None:
    """The planted difference is found, two products of a gauge count as one place."""
    found = scores.paired(frame(), ["tiny"]).set_index("score").loc["nse"]
    assert (found["first"], found["second"]) == ("resconn/tiny", "lstm")
    assert found["sites"] == 10
    assert found["seeds"] == 3
    assert found["difference"] == pytest.approx(0.1)
    assert found["seeds low"] == pytest.approx(0.1)
    assert found["clear"]


def test_a_difference_that_seeds_contradict_is_not_clear() -> None:
    """However narrow the interval over places is."""
    table = frame()
    own = table["name"] == "resconn/tiny"
    table.loc[own & (table["seed"] == 2), "nse"] -= 0.25
    found = scores.paired(table, ["tiny"]).set_index("score").loc["nse"]
    assert found["seeds low"] < 0 < found["seeds high"]
    assert not found["clear"]


def test_the_tables_are_written(runs: heads.Runs, tmp_path: Path) -> None:
    """From jobs that are done, with trees and few basins among them."""
    lines = ["lstm none 0", "resconn tiny 0", "trees none 0", "lstm none 0 basins=5"]
    lines += ["ridge-embedding tiny 0"]
    for line in lines:
        heads.run(runs, Job.read(f"streamflow random {line}"))
    page = report.write(runs, tmp_path / "results").read_text()
    assert "resconn/pretrained" in page
    assert "## Few basins to train on" in page
    assert "## Paired differences" in page
    for name in ("medians", "pairs", "groups", "sites"):
        assert len(pd.read_csv(tmp_path / "results" / f"weights_{name}.csv"))
    pictures = sorted(p.name for p in (tmp_path / "results").glob("*.png"))
    assert "weights-streamflow-random-map.png" in pictures
    assert "weights-streamflow-basins.png" in pictures


def test_an_ensemble_is_published_with_its_evidence(
    runs: heads.Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bands from all held-out places, skill, licences and places in its card."""
    monkeypatch.setattr(publish, "SEEDS", (0, 1))
    product = publish.Product(
        "warm-v2", "lstm", "Two seeds", "soil_temperature", ("lstm",), ()
    )
    monkeypatch.setattr(publish, "PRODUCTS", (product,))
    look = {"two-way": {"masked_soil_water_00": 0.88712}}
    lines = [{"step": 9}, {"held_out": {"two-way": {}}}, {"held_out": look}]
    log = runs.folder / "encoders" / "tiny.jsonl"
    log.write_text("\n".join(map(json.dumps, lines)))
    publish.publish(runs)
    path = runs.folder / "weights" / "warm-v2.safetensors"
    assert not path.exists()  # it waits for its members
    (row,) = load(path.with_stem(publish.ENCODER)).card.metrics["held_out_places"]
    score = "R2 of soil water 00 from windows half hidden"
    assert row == {"score": score, "two-way": 0.887}
    for seed in (0, 1):
        heads.run(runs, Job("soil_temperature", "random", "lstm", "none", seed))
    publish.publish(runs)
    card = load(path).card
    assert len(card.members) == 2
    assert card.bands[0].levels == LEVELS
    held = (splits.unseen(runs.task("soil_temperature").sites) == "held out").sum()
    assert card.bands[0].sites == held
    assert {row.inputs for row in card.skill} == {
        "complete",
        "precipitation and temperature",
    }
    assert card.training["data"][0]["licence"] == "CC0-1.0"
    assert card.command.endswith("publish --only warm-v2")
    assert 0 <= card.metrics["coverage"]["90%"] <= 1
    role = splits.roles(runs.task("soil_temperature").sites, product.jobs("tiny")[0])
    trained = [site for site, each in role.items() if each == "train"]
    assert card.places.count == len(trained)
    assert not set(trained) & set(card.left_out)
