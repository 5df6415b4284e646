"""Encoders of equal budget that differ in one thing, and their embeddings on disk."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.pilots import data
from benchmarks.pilots.data import Hidden, MemoryBatch
from xstefaland.inference.windows import window_starts
from xstefaland.inputs.climate import CLIMATE_INDICES
from xstefaland.inputs.variables import CATALOGUE
from xstefaland.model import EncoderConfig, StefaLand
from xstefaland.model.process import MEMORY
from xstefaland.training import tasks
from xstefaland.training.corpus import Corpus, masks, statistics
from xstefaland.training.losses import autoencoder_loss, masked_mean_square
from xstefaland.training.masking import Masking, attribute_mask, forcing_mask
from xstefaland.training.pretraining import LOGGED, Pretraining

Caches = dict[str, NDArray[np.float16]] | None
CHECKPOINT_SECONDS = 240.0
FAMILIES = (  # what follows from one another is hidden together
    (
        "temperature",
        "temperature_max",
        "temperature_min",
        "potential_evapotranspiration",
    ),
    ("relative_humidity", "vapour_pressure"),
)
SMALL = {"d_model": 128, "ffn": 256}


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One way of pretraining; all have the same updates, windows and masks.

    Parameters
    ----------
    masked, memory : float
        Weights of the loss on hidden values and of that on memory targets.
    steps : int
        Updates of 16 windows; 0 leaves the encoder as it was drawn.
    families : bool
        Hide variables that follow from one another together.
    stretches : bool
        Take climate attributes from random stretches of the record in half of the
        samples, and away in a fifth.
    """

    masked: float = 1.0
    memory: float = 0.0
    steps: int = 1200
    families: bool = True
    stretches: bool = False
    settings: Pretraining = field(
        default_factory=lambda: Pretraining(
            steps=1200,
            batch_size=16,
            learning_rate=1e-3,
            warmup=100,
            model=SMALL,
            masking=Masking(untouched=0.3),
        )
    )


VARIANTS = {
    "random": Variant(steps=0),
    "masked": Variant(),
    "memory": Variant(memory=1.0),
    "memoryonly": Variant(masked=0.0, memory=1.0),
    "single": Variant(families=False),
    "stretches": Variant(memory=1.0, stretches=True),
    "long": Variant(memory=1.0, steps=4800),
}
VARIANTS["wide"] = replace(
    VARIANTS["memory"],
    settings=replace(VARIANTS["memory"].settings, model={"d_model": 256, "ffn": 512}),
)


