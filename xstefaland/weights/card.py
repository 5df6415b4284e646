"""The card inside a weights file: what a model is, needs and was made from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from xstefaland.errors import WeightsError, join_problems, pip_install
from xstefaland.inputs.requirements import VariableSpec
from xstefaland.weights.evidence import Places, Skill
from xstefaland.weights.members import (
    LEVEL,
    Band,
    Member,
    band_problems,
    member_problems,
    network_problems,
)
from xstefaland.weights.targets import TargetSpec
from xstefaland.weights.typed import (
    DEPTH,
    become_plain,
    depth,
    from_plain,
    type_problems,
)

FORMAT = 3
"""Newest card format this package reads and the one it writes; older ones lack entries
that have defaults: 1 has no `readings`, nor a target's `depth`, `transform`, `loss`; 1
and 2 have no `members`, `bands`, `skill`, `failures`, `places`, `command`, `doi`,
`external`."""

KINDS = ("encoder", "head")
TWO_WAY, CAUSAL = "two-way", "causal"
READINGS = (TWO_WAY, CAUSAL)
"""Ways to read a record: with the days to come in view, or without."""


@dataclass(frozen=True, kw_only=True)
class EncoderReference:
    """The encoder a head was trained on: a head refuses every other one.

    Parameters
    ----------
    name : str
        Name of the encoder.
    sha256 : str
        Hash of its weights file.
    """

    name: str
    sha256: str

    def problems(self) -> list[str]:
        """Tell what makes the entry unusable."""
        if is_sha256(self.sha256):
            return []
        return [
            f"encoder '{self.name}' has sha256 '{self.sha256}'; it must be 64 "
            "lower-case hexadecimal digits"
        ]


@dataclass(frozen=True, kw_only=True)
class ExternalEmbeddings:
    """Embeddings of others that a head reads in place of an encoder's.

    Parameters
    ----------
    name : str
        What they are.
    width : int
        Length of a vector.
    daily : bool
        Whether they change with time.
    """

    name: str
    width: int
    daily: bool = False


def is_sha256(text: str) -> bool:
    """Tell whether `text` is a full SHA-256 in lower-case hexadecimal digits.

    Examples
    --------
    >>> is_sha256("ab" * 32), is_sha256("ab")
    (True, False)
    """
    return len(text) == 64 and set(text) <= set("0123456789abcdef")


@dataclass(frozen=True, kw_only=True)
class Card:
    """Everything a weights file says about itself besides its tensors.

    Parameters
    ----------
    kind : {"encoder", "head"}
        What the file holds.
    name : str
        Name of the weights, such as ``"stefaland-base-v1"``.
    config : dict
        The ``EncoderConfig`` or ``HeadConfig`` as a dictionary; empty where there
        are members.
    forcing, attributes : tuple of VariableSpec
        Inputs in the order of the tensors; those of any member.
    encoder : EncoderReference or None
        Heads only: the encoder whose embeddings it reads; None where it reads none.
    external : ExternalEmbeddings or None
        Heads only: the embeddings of others that it reads instead.
    targets : tuple of TargetSpec
        Heads only: what it predicts; what all members predict.
    members : tuple of Member
        Heads only: the networks whose answers are averaged; none where there is one
        network, the card's own.
    bands : tuple of Band
        Corrections of the quantiles of some targets.
    required : tuple of tuple of str
        Of each inner tuple at least one variable must be given.
    masked_inputs : tuple of str
        Variables hidden from the model even when given.
    readings : tuple of str
        Ways of reading that it was trained for, of :data:`READINGS`.
    static : bool
        The answer has no time; as in the config.
    quantiles : tuple of float
        Levels the head was trained for; as in the config. Those of a band come
        besides, see :func:`~xstefaland.weights.members.levels_of`.
    spinup_days : int
        Days run twice so that states are warm.
    training : dict
        Where it comes from; ``training["data"]`` lists name, licence and sha256.
    left_out : tuple of str
        Sites kept out of training.
    metrics : dict
        Skill measured on those sites, in any form.
    skill : tuple of Skill
        The same as a table: by target, and by region, aridity and snow.
    failures : tuple of str
        Names of the experiments on behaviour that it failed
        (``benchmarks/behaviour.py``).
    places : Places or None
        Where it was trained.
    command : str
        The command that makes the file again.
    doi : str or None
        Where the file is archived.
    package_version, licence : str
        Who wrote the file, and its licence (SPDX).
    format : int
        Card format.

    Raises
    ------
    WeightsError
        When the card contradicts itself; every reason at once.

    Examples
    --------
    >>> card = Card(
    ...     kind="encoder",
    ...     name="tiny",
    ...     config={"forcing": ["rain"], "attributes": [], "d_model": 8, "stride": 9},
    ...     forcing=(VariableSpec(name="rain", units="mm d-1", mean=2.0, std=4.0),),
    ... )
    >>> Card.from_json(card.to_json()) == card
    True
    """

    kind: str
    name: str
    config: dict[str, Any]
    forcing: tuple[VariableSpec, ...] = ()
    attributes: tuple[VariableSpec, ...] = ()
    encoder: EncoderReference | None = None
    external: ExternalEmbeddings | None = None
    targets: tuple[TargetSpec, ...] = ()
    members: tuple[Member, ...] = ()
    bands: tuple[Band, ...] = ()
    required: tuple[tuple[str, ...], ...] = ()
    masked_inputs: tuple[str, ...] = ()
    readings: tuple[str, ...] = READINGS[:1]
    static: bool = False
    quantiles: tuple[float, ...] = ()
    spinup_days: int = 0
    training: dict[str, Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    metrics: dict[str, Any] = field(default_factory=dict)
    skill: tuple[Skill, ...] = ()
    failures: tuple[str, ...] = ()
    places: Places | None = None
    command: str = ""
    doi: str | None = None
    package_version: str = ""
    licence: str = "Apache-2.0"
    format: int = FORMAT

    def __post_init__(self) -> None:
        """Bring mappings to plain JSON values and refuse contradictions."""
        problems = [
            problem
            for name in ("config", "training", "metrics")
            for problem in become_plain(self, name)
        ]
        problems += type_problems("card", self, Card)
        problems = problems or _card_problems(self)
        if problems:
            raise WeightsError(
                join_problems(
                    f"the card of weights '{self.name!s:.80}' is wrong", problems
                )
            )

    @property
    def networks(self) -> tuple[Card | Member, ...]:
        """The members, or the card itself where it describes one network."""
        return self.members or (self,)

    def to_json(self) -> str:
        """Write the card as JSON text."""
        return json.dumps(asdict(self), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Card:
        """Read a card from JSON text.

        Parameters
        ----------
        text : str
            What :meth:`to_json` wrote.

        Raises
        ------
        WeightsError
            When the format is newer than :data:`FORMAT`, or entries are unknown,
            missing or contradictory.
        """
        try:
            values = json.loads(
                text,
                object_pairs_hook=_without_repeats,
                parse_constant=_refuse_constant,
            )
        except (ValueError, RecursionError) as error:
            raise WeightsError(f"the card is not JSON ({error})") from None
        if not isinstance(values, dict) or type(values.get("format")) is not int:
            raise WeightsError("the card is not a JSON object with an integer `format`")
        if values["format"] > FORMAT:
            raise WeightsError(
                f"the card has format {values['format']}, this xstefaland reads up to "
                f"{FORMAT}; `{pip_install(options='--upgrade')}`"
            )
        if depth(values) > DEPTH:
            raise WeightsError(f"the card is nested deeper than {DEPTH} levels")
        card: Card = from_plain(values, cls)
        return card


def _without_repeats(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Build a JSON object; the same key twice could be read in two ways."""
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("an object has the same entry twice")
    return values


