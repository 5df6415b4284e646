"""What ``xstefaland train`` does: the functions of this room, from a command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from xstefaland.errors import InputError
from xstefaland.training import corpus as corpora
from xstefaland.training.finetuning import finetune
from xstefaland.training.fitting import Finetuning
from xstefaland.training.pretraining import Pretraining, PretrainingRun, pretrain, roles
from xstefaland.training.publishing import publish_encoder
from xstefaland.training.sources import SOURCES, Source
from xstefaland.weights.files import Weights, read


def run_finetune(given: argparse.Namespace, ds: xr.Dataset) -> Weights:
    """Finetune a head as a command line asks.

    Parameters
    ----------
    given : Namespace
        As :func:`xstefaland.cli_arguments.train_arguments` reads it.
    ds : xarray.Dataset
        Inputs and observations.

    Returns
    -------
    Weights
        The head.
    """
    stated = {name: getattr(given, name) for name in ("updates", "device")}
    settings = Finetuning(
        seed=given.seed, **{k: v for k, v in stated.items() if v is not None}
    )
    shared = ("head", "folds", "causal", "name", "folder", "rename", "units")
    return finetune(
        ds,
        given.target,
        given.observed,
        encoder=given.weights,
        latitude=given.latitude,
        climate=given.climate,
        settings=settings,
        progress=not given.quiet,
        **{name: getattr(given, name) for name in shared},
    )


def run_pretrain(given: argparse.Namespace) -> Weights:
    """Pretrain an encoder as a command line asks, or go on with it.

    The corpus and the run are kept in the folder. Sites left out by place are listed
    in the card: those of a draw, or those that are named.

    Parameters
    ----------
    given : Namespace
        As :func:`xstefaland.cli_arguments.train_arguments` reads it.

    Returns
    -------
    Weights
        The encoder.
    """
    title = given.name or "encoder"
    done = given.folder / f"{title}.safetensors"
    if done.exists():
        return read(done)
    chosen = _sources(given.sources)
    left_out = _named(given.leave_out)
    corpus = corpora.build(given.data, given.folder / "corpus", chosen)
    sizes: dict[str, Any] = {"batch_size": given.batch_size}
    settings = Pretraining(
        steps=given.steps,
        seed=given.seed,
        left_out=left_out,
        **{k: v for k, v in sizes.items() if v is not None},
    )
    reached: dict[str, float] = {}

    def note(run: PretrainingRun) -> bool:
        reached.update(run.position)
        return False

    model = pretrain(corpus, given.folder / "run", settings, watch=note)
    return publish_encoder(
        model,
        corpus,
        settings,
        roles(corpus, settings),
        name=title,
        description="pretrained by `xstefaland train pretrain`",
        training={"steps": settings.steps, "seed": settings.seed, **reached},
        metrics={},
        folder=given.folder,
        dtype="float32",
    )


def _named(path: Path | None) -> tuple[str, ...]:
    """Read the sites to leave out, one a line; none without a file."""
    if path is None:
        return ()
    lines = map(str.strip, path.read_text(encoding="utf-8").splitlines())
    names = tuple(filter(None, lines))
    if not names:
        raise InputError(f"--leave-out {path}: it is empty; write a site on each line")
    return names


def _sources(names: Sequence[str] | None) -> list[Source]:
    """Look archives up by name; all without names."""
    known = {source.name: source for source in SOURCES}
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise InputError(
            f"--sources: {unknown} are not known; there are {', '.join(known)}"
        )
    return [known[name] for name in names or known]
