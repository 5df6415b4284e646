"""Versions of a task's inputs: complete, or with some hidden, and their embeddings.

Heads learn to answer with inputs missing from records in which some are hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xstefaland.errors import InputError
from xstefaland.inference.blocks import Block, Encoder
from xstefaland.inputs.formulas.climate import CLIMATE_INDICES
from xstefaland.model import StefaLand
from xstefaland.training.channels import Channels
from xstefaland.training.periods import climate_of_stretches
from xstefaland.training.tasks import Floats, Records, Task

AT_ONCE = 4
"""Sites that are embedded together."""

Cache = Mapping[str, NDArray[np.float16]]
"""Embeddings of each record, ``(site, day, d)``."""

Hidden = Mapping[str, tuple[NDArray[np.bool_], NDArray[np.bool_]]]
"""What is hidden of each record, ``(site, forcing)`` and ``(site, attribute)``."""


Attributes = Mapping[str, Floats]
"""Attributes of each record, ``(site, attribute)``."""

Placeless = Mapping[str, NDArray[np.bool_]]
"""Sites of each record whose latitude is not known, ``(site,)``."""

PLACELESS = 0.15
"""Share of the sites that are so in training with hidden inputs."""


@dataclass(frozen=True)
class Version:
    """One rendering of the task's inputs.

    Attributes
    ----------
    hidden : mapping or None
        What is hidden; None: nothing.
    embeddings : mapping or None
        What the encoder makes of the rest; None for heads that take no embedding.
    attributes : mapping or None
        Attributes in place of the records' own, see :func:`other_climate`.
    channels : Channels or None
        Process channels, of heads that take some. They need precipitation and
        temperature, which are never hidden, and potential evapotranspiration, which
        follows from temperature and latitude: so they stay, but at `placeless` sites.
    placeless : mapping or None
        Sites that a head gets without latitude and channels, see
        :func:`without_place`; None: no site.
    """

    hidden: Hidden | None
    embeddings: Cache | None
    attributes: Attributes | None = None
    channels: Channels | None = None
    placeless: Placeless | None = None

    def latitude(self, records: Records, site: Any) -> Floats:
        """Return the latitude of a site or of some, NaN where it is not known."""
        found: Floats = records.latitude[site]
        if self.placeless is None:
            return found
        unknown = self.placeless[records.name][site]
        return np.where(unknown, np.float32(np.nan), found)

    def process(
        self,
        records: Records,
        site: Any,
        wanted: Sequence[str],
        days: slice = slice(None),
    ) -> Floats:
        """Return some process channels of a site or of some, ``(..., day, channel)``.

        Raises
        ------
        InputError
            When they were not computed.
        """
        if not wanted:
            return np.empty((*np.shape(site), len(records.dates[days]), 0), np.float32)
        if self.channels is None or not set(wanted) <= set(self.channels.names):
            raise InputError(
                "the head takes process channels: pass Version(..., "
                "channels=cache_channels(task, config.channels, folder))"
            )
        columns = self.channels.columns(wanted)
        kept = self.channels.values[records.name][site]
        found: Floats = kept[..., days, :].astype(np.float32)[..., columns]
        if self.placeless is not None:
            found[self.placeless[records.name][site]] = np.nan
        return found


def drop_inputs(task: Task, required: Sequence[str], seed: int) -> Hidden:
    """Draw, per site, inputs to hide: whole forcings, attribute groups, all attributes.

    Returns
    -------
    dict
        Per records, True = hidden, ``(site, forcing)`` and ``(site, attribute)``.
        Variables in `required` are never hidden.
    """
    rng = np.random.default_rng(seed)
    groups = np.array([str(spec.group) for spec in task.requirements.attributes])
    hidden = {}
    for records in task.records:
        count = len(records.sites)
        forcing = rng.random((count, len(task.forcing_names))) < rng.random((count, 1))
        forcing[:, [task.forcing_names.index(n) for n in required]] = False
        attributes = np.zeros((count, len(groups)), bool)
        for group in np.unique(groups):
            attributes[:, groups == group] = rng.random((count, 1)) < 0.4
        attributes |= rng.random((count, 1)) < 0.4
        hidden[records.name] = forcing, attributes
    return hidden


def without_place(task: Task, seed: int) -> Placeless:
    """Draw the sites that a head gets as if their latitude were not known.

    A user's Dataset may lack it, and with it potential evapotranspiration and all
    channels: heads learn to answer without.
    """
    rng = np.random.default_rng(seed)
    return {r.name: rng.random(len(r.sites)) < PLACELESS for r in task.records}


def other_climate(task: Task, seed: int) -> Attributes:
    """Derive climate attributes from other years than a head is trained on.

    A user's record is shorter than that of training, or of other years. So each site
    gets the attributes of a random stretch of its record, of one to thirty years.

    Parameters
    ----------
    task : Task
        Its records; attributes that the data state themselves stay.
    seed : int
        Of the draw.

    Returns
    -------
    dict
        Per records, ``(site, attribute)``.
    """
    rng = np.random.default_rng(seed)
    changed = {}
    for records in task.records:
        attributes = records.attributes.copy()
        found = climate_of_stretches(
            records.forcing, task.forcing_names, records.dates, rng
        )
        drawn = rng.integers(found.shape[1], size=len(attributes))
        for variable in task.requirements.attributes:
            if variable.name in records.derived:
                index = CLIMATE_INDICES.index(variable.name)
                values = found[np.arange(len(drawn)), drawn, index]
                values = np.clip(values, variable.minimum, variable.maximum)
                attributes[:, task.attribute_names.index(variable.name)] = values
        changed[records.name] = attributes
    return changed


def hide(
    records: Records,
    hidden: Hidden | None,
    site: Any,
    days: slice = slice(None),
    attributes: Attributes | None = None,
) -> tuple[Floats, Floats]:
    """Return forcing and attributes of a site or of some, without what is hidden."""
    given = records.attributes if attributes is None else attributes[records.name]
    forcing, static_values = records.forcing[site][..., days, :], given[site]
    if hidden is None:
        return forcing, static_values
    series, static = (mask[site] for mask in hidden[records.name])
    return (
        np.where(series[..., None, :], np.float32(np.nan), forcing),
        np.where(static, np.float32(np.nan), static_values),
    )


def cache_embeddings(
    model: StefaLand,
    task: Task,
    folder: Path,
    hidden: Hidden | None = None,
    precision: str = "bfloat16",
    causal: bool = False,
    progress: Callable[[int], object] | None = None,
    attributes: Attributes | None = None,
    device: str = "cpu",
) -> Cache:
    """Embed all records once, as inference does, into memory-mapped float16 files.

    Dropped sites are left out. Files that are there already are used as they are.

    Parameters
    ----------
    model : StefaLand
        The encoder.
    task : Task
        Its records are embedded.
    folder : Path
        Where the files go, one a record.
    hidden : mapping, optional
        What to hide, see :func:`drop_inputs`.
    precision : {"bfloat16", "float32"}
        Arithmetic.
    causal : bool
        How the encoder reads.
    progress : callable, optional
        Called with the number of sites that were embedded, or were there.
    attributes : mapping, optional
        In place of the records' own, see :func:`other_climate`.
    device : str
        Where the encoder works.

    Returns
    -------
    dict
        Per records, ``(site, day, d)``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    encoder = Encoder(model, "auto", device, precision)
    tell = progress or (lambda count: None)
    caches = {}
    for records in task.records:
        path = folder / f"{records.name}.npy"
        if path.exists():
            tell(len(records.used()))
        else:
            _embed(encoder, task, records, path, hidden, attributes, causal, tell)
        caches[records.name] = np.load(path, mmap_mode="r")
    return caches


