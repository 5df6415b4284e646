"""Fit one head to a task: scaling, updates, checkpoints, predictions, scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor, nn

from xstefaland import metrics
from xstefaland.errors import InputError
from xstefaland.inference.loaded import resolve_device
from xstefaland.model import HeadConfig, build_head
from xstefaland.model.heads import AnomalyHead
from xstefaland.model.process import SPINUP_DAYS
from xstefaland.training.losses import (
    OF_PROBABILITIES,
    PER_SITE,
    POINT_LOSSES,
    anomaly_loss,
    pinball_loss,
)
from xstefaland.training.sampling import Sample, Sampler
from xstefaland.training.scaling import scale
from xstefaland.training.tasks import Floats, Records, Task
from xstefaland.training.versions import Version, hide
from xstefaland.weights.members import MEDIAN
from xstefaland.weights.targets import TargetSpec

PATIENCE = 20
"""Updates in a row without a finite gradient after which a run is given up."""

RISE = 50
"""Updates until the full learning rate."""


@dataclass(frozen=True, kw_only=True)
class Finetuning:
    """Settings of one finetuning run.

    Parameters
    ----------
    updates, batch_size : int
        Updates, and windows per update.
    days, warmup : int
        Scored days of a window, and the days before them that only fill the states.
    learning_rate, weight_decay : float
        Of AdamW; the rate falls as a cosine.
    loss : str or None
        Of heads without quantiles, which have the pinball loss: one of
        :data:`xstefaland.training.losses.POINT_LOSSES`; ``"kge"`` is half the loss of
        the KGE and half that of the NSE, ``"kge_alone"`` the KGE by itself. None: as
        the target's entry says.
    per_site : bool or None
        Divide errors by the deviation of the site's observations; otherwise by that of
        all observations. None: as is usual for the loss.
    floor : float
        Added to the deviation, as a share of that of all observations.
    full_share : float
        Share of batches in which no input was hidden.
    precision : {"bfloat16", "float32"}
        Arithmetic.
    device : str
        Where it is trained: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, or ``"auto"``: CUDA
        where there is one. A run may go on elsewhere.
    seed : int
        Of samples and weights.
    checkpoint_updates : int
        Updates between checkpoints.
    """

    updates: int = 300
    batch_size: int = 12
    days: int = 365
    warmup: int = 90
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    loss: str | None = None
    per_site: bool | None = None
    floor: float = 0.05
    full_share: float = 0.6
    precision: str = "bfloat16"
    device: str = "cpu"
    seed: int = 0
    checkpoint_updates: int = 100

    def identity(self) -> dict[str, Any]:
        """Return what decides a result: all but where it is computed."""
        return {k: v for k, v in asdict(self).items() if k != "device"}


def fit(
    task: Task,
    config: HeadConfig,
    versions: Sequence[Version],
    settings: Finetuning,
    *,
    checkpoint: Path | None = None,
    progress: Callable[[int, float], object] | None = None,
) -> nn.Module:
    """Train a head on the task's training sites.

    Parameters
    ----------
    task : Task
        Observations and inputs.
    config : HeadConfig
        The head; only its first target is fitted.
    versions : sequence of Version
        The first is the complete input, the others have inputs hidden.
    settings : Finetuning
        See there.
    checkpoint : Path, optional
        File from which a run goes on, and to which it is written now and then.
    progress : callable, optional
        Called after each update with its number and the loss.

    Returns
    -------
    Module
        The trained head in evaluation mode, on the CPU.

    Raises
    ------
    InputError
        When the loss does not fit the target, or gradients are no numbers for many
        updates in a row.
    """
    loss = _loss_name(settings, task.target)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        head = build_head(config)
        scale(head, task, config, versions[0])
        head.to(resolve_device(settings.device))
        sampler = Sampler(
            task,
            config,
            versions,
            days=settings.days,
            warmup=settings.warmup,
            batch_size=settings.batch_size,
            full_share=settings.full_share,
            per_site=_per_site(loss, config, settings),
            seed=settings.seed,
        )
        _run(head, sampler, task.target, settings, checkpoint, progress)
    return head.cpu().eval()


def _per_site(loss: str, config: HeadConfig, settings: Finetuning) -> bool:
    """Whether errors count in each site's deviation; one value has none."""
    asked = loss in PER_SITE if settings.per_site is None else settings.per_site
    return asked and not config.static