def _refuse_constant(text: str) -> float:
    """Refuse NaN and Infinity, which Python reads although JSON has none."""
    raise ValueError(f"{text} is no JSON number")


def _card_problems(card: Card) -> list[str]:
    """Collect what is wrong with each entry and between entries."""
    problems = []
    if card.kind not in KINDS:
        problems.append(f"kind is '{card.kind}'; there are {', '.join(KINDS)}")
    if not card.name:
        problems.append("`name` is empty")
    problems += network_problems(card)
    if not card.readings or not set(card.readings) <= set(READINGS):
        problems.append(
            f"`readings` is {card.readings}; name one or more of {', '.join(READINGS)}"
        )
    if card.spinup_days < 0:
        problems.append(f"`spinup_days` is negative: {card.spinup_days}")
    if not all(card.required):
        problems.append("`required` has an empty choice")
    levelled = any(member.role == LEVEL for member in card.members)
    if levelled and CAUSAL in card.readings:
        problems.append(
            f"`readings` is {card.readings}, but the mean that members give the level "
            "by knows the days to come"
        )
    claims = member_problems(card) if card.members else _claim_problems(card)
    return problems + claims + band_problems(card) + _head_problems(card)


def _claim_problems(card: Card) -> list[str]:
    """Tell where the answers and the configuration of one network differ."""
    problems = []
    for entry, none in (("quantiles", []), ("static", False)):
        stated, known = getattr(card, entry), card.config.get(entry, none)
        if (list(stated) if entry == "quantiles" else stated) != known:
            problems.append(
                f"`{entry}` is {stated} but the model's config has {known}: the "
                "network cannot give what the card claims"
            )
    return problems


def _head_problems(card: Card) -> list[str]:
    """Tell what a head lacks, and what an encoder must not have."""
    if card.kind == "encoder":
        return _encoder_problems(card)
    problems = [] if card.encoder is None else card.encoder.problems()
    problems += _external_problems(card)
    if (card.encoder, card.external) == (None, None) and any(
        n.config.get("kind") != "lstm" for n in card.networks
    ):
        problems.append("a head's card must name its `encoder` and that file's sha256")
    if not card.targets:
        problems.append("a head's card must list its `targets`")
    if list(card.quantiles) != sorted(q for q in set(card.quantiles) if 0 < q < 1):
        problems.append(
            f"`quantiles` must rise and lie between 0 and 1, got {card.quantiles}"
        )
    return problems


def _external_problems(card: Card) -> list[str]:
    """Tell why a head cannot read the embeddings of others."""
    if card.external is None:
        return []
    problems = []
    if card.encoder is not None:
        problems.append("a head reads an `encoder` or `external` embeddings, not both")
    if card.members:
        problems.append("members cannot read `external` embeddings")
    width = card.config.get("embedding")
    if not card.members and card.external.width != width:
        problems.append(
            f"`external` is {card.external.width} wide, the model's config has {width}"
        )
    return problems


def _encoder_problems(card: Card) -> list[str]:
    """Tell what an encoder must not have, and what it lacks."""
    problems = []
    if card.encoder is not None or card.external is not None or card.targets:
        problems.append(
            "an encoder's card has no `encoder`, no `external` and no `targets`"
        )
    if card.members:
        problems.append("an encoder's card has no `members`")
    for size in ("d_model", "stride"):  # asked for before any model is built
        if type_problems(size, card.config.get(size), int) or card.config[size] < 1:
            problems.append(f"an encoder's config must have `{size}`, 1 or more")
    return problems
