"""Shards of the corpus: one folder for each source, written from any Dataset.

What is written is what :func:`xstefaland.inputs.prepare.prepare` gives, so training
reads the very numbers that a prediction on the same Dataset would.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from xstefaland.errors import InputError
from xstefaland.inputs.examine import examine
from xstefaland.inputs.formulas.climate import CLIMATE_INDICES
from xstefaland.inputs.hints import NO_HINTS, Hints
from xstefaland.inputs.prepare import Prepared, prepare
from xstefaland.inputs.requirements import Requirements, VariableSpec
from xstefaland.inputs.variables import ATTRIBUTES, CATALOGUE
from xstefaland.training.periods import STRETCHES, climate_of_stretches
from xstefaland.training.places import site_table

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

FORCING = (
    "precipitation",
    "temperature",
    "temperature_max",
    "temperature_min",
    "shortwave_radiation",
    "relative_humidity",
    "vapour_pressure",
    "wind_speed",
    "surface_pressure",
    "snow_depth_water_equivalent",
    "potential_evapotranspiration",
)
"""Forcings of the corpus, in its order; a day is observed where the first two are."""

OBSERVED = FORCING[:2]
REQUIREMENTS = Requirements(
    tuple(VariableSpec(name, CATALOGUE[name].units) for name in FORCING),
    tuple(VariableSpec(v.name, v.units, group=v.group) for v in ATTRIBUTES),
    required=tuple((name,) for name in OBSERVED),
)
"""What the corpus asks of a Dataset, in the catalogue's units."""

BLOCK = 2**22  # values of forcing that are prepared at once


def write_shard(
    folder: Path,
    ds: xr.Dataset,
    *,
    weight: float = 1.0,
    hints: Hints = NO_HINTS,
    data: Sequence[Mapping[str, str]] = (),
    seed: int = 0,
) -> Shard:
    """Prepare a Dataset and write it as a shard of a corpus, block by block of sites.

    Parameters
    ----------
    folder : Path
        New folder inside that of the corpus; its name is that of the source.
    ds : xarray.Dataset
        Daily forcing and attributes, as for :func:`xstefaland.predict`; lazy or not.
    weight : float
        Share of the source's windows in training, in proportion to other shards'.
    hints : Hints
        What is said of the Dataset beside what stands in it.
    data : sequence of mapping
        Files it was read from: ``name``, ``licence`` and ``sha256``, for the card.
    seed : int
        Of the stretches from which climate attributes are computed.

    Returns
    -------
    Shard
        What was written: ``forcing.npy`` ``(site, day, variable)`` with the variables
        that the source has at all, ``observed.npy`` ``(site, day)``, ``climate.npy``
        ``(site, stretch, index)``, ``attributes.parquet``, ``sites.parquet``,
        ``about.json`` and ``data.json``.

    Raises
    ------
    InputError
        With everything that is wrong with the Dataset, or when the folder is there.

    Examples
    --------
    Pretrain on weather of your own:

    >>> from tempfile import TemporaryDirectory
    >>> from xstefaland.testing import example_points
    >>> from xstefaland.training.corpus import Corpus
    >>> from xstefaland.training.pretraining import Pretraining, pretrain
    >>> small = {"d_model": 16, "layers": 1, "heads": 2, "ffn": 32}
    >>> with TemporaryDirectory() as name:
    ...     shard = write_shard(Path(name) / "corpus" / "mine", example_points())
    ...     corpus = Corpus(Path(name) / "corpus")
    ...     settings = Pretraining(steps=1, batch_size=2, model=small)
    ...     model = pretrain(corpus, Path(name) / "run", settings)
    >>> shard.variables[:2], model.config.forcing == corpus.forcing
    (['precipitation', 'temperature'], True)
    """
    if folder.exists():
        raise InputError(
            f"{str(folder)!r} is there; delete it to write it anew, or give another "
            "name"
        )
    prepared = _prepared(ds, hints)
    unfinished = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    origins = prepared.examination.origins
    names = [name for name in FORCING if origins[name].available]
    sites = site_table(ds, prepared.site_dims, prepared.latitude.compute(), folder.name)
    attributes, observed = _write_arrays(unfinished, prepared, names, seed)
    dates = prepared.forcing.indexes["time"]
    sites["days"] = observed.sum(1)
    first = dates.to_numpy()[observed.argmax(1)]
    sites["first"] = np.where(sites["days"] > 0, first, np.datetime64("NaT"))
    sites.to_parquet(unfinished / "sites.parquet")
    attributes.set_axis(sites["site"]).to_parquet(unfinished / "attributes.parquet")
    about = {"forcing": names, "weight": weight, "start": str(dates[0].date())}
    (unfinished / "about.json").write_text(json.dumps(about))
    (unfinished / "data.json").write_text(json.dumps([dict(each) for each in data]))
    unfinished.rename(folder)
    return Shard(folder)


def _prepared(ds: xr.Dataset, hints: Hints) -> Prepared:
    """Prepare lazily, in blocks of sites that fit into little memory."""
    found = examine(ds, REQUIREMENTS, hints)
    if "time" in ds.dims:
        sites = {dim: ds.sizes[dim] for dim in found.site_dims}
        chunks = {**_steps(sites, ds.sizes["time"]), "time": -1}
        series = [name for name, v in ds.data_vars.items() if "time" in v.dims]
        ds = ds.assign(
            {name: ds[name].chunk(_own(chunks, ds[name])) for name in series}
        )
    return prepare(ds, REQUIREMENTS, hints)


