"""Pretraining: a resumable loop over the corpus."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from xstefaland.errors import InputError
from xstefaland.geometry.polygons import few
from xstefaland.inputs.variables import CATALOGUE
from xstefaland.model import EncoderConfig, StefaLand
from xstefaland.training.corpus import (
    Batch,
    Corpus,
    masks,
    statistics,
    training_values,
)
from xstefaland.training.epochs import YEAR, Epochs
from xstefaland.training.losses import autoencoder_loss
from xstefaland.training.memory import ReadOut, Targets
from xstefaland.training.places import (
    kept_apart,
    left_out_sites,
    named_sites,
    unknown_names,
)
from xstefaland.training.rendering import Rendering, Shown, render

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
LOG_EVERY = 20  # updates
HOLDOUT = ("share_left_out", "left_out_seed", "left_out")
"""Settings that say where a run is not trained."""


@dataclass(frozen=True, kw_only=True)
class Pretraining:
    """Settings of one pretraining run.

    Parameters
    ----------
    steps : int or None
        Updates in all; a resumed run may ask for another number. None: until the run
        is stopped, at a constant rate.
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
    memory_weight : float
        Weight of the loss on what follows from the days before, see
        :mod:`xstefaland.training.memory`; 0 leaves it out.
    share_left_out : float
        Chance of a place (half-degree cell) to be held out.
    left_out_seed : int
        Of the draw of those places. With 9 every source of the bundled weights has
        sites in them, 77 CAMELS-US basins and 14 stations with a year of soil moisture
        among them (chosen before training).
    left_out : tuple of str
        Gauge numbers, or labels of sites, that are held out in every source in place of
        such a draw; each has to be one of the corpus.
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

    steps: int | None
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup: int = 200
    cooldown: float = 0.3
    seen_weight: float = 0.2
    static_weight: float = 0.5
    memory_weight: float = 1.0
    share_left_out: float = 0.1
    left_out_seed: int = 9
    left_out: tuple[str, ...] = ()
    epoch_windows: int = 8192
    causal_share: float = 0.25
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
    """Describe one variable for card and scaling, from values of training sites."""
    logged = name in LOGGED
    return {
        "name": name,
        "units": CATALOGUE[name].units,
        "group": CATALOGUE[name].group,
        "transform": "log1p" if logged else "linear",
        **statistics(values, logged),
    }


def roles(corpus: Corpus, settings: Pretraining) -> pd.Series:
    """Role of each corpus site: "train", "held out" or "dropped".

    Raises
    ------
    InputError
        When a name of a site to leave out is not one of the corpus: with a typing
        error its site would stay in training.
    """
    if settings.left_out:
        if unknown := unknown_names(corpus.sites, settings.left_out):
            raise InputError(
                f"left_out: {len(unknown)} of {len(settings.left_out)} names are of no "
                f"site of the corpus, {few(unknown)}; its gauges are such as "
                f"{few(corpus.sites['gauge'])}. Correct them, or leave them away"
            )
        return kept_apart(corpus.sites, named_sites(corpus.sites, settings.left_out))
    return left_out_sites(corpus.sites, settings.share_left_out, settings.left_out_seed)


def pretrain(
    corpus: Corpus,
    folder: Path,
    settings: Pretraining,
    *,
    watch: Callable[[PretrainingRun], bool] | None = None,
) -> StefaLand:
    """Train, or go on training, the foundation model.

    Parameters
    ----------
    corpus : Corpus
        What to learn from.
    folder : Path
        Of the run: ``checkpoint.pt`` and ``log.jsonl`` are written there, and a run
        found there is continued where its checkpoint was written.
    settings : Pretraining
        See there.
    watch : callable, optional
        Called with the run after every update; the run stops, with a checkpoint, when
        it returns True.

    Returns
    -------
    StefaLand
        The trained model in evaluation mode.
    """
    folder.mkdir(parents=True, exist_ok=True)
    run = PretrainingRun(corpus, folder, settings)
    batches, saved, now = run.batches(), run.seconds, time.monotonic()
    stop = run.finished
    while not stop:
        run.update(next(batches))
        before, now = now, time.monotonic()
        run.seconds += now - before
        if run.step % LOG_EVERY == 0:
            run.log()
        stop = (watch is not None and watch(run)) or run.finished
        if stop or run.seconds - saved > settings.checkpoint_minutes * 60:
            run.save()
            saved = run.seconds
    return run.model.eval()


