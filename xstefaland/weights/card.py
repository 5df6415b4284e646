"""The card inside a weights file: what a model is, needs and was made from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any, TypeVar

from xstefaland.errors import WeightsError, join_problems
from xstefaland.inputs.requirements import VariableSpec
from xstefaland.weights.specs import EncoderReference, TargetSpec

FORMAT = 1
"""Newest card format this package reads and the one it writes."""

KINDS = ("encoder", "head")
_Entry = TypeVar("_Entry", VariableSpec, TargetSpec, EncoderReference, "Card")


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
        The ``EncoderConfig`` or ``HeadConfig`` as a dictionary.
    forcing, attributes : tuple of VariableSpec
        Inputs in the order of the tensors.
    encoder : EncoderReference or None
        Heads only: the encoder whose embeddings it reads.
    targets : tuple of TargetSpec
        Heads only: what it predicts.
    required : tuple of tuple of str
        Of each inner tuple at least one variable must be given.
    masked_inputs : tuple of str
        Variables hidden from the model even when given.
    static : bool
        The answer has no time.
    quantiles : tuple of float
        Levels the head was trained for.
    spinup_days : int
        Days run twice so that states are warm.
    training : dict
        Where it comes from; ``training["data"]`` lists name, licence and sha256.
    left_out : tuple of str
        Sites kept out of training.
    metrics : dict
        Skill measured on those sites.
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
    ...     config={"forcing": ["rain"], "attributes": []},
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
    targets: tuple[TargetSpec, ...] = ()
    required: tuple[tuple[str, ...], ...] = ()
    masked_inputs: tuple[str, ...] = ()
    static: bool = False
    quantiles: tuple[float, ...] = ()
    spinup_days: int = 0
    training: dict[str, Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    metrics: dict[str, Any] = field(default_factory=dict)
    package_version: str = ""
    licence: str = "Apache-2.0"
    format: int = FORMAT

    def __post_init__(self) -> None:
        """Bring mappings to plain JSON values and refuse contradictions."""
        problems = []
        for name in ("config", "training", "metrics"):
            try:
                plain = json.loads(json.dumps(getattr(self, name), allow_nan=False))
            except (TypeError, ValueError) as error:
                problems.append(
                    f"`{name}` cannot be stored as JSON ({error}); use plain Python "
                    "numbers, strings, lists and None instead of NaN"
                )
            else:
                object.__setattr__(self, name, plain)
        problems += _card_problems(self)
        if problems:
            raise WeightsError(
                join_problems(f"the card of weights '{self.name}' is wrong", problems)
            )

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
            values = json.loads(text)
        except ValueError as error:
            raise WeightsError(f"the card is not JSON ({error})") from error
        if not isinstance(values, dict) or not isinstance(values.get("format"), int):
            raise WeightsError("the card is not a JSON object with an integer `format`")
        if values["format"] > FORMAT:
            raise WeightsError(
                f"the card has format {values['format']}, this xstefaland reads up to "
                f"{FORMAT}; `pip install --upgrade xstefaland`"
            )
        return _card_from_values(values)


def _card_problems(card: Card) -> list[str]:
    """Collect what is wrong with each entry and between entries."""
    problems = []
    if card.kind not in KINDS:
        problems.append(f"kind is '{card.kind}'; there are {', '.join(KINDS)}")
    if not card.name:
        problems.append("`name` is empty")
    for variables in ("forcing", "attributes", "targets"):
        entries: Sequence[VariableSpec | TargetSpec] = getattr(card, variables)
        names = [entry.name for entry in entries]
        if len(set(names)) < len(names):
            problems.append(f"`{variables}` names something twice: {names}")
        for entry in entries:
            problems += entry.problems()
    return problems + _config_problems(card) + _head_problems(card)


def _config_problems(card: Card) -> list[str]:
    """Tell where the variable lists and the model's configuration differ."""
    problems = []
    for variables in ("forcing", "attributes", "targets"):
        names = [spec.name for spec in getattr(card, variables)]
        known = list(card.config.get(variables, names))
        if known != names:
            problems.append(
                f"`{variables}` lists {names} but the model's config has {known}"
            )
    return problems


def _head_problems(card: Card) -> list[str]:
    """Tell what a head lacks, and what an encoder must not have."""
    if card.kind == "encoder":
        if card.encoder is None and not card.targets:
            return []
        return ["an encoder's card has no `encoder` and no `targets`"]
    problems = [] if card.encoder is None else card.encoder.problems()
    if card.encoder is None:
        problems.append("a head's card must name its `encoder` and that file's sha256")
    if not card.targets:
        problems.append("a head's card must list its `targets`")
    if list(card.quantiles) != sorted(q for q in set(card.quantiles) if 0 < q < 1):
        problems.append(
            f"`quantiles` must rise and lie between 0 and 1, got {card.quantiles}"
        )
    if card.spinup_days < 0:
        problems.append(f"`spinup_days` is negative: {card.spinup_days}")
    if not all(card.required):
        problems.append("`required` has an empty choice")
    return problems


def _card_from_values(values: Mapping[str, Any]) -> Card:
    """Build the card from a JSON object of the right format."""
    try:
        converted = {
            **values,
            "forcing": _entries(VariableSpec, values.get("forcing", ())),
            "attributes": _entries(VariableSpec, values.get("attributes", ())),
            "targets": _entries(TargetSpec, values.get("targets", ())),
            "required": tuple(tuple(choice) for choice in values.get("required", ())),
        }
        for name in ("masked_inputs", "quantiles", "left_out"):
            converted[name] = tuple(values.get(name, ()))
        if values.get("encoder") is not None:
            converted["encoder"] = _entry(EncoderReference, values["encoder"])
        return _entry(Card, converted)
    except (TypeError, AttributeError) as error:
        raise WeightsError(f"the card has an entry of a wrong type ({error})") from None


def _entries(cls: type[_Entry], values: Sequence[Any]) -> tuple[_Entry, ...]:
    return tuple(_entry(cls, value) for value in values)


def _entry(cls: type[_Entry], values: Mapping[str, Any]) -> _Entry:
    """Build a dataclass from a mapping, refusing unknown and missing entries."""
    wanted = {item.name: item for item in fields(cls)}
    unknown = sorted(set(values) - set(wanted))
    missing = sorted(
        name
        for name, item in wanted.items()
        if name not in values
        and item.default is MISSING
        and item.default_factory is MISSING
    )
    problems = [f"unknown entry '{name}'" for name in unknown]
    problems += [f"missing entry '{name}'" for name in missing]
    if problems:
        raise WeightsError(
            join_problems(f"the card's {cls.__name__} cannot be read", problems)
        )
    return cls(**values)
