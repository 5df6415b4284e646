"""Scores at held-out places: of the right sites, right by hand, always the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from xstefaland.model import StefaLand
from xstefaland.model.process import MEMORY
from xstefaland.training.corpus import Corpus
from xstefaland.training.memory import ReadOut, Targets
from xstefaland.training.pretraining import Pretraining, new_model, roles
from xstefaland.training.validation import NAMED, HeldOut

TINY = {"d_model": 16, "layers": 1, "heads": 2, "ffn": 32}
SETTINGS = Pretraining(
    steps=1, share_left_out=0.3, precision="float32", model={**TINY, "window": 200}
)


@pytest.fixture
def held_out(corpus: Corpus) -> HeldOut:
    """Eight windows a source."""
    return HeldOut(corpus, SETTINGS, windows=8)


def test_windows_are_of_held_out_sites_and_always_the_same(
    corpus: Corpus, held_out: HeldOut
) -> None:
    """All sources take part; a second look sees the same windows and masks."""
    role = roles(corpus, SETTINGS)
    again = HeldOut(corpus, SETTINGS, windows=8)
    for kind in ("complete", "hidden"):
        first, second = getattr(held_out, kind), getattr(again, kind)
        assert [shown.batch.source for shown in first] == ["long", "short"]
        for a, b in zip(first, second, strict=True):
            own = role[corpus.sites["source"] == a.batch.source].to_numpy()
            assert (own[a.batch.rows] == "held out").all()
            np.testing.assert_array_equal(a.batch.forcing, b.batch.forcing)
            np.testing.assert_array_equal(a.forcing_mask, b.forcing_mask)
            np.testing.assert_array_equal(a.attribute_mask, b.attribute_mask)
    long, short = held_out.complete
    assert not long.forcing_mask.any()
    assert not long.attribute_mask.any()
    assert long.batch.forcing.shape[:2] == (8, 200)
    assert short.batch.forcing.shape[:2] == (8, 100)
    present = np.isfinite(long.batch.forcing)
    share = held_out.hidden[0].forcing_mask[present].mean()
    assert share == pytest.approx(0.5, abs=0.15)


def test_errors_of_hidden_values_by_hand(
    corpus: Corpus, held_out: HeldOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that answers 0 errs by the mean square of the scaled hidden values."""
    model = new_model(corpus, SETTINGS)

    def nothing(model: StefaLand, hidden: Tensor) -> tuple[Tensor, Tensor]:
        samples, days = hidden.shape[0], hidden.shape[1] - 1
        return (
            torch.zeros(samples, days, len(corpus.forcing)),
            torch.zeros(samples, len(corpus.attributes)),
        )

    monkeypatch.setattr(StefaLand, "decode", nothing)
    scores = held_out.scores(model)
    squares: dict[str, list[float]] = {"hidden_precipitation": []}
    squares |= {"hidden_temperature": [], "hidden_shortwave_radiation": []}
    family = {"potential_evapotranspiration": "temperature"}
    for shown in held_out.hidden:
        scaled = model.forcing_scaling(torch.from_numpy(shown.batch.forcing)).numpy()
        for column, name in enumerate(corpus.forcing):
            values = scaled[..., column][shown.forcing_mask[..., column]]
            key = f"hidden_{family.get(name, name)}"
            squares[key] += values[np.isfinite(values)].tolist()
    assert set(scores) == {*squares, "hidden_attributes"}
    for name, values in squares.items():
        assert scores[name] == pytest.approx(np.mean(np.square(values)), rel=1e-4)


def test_memory_is_scored_by_r2(
    corpus: Corpus, held_out: HeldOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The truth scores 1, the mean scores 0, from complete and hidden windows."""
    model = new_model(corpus, SETTINGS)
    targets = Targets(corpus)
    keep = {name: np.ones(len(s.sites), bool) for name, s in corpus.shards.items()}
    read_out = ReadOut.scaled(16, *targets.statistics(keep))
    every = [targets.of(shown.batch).flatten(0, 1) for shown in held_out.complete]
    mean = read_out.scaling(torch.cat(every)).nanmean(0)
    answers = iter([])

    def answer(given: ReadOut, tokens: Tensor) -> Tensor:
        return next(answers)

    monkeypatch.setattr(ReadOut, "forward", answer)
    truth = [read_out.scaling(targets.of(s.batch)) for s in held_out.complete]
    answers = iter([*truth, *(mean.expand_as(each) for each in truth)])
    scores = held_out.scores(model, read_out)
    for name in (*NAMED, "memory"):
        assert scores[f"complete_{name}"] == pytest.approx(1, abs=1e-5)
        assert scores[f"masked_{name}"] == pytest.approx(0, abs=1e-4)
    assert set(NAMED) <= set(MEMORY)


@pytest.mark.parametrize("training", [True, False])
def test_a_look_leaves_the_model_as_it_was(
    corpus: Corpus, held_out: HeldOut, training: bool
) -> None:
    """Mode, weights and the random numbers to come; dropout is off meanwhile."""
    torch.manual_seed(0)
    settings = Pretraining(steps=1, model={**TINY, "dropout": 0.5})
    model, read_out = new_model(corpus, settings).train(training), ReadOut(16)
    before = torch.get_rng_state()
    first = held_out.scores(model, read_out)
    assert model.training is training
    assert torch.equal(torch.get_rng_state(), before)
    assert held_out.scores(model, read_out) == first
    assert held_out.scores(model, read_out, causal=True) != first