class PretrainingRun:
    """State of a run: networks, optimiser, position in the corpus.

    Attributes
    ----------
    model : StefaLand
        The encoder with its decoder.
    read_out : ReadOut or None
        What gives memory targets, where these are asked for.
    step : int
        Updates so far.
    basin_years, seconds : float
        Weather seen so far [365 days of a site], and time taken.
    """

    def __init__(self, corpus: Corpus, folder: Path, settings: Pretraining) -> None:
        self.corpus, self.folder, self.settings = corpus, folder, settings
        keep = masks(corpus, roles(corpus, settings), ["train"])
        self.model = new_model(corpus, settings).train()
        self.networks = nn.ModuleDict({"model": self.model})  # all that is trained
        self.targets: Targets | None = None
        self.read_out: ReadOut | None = None
        if settings.memory_weight > 0:
            self.targets = Targets(corpus)
            self.read_out = ReadOut.scaled(
                self.model.config.d_model, *self.targets.statistics(keep)
            )
            self.networks["read_out"] = self.read_out
        self.epochs = Epochs(
            corpus,
            keep,
            window=self.model.config.window,
            size=settings.batch_size,
            windows=settings.epoch_windows,
        )
        self.groups = [str(CATALOGUE[n].group) for n in corpus.attributes]
        self.optimiser = torch.optim.AdamW(
            self._parameter_groups(), settings.learning_rate, betas=(0.9, 0.98)
        )
        self.step = self.epoch = self.done = 0  # `done` batches of this epoch
        self.basin_years = self._before = self.seconds = 0.0
        self._recent: list[tuple[str, dict[str, float]]] = []
        if self._checkpoint.exists():
            self._load()

    @property
    def finished(self) -> bool:
        """Whether all updates that were asked for are made."""
        return self.settings.steps is not None and self.step >= self.settings.steps

    @property
    def position(self) -> dict[str, float]:
        """Where the run stands: updates, epoch, weather seen, time taken."""
        names = ("step", "epoch", "basin_years", "seconds")
        return {name: getattr(self, name) for name in names}

    def passed(self, mark: float) -> bool:
        """Tell whether the last update took the basin-years to or past a mark."""
        return self._before < mark <= self.basin_years

    @property
    def _checkpoint(self) -> Path:
        """File from which the run goes on."""
        return self.folder / "checkpoint.pt"

    @property
    def _log(self) -> Path:
        """File with a JSON object on each line."""
        return self.folder / "log.jsonl"

    def _parameter_groups(self) -> list[dict[str, Any]]:
        """Decay matrices only: not biases, norms, positions or mask vectors."""
        matrices: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for name, parameter in self.networks.named_parameters():
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

    def update(self, batch: Batch) -> None:
        """One step of the optimiser."""
        settings, corpus = self.settings, self.corpus
        rng = np.random.default_rng([_UPDATES, settings.seed, self.step])
        causal = bool(rng.random() < settings.causal_share)
        shown = render(
            batch, corpus.forcing, self.groups, corpus.climate, settings.rendering, rng
        )
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate
        losses = self._losses(shown, causal)
        loss = (
            losses["series"]
            + settings.static_weight * losses["static"]
            + settings.memory_weight * losses.get("memory", 0.0)
        )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = float(torch.nn.utils.clip_grad_norm_(self.networks.parameters(), 1.0))
        if math.isfinite(norm):
            self.optimiser.step()
        self.step += 1
        self._before = self.basin_years
        self.basin_years += shown.batch.day_of_year.size / YEAR
        values = {name: float(each.detach()) for name, each in losses.items()}
        values["gradient_norm"] = norm
        self._recent.append(("causal_" if causal else "", values))

    def _losses(self, shown: Shown, causal: bool) -> dict[str, Tensor]:
        """Losses of the series, of the attributes and of what is remembered."""
        model, batch, seen = self.model, shown.batch, self.settings.seen_weight
        forcing = model.forcing_scaling(torch.from_numpy(batch.forcing))
        attributes = model.attribute_scaling(torch.from_numpy(batch.attributes))
        hidden = torch.from_numpy(shown.forcing_mask)
        groups = torch.from_numpy(shown.attribute_mask)
        low = self.settings.precision == "bfloat16"
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            tokens = encode(model, shown, causal)
            series, static = model.decode(tokens)
            losses = {
                "series": autoencoder_loss(series.float(), forcing, hidden, seen),
                "static": autoencoder_loss(static.float(), attributes, groups, seen),
            }
            if self.read_out is not None and self.targets is not None:
                remembered = self.read_out(tokens)
                targets = self.targets.of(batch)
                losses["memory"] = self.read_out.loss(remembered, targets)
        return losses

    @property
    def rate(self) -> float:
        """Learning rate of the next update, a trapezoid: up, flat, down to zero."""
        settings = self.settings
        share = min(1.0, (self.step + 1) / settings.warmup)
        if settings.steps is not None:
            falling = max(1, settings.cooldown * settings.steps)
            share = min(share, max(0.0, (settings.steps - self.step) / falling))
        return settings.learning_rate * share

    def log(self) -> None:
        """Append means since the last line, by way of reading, and the rate.

        They are losses and the norm of their gradient before it is clipped; those of
        batches that were read causally begin with ``causal_``.
        """
        found: dict[str, list[float]] = {}
        for reading, losses in self._recent:
            for name, value in losses.items():
                found.setdefault(reading + name, []).append(value)
        self._recent = []
        means = {name: sum(each) / len(each) for name, each in sorted(found.items())}
        self.note({"rate": self.optimiser.param_groups[0]["lr"], **means})

    def note(self, entries: Mapping[str, Any]) -> None:
        """Append a line to the log: where the run stands, and some entries."""
        with self._log.open("a") as file:
            file.write(json.dumps({**self.position, **entries}) + "\n")

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        state = {
            "networks": self.networks.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "position": {**self.position, "done": self.done},
            "config": self.model.config.to_dict(),
            "settings": asdict(self.settings),
        }
        unfinished = self._checkpoint.with_suffix(".tmp")
        torch.save(state, unfinished)
        unfinished.replace(self._checkpoint)

    def _load(self) -> None:
        """Go on from the checkpoint; lines of the log after it are dropped."""
        state = torch.load(self._checkpoint, weights_only=True)
        networks = self.networks
        same = state["networks"].keys() == networks.state_dict().keys()
        if not same or EncoderConfig.from_dict(state["config"]) != self.model.config:
            raise InputError(
                f"{str(self._checkpoint)!r} was trained with another configuration or "
                "corpus; give another `folder=`, or delete the checkpoint to start "
                "again."
            )
        self._refuse_other_places(state["settings"])
        networks.load_state_dict(state["networks"])
        self.optimiser.load_state_dict(state["optimiser"])
        for name, value in state["position"].items():
            setattr(self, name, value)
        if self._log.exists():
            lines = self._log.read_text().splitlines(keepends=True)
            whole = [line for line in lines if line.endswith("\n")]
            kept = [each for each in whole if json.loads(each)["step"] <= self.step]
            self._log.write_text("".join(kept))

    def _refuse_other_places(self, had: Mapping[str, Any]) -> None:
        """Refuse to go on with a run that was trained where this one is not to be."""
        stands = asdict(self.settings) | {"left_out": list(self.settings.left_out)}
        before = {"left_out": ()} | dict(had)  # runs begun before it could be named
        before["left_out"] = list(before["left_out"])
        other = [name for name in HOLDOUT if before[name] != stands[name]]
        if other:
            raise InputError(
                f"{str(self._checkpoint)!r} left out other places: {', '.join(other)} "
                "differ. Give another `folder=`, or the settings of that run."
            )


def encode(model: StefaLand, shown: Shown, causal: bool) -> Tensor:
    """Embed a batch as it is shown: day tokens and static token ``(B, T + 1, d)``."""
    batch = shown.batch
    return model.encode(
        torch.from_numpy(batch.forcing),
        torch.from_numpy(batch.attributes),
        day_of_year=torch.from_numpy(batch.day_of_year),
        latitude=torch.from_numpy(batch.latitude),
        forcing_mask=torch.from_numpy(shown.forcing_mask),
        attribute_mask=torch.from_numpy(shown.attribute_mask),
        causal=causal,
    )


def load_model(folder: Path) -> tuple[StefaLand, dict[str, float]]:
    """Read the model of a run, in evaluation mode, and where the run stands."""
    state = torch.load(folder / "checkpoint.pt", weights_only=True)
    model = StefaLand(EncoderConfig.from_dict(state["config"]))
    prefix = "model."
    model.load_state_dict(
        {
            name.removeprefix(prefix): tensor
            for name, tensor in state["networks"].items()
            if name.startswith(prefix)
        }
    )
    return model.eval(), state["position"]
