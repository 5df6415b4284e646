"""The queue of the benchmarks: encoders that leave folds out, jobs, pages, costs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from benchmarks.skill import __main__ as command
from benchmarks.skill import costs, jobs, pages, work
from benchmarks.skill.jobs import Encoding, Scoring
from xstefaland.splits import load_folds
from xstefaland.testing import example_points, tiny_weights
from xstefaland.training.benchmark import PROTOCOLS, Protocol, holdouts
from xstefaland.training.fitting import Finetuning
from xstefaland.training.shards import write_shard
from xstefaland.weights import load

SMALL = Finetuning(
    updates=3, batch_size=4, days=60, warmup=10, precision="float32",
    checkpoint_updates=1,
)  # fmt: skip

QUEUE = tuple(jobs.every_job())


def gauges(folder: Path) -> dict[str, xr.Dataset]:
    """Twelve gauges whose flow is the rain of the last days."""
    ds = example_points(12, 900)
    flow = 0.5 * ds.precipitation.rolling(time=3, min_periods=1).mean()
    lon = xr.DataArray(np.linspace(0, 40, 12), dims="site")
    flow = flow.assign_attrs(units="mm d-1")
    return {"mine": ds.assign(flow=flow).assign_coords(longitude=lon)}


FLOW = Protocol(
    name="mine",
    title="Flow of my gauges",
    data=gauges,
    targets={"streamflow": "flow"},
    split=lambda sites: np.arange(len(sites)) % 4,
    in_corpus=True,
    systems=("resconn", "zero", "linear"),
    scores=("nse", "rmse"),
    skip=0,
    settings=SMALL,
)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> work.SkillRuns:
    """Runs of one made-up benchmark, with one source in the corpus."""
    ds = gauges(Path())["mine"].drop_vars("flow")
    write_shard(tmp_path / "corpus" / "own", ds)
    monkeypatch.setitem(PROTOCOLS, "mine", FLOW)
    monkeypatch.setattr(work.corpora.build, "__defaults__", ((),))
    encoders = {"first": {"mine": (0, 1)}, "second": {"mine": (2,)}}
    for module in (jobs, work):
        monkeypatch.setattr(module, "ENCODERS", encoders)
    monkeypatch.setattr(work, "WIDTH", 16)
    monkeypatch.setattr(work, "RATES", {16: 1e-3})
    main = tiny_weights(tmp_path / "tiny.safetensors")
    found = work.SkillRuns(tmp_path / "skill", tmp_path, tmp_path / "corpus")
    monkeypatch.setattr(work, "every_job", lambda: [Encoding("first")])
    work.plan(found, str(main.path))
    return found


def test_an_encoder_leaves_its_folds_out(runs: work.SkillRuns, tmp_path: Path) -> None:
    """Its card says so, and the folds are scored with it and with no other."""
    assert work.left_out(runs, "first") == tuple(
        f"site{number:03d}" for number in range(12) if number % 4 < 2
    )
    score = Scoring("mine", (0, 1), (0,), ("resconn", "linear"))
    with pytest.raises(SystemExit, match="first is not there; first `encoder first`"):
        work.do(runs, score)
    work.pretrain(runs, "first", updates=2)
    assert runs.done(Encoding("first"))
    card = load(runs.encoder("first")).card
    assert len(card.left_out) == 6
    assert not runs.done(score)
    work.do(runs, score)
    assert runs.done(score)
    assert score.encoders == ["first"]
    table = pd.concat(
        pd.read_csv(path) for path in runs.benchmark("mine").glob("*/*/scores.csv")
    )
    assert table["site"].nunique() == 6
    more = replace(score, systems=("resconn", "zero"))
    assert list(runs.lacking(more)) == [(0, 0, "zero"), (0, 1, "zero")]


def test_a_stopped_encoder_is_not_done(
    runs: work.SkillRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends as one that was stopped, and goes on."""

    class Stopped(work.EncoderRun):
        def watch(self, run) -> bool:  # type: ignore[no-untyped-def]
            """Stop after the first update, as when the process is told to."""
            self.stopped = run.step == 1
            return super().watch(run)

    stops: list[int] = []
    monkeypatch.setattr(work, "EncoderRun", Stopped)

    def stop() -> None:
        stops.append(1)
        raise KeyboardInterrupt

    monkeypatch.setattr(work, "stop_here", stop)
    with pytest.raises(KeyboardInterrupt):
        work.pretrain(runs, "first", updates=2)
    assert stops
    assert not runs.done(Encoding("first"))
    work.pretrain(runs, "first", updates=2)
    assert runs.done(Encoding("first"))