class Run:
    """State of one pretraining run."""

    def __init__(self, corpus: Corpus, folder: Path, name: str, seed: int) -> None:
        self.corpus, self.folder, self.variant = corpus, folder, VARIANTS[name]
        self.settings = replace(self.variant.settings, seed=seed)
        self.keep = masks(corpus, data.site_roles(corpus), ["train"])
        self.model = new_model(corpus, self.settings, self.keep).train()
        self.memory = nn.Linear(self.model.config.d_model, len(MEMORY))
        self.scale = memory_statistics(corpus, self.keep)
        self.groups = [str(CATALOGUE[n].group) for n in corpus.attributes]
        parameters = [*self.model.parameters(), *self.memory.parameters()]
        matrices = [p for p in parameters if p.ndim > 1]
        others = [p for p in parameters if p.ndim < 2]
        self.optimiser = torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": self.settings.weight_decay},
                {"params": others, "weight_decay": 0.0},
            ],
            self.settings.learning_rate,
            betas=(0.9, 0.98),
        )
        self.parameters = parameters
        self.step = self.epoch = self.done = 0
        self.samples = self.seconds = 0.0
        if (folder / "checkpoint.pt").exists():
            self.load()

    def batches(self) -> Iterator[MemoryBatch]:
        """Endless batches from where the run stands."""
        while True:
            stream = self.corpus.epoch(
                self.settings.seed * 1000 + self.epoch,
                window=self.model.config.window,
                size=self.settings.batch_size,
                keep=self.keep,
            )
            for index, batch in enumerate(stream):
                if index < self.done:
                    continue
                self.done += 1
                yield batch
            self.epoch, self.done = self.epoch + 1, 0

    def update(self, batch: MemoryBatch) -> dict[str, float]:
        """One step of the optimiser."""
        rng = np.random.default_rng([self.settings.seed, self.step])
        hidden, batch = self._hide(rng, batch)
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.learning_rate * self._rate()
        losses = self._losses(batch, hidden)
        total = self.variant.masked * (losses["series"] + 0.5 * losses["static"])
        total = total + self.variant.memory * losses["memory"]
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        if math.isfinite(norm):
            self.optimiser.step()
        self.step += 1
        self.samples += batch.forcing.shape[0] * batch.forcing.shape[1] / 365
        return {name: float(value.detach()) for name, value in losses.items()}

    def _hide(
        self, rng: np.random.Generator, batch: MemoryBatch
    ) -> tuple[tuple[Tensor, Tensor], MemoryBatch]:
        """Draw masks; take single members of a family away from some samples."""
        masking = self.settings.masking
        samples, days, count = batch.forcing.shape
        unknown = rng.random(samples) < masking.drop_latitude
        latitude = np.where(unknown, np.float32(np.nan), batch.latitude)
        have = np.flatnonzero(np.isfinite(batch.forcing).any((0, 1)))
        names = [self.corpus.forcing[i] for i in have]
        member = family_of(names) if self.variant.families else np.arange(len(have))
        drawn = forcing_mask(rng, samples, days, int(member.max()) + 1, masking)
        series = np.ones((samples, days, count), bool)
        series[:, :, have] = drawn[:, :, member]
        static = attribute_mask(rng, samples, self.groups, masking)
        # heads meet inputs that lack a member: absent there, not a riddle to solve
        spare = np.array([n not in data.REQUIRED for n in self.corpus.forcing])
        thin = rng.random((samples, 1)) < 0.3
        absent = thin & spare & (rng.random((samples, count)) < 0.5)
        forcing = np.where(absent[:, None], np.float32(np.nan), batch.forcing)
        masks_ = torch.from_numpy(series), torch.from_numpy(static)
        attributes = batch.attributes
        if self.variant.stretches:
            attributes = attributes.copy()
            columns = [self.corpus.attributes.index(n) for n in CLIMATE_INDICES]
            chance = rng.random((samples, 1))
            own = attributes[:, columns]
            other = np.where(chance < 0.5, batch.climate, np.float32(np.nan))
            short = np.isnan(batch.climate).all()  # records that have no stretches
            attributes[:, columns] = np.where((chance < 0.7) & ~short, other, own)
        batch = replace(
            batch, forcing=forcing, latitude=latitude, attributes=attributes
        )
        return masks_, batch

    def _losses(
        self, batch: MemoryBatch, hidden: tuple[Tensor, Tensor]
    ) -> dict[str, Tensor]:
        model, seen = self.model, self.settings.seen_weight
        forcing = torch.from_numpy(batch.forcing)
        attributes = torch.from_numpy(batch.attributes)
        with torch.autocast("cpu", torch.bfloat16):
            tokens = model.encode(
                forcing,
                attributes,
                day_of_year=torch.from_numpy(batch.day_of_year),
                latitude=torch.from_numpy(batch.latitude),
                forcing_mask=hidden[0],
                attribute_mask=hidden[1],
            )
            losses = {}
            if self.variant.masked:
                series, static = model.decode(tokens)
            remembered = self.memory(tokens[:, :-1]).float()
        if self.variant.masked:
            truth = model.forcing_scaling(forcing), model.attribute_scaling(attributes)
            pairs = ((series, truth[0], hidden[0]), (static, truth[1], hidden[1]))
            for name, (guess, true, mask) in zip(
                ("series", "static"), pairs, strict=True
            ):
                losses[name] = autoencoder_loss(guess.float(), true, mask, seen)
        else:
            losses |= {"series": torch.zeros(()), "static": torch.zeros(())}
        target = (torch.from_numpy(batch.memory).float() - self.scale[0]) / self.scale[
            1
        ]
        known = target.isfinite()
        error = remembered - target.nan_to_num()
        losses["memory"] = masked_mean_square(error, known)
        return losses

    def _rate(self) -> float:
        """Trapezoid: up, flat, down to zero."""
        steps = self.variant.steps
        left = (steps - self.step) / (self.settings.cooldown * steps)
        return max(0.0, min(1.0, (self.step + 1) / self.settings.warmup, left))

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        state = {
            "model": self.model.state_dict(),
            "memory": self.memory.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "position": [self.step, self.epoch, self.done, self.samples, self.seconds],
            "config": self.model.config.to_dict(),
        }
        torch.save(state, self.folder / "checkpoint.tmp")
        (self.folder / "checkpoint.tmp").replace(self.folder / "checkpoint.pt")

    def load(self) -> None:
        """Go on from a checkpoint."""
        state = torch.load(self.folder / "checkpoint.pt", weights_only=True)
        self.model.load_state_dict(state["model"])
        self.memory.load_state_dict(state["memory"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.epoch, self.done, self.samples, self.seconds = state["position"]


def family_of(names: list[str]) -> NDArray[np.int64]:
    """Give each variable the number of its family, in order of appearance."""
    found: dict[object, int] = {}
    numbers = []
    for name in names:
        family: object = next((f for f in FAMILIES if name in f), name)
        numbers.append(found.setdefault(family, len(found)))
    return np.array(numbers)


def new_model(
    corpus: Corpus, settings: Pretraining, keep: dict[str, NDArray[np.bool_]]
) -> StefaLand:
    """Build the model with scaling statistics of the sites to keep."""
    torch.manual_seed(settings.seed)
    model = StefaLand(
        EncoderConfig(
            forcing=corpus.forcing,
            attributes=corpus.attributes,
            **{"dropout": 0.0, **settings.model},
        )
    )
    series = [
        [
            np.asarray(shard.forcing[keep[n], ::7, shard.variables.index(name)])
            for n, shard in corpus.shards.items()
            if name in shard.variables
        ]
        for name in corpus.forcing
    ]
    static = [
        [
            shard.attributes[name].to_numpy(np.float32)[keep[n]]
            for n, shard in corpus.shards.items()
            if name in shard.attributes
        ]
        for name in corpus.attributes
    ]
    for scaling, names, parts in (
        (model.forcing_scaling, corpus.forcing, series),
        (model.attribute_scaling, corpus.attributes, static),
    ):
        logged = [name in LOGGED for name in names]
        rows = [
            statistics(np.concatenate([p.ravel() for p in part]), log)
            for part, log in zip(parts, logged, strict=True)
        ]
        scaling.assign([r["mean"] for r in rows], [r["std"] for r in rows], logged)
    return model


def memory_statistics(
    corpus: Corpus, keep: dict[str, NDArray[np.bool_]]
) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each memory target over training sites."""
    parts = []
    for name, shard in corpus.shards.items():
        values = data.channels(shard, "memory")
        rows = np.flatnonzero(keep[name])[::4]
        taken = values[rows, ::61].astype(np.float32)
        parts.append(taken.reshape(-1, taken.shape[-1]))
    every = np.concatenate(parts)
    mean, spread = np.nanmean(every, 0), np.nanstd(every, 0)
    return torch.from_numpy(mean), torch.from_numpy(np.maximum(spread, 1e-3))


def train(runs: Path, source: Path, name: str, seed: int) -> None:
    """Pretrain one encoder; a run that was stopped goes on."""
    folder = runs / "encoders" / f"{name}-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    run = Run(data.open_corpus(runs, source), folder, name, seed)
    saved = before = time.monotonic()
    recent: list[dict[str, float]] = []
    for batch in run.batches():
        if run.step >= run.variant.steps:
            break
        recent.append(run.update(batch))
        now = time.monotonic()
        run.seconds += now - before
        before = now
        if run.step % 20 == 0:
            _log(run, recent)
            recent = []
        if now - saved > CHECKPOINT_SECONDS:
            run.save()
            saved = now
    run.save()
    about = {"basin_years": run.samples, "minutes": run.seconds / 60}
    (folder / "done.json").write_text(json.dumps(about))


def _log(run: Run, recent: list[dict[str, float]]) -> None:
    """Write the mean losses of the last updates."""
    line: dict[str, float] = {"step": run.step, "basin_years": run.samples}
    line["seconds"] = run.seconds
    line |= {k: float(np.mean([r[k] for r in recent])) for k in recent[0]}
    with (run.folder / "log.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")


def embeddings(
    runs: Path,
    corpus: Corpus,
    task: tasks.Task,
    hidden: Hidden,
    encoder: str,
    seed: int,
) -> tuple[tuple[Caches, Caches], int]:
    """Embed all sites of a task, complete and with inputs hidden; return the width."""
    if encoder == "none":
        return (None, None), 256
    if encoder == "zero":
        zeros = {
            s.name: np.broadcast_to(np.float16(0), (*s.target.shape, 128))
            for s in task.sources
        }
        return (zeros, zeros), 128
    if encoder == "v1":
        model = bundled()
    else:
        folder = runs / "encoders" / f"{encoder}-{seed}"
        state = torch.load(folder / "checkpoint.pt", weights_only=True)
        model = StefaLand(EncoderConfig.from_dict(state["config"]))
        model.load_state_dict(state["model"])
        model.eval()
    assert (model.config.forcing, model.config.attributes) == (
        task.forcing_names,
        task.attribute_names,
    )
    place = runs / "embeddings" / f"{task.target}-{encoder}-{seed}"
    made = []
    for name, masks_ in (("complete", None), ("hidden", hidden)):
        caches = {}
        for source in task.sources:
            path = place / name / f"{source.name}.npy"
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                embed_source(model, source, path, masks_)
            caches[source.name] = np.load(path, mmap_mode="r")
        made.append(caches)
    return (made[0], made[1]), model.config.d_model


def bundled() -> StefaLand:
    """Load the weights that ship, trained before these pilots."""
    from xstefaland.weights.files import read
    from xstefaland.weights.registry import BUNDLED

    model = read(BUNDLED / "stefaland-base-v1.safetensors").model()
    assert isinstance(model, StefaLand)
    return model


def embed_source(
    model: StefaLand, source: tasks.TaskSource, path: Path, hidden: Hidden | None
) -> None:
    """Embed records so that each day has half a window of past before it.

    Windows are laid as in inference, but a day is taken from the first window that
    holds it, where it stands late, instead of fading windows into each other.
    """
    forcing, attributes = tasks.hide(source, hidden)
    days, window = forcing.shape[1], model.config.window
    starts = window_starts(days, window, model.config.stride)
    length = min(window, days)
    fresh = np.minimum(np.diff(starts, prepend=starts[0] - length), length)
    number = source.dates.day_of_year.to_numpy(np.float32)
    latitude = source.sites["lat"].to_numpy(np.float32)
    unfinished = path.with_suffix(".part")
    shape = (*forcing.shape[:2], model.config.d_model)
    out = np.lib.format.open_memmap(unfinished, "w+", np.float16, shape)
    for site in range(len(forcing)):
        span = starts[:, None] + np.arange(length)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            tokens = model.encode(
                torch.from_numpy(forcing[site][span]),
                torch.from_numpy(attributes[site]).expand(len(starts), -1),
                day_of_year=torch.from_numpy(number[span]),
                latitude=torch.full((len(starts),), float(latitude[site])),
            )
        values = tokens[:, :-1].to(torch.float16).numpy()
        for start, new, each in zip(starts, fresh, values, strict=True):
            out[site, start + length - new : start + length] = each[length - new :]
    out.flush()
    unfinished.rename(path)


def forget(runs: Path, target: str, encoder: str, seed: int) -> None:
    """Delete the embeddings of an encoder; they can be made again."""
    shutil.rmtree(runs / "embeddings" / f"{target}-{encoder}-{seed}", True)
