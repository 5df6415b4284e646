"""Train the foundation model: one run, resumable, and its end on a copy.

A run is stopped with Ctrl-C or SIGTERM, or by killing it, and goes on when the same
command is given again. The rate is constant, so that a run may be extended
(``--basin-years``) or ended at any time: to end it, let the rate fall to zero on a copy
(``--cooldown``); the run itself may go on. A run that has diverged stops at the next
look.

What is left in ``RUNS/encoder-<width>-<seed>`` (``...-cooled-<thousands>k``):
``log.jsonl`` with losses and scores at held-out places, ``checkpoint.pt``, weights
files at several points of the run, and ``places.csv``, the role of every site.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
from dataclasses import replace
from math import isfinite, nan
from pathlib import Path
from types import FrameType

import torch

from xstefaland.training import corpus as corpora
from xstefaland.training import publishing
from xstefaland.training.corpus import Corpus, masks
from xstefaland.training.epochs import Epochs
from xstefaland.training.pretraining import Pretraining, PretrainingRun, pretrain, roles
from xstefaland.training.validation import HeldOut

from .machine import machine

SNAPSHOTS = (25e3, 50e3, 100e3, 150e3, 200e3, 250e3, 300e3)  # basin-years
LOOK_EVERY = 15e3  # basin-years between looks at held-out places
FIRST_LOOKS = (1e3, 5e3)
RATES = {128: 1e-3, 256: 7e-4}  # by width
BATCH = 16  # windows of an update
JUDGED, FALL = "complete_memory", 0.2
"""A run stops when this score at held-out places is so far below its best."""


class EncoderRun:
    """Looks, snapshots and the end of one run of the foundation model.

    Parameters
    ----------
    corpus : Corpus
        What to learn from.
    settings : Pretraining
        See there.
    folder : Path
        Of the run.
    basin_years : float
        Where it ends, unless its updates end before.
    """

    def __init__(
        self, corpus: Corpus, settings: Pretraining, folder: Path, basin_years: float
    ) -> None:
        self.corpus, self.settings, self.folder = corpus, settings, folder
        self.basin_years = basin_years
        self.roles = roles(corpus, settings)
        self.held_out = HeldOut(corpus, settings)
        self.stopped = False

    def train(self) -> None:
        """Train until the end is reached or the process is asked to stop."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write_places()
        names = (signal.SIGTERM, signal.SIGINT)
        before = {name: signal.signal(name, self._stop) for name in names}
        try:
            pretrain(self.corpus, self.folder, self.settings, watch=self.watch)
        finally:
            for name, handler in before.items():
                signal.signal(name, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        """Remember that the process was asked to stop."""
        self.stopped = True

    def watch(self, run: PretrainingRun) -> bool:
        """Look at held-out places and write snapshots when due; tell when to stop."""
        last = run.finished or run.basin_years >= self.basin_years
        if last or any(run.passed(mark) for mark in SNAPSHOTS):
            self.snapshot(run)
        regular = run.basin_years // LOOK_EVERY * LOOK_EVERY
        if last or any(run.passed(mark) for mark in (*FIRST_LOOKS, regular)):
            self.look(run)
        return self.stopped or last

    def look(self, run: PretrainingRun) -> None:
        """Log the scores at held-out places."""
        readings = {"two-way": False, "causal": True}
        if self.settings.causal_share == 0:
            del readings["causal"]
        scores = {
            name: self.held_out.scores(run.model, run.read_out, causal=causal)
            for name, causal in readings.items()
        }
        before = self.looks()
        run.note({"held_out": scores})
        now, best = scores["two-way"].get(JUDGED, nan), max(before, default=nan)
        if now < best - FALL:
            raise SystemExit(
                f"the run has diverged: {JUDGED} at held-out places fell from "
                f"{best:.3f} to {now:.3f} at {run.basin_years:.0f} basin-years; use a "
                f"weights file before that in {self.folder}, or train anew at a lower "
                "rate (`RATES`)"
            )

    def looks(self) -> list[float]:
        """Scores that all looks so far are judged by, where they are numbers."""
        path = self.folder / "log.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        found = [each.get("held_out", {}) for each in map(json.loads, lines)]
        scores = [each.get("two-way", {}).get(JUDGED, nan) for each in found]
        return [score for score in scores if isfinite(score)]

    def snapshot(self, run: PretrainingRun) -> None:
        """Write a weights file of the model as it stands."""
        publishing.publish_encoder(
            run.model,
            self.corpus,
            self.settings,
            self.roles,
            name=f"{self.folder.name}-{round(run.basin_years / 1000):03d}k",
            description="A point of a run",
            training={**run.position, "machine": machine()},
            metrics={},
            folder=self.folder,
        )

    def _write_places(self) -> None:
        """Write the role of every site."""
        sites = self.corpus.sites.assign(role=self.roles)
        columns = ["site", "source", "gauge", "lat", "lon", "role"]
        sites[columns].to_csv(self.folder / "places.csv", index=False)
        counts = sites.groupby(["source", "role"]).size().unstack(fill_value=0)
        print(counts.to_string(), flush=True)


def encoder(arguments: argparse.Namespace) -> None:
    """Train the foundation model, or end a run on a copy."""
    width, seed = arguments.width, arguments.seed
    settings = Pretraining(
        steps=None,
        seed=seed,
        batch_size=BATCH,
        learning_rate=RATES[width],
        causal_share=arguments.causal_share,
        memory_weight=arguments.memory_weight,
        model={"d_model": width, "ffn": 2 * width},
    )
    folder = arguments.runs / f"encoder-{width}-{seed}"
    end = arguments.basin_years
    if arguments.cooldown is not None:
        folder, settings = cooled(folder, settings, arguments.cooldown)
        end = float("inf")
    if (folder / "checkpoint.pt").exists() and position(folder)["basin_years"] >= end:
        raise SystemExit(f"{folder} has come to its end; give more --basin-years")
    EncoderRun(corpus(arguments), settings, folder, end).train()


def cooled(
    folder: Path, settings: Pretraining, share: float
) -> tuple[Path, Pretraining]:
    """Copy the checkpoint of a run, and let the rate fall from there.

    A copy that has not come to its end is continued instead. `share` is that of the
    updates so far which are added.
    """
    copies = sorted(folder.parent.glob(f"{folder.name}-cooled-*/end.json"))
    plans = {path.parent: json.loads(path.read_text()) for path in copies}
    begun = [copy for copy in plans if position(copy)["step"] < plans[copy]["steps"]]
    copy = begun[0] if begun else _copied(folder, share)
    plan = json.loads((copy / "end.json").read_text())
    falling = (plan["steps"] - plan["first"]) / plan["steps"]
    return copy, replace(settings, steps=plan["steps"], cooldown=falling)


def _copied(folder: Path, share: float) -> Path:
    """Copy a run as it stands, with the updates at which its copy begins and ends."""
    if not (folder / "checkpoint.pt").exists():
        raise SystemExit(f"{folder} holds no run: train before the rate may fall")
    unfinished = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    for name in ("checkpoint.pt", "log.jsonl"):
        shutil.copy(folder / name, unfinished)
    at = position(unfinished)
    copy = Path(f"{folder}-cooled-{round(at['basin_years'] / 1000):03d}k")
    if copy.exists():
        raise SystemExit(f"{copy} is there; delete it to do it anew")
    plan = {"first": at["step"], "steps": round(at["step"] * (1 + share))}
    (unfinished / "end.json").write_text(json.dumps(plan))
    return unfinished.rename(copy)


def position(folder: Path) -> dict[str, float]:
    """Tell where a run stands."""
    state = torch.load(folder / "checkpoint.pt", weights_only=True)
    found: dict[str, float] = state["position"]
    return found


def shares(arguments: argparse.Namespace) -> None:
    """Print what each source gives to an epoch."""
    settings, read = Pretraining(steps=None, batch_size=BATCH), corpus(arguments)
    keep = masks(read, roles(read, settings), ["train"])
    windows = settings.epoch_windows
    epochs = Epochs(read, keep, window=365, size=BATCH, windows=windows)
    print(epochs.shares(0).round(3).to_string())


def corpus(arguments: argparse.Namespace) -> Corpus:
    """Build what is not there of the corpus, and open it."""
    return corpora.build(arguments.data, arguments.corpus or arguments.runs / "corpus")
