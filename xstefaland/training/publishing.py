"""From trained networks to weights files and the registry's table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from torch import nn

from xstefaland.inputs.requirements import VariableSpec
from xstefaland.model import HeadConfig, StefaLand
from xstefaland.model.process import SPINUP_DAYS
from xstefaland.training.corpus import Corpus
from xstefaland.training.pretraining import Pretraining, variable_statistics
from xstefaland.training.scaling import head_statistics
from xstefaland.training.tasks import Task
from xstefaland.weights.card import READINGS, Card, EncoderReference, ExternalEmbeddings
from xstefaland.weights.combining import combine
from xstefaland.weights.evidence import Places
from xstefaland.weights.files import Weights, save
from xstefaland.weights.opening import WeightsLike
from xstefaland.weights.registry import BUNDLED, record
from xstefaland.weights.targets import TARGETS

REQUIRED = (
    ("precipitation",),
    ("temperature", "temperature_max", "temperature_min"),
)
PHYSICS_REQUIRED = (*REQUIRED, ("potential_evapotranspiration",))
Storage = Literal["float16", "float32"]


def publish(
    module: nn.Module,
    card: Card,
    *,
    form: str,
    description: str,
    version: str = "v1",
    default_for: Sequence[str] = (),
    folder: Path = BUNDLED,
    dtype: Storage = "float16",
) -> Weights:
    """Write a weights file; one in the package's own folder enters the table too.

    Parameters
    ----------
    module : Module
        The trained network.
    card : Card
        What the file says about itself; its name is that of the file.
    form, description, version, default_for
        For the table, see :func:`xstefaland.weights.registry.record`.
    folder : Path
        Where the file goes.
    dtype : {"float16", "float32"}
        Storage.

    Returns
    -------
    Weights
        The file.
    """
    path = folder / f"{card.name}.safetensors"
    weights = save(path, module.state_dict(), card, dtype)
    return _entered(weights, form, version, description, default_for)


def publish_ensemble(
    heads: Sequence[WeightsLike],
    *,
    name: str,
    form: str,
    description: str,
    version: str = "v1",
    default_for: Sequence[str] = (),
    folder: Path = BUNDLED,
    dtype: Storage = "float16",
    **entries: Any,
) -> Weights:
    """Write several heads as one weights file and enter it into the table.

    Parameters
    ----------
    heads : sequence of str, path or Weights
        The members.
    name, form, description, version, default_for, folder, dtype
        As for :func:`publish`.
    **entries
        For :func:`xstefaland.weights.combine`: `targets`, `bands`, and entries of the
        card such as `skill`, `failures`, `places`, `command`, `doi`.

    Returns
    -------
    Weights
        The file.
    """
    path = folder / f"{name}.safetensors"
    weights = combine(heads, path, name=name, dtype=dtype, **entries)
    return _entered(weights, form, version, description, default_for)


def _entered(
    weights: Weights,
    form: str,
    version: str,
    description: str,
    default_for: Sequence[str],
) -> Weights:
    """Enter a file into the table where it lies in the package's own folder."""
    if weights.path.parent == BUNDLED.resolve():
        record(
            weights,
            form=form,
            version=version,
            description=description,
            default_for=default_for,
        )
    return weights


def publish_encoder(
    model: StefaLand,
    corpus: Corpus,
    settings: Pretraining,
    roles: pd.Series,
    *,
    name: str,
    description: str,
    training: Mapping[str, Any],
    metrics: Mapping[str, Any],
    folder: Path = BUNDLED,
    dtype: Storage = "float16",
) -> Weights:
    """Write an encoder's weights file and enter it into the table.

    Parameters
    ----------
    model : StefaLand
        The trained model.
    corpus, settings, roles
        What it was trained on; held-out and dropped sites are listed in the card.
    name, description : str
        For the table.
    training, metrics : mapping
        Free entries of the card.
    folder : Path
        Where the file goes.
    dtype : {"float16", "float32"}
        Storage.

    Returns
    -------
    Weights
        The file.
    """
    forcing, attributes = variable_statistics(corpus, settings)
    kept_out = corpus.sites["site"][(roles != "train").to_numpy()]
    card = Card(
        kind="encoder",
        name=name,
        config=model.config.to_dict(),
        forcing=_specs(forcing, model.forcing_scaling),
        attributes=_specs(attributes, model.attribute_scaling),
        readings=READINGS if settings.causal_share > 0 else READINGS[:1],
        training={"data": corpus.data, **training},
        left_out=tuple(sorted(kept_out)),
        places=_places(corpus.sites[(roles == "train").to_numpy()]),
        metrics=dict(metrics),
    )
    return publish(
        model, card, form="base", description=description, folder=folder, dtype=dtype
    )


