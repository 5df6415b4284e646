"""Systems by name: heads on an encoder, and tables of features."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

import numpy as np

from xstefaland.model import HeadConfig, StefaLand
from xstefaland.model.process import CHANNELS
from xstefaland.training import choices
from xstefaland.training.benchmark import tabular, vectors
from xstefaland.training.benchmark.calibration import RegionalHbv
from xstefaland.training.benchmark.vectors import Vectors
from xstefaland.training.benchmark.work import System, Work
from xstefaland.training.channels import Channels, cache_channels
from xstefaland.training.fitting import Predicted, fit, predict_sites
from xstefaland.training.publishing import publish_head
from xstefaland.training.systems import form_of
from xstefaland.training.versions import Cache, Version, cache_embeddings
from xstefaland.weights.card import ExternalEmbeddings
from xstefaland.weights.files import Weights, read, save

Reader = Literal["pretrained", "random", "zero"]
"""Where embeddings come from: the encoder, the same form without any training, or
nowhere (all zero)."""


@dataclass(frozen=True)
class Head:
    """A head, as :func:`xstefaland.training.finetune` takes it, on an encoder.

    Parameters
    ----------
    head : str or mapping
        Form or entries of :class:`~xstefaland.model.HeadConfig`.
    encoder : {"pretrained", "random", "zero"} or callable
        What it reads; vectors of others by
        :func:`~xstefaland.training.benchmark.vectors.given`.
    """

    head: str | Mapping[str, Any]
    encoder: Reader | Vectors = "pretrained"

    def run(self, work: Work) -> Predicted:
        """Train on the training sites, or go on; predict those held out.

        The head is left as a weights file in the folder of the piece.
        """
        source, cache = self._source(work)
        width = _width(source)
        config = choices.head_config(work.task, self.head, width, causal=False)
        if config.embeds and not isinstance(self.encoder, Vectors):
            cache = _embedded(work, self.encoder)
        version = Version(None, cache, channels=_channels(work, config))
        updates = work.settings.updates
        head = fit(
            work.task,
            config,
            [version],
            work.settings,
            checkpoint=work.folder / "checkpoint.pt",
            progress=lambda done, loss: work.progress(done / updates),
        )
        publish_head(
            head,
            config,
            work.task,
            source,
            name=f"{work.task.target.name}-{work.folder.name}",
            form=form_of(config),
            description="a benchmark's",
            default_for=(),
            training=work.settings.identity(),
            metrics={},
            folder=work.folder,
        )
        return predict_sites(head, work.task, config, version)

    def _source(self, work: Work) -> tuple[Weights | ExternalEmbeddings, Cache | None]:
        """Say what the head reads, and the vectors where they are of others."""
        if not isinstance(self.encoder, Vectors):
            return kept_encoder(work, self.encoder), None
        cache = self.encoder(work.task)
        width = next(iter(cache.values())).shape[-1]
        about = ExternalEmbeddings(
            name=self.encoder.name, width=width, daily=self.encoder.daily
        )
        return about, cache


def _width(source: Weights | ExternalEmbeddings) -> int:
    """Length of the vectors that a head reads."""
    if isinstance(source, ExternalEmbeddings):
        return source.width
    return int(source.card.config["d_model"])


@dataclass(frozen=True)
class Table:
    """An estimator of scikit-learn on features of the day and the place.

    Parameters
    ----------
    estimator : callable
        See :data:`~xstefaland.training.benchmark.tabular.Estimator`.
    rows : int
        Days that it is trained on at most, as many of each site.
    """

    estimator: tabular.Estimator
    rows: int = tabular.ROWS

    def run(self, work: Work) -> Predicted:
        """Train on the training sites and predict those held out."""
        return tabular.fit_predict(
            self.estimator,
            work.task,
            work.settings.seed,
            rows=self.rows,
            progress=work.progress,
        )


def _channels(work: Work, config: HeadConfig) -> Channels | None:
    """Compute process channels of all sites once for a target."""
    if not config.channels:
        return None
    return cache_channels(work.whole, CHANNELS, work.shared / "channels")


def _embedded(work: Work, reader: Reader) -> Cache:
    """Embed all sites once for a target, whatever the fold."""
    source = kept_encoder(work, reader)
    if reader == "zero":  # as its encoder would, at once
        nothing = np.zeros((), np.float16)
        return {
            records.name: np.broadcast_to(
                nothing, (*records.observed.shape, _width(source))
            )
            for records in work.whole.records
        }
    folder = work.of_encoder / "embeddings" / reader
    return cache_embeddings(
        _model(source),
        work.whole,
        folder,
        precision=work.settings.precision,
        device=work.settings.device,
    )


def kept_encoder(work: Work, reader: Reader) -> Weights:
    """Return the encoder that heads read, as a file: controls are written once.

    The form without training, and the one whose embedding is zero everywhere, lie
    beside the pieces of a target, in a folder for each encoder, so that heads on them
    answer in ``predict`` too.
    """
    if reader == "pretrained":
        return work.encoder
    path = work.of_encoder / f"encoder-{reader}.safetensors"
    if path.exists():
        return read(path)
    model = _model(work.encoder)
    model = randomised(model) if reader == "random" else silenced(model)
    card = replace(
        work.encoder.card,
        name=path.stem,
        training={},
        metrics={"of": work.encoder.name},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    return save(path, model.state_dict(), card, "float32")


@cache
def _model(encoder: Weights) -> StefaLand:
    """Build an encoder's network once, for all systems that read it."""
    model: StefaLand = encoder.model()  # type: ignore[assignment]
    return model


