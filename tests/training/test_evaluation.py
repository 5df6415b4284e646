"""Reconstruction scores: what is hidden, and the systems beside the encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from xstefaland.testing import example_points
from xstefaland.training import evaluation
from xstefaland.training.corpus import Corpus
from xstefaland.training.evaluation import (
    _climatology,
    _interpolation,
    _median_nse,
    evaluate_attributes,
    evaluate_forcing,
)
from xstefaland.training.pretraining import Pretraining, new_model, roles
from xstefaland.training.shards import write_shard

TINY = {"d_model": 16, "layers": 1, "heads": 2, "ffn": 32}


def test_nse_is_one_for_the_truth_and_zero_for_its_mean() -> None:
    """Hidden days only; unpaired days are left out."""
    rng = np.random.default_rng(0)
    truth = rng.normal(5, 2, (3, 200)).astype(np.float32)
    truth[:, ::2] = np.nan
    mean = np.broadcast_to(np.nanmean(truth, 1, keepdims=True), truth.shape)
    assert _median_nse(truth, np.nan_to_num(truth)) == pytest.approx(1)
    assert _median_nse(truth, mean.astype(np.float32)) == pytest.approx(0, abs=1e-5)


def test_climatology_knows_the_season_and_interpolation_the_neighbours() -> None:
    """A pure cycle is met by climatology, a straight line by interpolation."""
    dates = pd.date_range("2000-01-01", periods=4 * 365)
    cycle = np.sin(2 * np.pi * dates.day_of_year / 365).to_numpy(np.float32)[None]
    seen = cycle.copy()
    seen[:, 800:860] = np.nan
    assert np.abs(_climatology(seen, dates) - cycle)[:, 800:860].max() < 0.05
    line = np.arange(100, dtype=np.float32)[None]
    gap = line.copy()
    gap[:, 40:60] = np.nan
    np.testing.assert_allclose(_interpolation(gap), line, atol=1e-4)
    assert np.isnan(_climatology(seen[:, :700], dates[:700])).all()


def test_every_forcing_of_every_source_with_held_out_sites_is_scored(
    corpus: Corpus,
) -> None:
    """One row per source and forcing, and one more after log1p where it is skewed."""
    run = Pretraining(steps=1, share_left_out=0.3, model=TINY)
    model = new_model(corpus, run).eval()
    table = evaluate_forcing(model, corpus, roles(corpus, run), sites=4)
    rows = table.groupby("source")["variable"].agg(list).to_dict()
    names = ["precipitation", "precipitation", "temperature"]
    pet = "potential_evapotranspiration"
    assert rows["short"] == [*names, "shortwave_radiation", pet]
    assert rows["long"] == [*names, pet]
    assert table["stefaland"].notna().all()
    # an untrained model does not beat the mean, and the score must say so
    assert (table.query("variable == 'temperature'")["stefaland"] < 0.5).all()


def test_what_follows_from_a_forcing_is_hidden_with_it(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where temperature is scored, PET is hidden on the same days, rain is not."""
    run = Pretraining(steps=1, share_left_out=0.3, model=TINY)
    model = new_model(corpus, run).eval()
    seen = []
    original = evaluation.reconstruct_block

    def spy(model: object, forcing: np.ndarray, *rest: object) -> object:
        seen.append(np.isnan(forcing))
        return original(model, forcing, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(evaluation, "reconstruct_block", spy)
    evaluate_forcing(model, corpus, roles(corpus, run), sites=4)
    rain, warm, pet = (
        corpus.forcing.index(name)
        for name in ("precipitation", "temperature", "potential_evapotranspiration")
    )
    hidden = seen[1]  # the second forcing of the first source
    np.testing.assert_array_equal(hidden[..., warm], hidden[..., pet])
    assert 0.2 < hidden[..., warm].mean() < 0.8
    assert not hidden[..., rain].any()


def test_attributes_are_scored_beside_their_neighbours(tmp_path: Path) -> None:
    """A source with many held-out sites is scored, group by group."""
    write_shard(tmp_path / "corpus" / "own", example_points(120, 400))
    many = Corpus(tmp_path / "corpus")
    run = Pretraining(steps=1, share_left_out=0.3, model=TINY)
    model = new_model(many, run).eval()
    table = evaluate_attributes(model, many, roles(many, run))
    assert set(table.index) >= {"soil", "topography", "vegetation"}
    assert (table["knn"] < 0.5).all()  # attributes are drawn independently
    assert (table["stefaland"] < 0.5).all()


def test_a_source_with_one_group_of_attributes_has_no_neighbours(
    tmp_path: Path,
) -> None:
    """Nothing is left to be near by; the source is passed over."""
    ds = example_points(120, 400).drop_vars(["clay", "frac_forest"])
    write_shard(tmp_path / "corpus" / "own", ds)
    many = Corpus(tmp_path / "corpus")
    run = Pretraining(steps=1, share_left_out=0.3, model=TINY)
    model = new_model(many, run).eval()
    assert evaluate_attributes(model, many, roles(many, run)).empty


def test_only_held_out_sites_are_scored(corpus: Corpus) -> None:
    """Three sites of one source; the others are of no account."""
    model = new_model(corpus, Pretraining(steps=1, model=TINY)).eval()
    role = pd.Series("train", index=corpus.sites.index)
    held = corpus.sites["site"].isin(["long-site003", "long-site010", "long-site011"])
    role[held] = "held out"
    role[corpus.sites["source"] == "short"] = "dropped"
    table = evaluate_forcing(model, corpus, role)
    assert set(table["source"]) == {"long"}
    assert set(table["sites"]) == {3}


def test_records_carry_their_own_days(tmp_path: Path) -> None:
    """The last five years of a longer record, on the right dates."""
    ds = example_points(2, 2200, start="1999-01-17")
    shard = write_shard(tmp_path / "corpus" / "own", ds)
    many = Corpus(tmp_path / "corpus")
    forcing, dates = evaluation._records(many, shard, np.array([1]))
    assert len(dates) == forcing.shape[1] == 5 * 365
    assert dates[-1] == ds.indexes["time"][-1]
    warm = forcing[0, :, many.forcing.index("temperature")]
    np.testing.assert_array_equal(warm, ds["temperature"][1, -1825:])