def _run(
    head: nn.Module,
    sampler: Sampler,
    target: TargetSpec,
    settings: Finetuning,
    checkpoint: Path | None,
    progress: Callable[[int, float], object] | None,
) -> None:
    """Make all updates that a checkpoint does not have yet."""
    optimiser = torch.optim.AdamW(
        head.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
    )
    first, skipped = _resume(checkpoint, head, optimiser), 0
    head.train()
    place = next(head.parameters()).device
    for number in range(first, settings.updates):
        for group in optimiser.param_groups:
            group["lr"] = _rate(settings, number)
        torch.manual_seed(settings.seed * 1_000_003 + number)  # dropout, when resumed
        sample = sampler.draw(number).to(place)
        loss = _loss(head, sample, sampler, target, settings)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(head.parameters(), 1.0)
        skipped = 0 if math.isfinite(norm) else skipped + 1
        if not skipped:
            optimiser.step()
        elif skipped == PATIENCE:
            raise InputError(_no_gradient(target, number))
        done = number + 1
        due = done % settings.checkpoint_updates == 0 or done == settings.updates
        if checkpoint is not None and due:
            _save(checkpoint, head, optimiser, done)
        if progress is not None:
            progress(done, float(loss.detach()))


def _no_gradient(target: TargetSpec, number: int) -> str:
    """Say why a run ends that would train nothing."""
    return (
        f"none of the {PATIENCE} updates up to {number} could be made: the gradient of "
        f"'{target.name}' is no number. Look for huge values among inputs and "
        "observations, or set Finetuning(precision='float32', learning_rate=5e-4)"
    )


def _rate(settings: Finetuning, number: int) -> float:
    """Learning rate of an update: a short rise, then a cosine to zero."""
    fall = 0.5 * (1 + math.cos(math.pi * number / settings.updates))
    return settings.learning_rate * fall * min(1.0, (number + 1) / RISE)


def _loss_name(settings: Finetuning, target: TargetSpec) -> str:
    """Choose the loss that the run states, else the target."""
    name = settings.loss or target.loss
    if name not in POINT_LOSSES:
        raise InputError(
            f"Finetuning(loss={name!r}) is not possible; there are "
            f"{', '.join(POINT_LOSSES)}"
        )
    if (name in OF_PROBABILITIES) != (target.loss in OF_PROBABILITIES):
        raise InputError(
            f"Finetuning(loss={name!r}) is not possible with '{target.name}', whose "
            f"loss is '{target.loss}': {', '.join(map(repr, OF_PROBABILITIES))} are of "
            "probabilities alone"
        )
    return name


def _loss(
    head: nn.Module,
    sample: Sample,
    sampler: Sampler,
    target: TargetSpec,
    settings: Finetuning,
) -> Tensor:
    """Loss of the scored days, by the form of the head and the loss that is asked."""
    config: HeadConfig = head.config  # type: ignore[assignment]
    floor = settings.floor * max(sampler.overall, 1e-6)
    observed = sample.observed[:, sampler.warmup :]
    low = settings.precision == "bfloat16"
    with torch.autocast(observed.device.type, torch.bfloat16, enabled=low):
        if isinstance(head, AnomalyHead):
            anomaly, _ = head.raw(**sample.inputs())
            predicted = anomaly.transpose(-1, -2) if config.quantiles else anomaly
        else:
            predicted = head(**sample.inputs())
    if config.static:
        predicted, observed = predicted[:, None], observed[:, :1]
    else:
        predicted = predicted[:, sampler.warmup :]
    predicted = predicted[:, :, :1].float()  # HBV's other fluxes are free
    if isinstance(head, AnomalyHead):
        mean, spread = sample.statistics.tensor_split(2, -1)
        known = mean, spread.clamp_min(max(floor, 1e-6))
        return anomaly_loss(predicted, observed, known, config.quantiles)
    if config.quantiles:
        levels = config.quantiles
        return pinball_loss(predicted, observed, sample.deviation, levels, floor)
    point_loss = POINT_LOSSES[_loss_name(settings, target)]
    return point_loss(predicted, observed, sample.deviation, floor)


