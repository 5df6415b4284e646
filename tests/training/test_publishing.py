"""Publishing an encoder: the file loads again, and its card says how it was made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from xstefaland.inference.blocks import embed_block
from xstefaland.training.corpus import Corpus
from xstefaland.training.pretraining import Pretraining, new_model, roles
from xstefaland.training.publishing import publish_encoder
from xstefaland.weights import Weights

TINY = {"d_model": 16, "layers": 1, "heads": 2, "ffn": 32}


def published(corpus: Corpus, folder: Path, run: Pretraining) -> Weights:
    """Write an untrained encoder."""
    return publish_encoder(
        new_model(corpus, run).eval(),
        corpus,
        run,
        roles(corpus, run),
        name="small",
        description="",
        training={"updates": 0},
        metrics={},
        folder=folder,
        dtype="float32",
    )


def test_a_published_encoder_answers_the_same(corpus: Corpus, tmp_path: Path) -> None:
    """Scaling and weights come back; so do the units of the corpus."""
    run = Pretraining(steps=1, share_left_out=0.3, model=TINY)
    file = published(corpus, tmp_path, run)
    batch = corpus.batch("long", np.arange(3), np.zeros(3, np.int64), 365)
    inputs = batch.forcing, batch.attributes, batch.latitude, batch.day_of_year[0]
    models = new_model(corpus, run).eval(), file.model()
    first, second = (embed_block(model, *inputs) for model in models)
    assert np.isfinite(first).all()
    np.testing.assert_allclose(second, first, rtol=1e-5, atol=1e-6)
    units = {spec.name: spec.units for spec in file.card.forcing}
    assert units["precipitation"] == "mm d-1"
    assert units["shortwave_radiation"] == "W m-2"


def test_the_card_lists_files_and_sites_that_were_left_out(
    corpus: Corpus, tmp_path: Path
) -> None:
    """Held-out and dropped sites, and what the corpus was made from."""
    run = Pretraining(steps=1, share_left_out=0.3, model=TINY)
    card = published(corpus, tmp_path, run).card
    role = roles(corpus, run)
    assert (role == "dropped").any()
    assert set(card.left_out) == set(corpus.sites["site"][role != "train"])
    assert card.training == {"data": corpus.data, "updates": 0}


@pytest.mark.parametrize(
    ("share", "readings"), [(0.0, ("two-way",)), (0.3, ("two-way", "causal"))]
)
def test_the_card_says_how_the_encoder_may_read(
    corpus: Corpus, tmp_path: Path, share: float, readings: tuple[str, ...]
) -> None:
    """Causal reading is allowed where some batches were read so."""
    run = Pretraining(steps=1, causal_share=share, model=TINY)
    assert published(corpus, tmp_path, run).card.readings == readings


def test_scaling_of_the_card_is_that_of_the_network(
    corpus: Corpus, tmp_path: Path
) -> None:
    """Means and deviations, of the transformed values."""
    run = Pretraining(steps=1, share_left_out=0.3, model=TINY)
    file = published(corpus, tmp_path, run)
    means = torch.tensor([spec.mean for spec in file.card.forcing])
    torch.testing.assert_close(file.model().forcing_scaling.mean, means)
    assert file.card.forcing[0].transform == "log1p"
