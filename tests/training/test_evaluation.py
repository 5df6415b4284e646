"""Reconstruction scores: what is hidden, and the systems beside the encoder."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from xstefaland.training.corpus import Corpus
from xstefaland.training.evaluation import (
    _climatology,
    _interpolation,
    _median_nse,
    evaluate_forcing,
)
from xstefaland.training.pretraining import Pretraining, new_model, roles


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
    run = Pretraining(
        steps=1,
        share_left_out=0.3,
        model={"d_model": 16, "layers": 1, "heads": 2, "ffn": 32},
    )
    model = new_model(corpus, run).eval()
    table = evaluate_forcing(model, corpus, roles(corpus, run), sites=4)
    rows = table.groupby("source")["variable"].agg(list).to_dict()
    names = ["precipitation", "precipitation", "temperature"]
    assert rows["caravan"] == names
    assert rows["camels-era5land"] == [*names, "potential_evapotranspiration"]
    assert table["stefaland"].notna().all()
    # an untrained model does not beat the mean, and the score must say so
    assert (table.query("variable == 'temperature'")["stefaland"] < 0.5).all()
