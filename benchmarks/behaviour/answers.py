"""A head, and what it answers under each scenario; every scenario runs once."""

from __future__ import annotations

from dataclasses import dataclass

import xarray as xr

import xstefaland
from behaviour.scenarios import SCENARIOS

BALANCE = (
    "evapotranspiration",
    "snow_water_equivalent",
    "soil_water",
    "upper_zone_storage",
    "lower_zone_storage",
)
"""What a head that keeps a water balance predicts beside streamflow."""

EMBEDDING = "embedding"
ROLES = {"streamflow": "flow", "soil_moisture": "soil"}


@dataclass(frozen=True)
class Head:
    """What is asked: a target of a head, or the embedding.

    Attributes
    ----------
    label : str
        Its name in the table.
    target : str
        Such as ``"streamflow"``, or ``"embedding"``.
    roles : frozenset of str
        Which experiments concern it: of ``flow``, ``balance``, ``soil``, ``embedding``.
    file : str, optional
        Name or path of the head.
    encoder : str, optional
        Name or path of the encoder; default: that of the head.
    sha256 : str
        Of the head's file, or of the encoder's.
    window, stride : int
        How the encoder's windows lie [days].
    """

    label: str
    target: str
    roles: frozenset[str]
    file: str | None
    encoder: str | None
    sha256: str
    window: int
    stride: int

    def predict(self, ds: xr.Dataset, **options: object) -> xr.Dataset:
        """Ask the package, and wait for the answer."""
        options = {"weights": self.encoder, **options}
        if self.target == EMBEDDING:
            return xstefaland.embed(ds, **options).to_dataset().compute()
        more = BALANCE if "balance" in self.roles else ()
        names = [self.target, *more]
        return xstefaland.predict(ds, names, head=self.file, **options).compute()


def find_head(target: str, name: str, encoder: str | None) -> Head:
    """Open a head by its sort (``"resconn"``), name or path."""
    table = xstefaland.weights.list()
    has = table.targets.map(lambda targets: target in targets)
    found = table[has & (table.alias == name)].name.tolist()
    file = found[0] if found else name
    weights = xstefaland.weights.load(file)
    provides = {spec.name for spec in weights.card.targets}
    roles = {ROLES.get(target, target)} | (
        {"balance"} if provides >= set(BALANCE) else set()
    )
    config = _encoder_card(encoder or weights.card.encoder.name).config
    return Head(
        label=f"{target.replace('_', ' ')}, {name}" if found else weights.name,
        target=target,
        roles=frozenset(roles),
        file=file,
        encoder=encoder,
        sha256=weights.sha256,
        window=config["window"],
        stride=config["stride"],
    )


def embedding(encoder: str | None, default: str = "stefaland-base-v1") -> Head:
    """Ask for the embedding itself."""
    weights = xstefaland.weights.load(encoder or default)
    return Head(
        label=EMBEDDING,
        target=EMBEDDING,
        roles=frozenset({EMBEDDING}),
        file=None,
        encoder=encoder,
        sha256=weights.sha256,
        window=weights.card.config["window"],
        stride=weights.card.config["stride"],
    )


class Answers:
    """What one head answers at some sites.

    Parameters
    ----------
    head : Head
        Whom to ask.
    sites : xarray.Dataset
        Inputs ``(site, time)`` and attributes; what was observed stays out of them.
    """

    def __init__(self, head: Head, sites: xr.Dataset) -> None:
        self.head = head
        self.sites = sites.drop_vars(list(ROLES), errors="ignore")
        self._kept: dict[str, xr.Dataset] = {}

    def weather(self, scenario: str = "as it is") -> xr.Dataset:
        """Return the inputs of a scenario."""
        return SCENARIOS[scenario](self.sites)

    def all(self, scenario: str = "as it is") -> xr.Dataset:
        """Return everything that the head predicts under a scenario."""
        if scenario not in self._kept:
            self._kept[scenario] = self.head.predict(self.weather(scenario))
        return self._kept[scenario]

    def __call__(self, scenario: str = "as it is") -> xr.DataArray:
        """Return the target under a scenario."""
        return self.all(scenario)[self.head.target]


class Observed(Answers):
    """The observations, in the place of a head that is asked about real weather."""

    def __init__(self, head: Head, sites: xr.Dataset) -> None:
        super().__init__(head, sites)
        self._kept["as it is"] = sites[[head.target]]


def _encoder_card(name: str):
    return xstefaland.weights.load(name).card
