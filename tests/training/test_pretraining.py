"""Pretraining: it learns, resumes exactly, and keeps to training sites."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from xstefaland.errors import InputError
from xstefaland.model import StefaLand
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
    """Huge values at left-out sites do not move the statistics; a training one does."""
    run = settings(1, share_left_out=0.3)
    before = variable_statistics(corpus, run)
    role = roles(corpus, run)[corpus.sites["source"] == "long"].to_numpy()
    for kind, same in (("held out", True), ("dropped", True), ("train", False)):
        row = int(np.flatnonzero(role == kind)[0])
        path = corpus.folder / "long" / "forcing.npy"
        values = np.load(path)
        changed = values.copy()
        changed[row] = 1e6
        np.save(path, changed)
        assert (variable_statistics(Corpus(corpus.folder), run) == before) == same
        np.save(path, values)


@pytest.mark.parametrize(("share", "readings"), [(0.0, {False}), (1.0, {True})])
def test_batches_are_read_causally_in_the_share_that_is_asked(
    corpus: Corpus,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    share: float,
    readings: set[bool],
) -> None:
    """Never, or always; the encoder is told."""
    seen, encode = set(), StefaLand.encode

    def spy(model: StefaLand, *args: object, **named: object) -> torch.Tensor:
        seen.add(named["causal"])
        return encode(model, *args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(StefaLand, "encode", spy)
    pretrain(corpus, tmp_path / "run", settings(3, causal_share=share))
    assert seen == readings


def test_left_out_sites_are_never_drawn(corpus: Corpus, tmp_path: Path) -> None:
    """Sites with absurd weather that are left out do not show in the losses."""
    run = settings(20, share_left_out=0.3)
    role = roles(corpus, run)
    for name, shard in corpus.shards.items():
        part = role[corpus.sites["source"] == name].to_numpy()
        path = shard.folder / "forcing.npy"
        values = np.load(path)
        values[part != "train"] = 1e9
        np.save(path, values)
    pretrain(Corpus(corpus.folder), tmp_path / "run", run)
    (line,) = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    assert json.loads(line)["series"] < 10
