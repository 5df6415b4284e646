"""Members and bands: what the card of an ensemble says about each of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

from xstefaland.inputs.requirements import VariableSpec
from xstefaland.weights.targets import TargetSpec
from xstefaland.weights.typed import refuse_unplain

if TYPE_CHECKING:
    from xstefaland.weights.card import Card

MOST_MEMBERS = 64
MOST_LEVELS = 99
SCALES = ("linear", "root")
LARGEST = 1e9
ANSWER, LEVEL = ROLES = ("answer", "level")
"""What the answers of a member are for."""

MEDIAN = 0.5
"""The level that stands for the answer of a head with quantiles."""


class Network(Protocol):
    """What cards say of one network: a member, or a card that has no members."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def config(self) -> dict[str, Any]:
        """Its configuration."""

    @property
    def forcing(self) -> tuple[VariableSpec, ...]:
        """Its daily inputs."""

    @property
    def attributes(self) -> tuple[VariableSpec, ...]:
        """Its other inputs."""

    @property
    def targets(self) -> tuple[TargetSpec, ...]:
        """What it predicts."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """One head of an ensemble.

    Parameters
    ----------
    name : str
        Name of the weights that it was trained as.
    config : dict
        Its ``HeadConfig`` as a dictionary.
    forcing, attributes : tuple of VariableSpec
        Its inputs in the order of its tensors, with its own scaling.
    targets : tuple of TargetSpec
        What it predicts.
    training : dict
        How it was trained, such as ``{"seed": 1, "updates": 1500}``.
    role : {"answer", "level"}
        Whether its answers are averaged, or only say at which level those of the others
        lie: their mean over the days of a site.
    """

    name: str
    config: dict[str, Any]
    forcing: tuple[VariableSpec, ...] = ()
    attributes: tuple[VariableSpec, ...] = ()
    targets: tuple[TargetSpec, ...] = ()
    training: dict[str, Any] = field(default_factory=dict)
    role: str = ANSWER

    def __post_init__(self) -> None:
        """Bring mappings to plain JSON values."""
        refuse_unplain(self, "config", "training")


@dataclass(frozen=True, kw_only=True)
class Band:
    """By how much the quantiles of one target lie off, found at other sites.

    Parameters
    ----------
    target : str
        The target.
    levels : tuple of float
        The quantiles, rising.
    knots : tuple of float
        Answers on the scale, rising; between them the offsets are interpolated.
    offsets : tuple of tuple of float
        For each knot, what is added to each quantile, on the scale.
    scale : {"linear", "root"}
        The value itself, or the square root of its height above the target's minimum.
    sites : int
        How many sites they were found at.
    source : str
        Which sites.

    See Also
    --------
    xstefaland.training.conformal.fit_band : Find them.
    """

    target: str
    levels: tuple[float, ...]
    knots: tuple[float, ...]
    offsets: tuple[tuple[float, ...], ...]
    scale: str = "linear"
    sites: int = 0
    source: str = ""

    def problems(self) -> list[str]:
        """Tell what makes the band unusable."""
        who, out = f"the band of '{self.target}'", []
        if self.scale not in SCALES:
            out.append(f"{who} has scale '{self.scale}'; there are {', '.join(SCALES)}")
        if not 1 <= len(self.levels) <= MOST_LEVELS:
            out.append(
                f"{who} has {len(self.levels)} levels; 1 to {MOST_LEVELS} can be"
            )
        if list(self.levels) != sorted(q for q in set(self.levels) if 0 < q < 1):
            out.append(f"the levels of {who} must rise and lie between 0 and 1")
        near = (
            b - a <= 1e-6 * max(1.0, abs(a), abs(b)) for a, b in pairwise(self.knots)
        )
        if len(self.knots) < 2 or any(near):
            out.append(f"{who} must have two knots or more that rise")
        if [len(row) for row in self.offsets] != [len(self.levels)] * len(self.knots):
            out.append(f"{who} must have one offset for each knot and level")
        if any(abs(value) > LARGEST for row in self.offsets for value in row):
            out.append(f"{who} has offsets beyond {LARGEST:g}")
        return out


def network_problems(network: Network) -> list[str]:
    """Collect what is wrong with the variables of one network, or its config.

    Parameters
    ----------
    network : Card or Member
        One network.
    """
    problems = []
    for variables in ("forcing", "attributes", "targets"):
        entries: Sequence[VariableSpec | TargetSpec] = getattr(network, variables)
        names = [entry.name for entry in entries]
        if len(set(names)) < len(names):
            problems.append(f"`{variables}` names something twice: {names}")
        for entry in entries:
            problems += entry.problems()
        known = network.config.get(variables, names)
        if known != names:
            problems.append(
                f"`{variables}` lists {names} but the model's config has {known}"
            )
    return problems


def levels_of(card: Card, target: str) -> tuple[float, ...]:
    """Return the quantiles that a head gives of a target.

    Parameters
    ----------
    card : Card
        Of a head.
    target : str
        One of its targets.

    Returns
    -------
    tuple of float
        Those of its networks, else those of the target's band; none where it has
        neither.
    """
    bands = [band.levels for band in card.bands if band.target == target]
    return card.quantiles or next(iter(bands), ())


def joined_inputs(
    networks: Iterable[Network], kind: str, problems: list[str]
) -> tuple[VariableSpec, ...]:
    """Join the inputs of some networks, in order of their first appearance.

    Parameters
    ----------
    networks : iterable of Member or Card
        Whose inputs.
    kind : {"forcing", "attributes"}
        Which.
    problems : list of str
        Where two want one variable in different units, that is added here.
    """
    found: dict[str, tuple[VariableSpec, str]] = {}
    for network in networks:
        for spec in getattr(network, kind):
            first, name = found.setdefault(spec.name, (spec, network.name))
            if first.units != spec.units:
                problems.append(
                    f"'{network.name}' takes '{spec.name}' in {spec.units}, '{name}' "
                    f"in {first.units}"
                )
    return tuple(spec for spec, _ in found.values())


def joined_quantiles(networks: Sequence[Network]) -> tuple[float, ...]:
    """Return the levels of the first network that has quantiles."""
    own = map(_own_quantiles, networks)
    return next((levels for levels in own if levels), ())


def _own_quantiles(network: Network) -> tuple[float, ...]:
    """Return the levels of one network; a config may hold anything."""
    levels = network.config.get("quantiles", ())
    return tuple(levels) if isinstance(levels, list | tuple) else ()


def member_problems(card: Card) -> list[str]:
    """Tell what keeps the members of a card from answering together."""
    if len(card.members) > MOST_MEMBERS:
        return [f"there are {len(card.members)} members; {MOST_MEMBERS} can be"]
    problems = [
        f"member '{member.name}': {problem}"
        for member in card.members
        for problem in network_problems(member)
    ]
    if card.config:
        problems.append("`config` must be empty where there are `members`")
    problems += _input_problems(card) + _target_problems(card)
    return problems + _level_problems(card) + _role_problems(card)


def _input_problems(card: Card) -> list[str]:
    """Tell where the inputs of a card are not those of its members."""
    problems: list[str] = []
    for kind in ("forcing", "attributes"):
        joined = joined_inputs(card.members, kind, problems)
        wanted = {spec.name: spec.units for spec in joined}
        stated = {spec.name: spec.units for spec in getattr(card, kind)}
        if list(stated.items()) != list(wanted.items()):
            problems.append(
                f"`{kind}` lists {list(stated)} but the members take {list(wanted)}, "
                "or other units"
            )
    return problems


def _target_problems(card: Card) -> list[str]:
    """Tell which members lack a target, or give it in another form."""
    problems = []
    for member in card.members:
        own = {spec.name: spec for spec in member.targets}
        for spec in card.targets:
            if spec.name not in own:
                problems.append(
                    f"member '{member.name}' does not predict '{spec.name}'"
                )
            elif _form(own[spec.name]) != _form(spec):
                problems.append(
                    f"member '{member.name}' gives '{spec.name}' as "
                    f"{_form(own[spec.name])}, not as {_form(spec)}"
                )
        if bool(member.config.get("static", False)) != card.static:
            problems.append(f"member '{member.name}' has not `static`={card.static}")
    physical = {bool(member.config.get("physics")) for member in card.members}
    if len(card.targets) > 1 and len(physical) > 1:
        names = [m.name for m in card.members if not m.config.get("physics")]
        problems.append(
            f"targets of one balance can come from physical members alone, but {names} "
            "are none; combine these with the others for one target"
        )
    return problems


def _role_problems(card: Card) -> list[str]:
    """Tell which members have no part, or one that the others do not go with."""
    roles = [member.role for member in card.members]
    problems = [
        f"member '{member.name}' has role '{member.role}'; there are {ROLES}"
        for member in card.members
        if member.role not in ROLES
    ]
    if LEVEL in roles:
        answering = [member for member in card.members if member.role == ANSWER]
        if not answering:
            problems.append("all members give the level; one has to give the answer")
        if card.static:
            problems.append("static heads have no mean over days to give the level")
        if any(member.config.get("physics") for member in answering):
            problems.append("a balance of HBV does not hold when its level is moved")
        if len(card.targets) > 1:
            problems.append("members that give the level are for one target")
    return problems


def _form(spec: TargetSpec) -> tuple[Any, ...]:
    """Return what must be alike for answers to be averaged: units and limits."""
    return spec.units, spec.minimum, spec.maximum


def _level_problems(card: Card) -> list[str]:
    """Tell which members have other quantiles than the card."""
    wanted, problems = card.quantiles, []
    for member in card.members:
        own = _own_quantiles(member)
        if own and own != wanted:
            problems.append(f"member '{member.name}' has quantiles {own}, not {wanted}")
    if wanted and wanted != joined_quantiles(card.members):
        problems.append(f"`quantiles` is {wanted}, but no member has them")
    if wanted and MEDIAN not in wanted:
        problems.append(f"`quantiles` is {wanted}; an ensemble needs the median")
    return problems


def band_problems(card: Card) -> list[str]:
    """Tell which bands do not fit the targets, or cannot be used."""
    problems = [problem for band in card.bands for problem in band.problems()]
    if card.bands and not card.members:
        problems.append(
            "`bands` need `members`, one or more; xstefaland.weights.combine([head], "
            "out, bands=...) writes such a file"
        )
    minima = {spec.name: spec.minimum for spec in card.targets}
    names = [band.target for band in card.bands]
    if len(set(names)) < len(names) or not set(names) <= set(minima):
        problems.append(f"`bands` are for {names}; each must be a target, once")
    levels = card.quantiles or next((band.levels for band in card.bands), ())
    for band in card.bands:
        if band.levels != levels:
            problems.append(f"the band of '{band.target}' is not for levels {levels}")
        if band.scale == "root" and minima.get(band.target) is None:
            problems.append(f"'{band.target}' has a band of roots but no minimum")
    return problems