def _save(
    path: Path, head: nn.Module, optimiser: torch.optim.Optimizer, done: int
) -> None:
    """Write a checkpoint, whole or not at all."""
    state = {
        "head": head.state_dict(),
        "optimiser": optimiser.state_dict(),
        "done": done,
    }
    unfinished = path.with_suffix(".part")
    torch.save(state, unfinished)
    unfinished.replace(path)


def _resume(
    path: Path | None, head: nn.Module, optimiser: torch.optim.Optimizer
) -> int:
    """Load a checkpoint if there is one; return the number of updates done."""
    if path is None or not path.exists():
        return 0
    state = torch.load(path, map_location="cpu", weights_only=True)
    head.load_state_dict(state["head"])
    optimiser.load_state_dict(state["optimiser"])
    return int(state["done"])


Predicted = list[tuple[Records, NDArray[np.int64], Floats]]
"""Per records: the records, the rows, predictions ``(site, day, target)``."""


def predict_sites(
    head: nn.Module,
    task: Task,
    config: HeadConfig,
    version: Version,
    *,
    role: str = "held out",
    size: int = 8,
    causal: bool = False,
) -> Predicted:
    """Predict whole records of the sites with a role.

    Parameters
    ----------
    head, task, config
        A trained head, and what it was trained on.
    version : Version
        Which inputs it sees.
    role : str
        Of the sites.
    size : int
        Sites at once.
    causal : bool
        Without spin-up, as causal predictions are.

    Returns
    -------
    list
        Per records: the records, the rows, predictions ``(site, day, target)``, with
        a single day for a static head; of a head with quantiles the median.
    """
    results = []
    for records in task.records:
        rows = records.rows(role)
        parts = []
        for first in range(0, len(rows), size):
            part = rows[first : first + size]
            given = _whole_records(task, config, version, records, part)
            with torch.inference_mode():
                answer = head(**given, spinup_days=0 if causal else SPINUP_DAYS)
            if config.quantiles:
                answer = answer[..., config.quantiles.index(MEDIAN)]
            if config.static:
                answer = answer[:, None]
            parts.append(answer.numpy())
        if parts:
            results.append((records, rows, np.concatenate(parts)))
    return results


def _whole_records(
    task: Task,
    config: HeadConfig,
    version: Version,
    records: Records,
    part: NDArray[np.int64],
) -> dict[str, Tensor]:
    """Return what a head is called with for whole records of some sites."""
    forcing, attributes = hide(
        records, version.hidden, part, attributes=version.attributes
    )
    embedding = np.zeros((len(part), 1, 1), np.float32)
    if version.embeddings is not None and config.embeds:
        embedding = version.embeddings[records.name][part].astype(np.float32)
    columns = [task.forcing_names.index(n) for n in config.forcing]
    static = [task.attribute_names.index(n) for n in config.attributes]
    given = {
        "embedding": embedding,
        "forcing": forcing[..., columns],
        "attributes": attributes[:, static],
        "day_of_year": records.dates.day_of_year.to_numpy(np.float32),
        "latitude": version.latitude(records, part),
    }
    if version.channels is not None:  # else the head computes what it needs
        given["channels"] = version.process(records, part, config.channels)
    return {name: torch.from_numpy(values) for name, values in given.items()}


def score_sites(
    results: Predicted, names: Sequence[str], *, skip: int = 365, minimum: int = 90
) -> pd.DataFrame:
    """Score each site's first target.

    Parameters
    ----------
    results : list
        See :func:`predict_sites`.
    names : sequence of str
        Functions of :mod:`xstefaland.metrics`.
    skip : int
        First days of each record that are not scored.
    minimum : int
        Sites with fewer observations are left out.

    Returns
    -------
    DataFrame
        One row a site.
    """
    tables = []
    for records, rows, predicted in results:
        dims = ("site", "time")
        observed = xr.DataArray(records.observed[rows][:, skip:], dims=dims)
        simulated = xr.DataArray(predicted[:, skip:, 0], dims=dims)
        enough = (observed.notnull().sum("time") >= minimum).values
        table = pd.DataFrame(
            {name: getattr(metrics, name)(observed, simulated).values for name in names}
        )
        table.insert(0, "site", records.sites["site"].to_numpy()[rows])
        tables.append(table[enough])
    return pd.concat(tables, ignore_index=True)
