"""Pretraining: a resumable loop over the corpus, and the score on held-out places."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from xstefaland.errors import InputError
from xstefaland.inputs.variables import CATALOGUE
from xstefaland.model import EncoderConfig, StefaLand
from xstefaland.training.corpus import (
    Batch,
    Corpus,
    masks,
    statistics,
    training_values,
)
from xstefaland.training.epochs import Epochs
from xstefaland.training.losses import autoencoder_loss
from xstefaland.training.places import left_out_sites
from xstefaland.training.rendering import Rendering, Shown, render

logger = logging.getLogger("xstefaland")

LOGGED = {  # skewed variables are scaled after log1p
    "precipitation",
    "snow_depth_water_equivalent",
    "area",
    "slope",
    "aridity",
    "soil_conductivity",
    "soil_depth",
    "soil_erosion",
    "soil_organic_carbon",
    "population_density",
    "gdp_per_capita",
    "low_prec_dur",
}
_BATCHES, _UPDATES = 1, 2  # streams of random numbers


@dataclass(frozen=True, kw_only=True)
class Pretraining:
    """Settings of one pretraining run.

    Parameters
    ----------
    steps : int
        Updates in all; a resumed run may ask for another number.
    batch_size : int
        Windows per update.
    learning_rate, weight_decay : float
        Of AdamW; the rate warms up, stays, and falls over the last `cooldown` share.
    warmup : int
        Updates until the full rate.
    cooldown : float
        Share of the updates over which the rate falls to zero.
    seen_weight : float
        Weight of the loss on values that were not hidden.
    static_weight : float
        Weight of the attributes' loss.
    share_left_out : float
        Chance of a place (half-degree cell) to be held out.
    left_out_seed : int
        Of the draw of those places. With 9 every source of the bundled weights has
        sites in them, 77 CAMELS-US basins and 14 stations with a year of soil moisture
        among them (chosen before training).
    epoch_windows : int
        Windows of an epoch; sources share them by their weights.
    causal_share : float
        Share of batches that are read causally: a day sees the days before it alone.
    precision : {"bfloat16", "float32"}
        Arithmetic of the forward pass.
    seed : int
        Of everything random.
    checkpoint_minutes : float
        Between checkpoints.
    model : mapping
        Overrides of :class:`~xstefaland.model.EncoderConfig`.
    rendering : Rendering
        What is hidden, and how else batches are changed.
    """

    steps: int
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup: int = 200
    cooldown: float = 0.3
    seen_weight: float = 0.2
    static_weight: float = 0.5
    share_left_out: float = 0.1
    left_out_seed: int = 9
    epoch_windows: int = 8192
    causal_share: float = 0.0
    precision: str = "bfloat16"
    seed: int = 0
    checkpoint_minutes: float = 5.0
    model: Mapping[str, Any] = field(default_factory=dict)
    rendering: Rendering = field(default_factory=Rendering)


def new_model(corpus: Corpus, settings: Pretraining) -> StefaLand:
    """Build the model with scaling statistics of the training sites."""
    torch.manual_seed(settings.seed)
    config = EncoderConfig(
        forcing=corpus.forcing,
        attributes=corpus.attributes,
        **{"dropout": 0.0, **settings.model},
    )
    model = StefaLand(config)
    for scaling, table in zip(
        (model.forcing_scaling, model.attribute_scaling),
        variable_statistics(corpus, settings),
        strict=True,
    ):
        scaling.assign(
            [row["mean"] for row in table],
            [row["std"] for row in table],
            [row["transform"] == "log1p" for row in table],
        )
    return model


def variable_statistics(
    corpus: Corpus, settings: Pretraining
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Scaling of forcings and attributes from training sites, variable by variable."""
    keep = masks(corpus, roles(corpus, settings), ["train"])
    forcing, attributes = training_values(corpus, keep)
    return (
        [_entry(name, values) for name, values in forcing.items()],
        [_entry(name, values) for name, values in attributes.items()],
    )


def _entry(name: str, values: NDArray[np.float32]) -> dict[str, Any]:
    logged = name in LOGGED
    return {
        "name": name,
        "units": CATALOGUE[name].units,
        "group": CATALOGUE[name].group,
        "transform": "log1p" if logged else "linear",
        **statistics(values, logged),
    }


def roles(corpus: Corpus, settings: Pretraining) -> pd.Series:
    """Role of each corpus site: "train", "held out" or "dropped"."""
    return left_out_sites(corpus.sites, settings.share_left_out, settings.left_out_seed)


def pretrain(
    corpus: Corpus, folder: Path, settings: Pretraining, *, until: float | None = None
) -> StefaLand:
    """Train, or go on training, the foundation model.

    Parameters
    ----------
    corpus : Corpus
        What to learn from.
    folder : Path
        Of the run: ``checkpoint.pt`` and ``log.jsonl`` are written there, and a run
        found there is continued.
    settings : Pretraining
        See there.
    until : float, optional
        Stop (with a checkpoint) at this time [seconds since the epoch].

    Returns
    -------
    StefaLand
        The trained model in evaluation mode.
    """
    folder.mkdir(parents=True, exist_ok=True)
    run = _Run(corpus, folder, settings)
    started, saved = time.monotonic(), time.monotonic()
    for batch in run.batches():
        loss = run.update(batch)
        if run.step % 20 == 0:
            run.log(loss, time.monotonic() - started)
        stop = run.step >= settings.steps or (until is not None and time.time() > until)
        if stop or time.monotonic() - saved > settings.checkpoint_minutes * 60:
            run.save()
            saved = time.monotonic()
        if stop:
            break
    return run.model.eval()


