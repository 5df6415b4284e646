"""Pretraining: it learns, resumes exactly, and keeps to training sites."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from xstefaland.errors import InputError
from xstefaland.training.corpus import Corpus
from xstefaland.training.losses import autoencoder_loss, masked_mean_square
from xstefaland.training.pretraining import (
    Pretraining,
    pretrain,
    roles,
    variable_statistics,
)

TINY = {"d_model": 16, "layers": 1, "heads": 2, "ffn": 32}


def settings(steps: int, **others: object) -> Pretraining:
    """A run of seconds."""
    return Pretraining(
        steps=steps,
        batch_size=8,
        warmup=5,
        model=TINY,
        precision="float32",
        checkpoint_minutes=60,
        **others,  # type: ignore[arg-type]
    )


def test_loss_counts_hidden_and_seen_values_apart() -> None:
    """Errors of 1 on hidden and 2 on seen values give 1 + weight * 4; NaN is none."""
    scaled = torch.tensor([[[0.0], [0.0], [float("nan")]]])
    predicted = torch.tensor([[[1.0], [2.0], [9.0]]])
    masked = torch.tensor([[[True], [False], [True]]])
    loss = autoencoder_loss(predicted, scaled, masked, 0.5)
    assert float(loss) == pytest.approx(1 + 0.5 * 4)


def test_every_variable_weighs_the_same() -> None:
    """A variable seen once counts as much as one seen often."""
    error = torch.ones(4, 10, 2) * torch.tensor([1.0, 3.0])
    where = torch.ones(4, 10, 2, dtype=torch.bool)
    where[:, :, 1] = False
    where[0, 0, 1] = True
    assert float(masked_mean_square(error, where)) == pytest.approx((1 + 9) / 2)


def test_training_lowers_the_loss(corpus: Corpus, tmp_path: Path) -> None:
    """After 120 updates the hidden values are guessed better than at the start."""
    pretrain(corpus, tmp_path / "run", settings(120, learning_rate=5e-3))
    lines = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    losses = [json.loads(line)["series"] for line in lines]
    assert losses[-1] < 0.8 * losses[0]


def test_a_resumed_run_equals_one_that_was_not_interrupted(
    corpus: Corpus, tmp_path: Path
) -> None:
    """Stopping by the clock and going on changes nothing."""
    whole = pretrain(corpus, tmp_path / "whole", settings(12))
    pretrain(corpus, tmp_path / "parts", settings(12), until=0.0)  # one update
    parts = pretrain(corpus, tmp_path / "parts", settings(12))
    for (name, a), b in zip(
        whole.state_dict().items(), parts.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(a, b, msg=name, rtol=1e-5, atol=1e-6)


def test_another_configuration_does_not_continue_a_run(
    corpus: Corpus, tmp_path: Path
) -> None:
    """A checkpoint of another model is refused, not overwritten."""
    pretrain(corpus, tmp_path / "run", settings(1))
    other = Pretraining(steps=2, batch_size=8, model={**TINY, "layers": 2})
    with pytest.raises(InputError, match="another configuration"):
        pretrain(corpus, tmp_path / "run", other)


def test_scaling_comes_from_training_sites_only(corpus: Corpus) -> None:
    """A huge value at a held-out site does not move the statistics."""
    run = settings(1, share_left_out=0.3)
    before = variable_statistics(corpus, run)
    role = roles(corpus, run)[corpus.sites["source"] == "camels-era5land"]
    row = int(np.flatnonzero(role == "held out")[0])
    path = corpus.folder / "camels-era5land" / "forcing.npy"
    values = np.load(path)
    values[row] = 1e6
    np.save(path, values)
    assert variable_statistics(Corpus(corpus.folder), run) == before