def test_the_encoder_that_ships_may_come_later(
    runs: work.SkillRuns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other jobs do not wait for it; its own say how to give it."""
    bare = replace(runs, folder=tmp_path / "bare")
    monkeypatch.setattr(work, "every_job", lambda: QUEUE)
    work.plan(bare, None)
    before = bare.worklist.jobs()
    work.plan(bare, str(runs.encoder(jobs.MAIN)))
    added = bare.worklist.jobs()[len(before) :]
    assert {line.split()[1] for line in added} == set(jobs.UNSEEN)
    bare.encoder(jobs.MAIN).unlink()
    assert len(work.left_out(bare, "first")) == 6
    monkeypatch.setattr(jobs, "UNSEEN", ("mine",))
    with pytest.raises(SystemExit, match="main is not there; first `plan --encoder"):
        work.do(bare, Scoring("mine", (0,), (0,), ("linear",)))


def test_another_encoder_that_ships_is_refused(
    runs: work.SkillRuns, tmp_path: Path
) -> None:
    """What was scored with the first one stays what it was."""
    other = tiny_weights(tmp_path / "other.safetensors", seed=1)
    with pytest.raises(SystemExit, match="is another encoder"):
        work.plan(runs, str(other.path))


def test_lines_are_read_as_they_are_written() -> None:
    """Every job of the queue; what is wrong is said."""
    every = list(jobs.every_job())
    assert [jobs.read_job(str(job)) for job in every] == every
    for line in (
        "encoder nothing",
        "score camels-pub 0 0 magic",
        "score moon 0 0 lstm",
    ):
        with pytest.raises(ValueError, match="is no job: it takes"):
            jobs.read_job(line)


def test_the_queue_holds_what_is_to_be_committed() -> None:
    """All systems on a fold of each benchmark; some everywhere, with three seeds."""
    every = [job for job in jobs.every_job() if isinstance(job, Scoring)]
    done: set[tuple[str, int, int, str]] = set()
    encoders: set[str] = set()
    for job in jobs.every_job():
        if isinstance(job, Encoding):
            encoders.add(job.name)
        else:
            assert set(job.encoders) <= encoders | {jobs.MAIN}
            assert job.encoders
            done |= {
                (job.benchmark, fold, seed, system)
                for fold in job.folds
                for seed in job.seeds
                for system in job.systems
            }
    for name, protocol in PROTOCOLS.items():
        folds = {fold for job in every for fold in job.folds if job.benchmark == name}
        whole = [
            all((name, fold, 0, system) in done for system in protocol.systems)
            for fold in folds
        ]
        assert any(whole), name
    for name, folds in (("camels-pub", 10), ("camels-pur", 7)):
        for fold in range(folds):
            for seed in range(3):
                for system in ("resconn", "lstm", "ablation", "zero", "resconn-hbv"):
                    assert (name, fold, seed, system) in done
    assert set(jobs.pages()) >= set(PROTOCOLS)
    for page in jobs.pages().values():
        wanted = {
            (page.benchmark, fold, seed, system)
            for fold in page.folds
            for seed in page.seeds
            for system in page.systems
        }
        assert wanted <= done


def test_every_encoder_knows_what_ships_with_the_package() -> None:
    """Folds of camels-pub and camels-pur are all there, each with one encoder."""
    for name, number in (("camels-pub", 10), ("camels-pur", 7)):
        groups = [left[name] for left in jobs.ENCODERS.values() if name in left]
        assert sorted(fold for group in groups for fold in group) == list(range(number))
        runs = work.SkillRuns(Path(), Path(), Path())
        first = next(key for key, left in jobs.ENCODERS.items() if name in left)
        fold = load_folds(holdouts.SHIPPED / f"{name}.json").to_series()
        own = fold[fold.isin(jobs.ENCODERS[first][name])]
        assert work.left_out(runs, first) == tuple(sorted(own.index))


def test_a_page_is_of_what_can_be_compared() -> None:
    """All systems of it on the same folds and seeds."""
    whole = Scoring("mine", (0, 1, 2), (0, 1), ("a", "b", "c"))
    assert pages.done_part(whole, []) == whole
    first = {(0, 2, "a"), (1, 1, "c")}
    expected = replace(whole, folds=(0, 1), seeds=(0,))
    assert pages.done_part(whole, first) == expected
    third = {(seed, fold, "c") for seed in (0, 1) for fold in range(3)}
    assert pages.done_part(whole, third) == replace(whole, systems=("a", "b"))
    assert pages.done_part(whole, third | {(0, f, "b") for f in range(3)}) is None


def test_pages_are_written_of_a_part(
    runs: work.SkillRuns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the pieces that are there; nothing is trained."""
    work.pretrain(runs, "first", updates=1)
    work.do(runs, Scoring("mine", (0,), (0,), ("zero", "linear")))
    whole = Scoring("mine", (0, 1, 2), (0, 1), ("resconn", "zero", "linear"))
    monkeypatch.setattr(pages, "pages", lambda: {"mine-few": whole})
    pages.write_pages(runs, tmp_path / "out")
    text = (tmp_path / "out" / "mine-few.md").read_text()
    assert "trained at none of the 3 scored sites" in text
    assert "| zero |" in text
    assert "resconn" not in text


COST: Mapping[str, float] = {
    "seconds": 90.0, "processor": 36.0, "training": 30.0, "updates": 30,
    "site_years": 10.0,
}  # fmt: skip


def test_costs_grow_with_updates_and_records() -> None:
    """Training with the one, the rest with the other; tables do not train longer."""
    protocol = PROTOCOLS["camels-pub"]
    assert isinstance(protocol, Protocol)
    longer = replace(protocol, settings=replace(protocol.settings, updates=300))
    head = costs.full_hours(longer, "resconn", dict(COST), 100.0)
    assert head == pytest.approx((300 + 60) / 3600)
    table = costs.full_hours(longer, "linear", dict(COST), 100.0)
    assert table == pytest.approx((30 + 60) / 3600)
    calibrated = costs.full_hours(longer, "hbv-regional", dict(COST), 30.0)
    assert calibrated == pytest.approx((90 + 18) / 3600)


def test_what_is_left_is_told_in_hours(
    runs: work.SkillRuns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Of done pieces first, of short runs otherwise; unknown where there are none."""
    quick = tmp_path / "quick"
    for system in ("resconn", "linear"):
        piece = quick / "mine-quick" / "streamflow" / f"seed0-fold0-{system}"
        piece.mkdir(parents=True)
        (piece / "cost.json").write_text(json.dumps(dict(COST) | {"updates": 3}))
    monkeypatch.setattr(costs, "TABLE", tmp_path / "costs.csv")
    table = costs.write_table(tmp_path, quick)
    assert table["mine"].tolist() == pytest.approx(
        [(30 + 6 * 12 * 900 / 365 / 10) / 3600] * 2
    )
    assert "| resconn |" in (tmp_path / "costs.md").read_text()
    score = Scoring("mine", (0,), (0,), ("resconn", "linear", "zero"))
    runs.worklist.add([str(score)])
    arguments = ["left", "--runs", str(runs.folder), "--data", str(tmp_path)]
    command.main(arguments)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].split() == ["0.40", "encoder", "first"]
    assert printed[-1].endswith("in 2 jobs, and 1 jobs that nothing is known of")
    piece = runs.benchmark("mine") / "streamflow" / "seed0-fold1-zero"
    piece.mkdir(parents=True)
    (piece / "cost.json").write_text(json.dumps(dict(COST) | {"processor": 7200.0}))
    assert costs.Estimates(runs).piece("mine", "zero") == 2.0
    assert costs.Estimates(runs).piece("other", "zero") == 2.0
    command.main(arguments)
    assert "2.03  score mine" in capsys.readouterr().out
