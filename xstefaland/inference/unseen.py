"""Which sites the training did not see: by their names, and by their places."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from xstefaland.errors import InputError
from xstefaland.geometry.sites import LatitudeSource, find_latitude, site_dims
from xstefaland.geometry.sites import latitude as latitude_of
from xstefaland.geometry.sites import longitude as longitude_of
from xstefaland.inference.plans import (
    HeadGroup,
    plan_encoder,
    plan_predictions,
    require_reading,
)
from xstefaland.inputs.examine import Examination
from xstefaland.inputs.hints import Latitude
from xstefaland.weights import Places, Weights
from xstefaland.weights.opening import WeightsLike

RADIUS = 10.0  # [km] sites nearer than this are one place, in training too
MOST = 10_000  # sites that a report looks at
NO_PLACES = "its places are not recorded: none can be called far from them"

Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.floating[Any]]


def unseen(
    ds: xr.Dataset | Sequence[str],
    target: str | Sequence[str] | None = None,
    *,
    head: WeightsLike | None = None,
    weights: WeightsLike | None = None,
    latitude: Latitude | None = None,
    causal: bool = False,
    radius: float = RADIUS,
) -> xr.Dataset:
    """Say which sites no step of the training saw, so that scores there are honest.

    Parameters
    ----------
    ds : xarray.Dataset or sequence of str
        Sites, with or without weather; or ids alone.
    target : str or list of str, optional
        What is predicted: its head and that head's encoder are asked. Default: the
        encoder alone.
    head, weights, latitude, causal
        As in :func:`xstefaland.predict`.
    radius : float
        Distance [km] beyond which a site is another place than one of the training.

    Returns
    -------
    xarray.Dataset
        Along the dims of the sites (``site`` for ids):

        * `unseen`, true where it is known that neither the site nor a place within
          `radius` was trained on;
        * `left_out`, true where all weights asked name the site as left out;
        * `distance` [km] to the nearest one-degree cell with a place of the training;
          NaN where the position is unknown or a weights file records no places.

        The attribute `weights` names who was asked.

    Raises
    ------
    InputError
        For neither a Dataset nor ids, or a negative radius.
    UnknownTargetError, WeightsError
        As :func:`xstefaland.predict`.

    Notes
    -----
    A site that is not `unseen` may have been seen, or nothing is known of it. Weights
    name sites by their archive and the id that its reader gives
    (``"camels-daymet-01030500"``); the id alone is enough. So an id of your own that
    is also one of an archive is taken for that site: give it another name. The first
    release's weights record no places.

    Examples
    --------
    >>> import xstefaland
    >>> found = xstefaland.unseen(["01030500", "01013500"], "streamflow")
    >>> found.unseen.values.tolist()
    [True, False]
    """
    if not radius >= 0:
        raise InputError(f"radius={radius} [km] has to be zero or more")
    asked = _Asked.of(target, head, weights, causal)
    table = ds if isinstance(ds, xr.Dataset) else _of_ids(ds)
    weather = [str(n) for n, v in table.data_vars.items() if "time" in v.dims]
    dims = site_dims(table, weather) if weather else tuple(map(str, table.dims))
    source = find_latitude(table, dims, latitude)
    return _described(table, dims, asked.about(table, dims, source), asked, radius)


def left_out(ids: npt.ArrayLike, asked: Sequence[Weights]) -> Flags:
    """Tell which ids all of some weights name as left out of their training.

    Parameters
    ----------
    ids : array_like of str
        With their archive or without it.
    asked : sequence of Weights
        One at least.

    Returns
    -------
    ndarray of bool
        In the shape of `ids`.
    """
    each = [{n for site in w.card.left_out for n in _written(site)} for w in asked]
    return np.isin(np.asarray(ids).astype(str), list(set.intersection(*each)))


def told(found: Examination, asked: Sequence[Weights]) -> str:
    """Say in a few words how many sites of a Dataset are known as unseen.

    Parameters
    ----------
    found : Examination
        Of the Dataset. Coordinates in files or dask arrays are not looked at.
    asked : sequence of Weights
        Heads and encoders that an answer comes from.

    Returns
    -------
    str
        Says too when the weights record no places.
    """
    known = _told(found, asked)
    recorded = all(weights.card.places is not None for weights in asked)
    return "; ".join(filter(None, [known, "" if recorded else NO_PLACES]))


def _told(found: Examination, asked: Sequence[Weights]) -> str:
    """Count the sites known as unseen; nothing where the weights name none of them."""
    ds, dims = found.ds, found.site_dims
    looked = [*ds.coords, *(found.latitude.names if found.latitude else ())]
    if not all(ds[name].variable._in_memory for name in looked):
        return ""
    if _count(ds, dims) > MOST:
        return ""
    about = _Asked(tuple(asked)).about(ds, dims, found.latitude)
    if not about.left_out.any() and np.isnan(about.distance).all():
        return ""
    known, every = int(about.unseen(RADIUS).sum()), about.left_out.size
    return f"{known} of {every} sites known as unseen, see `xstefaland.unseen`"


@dataclass(frozen=True)
class _About:
    """What is known of some sites, flattened: named as left out, distance [km]."""

    left_out: Flags
    distance: Numbers

    def unseen(self, radius: float) -> Flags:
        """Mark those of which it is known; nothing compares with NaN."""
        return self.left_out | (self.distance > radius)


@dataclass(frozen=True)
class _Asked:
    """Weights that are asked what they have seen."""

    files: tuple[Weights, ...]

    @classmethod
    def of(
        cls,
        target: str | Sequence[str] | None,
        head: WeightsLike | None,
        weights: WeightsLike | None,
        causal: bool,
    ) -> _Asked:
        """Open what answers a target, or an encoder alone."""
        if target is None:
            files: tuple[Weights, ...] = (plan_encoder(weights)[0],)
        else:
            targets = [target] if isinstance(target, str) else list(target)
            files = behind(plan_predictions(targets, head, weights, causal=causal))
        if causal:  # what is named is asked about whichever way it reads
            require_reading(causal, *files)
        return cls(files)

    def about(
        self, ds: xr.Dataset, dims: Sequence[str], source: LatitudeSource | None
    ) -> _About:
        """Look sites up by id and by place."""
        count = _count(ds, dims)
        named = np.zeros(count, bool)
        if len(dims) == 1 and dims[0] in ds.coords:
            named = left_out(ds[dims[0]].values, self.files)
        return _About(named, self._distance(ds, dims, source))

    def _distance(
        self, ds: xr.Dataset, dims: Sequence[str], source: LatitudeSource | None
    ) -> Numbers:
        """Distance to the nearest place of any file, if all of them record places."""
        known = [w.card.places for w in self.files if w.card.places is not None]
        if len(known) < len(self.files):
            return np.full(_count(ds, dims), np.nan)
        cells = {cell for places in known for cell in places.cells}
        both = latitude_of(ds, dims, source), longitude_of(ds, dims)
        north, east = (np.ravel(each.values).astype(np.float64) for each in both)
        return Places(count=len(cells), cells=tuple(cells)).distance(north, east)


def behind(plans: Sequence[HeadGroup]) -> tuple[Weights, ...]:
    """List the heads of some plans, and the encoders that they read, each once."""
    every = [
        each
        for plan in plans
        for head in plan.heads
        for each in (head.weights, plan.encoder)
        if each is head.weights or head.weights.card.encoder is not None
    ]
    return tuple({each.sha256: each for each in every}.values())


def _written(site: str) -> Iterator[str]:
    """Yield the ways to write a site of a card: whole, and without its archive.

    The archive's own name may have hyphens, and so may the id.
    """
    words = site.split("-")
    yield from ("-".join(words[start:]) for start in range(len(words)))


def _count(ds: xr.Dataset, dims: Sequence[str]) -> int:
    """Count the sites; a Dataset without site dims is one."""
    return int(np.prod([ds.sizes[dim] for dim in dims], dtype=int))


def _of_ids(ids: object) -> xr.Dataset:
    """Make a Dataset of ids, or say what to pass."""
    names: list[object] = []
    if isinstance(ids, Iterable) and not isinstance(ids, str):
        names = list(ids)
    if not names or not all(isinstance(name, str) for name in names):
        raise InputError(
            f"sites cannot be {ids!r:.80}; pass a Dataset, or a list of ids such as "
            '["01013500"]'
        )
    return xr.Dataset(coords={"site": names})


def _described(
    ds: xr.Dataset, dims: Sequence[str], about: _About, asked: _Asked, radius: float
) -> xr.Dataset:
    """Give what is known its labels."""
    names = ", ".join(file.name for file in asked.files)
    shape = [ds.sizes[dim] for dim in dims]
    columns = {
        "unseen": (
            about.unseen(radius),
            f"known as unseen in training: left out, or {radius:g} km away",
            {},
        ),
        "left_out": (about.left_out, "named as left out of training", {}),
        "distance": (
            about.distance,
            "distance to the nearest place of training",
            {"units": "km"},
        ),
    }
    data = {
        name: (tuple(dims), values.reshape(shape), {"long_name": long_name, **attrs})
        for name, (values, long_name, attrs) in columns.items()
    }
    kept = {k: c.variable for k, c in ds.coords.items() if set(c.dims) <= set(dims)}
    return xr.Dataset(data, kept, {"weights": names})