def _own(chunks: Mapping[str, int], array: xr.DataArray) -> dict[str, int]:
    """Chunks of the dims that an array has."""
    return {dim: size for dim, size in chunks.items() if dim in array.dims}


def _steps(sizes: Mapping[str, int], days: int) -> dict[str, int]:
    """Sites of a block along each site dim, the last dims whole first."""
    left = max(1, BLOCK // (days * len(FORCING)))
    steps = {}
    for dim, size in reversed(list(sizes.items())):
        steps[dim] = min(size, left)
        left = max(1, left // steps[dim])
    return {dim: steps[dim] for dim in sizes}


def _blocks(sizes: Mapping[str, int], days: int) -> Iterator[dict[str, slice]]:
    """Yield selections that together are all sites."""
    steps = _steps(sizes, days)
    every = [range(0, size, steps[dim]) for dim, size in sizes.items()]
    for starts in product(*every):
        yield {d: slice(s, s + steps[d]) for d, s in zip(sizes, starts, strict=True)}


def _write_arrays(
    folder: Path, prepared: Prepared, names: Sequence[str], seed: int
) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """Write the arrays block by block; return attributes and observed days."""
    dates = pd.DatetimeIndex(prepared.forcing.indexes["time"])
    sizes = {dim: prepared.forcing.sizes[dim] for dim in prepared.site_dims}
    shape, days = tuple(sizes.values()), len(dates)
    places = np.arange(math.prod(shape)).reshape(shape)
    columns = [variable.name for variable in REQUIREMENTS.attributes]
    attributes = np.full((places.size, len(columns)), np.nan, np.float32)
    forcing, observed, climate = (
        open_memmap(folder / f"{name}.npy", "w+", dtype, (places.size, *own))
        for name, dtype, own in (
            ("forcing", np.float32, (days, len(names))),
            ("observed", np.bool_, (days,)),
            ("climate", np.float32, (STRETCHES, len(CLIMATE_INDICES))),
        )
    )
    for block in _blocks(sizes, days):
        rows = np.ravel(places[tuple(block.values())])
        series = prepared.forcing.isel(block).sel(variable=list(names))
        static = prepared.attributes.isel(block)
        both = xr.Dataset({"series": series, "static": static}).compute()
        forcing[rows] = both["series"].values.reshape(len(rows), days, len(names))
        attributes[rows] = both["static"].values.reshape(len(rows), -1)
        observed[rows] = np.isfinite(forcing[rows][..., : len(OBSERVED)]).all(-1)
        rng = np.random.default_rng([seed, int(rows[0])])
        climate[rows] = climate_of_stretches(forcing[rows], names, dates, rng)
    for array in (forcing, observed, climate):
        array.flush()
    known = np.isfinite(attributes).any(0)
    table = pd.DataFrame(attributes[:, known], columns=np.array(columns)[known])
    return table, np.asarray(observed)


class Shard:
    """One source of the corpus on disk.

    Attributes
    ----------
    name : str
        Of the source.
    variables : list of str
        Along the last axis of `forcing`.
    weight : float
        Share of its windows in training, in proportion to other shards'.
    start : numpy.datetime64
        First day.
    forcing : ndarray
        ``(site, day, variable)`` in catalogue units, NaN = missing; memory-mapped.
    observed : ndarray of bool
        ``(site, day)``: precipitation and temperature are there; memory-mapped.
    climate : ndarray
        Climate attributes of random stretches ``(site, stretch, index)``.
    sites : pandas.DataFrame
        See :func:`xstefaland.training.places.site_table`; also ``days`` with weather
        and the ``first`` of them.
    attributes : pandas.DataFrame
        One row a site, one column for each attribute that some site has.
    data : list of dict
        Files it was read from: name, licence, sha256.
    """

    def __init__(self, folder: Path) -> None:
        about = json.loads((folder / "about.json").read_text())
        self.name = folder.name
        self.folder = folder
        self.variables: list[str] = about["forcing"]
        self.weight: float = about["weight"]
        self.start = np.datetime64(about["start"], "D")
        self.forcing: Floats = np.load(folder / "forcing.npy", mmap_mode="r")
        self.observed: Bools = np.load(folder / "observed.npy", mmap_mode="r")
        self.climate: Floats = np.load(folder / "climate.npy")
        self.sites = pd.read_parquet(folder / "sites.parquet")
        self.attributes = pd.read_parquet(folder / "attributes.parquet")
        self.data: list[dict[str, str]] = json.loads((folder / "data.json").read_text())

    @property
    def days(self) -> int:
        """Length of the record [days]."""
        return int(self.forcing.shape[1])

    def day_of_year(self, starts: Ints, days: int) -> Floats:
        """Day of year 1..366 of windows ``(window, day)``."""
        dates = (self.start + starts)[:, None] + np.arange(days)
        numbers = (dates - dates.astype("datetime64[Y]")).astype(np.int64) + 1
        return np.asarray(numbers, np.float32)

    def starts(self, row: int, days: int) -> Ints:
        """First days of the windows of a site of which a quarter is observed."""
        seen = np.pad(self.observed[row].cumsum(), (1, 0))
        return np.flatnonzero(seen[days:] - seen[:-days] >= max(1, days // 4))

    def usable(self, days: int) -> Bools:
        """Which sites have such windows ``(site,)``."""
        return np.array(
            [len(self.starts(row, days)) > 0 for row in range(len(self.sites))]
        )
