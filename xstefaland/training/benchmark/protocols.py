"""The benchmarks: for each its data, targets, holdout, systems and scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import xarray as xr

from xstefaland import datasets
from xstefaland.training.benchmark import holdouts
from xstefaland.training.benchmark.holdouts import Split
from xstefaland.training.benchmark.reconstruction import Reconstruction
from xstefaland.training.fitting import Finetuning
from xstefaland.weights.targets import TargetSpec

Reader = Callable[[Path], Mapping[str, xr.Dataset]]


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """A task that systems are compared on.

    Parameters
    ----------
    name, title : str
        Of files, and of the page.
    data : callable
        From the folder of data to Datasets by name, as :func:`finetune` takes them.
    targets : mapping of str or TargetSpec to str
        Target to the variable that holds its observations.
    split : callable
        From the table of sites to a fold for each, see
        :mod:`~xstefaland.training.benchmark.holdouts`.
    systems : tuple of str
        Names of :data:`~xstefaland.training.benchmark.systems.SYSTEMS`; the others are
        compared with the first.
    scores : tuple of str
        Functions of :mod:`xstefaland.metrics`; the first decides.
    period : slice, optional
        Days to use.
    minimum_days : int
        Sites with fewer observations are left out.
    skip : int
        First days of each record that are not scored.
    extra : tuple of str
        Columns of sites beside the catalogue's.
    apart : float
        Sites within this distance of a held-out one [km] are not trained on.
    in_corpus : bool
        Whether encoders are trained on these archives: then only those sites are scored
        that the encoder's card lists as left out.
    settings : Finetuning
        Budget of every system that is trained by gradient.
    published : str, optional
        Key of :data:`~xstefaland.training.benchmark.published.PUBLISHED`.
    note : str
        What a reader of the results should know.

    Examples
    --------
    A task of one's own, with two systems:

    >>> from xstefaland.testing import example_points
    >>> def data(folder):
    ...     ds = example_points(sites=8, days=400)
    ...     flow = (0.4 * ds.precipitation).assign_attrs(units="mm d-1")
    ...     return {"mine": ds.assign(flow=flow)}
    >>> mine = Protocol(
    ...     name="mine",
    ...     title="Flow of my gauges",
    ...     data=data,
    ...     targets={"streamflow": "flow"},
    ...     split=holdouts.blocks(4),
    ...     systems=("lstm", "linear"),
    ...     scores=("nse", "rmse"),
    ... )
    >>> mine.systems
    ('lstm', 'linear')
    """

    name: str
    title: str
    data: Reader
    targets: Mapping[str, str] | Mapping[TargetSpec, str]
    split: Split
    systems: tuple[str, ...]
    scores: tuple[str, ...]
    period: slice | None = None
    minimum_days: int = 365
    skip: int = 365
    extra: tuple[str, ...] = ()
    apart: float = 10.0
    in_corpus: bool = False
    settings: Finetuning = field(default_factory=Finetuning)
    published: str | None = None
    note: str = ""


def _one(name: str, reader: Callable[..., xr.Dataset], **arguments: str) -> Reader:
    """Make the reader of a benchmark on a single archive."""

    def read(folder: Path) -> dict[str, xr.Dataset]:
        return {name: reader(folder, **arguments)}

    return read


def _abroad(folder: Path) -> dict[str, xr.Dataset]:
    """Basins of four archives with years of flow, one product each."""
    return {
        "gb": datasets.camels_gb(folder),
        "ch": datasets.camels_ch(folder),
        "us": datasets.camels_us(folder, product="era5land"),
        "mopex": datasets.mopex(folder),
    }


def _soils(folder: Path) -> dict[str, xr.Dataset]:
    """Basins whose HydroATLAS texture is known, by their attributes alone."""
    ds = datasets.caravan_attributes(folder)
    known = ds[["clay", "sand", "silt"]].to_dataarray().notnull().all("variable")
    return {"caravan": ds.isel(basin=known.values.nonzero()[0])}


_FLOW = {"streamflow": "streamflow"}
_FLOW_SCORES = ("nse", "rmse", "kge", "ubrmse", "corr", "fhv", "flv", "pbias")
_SYSTEMS = (
    "resconn", "no_resconn", "ablation", "zero", "linear-probe", "resconn-plain",
    "attribute-vectors", "resconn_additive", "lstm", "lstm-plain", "dlinear",
    "informer", "reformer", "transformer", "direct", "linear", "random_forest",
    "boosted",
)  # fmt: skip
_FLOW_SYSTEMS = (
    *_SYSTEMS, "resconn-hbv", "lstm-hbv", "no_resconn-hbv", "ablation-hbv",
    "hbv-regional",
)  # fmt: skip
_DAILY = Finetuning(updates=6000, batch_size=32)
"""At 1500 updates heads are half trained: 6000 add .034 [.025, .041] to the NSE of an
LSTM at 220 places that were left out (head of `benchmarks/results/pilots.md`)."""
_POINTS = Finetuning(updates=400, batch_size=128)
_POINT_SYSTEMS = (
    "resconn", "no_resconn", "ablation", "zero", "linear-probe", "attribute-vectors",
    "transformer", "direct", "linear", "random_forest", "boosted",
)  # fmt: skip

_PUB = Protocol(
    name="camels-pub",
    title="Streamflow at ungauged basins: ten random groups",
    data=_one("camels", datasets.camels_us, product="era5land"),
    targets=_FLOW,
    split=holdouts.listed("camels-pub"),
    in_corpus=True,
    systems=_FLOW_SYSTEMS,
    scores=_FLOW_SCORES,
    period=slice("1989-10-01", "2008-09-30"),
    settings=_DAILY,
    published="camels-pub",
    note="482 CAMELS-US basins with ERA5-Land weather.",
)
_AROUND_THE_WORLD = Protocol(
    name="global-streamflow",
    title="Streamflow around the world: three random folds of 100 days",
    data=_one("caravan", datasets.caravan),
    targets=_FLOW,
    split=holdouts.at_random(3),
    in_corpus=True,
    systems=_SYSTEMS,
    scores=("rmse", "ubrmse", "corr"),
    minimum_days=60,
    skip=30,
    settings=Finetuning(updates=1500, batch_size=64, days=70, warmup=30),
    published="global-streamflow",
    note="Records of one season of 1981, so scores lie after 30 days alone.",
)
_MOISTURE = Protocol(
    name="soil-moisture",
    title="Soil moisture at 5 cm: five random groups of stations",
    data=_one("uscrn", datasets.uscrn),
    targets={"soil_moisture": "soil_moisture"},
    split=holdouts.at_random(5),
    in_corpus=True,
    systems=_SYSTEMS,
    scores=("ubrmse", "rmse", "corr"),
    period=slice("2009-01-01", "2024-04-30"),
    settings=Finetuning(updates=1000, batch_size=32),
    published="soil-moisture",
    note="USCRN stations of the United States, without attributes.",
)

_ALL = (
    _PUB,
    replace(
        _PUB,
        name="camels-pur",
        title="Streamflow in ungauged regions: seven groups of hydrologic units",
        split=holdouts.listed("camels-pur"),
        published="camels-pur",
    ),
    replace(
        _PUB,
        name="adapters",
        title="Adapters on the frozen embedding",
        systems=(
            "resconn",
            "resconn-feedforward",
            "resconn-bottleneck",
            "resconn-gated",
            "resconn-moe",
            "resconn-conv",
            "resconn-attention",
            "resconn-none",
        ),
        published=None,
        note="The folds of camels-pub; `resconn` has the adapter `residual`.",
    ),
    _AROUND_THE_WORLD,
    replace(
        _AROUND_THE_WORLD,
        name="global-streamflow-continents",
        title="Streamflow around the world: continents left out in turn",
        split=holdouts.by_continent,
        published="global-streamflow-continents",
    ),
    Protocol(
        name="streamflow-countries",
        title="Streamflow in ungauged countries, each left out in turn",
        data=_abroad,
        targets=_FLOW,
        split=holdouts.by_country,
        in_corpus=True,
        systems=_FLOW_SYSTEMS,
        scores=_FLOW_SCORES,
        period=slice("1990-10-01", "2003-09-30"),
        settings=_DAILY,
        note="CAMELS-US, CAMELS-GB, CAMELS-CH and MOPEX, each with its own weather.",
    ),
    _MOISTURE,
    replace(
        _MOISTURE,
        name="soil-moisture-west",
        title="Soil moisture at 5 cm: stations west of 105 degrees west left out",
        split=holdouts.west_of(-105),
        published="soil-moisture-region",
    ),
    Protocol(
        name="soil-composition",
        title="Clay, sand and silt from other attributes: blocks in five folds",
        data=_soils,
        targets={"clay": "clay", "sand": "sand", "silt": "silt"},
        split=holdouts.blocks(5, 100),
        in_corpus=True,
        systems=_POINT_SYSTEMS,
        scores=("r2", "corr", "rmse"),
        settings=_POINTS,
        published="soil-composition",
        note="Texture is that of HydroATLAS, a map: a model of a model. All columns of "
        "texture are hidden.",
    ),
    Protocol(
        name="landslide",
        title="Landslides in southern Ecuador: spatial blocks",
        data=_one("ecuador", datasets.landslides_ecuador),
        targets={"landslide_probability": "landslide"},
        split=holdouts.blocks(5),
        systems=_POINT_SYSTEMS,
        scores=("auc", "average_precision", "brier", "f1"),
        extra=(
            "horizontal_curvature",
            "vertical_curvature",
            "contributing_area",
            "contributing_slope",
            "distance_to_road",
            "distance_to_deforestation",
        ),
        apart=0.05,
        settings=_POINTS,
        published="landslide",
        note="751 points within four kilometres, 500 of them slides, known by their "
        "terrain: no weather, and the encoder knows elevation and slope alone.",
    ),
)

PROTOCOLS: dict[str, Protocol | Reconstruction] = {
    protocol.name: protocol for protocol in (*_ALL, Reconstruction())
}
"""Every benchmark by its name."""