def _embed(
    encoder: Encoder,
    task: Task,
    records: Records,
    path: Path,
    hidden: Hidden | None,
    other: Attributes | None,
    causal: bool,
    tell: Callable[[int], object],
) -> None:
    """Write one file of embeddings, whole or not at all."""
    config = encoder.model.config
    own = [task.forcing_names.index(name) for name in config.forcing]
    static = [task.attribute_names.index(name) for name in config.attributes]
    count, days = records.observed.shape
    unfinished = path.with_suffix(".part")
    shape = (count, days, config.d_model)
    out = np.lib.format.open_memmap(unfinished, "w+", np.float16, shape)
    day = records.dates.day_of_year.to_numpy(np.float32)
    used = records.used()
    for first in range(0, len(used), AT_ONCE):
        part = used[first : first + AT_ONCE]
        forcing, attributes = hide(records, hidden, part, attributes=other)
        block = Block(
            np.ascontiguousarray(forcing[..., own]),
            attributes[:, static],
            records.latitude[part],
            day,
        )
        if not records.weather:  # as in predictions, the static token is all there is
            token = encoder.embed(block.first_days(0), "static", everywhere=True)
            out[part] = token[:, None]
        else:  # everywhere: as there, days before the first weather have a value
            out[part] = encoder.embed(block, everywhere=True, causal=causal)
        tell(len(part))
    out.flush()
    unfinished.rename(path)