def randomised(model: StefaLand, seed: int = 0) -> StefaLand:
    """Draw the same form anew, with the same scaling and without any training."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh = StefaLand(model.config)
    for name in ("forcing_scaling", "attribute_scaling"):
        state = model.get_submodule(name).state_dict()
        fresh.get_submodule(name).load_state_dict(state)
    return fresh.eval()


def silenced(model: StefaLand) -> StefaLand:
    """Return the same encoder with an embedding that is zero everywhere."""
    quiet = deepcopy(model)
    for parameter in quiet.to_embedding.parameters():
        parameter.data.zero_()
    return quiet


_ADAPTERS = (
    "feedforward",
    "bottleneck",
    "gated",
    "moe",
    "conv",
    "attention",
    "none",
)

SYSTEMS: dict[str, System] = {
    "resconn": Head("resconn"),
    "no_resconn": Head("no_resconn"),
    "ablation": Head("resconn", "random"),
    "zero": Head("resconn", "zero"),
    "linear-probe": Head("linear-plain"),
    "resconn-plain": Head("resconn-plain"),
    "lstm": Head("lstm"),
    "lstm-plain": Head("lstm-plain"),
    "attribute-vectors": Head("resconn", vectors.COMPONENTS),
    "resconn_additive": Head("resconn_additive"),
    "dlinear": Head("dlinear"),
    "informer": Head("informer"),
    "reformer": Head("reformer"),
    "transformer": Head("transformer"),
    "direct": Head("direct"),
    "resconn-hbv": Head("resconn-hbv"),
    "no_resconn-hbv": Head("no_resconn-hbv"),
    "lstm-hbv": Head("lstm-hbv"),
    "ablation-hbv": Head("resconn-hbv", "random"),
    **{f"resconn-{name}": Head({"adapter": name}) for name in _ADAPTERS},
    "hbv-regional": RegionalHbv(),
    "linear": Table(tabular.linear),
    "random_forest": Table(tabular.random_forest),
    "boosted": Table(tabular.boosted),
    "tabpfn": Table(tabular.tabpfn, tabular.TABPFN_ROWS),
}
"""Every system by its name; a new one is one line."""
