"""Systems that are compared: heads of the package, and others put together here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from xstefaland.training.conformal import LEVELS
from xstefaland.training.systems import STRONG

from .tables import TABLES

WEATHER_ALONE: dict[str, Any] = {
    "kind": "lstm",
    "channels": (),
    "place": False,
    "attributes": (),
}
"""An LSTM that knows no attributes, so that it cannot tell a station by them."""


@dataclass(frozen=True)
class TrainedSystem:
    """What is trained.

    Attributes
    ----------
    head : str or mapping
        As :func:`xstefaland.training.finetune` takes it; "" for what is no head.
    level : mapping, optional
        A second head whose mean over the days of a site takes the place of the first
        one's.
    settings : mapping
        Entries of :class:`~xstefaland.training.fitting.Finetuning` of its own.
    imagines : bool
        Whether it is trained on imagined weather as well (:mod:`.imagined`).
    """

    head: str | Mapping[str, Any]
    level: Mapping[str, Any] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    imagines: bool = False

    @property
    def physical(self) -> bool:
        """Whether it gives the parameters of HBV."""
        return isinstance(self.head, str) and self.head.endswith("-hbv")


_HEADS = (
    "resconn",
    "resconn-hbv",
    "resconn-plain",
    "lstm",
    "lstm-averages",
    "lstm-plain",
    "lstm-anomaly",
    "resconn-anomaly",
)
_PHYSICS = {"warmup": 365, "updates": 3000}
"""A store needs a year to fill, so a window costs twice as much. After 600 updates such
a head errs on training windows as `resconn` does then, and still learns."""
SYSTEMS: dict[str, TrainedSystem] = {
    **{name: TrainedSystem(name) for name in _HEADS},
    "resconn-hbv": TrainedSystem("resconn-hbv", settings=_PHYSICS),
    "lstm-hbv": TrainedSystem("lstm-hbv", settings=_PHYSICS),
    "lstm-kge": TrainedSystem("lstm", settings={"loss": "kge"}),
    "lstm-log": TrainedSystem("lstm", settings={"loss": "log"}),
    "lstm-quantiles": TrainedSystem({"kind": "lstm", **STRONG, "quantiles": LEVELS}),
    "lstm-imagined": TrainedSystem("lstm", imagines=True),
    "resconn-imagined": TrainedSystem("resconn", imagines=True),
    "lstm-narrow": TrainedSystem({"kind": "lstm", **STRONG, "width": 128}),
    "level-anomaly": TrainedSystem("lstm-anomaly", level=WEATHER_ALONE),
    **dict.fromkeys(TABLES, TrainedSystem("")),
    "bundled": TrainedSystem(""),
}
"""Name -> system; those without a head are of :mod:`.tables`, or "bundled"."""
