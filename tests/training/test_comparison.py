"""Cross-validation: what is trained on what, and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import xstefaland
from xstefaland import metrics
from xstefaland.inference.plans import plan_encoder
from xstefaland.model.process import CHANNELS
from xstefaland.testing import example_points, tiny_weights
from xstefaland.training import comparison
from xstefaland.training.channels import cache_channels
from xstefaland.training.choices import asked_of_data, head_config
from xstefaland.training.comparison import (
    FinetuningRun,
    cross_validate,
    paired,
    report,
    score_bundled,
    skipped,
    summary,
)
from xstefaland.training.fitting import Finetuning, fit, predict_sites, score_sites
from xstefaland.training.tasks import make_task, read_records
from xstefaland.training.versions import Version, cache_embeddings
from xstefaland.weights import TARGETS

FLOW = TARGETS["streamflow"]


def versions(run: FinetuningRun, *hidden: Version) -> list[Version]:
    """Inputs with the process channels of what is trained."""
    channels = cache_channels(run.task, CHANNELS, run.folder)
    return [replace(each, channels=channels) for each in (Version(None, None), *hidden)]


@pytest.fixture
def run(tmp_path: Path) -> FinetuningRun:
    """An LSTM on six sites."""
    ds = example_points(6, 400)
    ds["streamflow"] = (ds.precipitation * 0.5).assign_attrs(units="mm d-1")
    encoder, asked = plan_encoder(tiny_weights())
    asked = asked_of_data(asked, FLOW, frozenset())
    task = make_task([read_records(ds, FLOW, asked)], FLOW, asked)
    config = head_config(task, {"kind": "lstm", "width": 8}, 16, causal=False)
    settings = Finetuning(
        updates=3, batch_size=4, days=60, warmup=10, precision="float32"
    )
    return FinetuningRun(task, encoder, config, settings, tmp_path, False)


def test_every_site_is_scored_by_a_head_that_never_saw_it(run):
    """The scores of a fold are those of a head trained on the other folds."""
    folds = np.array([0, 1, 0, 1, -1, -1])
    masks = np.ones((6, len(run.task.forcing_names)), bool), np.ones((6, 4), bool)
    given = versions(run, Version({"data": masks}, None))
    scores = cross_validate(run, given, folds)
    ids = run.task.sites["site"]
    assert sorted(scores["site"]) == sorted([*ids[:4], *ids[:4]])
    assert scores["system"].unique().tolist() == ["lstm", "lstm-plain"]
    roles = ["held out", "train", "held out", "train", "train", "train"]
    task = run.task.with_roles(dict(zip(ids, roles, strict=True)))
    head = fit(task, run.config, given, run.settings)
    results = predict_sites(head, task, run.config, given[0])
    own = score_sites(results, comparison.SCORES, minimum=comparison.MINIMUM, skip=0)
    of_fold = scores.query("fold == 0 and system == 'lstm'").reset_index(drop=True)
    pd.testing.assert_frame_equal(of_fold[own.columns], own)


def test_checkpoints_are_kept_by_fold_and_system(run):
    """So a run that was broken off goes on."""
    cross_validate(run, versions(run), np.array([0, 0, 0, 1, 1, 1]))
    names = sorted(path.name for path in run.folder.glob("*.pt"))
    systems = "lstm-plain", "lstm"
    assert names == [f"fold{fold}-{s}.pt" for fold in (0, 1) for s in systems]


def test_the_first_year_is_not_scored_where_there_are_more_than_two(run):
    """A record of 400 days is scored whole."""
    assert skipped(run.task) == 0
    records = run.task.records[0]
    longer = pd.date_range("2000-01-01", periods=731)
    object.__setattr__(records, "dates", longer)
    assert skipped(run.task) == 365


def test_no_bundled_head_on_another_encoder(run):
    """The tiny encoder is not that of the bundled heads."""
    caches = {"data": np.zeros((6, 400, 16), np.float16)}
    assert score_bundled(run, Version(None, caches)) is None


def table(own: float, lstm: float, bundled: float | None = None) -> pd.DataFrame:
    """Scores of ten sites that differ between systems by a constant."""
    level = np.linspace(0.2, 0.8, 10)
    systems = {"resconn": own, "lstm": lstm}
    if bundled is not None:
        systems["bundled"] = bundled
    parts = [
        pd.DataFrame({"site": [f"s{i}" for i in range(10)], "nse": level + shift})
        .assign(system=name, fold=0, kge=0.5, rmse=1.0, corr=0.9, bias=0.0)
        for name, shift in systems.items()
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def test_differences_are_taken_site_by_site():
    """A constant difference has an interval of no width, however sites differ."""
    rows = paired(table(0.1, 0.0, 0.15))
    assert rows.index.tolist() == ["resconn - lstm", "resconn - bundled"]
    np.testing.assert_allclose(
        rows.loc["resconn - lstm"], [0.1, 0.1, 0.1, 10], atol=1e-4
    )
    np.testing.assert_allclose(
        rows.loc["resconn - bundled"], [-0.05, -0.05, -0.05, 10], atol=1e-4
    )


def test_an_interval_covers_the_scatter_of_sites():
    """Half of the sites better, half worse: nothing is claimed."""
    scores = table(0.0, 0.0)
    own = scores["system"] == "resconn"
    scores.loc[own, "nse"] += np.tile([0.2, -0.2], 5)
    row = paired(scores).loc["resconn - lstm"]
    assert row["low"] < 0 < row["high"]


def test_a_head_without_any_score_is_reported():
    """One that diverged, say: the others' scores are not lost with it."""
    scores = table(0.1, 0.0)
    scores.loc[scores["system"] == "resconn", "nse"] = np.nan
    assert not len(paired(scores))
    assert "lstm" in report(scores, tiny_weights(), 1.0)