class _Run:
    """State of a run: model, optimiser, position in the corpus."""

    def __init__(self, corpus: Corpus, folder: Path, settings: Pretraining) -> None:
        self.corpus, self.folder, self.settings = corpus, folder, settings
        self.model = new_model(corpus, settings).train()
        self.epochs = Epochs(
            corpus,
            masks(corpus, roles(corpus, settings), ["train"]),
            window=self.model.config.window,
            size=settings.batch_size,
            windows=settings.epoch_windows,
        )
        self.groups = [str(CATALOGUE[n].group) for n in corpus.attributes]
        self.optimiser = torch.optim.AdamW(
            self._parameter_groups(), settings.learning_rate, betas=(0.9, 0.98)
        )
        self.step = self.epoch = self.done = 0  # `done` batches of this epoch
        self.samples = 0.0
        path = folder / "checkpoint.pt"
        if path.exists():
            self.load(path)

    def _parameter_groups(self) -> list[dict[str, Any]]:
        """Decay matrices only: not biases, norms, positions or mask vectors."""
        matrices: list[torch.nn.Parameter] = []
        others: list[torch.nn.Parameter] = []
        for name, parameter in self.model.named_parameters():
            plain = parameter.ndim < 2 or "bias" in name or "missing" in name
            (others if plain or "position" in name else matrices).append(parameter)
        return [
            {"params": matrices, "weight_decay": self.settings.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]

    def batches(self) -> Iterator[Batch]:
        """Endless batches from where the run stands."""
        while True:
            seed = _BATCHES, self.settings.seed, self.epoch
            for batch in self.epochs.batches(*seed, first=self.done):
                self.done += 1
                yield batch
            self.epoch, self.done = self.epoch + 1, 0

    def update(self, batch: Batch) -> dict[str, float]:
        """One step of the optimiser."""
        settings = self.settings
        rng = np.random.default_rng([_UPDATES, settings.seed, self.step])
        corpus, rendering = self.corpus, settings.rendering
        causal = bool(rng.random() < settings.causal_share)
        shown = render(
            batch, corpus.forcing, self.groups, corpus.climate, rendering, rng
        )
        rate = settings.learning_rate * self._rate()
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        series, static = _losses(self.model, shown, settings, causal)
        loss = series + settings.static_weight * static
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        if math.isfinite(norm):
            self.optimiser.step()
        self.step += 1
        self.samples += shown.batch.day_of_year.size / 365
        return {
            "series": float(series.detach()),
            "static": float(static.detach()),
            "rate": rate,
        }

    def _rate(self) -> float:
        """Trapezoid: up, flat, down to zero."""
        left = (self.settings.steps - self.step) / max(
            1, self.settings.cooldown * self.settings.steps
        )
        return max(0.0, min(1.0, (self.step + 1) / self.settings.warmup, left))

    def log(self, loss: dict[str, float], seconds: float) -> None:
        """Append one line to the log."""
        line = {"step": self.step, "epoch": self.epoch, "basin_years": self.samples}
        line |= {"seconds": seconds} | loss
        with (self.folder / "log.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        state = {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "position": [self.step, self.epoch, self.done, self.samples],
            "config": self.model.config.to_dict(),
            "settings": asdict(self.settings),
        }
        torch.save(state, self.folder / "checkpoint.tmp")
        (self.folder / "checkpoint.tmp").replace(self.folder / "checkpoint.pt")

    def load(self, path: Path) -> None:
        """Go on from a checkpoint."""
        state = torch.load(path, weights_only=True)
        if EncoderConfig.from_dict(state["config"]) != self.model.config:
            raise InputError(
                f"{str(path)!r} was trained with another configuration or corpus; "
                "give another `folder=`, or delete the checkpoint to start again."
            )
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.epoch, self.done, self.samples = state["position"]


def _losses(
    model: StefaLand, shown: Shown, settings: Pretraining, causal: bool
) -> tuple[Tensor, Tensor]:
    """Losses of the series and of the attributes."""
    batch = shown.batch
    hidden = (
        torch.from_numpy(shown.forcing_mask),
        torch.from_numpy(shown.attribute_mask),
    )
    forcing = torch.from_numpy(batch.forcing)
    attributes = torch.from_numpy(batch.attributes)
    low = settings.precision == "bfloat16"
    with torch.autocast("cpu", torch.bfloat16, enabled=low):
        tokens = model.encode(
            forcing,
            attributes,
            day_of_year=torch.from_numpy(batch.day_of_year),
            latitude=torch.from_numpy(batch.latitude),
            forcing_mask=hidden[0],
            attribute_mask=hidden[1],
            causal=causal,
        )
        series, static = model.decode(tokens)
    seen = settings.seen_weight
    return (
        autoencoder_loss(
            series.float(), model.forcing_scaling(forcing), hidden[0], seen
        ),
        autoencoder_loss(
            static.float(), model.attribute_scaling(attributes), hidden[1], seen
        ),
    )
