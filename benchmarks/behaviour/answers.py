"""A head, and what it answers under each scenario; every scenario runs once."""

from __future__ import annotations

from dataclasses import dataclass

import xarray as xr

import xstefaland
from behaviour.scenarios import SCENARIOS
from xstefaland.weights import Weights

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
class JudgedHead:
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
        The head's file.
    encoder : str
        Name or path of the encoder.
    sha256 : str
        Of the head's file, or of the encoder's.
    window, stride : int
        How the encoder's windows lie [days].
    causal : bool
        Whether it only reads so, and is asked so.
    """

    label: str
    target: str
    roles: frozenset[str]
    file: str | None
    encoder: str
    sha256: str
    window: int
    stride: int
    causal: bool = False

    def predict(self, ds: xr.Dataset, **options: object) -> xr.Dataset:
        """Ask the package, and wait for the answer."""
        options = {"weights": self.encoder, "causal": self.causal, **options}
        if self.target == EMBEDDING:
            return xstefaland.embed(ds, **options).to_dataset().compute()
        more = BALANCE if "balance" in self.roles else ()
        names = [self.target, *more]
        return xstefaland.predict(ds, names, head=self.file, **options).compute()


def find_head(target: str, name: str, encoder: str | None) -> JudgedHead:
    """Open a head by its sort (``"resconn"``), name or path."""
    table = xstefaland.weights.list().sort_values("version")
    has = table.targets.map(lambda targets: target in targets)
    newest = table[has & (table.form == name)].name.tolist()[-1:]
    weights = xstefaland.weights.load(newest[0] if newest else name)
    balanced = {spec.name for spec in weights.card.targets} >= set(BALANCE)
    roles = [ROLES.get(target, target), *(["balance"] if balanced else [])]
    basis = encoder or weights.card.encoder.name
    return _head(weights, target, roles, str(weights.path), basis)


def embedding(encoder: str) -> JudgedHead:
    """Ask for the embedding itself."""
    weights = xstefaland.weights.load(encoder)
    return _head(weights, EMBEDDING, [EMBEDDING], None, encoder)


def _head(
    weights: Weights, target: str, roles: list[str], file: str | None, encoder: str
) -> JudgedHead:
    """Describe weights, and how the windows of their encoder lie."""
    config = xstefaland.weights.load(encoder).card.config
    return JudgedHead(
        label=weights.name,
        target=target,
        roles=frozenset(roles),
        file=file,
        encoder=encoder,
        sha256=weights.sha256,
        window=config["window"],
        stride=config["stride"],
        causal="two-way" not in weights.card.readings,
    )


class Answers:
    """What one head answers at some sites.

    Parameters
    ----------
    head : JudgedHead
        Whom to ask.
    sites : xarray.Dataset
        Inputs ``(site, time)`` and attributes; what was observed stays out of them.
    """

    def __init__(self, head: JudgedHead, sites: xr.Dataset) -> None:
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

    def __init__(self, head: JudgedHead, sites: xr.Dataset) -> None:
        super().__init__(head, sites)
        self._kept["as it is"] = sites[[head.target]]