def test_the_card_and_the_report_say_the_same():
    """Medians by system, pairs, and whether they can be told apart."""
    scores = table(0.1, 0.0, 0.1)
    said = summary(scores)
    assert said["cross_validation"]["resconn"]["nse"] == pytest.approx(0.6)
    assert (said["sites"], said["folds"]) == (10, 1)
    assert said["nse_differences"]["resconn - lstm"]["low"] == pytest.approx(0.1)
    assert summary(scores[:0]) == {}
    text = report(scores, tiny_weights(), 2.94)
    assert "2.9 minutes" in text
    assert "resconn - lstm: +0.100 [+0.100, +0.100]\n" in text
    assert "resconn - bundled: +0.000 [+0.000, +0.000]  (cannot be told apart)" in text
    assert "may have seen some of these sites" in text
    assert "pass folds=3" in report(scores[:0], tiny_weights(), 1.0)


def test_the_bundled_head_is_scored_on_its_own_encoder(tmp_path: Path):
    """As `predict` answers, up to half precision of the embeddings; not in inches."""
    ds = example_points(2, 400)
    ds["streamflow"] = (ds.precipitation * 0.5).assign_attrs(units="mm d-1")
    encoder, asked = plan_encoder(None)
    asked = asked_of_data(asked, FLOW, frozenset())
    task = make_task([read_records(ds, FLOW, asked)], FLOW, asked)
    width = encoder.card.config["d_model"]
    config = head_config(task, "resconn", width, causal=False)
    run = FinetuningRun(task, encoder, config, Finetuning(), tmp_path, False)
    cache = cache_embeddings(encoder.model(), task, tmp_path, precision="float32")
    scores = score_bundled(run, Version(None, cache))
    assert scores is not None
    flow = xstefaland.predict(ds.drop_vars("streamflow"), "streamflow")
    expected = metrics.nse(ds.streamflow, flow)
    np.testing.assert_allclose(scores["nse"], expected, atol=0.01)
    inches = replace(run, task=replace(task, target=replace(FLOW, units="inch d-1")))
    assert score_bundled(inches, Version(None, cache)) is None
    assert score_bundled(run, Version(None, None)) is None
