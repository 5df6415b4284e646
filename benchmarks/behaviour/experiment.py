"""What an experiment is, and how it is judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr

from behaviour.answers import Answers
from xstefaland.errors import XStefalandError

Kind = Literal["direction", "size", "invariance", "range"]
Measure = Callable[[Answers], xr.DataArray]
INFINITE = float("inf")
LESS, MORE = 0.995, 1.005
"""Ratios that count as a change: half a percent is more than arithmetic makes."""


@dataclass(frozen=True)
class Experiment:
    """A question to a head, with what physics expects.

    Attributes
    ----------
    name : str
        What is done.
    measured : str
        What the number is, with its units.
    kind : {"direction", "size", "invariance", "range"}
        ``direction``: the answer must move the right way. ``size``: by a possible
        amount. ``invariance``: it must not move. ``range``: it must be possible.
    roles : str
        Which heads it concerns: ``flow``, ``balance``, ``soil``, ``embedding``.
    expected : str
        Why it must lie within the limits.
    measure : callable
        From :class:`Answers` to one number per site, or one for all.
    least, most : float
        Lowest and highest value that agree with physics.
    places : {"real", "synthetic"}
        Where it takes place.
    observable : bool
        The observations themselves can be measured in the same way.
    """

    name: str
    measured: str
    kind: Kind
    roles: str
    expected: str
    measure: Measure
    least: float = -INFINITE
    most: float = INFINITE
    places: str = "real"
    observable: bool = False

    @property
    def rule(self) -> str:
        """The limits as text."""
        if self.least == -INFINITE:
            return f"<= {self.most:g}"
        both = self.most < INFINITE
        return f"{self.least:g} to {self.most:g}" if both else f">= {self.least:g}"

    def concerns(self, roles: frozenset[str]) -> bool:
        """Whether a head of these roles is asked."""
        return bool(roles & set(self.roles.split()))

    def judge(self, answers: Answers, observed: Answers | None = None) -> Verdict:
        """Measure at every site; the row passes where all of them agree."""
        same = {n: getattr(self, n) for n in ("name", "measured", "expected", "kind")}
        row = Verdict(**same, head=answers.head.label, rule=self.rule)
        try:
            values = np.atleast_1d(self.measure(answers))
        except XStefalandError as error:
            return row.with_(problem=str(error).splitlines()[0])
        if not values.size:
            return row.with_(problem="no site to which it applies")
        margin = self._margin(values)
        row = row.with_(
            value=float(np.median(values)),
            worst=float(values[margin.argmin()]),
            sites=values.size,
            agree=int((margin >= 0).sum()),
            passed=bool((margin >= 0).all()),
        )
        if observed is None or not self.observable:
            return row
        seen = np.atleast_1d(self.measure(observed))
        share = float((self._margin(seen) >= 0).mean())
        return row.with_(observed=float(np.median(seen)), observed_agree=share)

    def _margin(self, values: np.ndarray) -> np.ndarray:
        """How far inside the limits values lie; not a number is never inside."""
        margin = np.minimum(values - self.least, self.most - values)
        return np.nan_to_num(margin, nan=-INFINITE, posinf=INFINITE)


@dataclass(frozen=True)
class Verdict:
    """What came out: an experiment with one head.

    Attributes
    ----------
    name, measured, expected, kind, rule
        As of the experiment.
    head : str
        Who was asked.
    value, worst : float, optional
        The median over the sites, and the value farthest from the rule's inside.
    sites, agree : int
        Number of sites, and of those that keep to the rule.
    passed : bool
        All sites agree.
    observed, observed_agree : float, optional
        The median of what was observed, and the share of sites whose observations keep
        to the rule.
    problem : str
        Why there is no value.
    """

    name: str
    measured: str
    expected: str
    kind: Kind
    rule: str
    head: str
    value: float | None = None
    worst: float | None = None
    sites: int = 0
    agree: int = 0
    passed: bool = False
    observed: float | None = None
    observed_agree: float | None = None
    problem: str = ""

    def with_(self, **changes: Any) -> Verdict:
        """Return a row with some entries changed."""
        return Verdict(**{**asdict(self), **changes})
