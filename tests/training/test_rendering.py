"""What the encoder is shown of a batch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from xstefaland.inputs.variables import CATALOGUE
from xstefaland.training.corpus import Corpus
from xstefaland.training.masking import Masking
from xstefaland.training.rendering import Rendering, Shown, render
from xstefaland.training.shards import OBSERVED

PLAIN = Rendering(
    short_windows=0.0,
    stretch_share=0.0,
    thin=0.0,
    masking=Masking(drop_climate=0.0, drop_latitude=0.0),
)


def shown(corpus: Corpus, name: str, rendering: Rendering, seed: int = 0) -> Shown:
    """Render 600 windows; climates of the long source's stretches are 7 to 14."""
    rows = np.resize(np.arange(len(corpus.shards[name].sites)), 600)
    days = min(365, corpus.shards[name].days)
    batch = corpus.batch(name, rows, np.zeros(600, np.int64), days)
    if name == "long":
        stretches = 7.0 + np.arange(batch.climate.shape[1], dtype=np.float32)
        climate = np.broadcast_to(stretches[:, None], batch.climate.shape)
        batch = replace(batch, climate=climate)
    groups = [str(CATALOGUE[n].group) for n in corpus.attributes]
    rng = np.random.default_rng(seed)
    return render(batch, corpus.forcing, groups, corpus.climate, rendering, rng)


def climates(corpus: Corpus, part: Shown) -> np.ndarray:
    """Climate attributes that the encoder gets."""
    return part.batch.attributes[:, [place for place in corpus.climate if place >= 0]]


def test_climate_comes_from_stretches_the_record_or_nowhere(corpus: Corpus) -> None:
    """In the shares that are asked, all indices of a sample together."""
    other = replace(PLAIN, stretch_share=0.5, masking=Masking(drop_climate=0.2))
    found = climates(corpus, shown(corpus, "long", other))
    absent = np.isnan(found).all(1)
    stretch = (found == found[:, :1]).all(1) & np.isin(found[:, 0], np.arange(7, 15))
    assert len(np.unique(found[stretch])) == 8
    assert absent.mean() == pytest.approx(0.2, abs=0.05)
    assert stretch[~absent].mean() == pytest.approx(0.5, abs=0.06)
    record = climates(corpus, shown(corpus, "long", PLAIN))
    rest = ~absent & ~stretch
    np.testing.assert_array_equal(found[rest], record[rest])
    clay = shown(corpus, "long", other).batch.attributes
    assert np.isfinite(clay[:, corpus.attributes.index("clay")]).all()


def test_records_of_less_than_a_year_keep_the_climate_they_have(
    corpus: Corpus,
) -> None:
    """Caravan's 100 days come with attributes; no stretch takes them away."""
    shard = corpus.shards["short"]
    assert np.isnan(shard.climate).all()
    place = corpus.attributes.index("p_mean")
    corpus.tables["short"][:, place] = 3.0
    part = shown(corpus, "short", replace(PLAIN, stretch_share=1.0))
    assert (part.batch.attributes[:, place] == 3.0).all()


def test_masks_are_drawn_over_what_the_source_has(corpus: Corpus) -> None:
    """What it lacks counts as hidden; a fifth of its samples has nothing hidden."""
    masking = Masking(untouched=0.2, drop_forcing=0.0)
    part = shown(corpus, "long", replace(PLAIN, masking=masking))
    lacking = corpus.forcing.index("shortwave_radiation")
    assert part.forcing_mask[..., lacking].all()
    rest = np.delete(part.forcing_mask, lacking, -1)
    assert (~rest.any((1, 2))).mean() == pytest.approx(0.2, abs=0.05)


def test_optional_forcings_are_absent_from_a_share_of_samples(corpus: Corpus) -> None:
    """For the whole window, each with even chance; P and T stay, masks as they are."""
    part = shown(corpus, "short", replace(PLAIN, thin=0.4))
    absent = np.isnan(part.batch.forcing).all(1)
    whole = shown(corpus, "short", PLAIN)
    np.testing.assert_array_equal(part.forcing_mask, whole.forcing_mask)
    for column, name in enumerate(corpus.forcing):
        wanted = 0.0 if name in OBSERVED else 0.4 / 2
        assert absent[:, column].mean() == pytest.approx(wanted, abs=0.05)
    kept = np.isfinite(part.batch.forcing)
    np.testing.assert_array_equal(part.batch.forcing[kept], whole.batch.forcing[kept])
    apart = absent[:, 2] != absent[:, 3]  # radiation and PET
    assert apart.mean() == pytest.approx(0.2, abs=0.05)


def test_windows_are_shortened_and_latitudes_dropped_as_asked(corpus: Corpus) -> None:
    """Always, or never."""
    never = shown(corpus, "long", PLAIN).batch
    assert never.forcing.shape[1] == 365
    assert np.isfinite(never.latitude).all()
    always = Rendering(short_windows=1.0, masking=Masking(drop_latitude=1.0))
    part = shown(corpus, "long", always)
    days = part.batch.forcing.shape[1]
    assert 60 <= days < 365
    assert part.batch.day_of_year.shape == part.forcing_mask.shape[:2] == (600, days)
    assert np.isnan(part.batch.latitude).all()
    assert shown(corpus, "short", always).batch.forcing.shape[1] == 100


def test_a_batch_is_not_changed(corpus: Corpus) -> None:
    """Rendering works on copies: the batch can be shown again."""
    batch = corpus.batch("long", np.arange(9), np.zeros(9, np.int64), 365)
    before = replace(batch, attributes=batch.attributes.copy())
    groups = [str(CATALOGUE[n].group) for n in corpus.attributes]
    always = replace(PLAIN, masking=Masking(drop_climate=1.0, drop_latitude=1.0))
    rng = np.random.default_rng(0)
    part = render(batch, corpus.forcing, groups, corpus.climate, always, rng)
    assert np.isnan(climates(corpus, part)).all()
    np.testing.assert_array_equal(batch.attributes, before.attributes)
    assert np.isfinite(batch.latitude).all()