def publish_head(
    head: nn.Module,
    config: HeadConfig,
    task: Task,
    encoder: Weights | ExternalEmbeddings,
    *,
    name: str,
    form: str,
    description: str,
    default_for: Sequence[str],
    training: Mapping[str, Any],
    metrics: Mapping[str, Any],
    readings: Sequence[str] = ("two-way",),
    folder: Path = BUNDLED,
    dtype: Storage = "float16",
) -> Weights:
    """Write a head's weights file and enter it into the table.

    Parameters
    ----------
    head, config
        The trained head.
    task : Task
        What it was trained on.
    encoder : Weights or ExternalEmbeddings
        The encoder whose embeddings it reads, or what they are otherwise.
    name, form, description, default_for
        For the table.
    training, metrics, folder, dtype
        As for :func:`publish_encoder`. `training` may name its own ``data``.
    readings : sequence of str
        Ways of reading that it was trained for.

    Returns
    -------
    Weights
        The file.
    """
    tables = head_statistics(task, config)
    known = {spec.name: spec for spec in task.requirements.variables}
    others = (TARGETS[target] for target in config.targets[1:])
    sites = task.sites
    data: Sequence[Any] = []
    reads: dict[str, Any] = {"external": encoder}
    if isinstance(encoder, Weights):
        reads = {"encoder": EncoderReference(name=encoder.name, sha256=encoder.sha256)}
        data = encoder.card.training.get("data", [])
    card = Card(
        kind="head",
        name=name,
        config=config.to_dict(),
        forcing=_specs(
            tables["forcing_scaling"],
            head.get_submodule("features.forcing_scaling"),
            known,
        ),
        attributes=_specs(
            tables["attribute_scaling"],
            head.get_submodule("features.attribute_scaling"),
            known,
        ),
        **reads,
        targets=(task.target, *others),
        readings=tuple(readings),
        quantiles=config.quantiles,
        static=config.static,
        required=_required(config, task),
        masked_inputs=tuple(sorted(task.requirements.masked)),
        spinup_days=SPINUP_DAYS,
        training={"data": data, **training},
        left_out=tuple(sorted(sites["site"][(sites["role"] != "train").to_numpy()])),
        places=_places(sites[sites["role"] == "train"]),
        metrics=dict(metrics),
    )
    return publish(
        head,
        card,
        form=form,
        description=description,
        default_for=default_for,
        folder=folder,
        dtype=dtype,
    )


def _places(sites: pd.DataFrame) -> Places:
    """Say where the sites of a table lie."""
    return Places.of(sites["lat"].tolist(), sites["lon"].tolist())


def _required(config: HeadConfig, task: Task) -> tuple[tuple[str, ...], ...]:
    """Choose what a head needs, of what its training data had."""
    groups = PHYSICS_REQUIRED if config.physics else REQUIRED
    known = set(task.known_forcing)
    return tuple(group for group in groups if known & set(group))


def _specs(
    rows: Sequence[Mapping[str, Any]],
    scaling: nn.Module,
    known: Mapping[str, VariableSpec] | None = None,
) -> tuple[VariableSpec, ...]:
    """Turn statistics into card lines; units and groups may come from `known`.

    Mean and deviation are those the network scales with.
    """
    mean, deviation = scaling.get_buffer("mean"), scaling.get_buffer("std")
    specs = []
    for row, centre, spread in zip(rows, mean, deviation, strict=True):
        entries = dict(row) | {"mean": float(centre), "std": float(spread)}
        if known is not None:
            spec = known[entries["name"]]
            entries |= {"units": spec.units, "group": spec.group}
        specs.append(VariableSpec(**entries))
    return tuple(specs)
