"""Plans: which encoder and heads answer a question, and what they ask of a Dataset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from xstefaland import weights as files
from xstefaland.errors import (
    InputError,
    WeightsError,
    WeightsNotFoundError,
    join_problems,
)
from xstefaland.inference.loaded import Reference
from xstefaland.inference.predictions import Ceiling, ExternalColumns, HeadTask
from xstefaland.inputs import external
from xstefaland.inputs.requirements import Requirements, VariableSpec
from xstefaland.weights import Card, TargetSpec, Weights
from xstefaland.weights.cache import is_cached
from xstefaland.weights.card import CAUSAL, TWO_WAY
from xstefaland.weights.members import MEDIAN, levels_of
from xstefaland.weights.opening import WeightsLike
from xstefaland.weights.registry import table

POROSITY = "soil_porosity"
LOOSEST = 0.65  # [m3 m-3] porosity where it is not known


@dataclass(frozen=True)
class PlannedHead:
    """One head and the targets wanted of it."""

    weights: Weights
    targets: tuple[str, ...]


@dataclass(frozen=True)
class HeadGroup:
    """Heads that share one run of one encoder.

    Parameters
    ----------
    encoder : Weights
        The encoder.
    heads : tuple of PlannedHead
        They hide the same inputs and all have time, or none has.
    requirements : Requirements
        The encoder's variables in its order, then those only heads take.
    """

    encoder: Weights
    heads: tuple[PlannedHead, ...]
    requirements: Requirements

    def tasks(self, quantiles: Sequence[float] | None) -> list[HeadTask]:
        """Write down what to ask of each head, in columns of the requirements."""
        forcing = [variable.name for variable in self.requirements.forcing]
        attributes = [variable.name for variable in self.requirements.attributes]
        tasks = []
        for head in self.heads:
            card = head.weights.card
            names = [spec.name for spec in card.targets]
            tasks.append(
                HeadTask(
                    reference=Reference.of(head.weights),
                    forcing=tuple(forcing.index(spec.name) for spec in card.forcing),
                    attributes=tuple(
                        attributes.index(spec.name) for spec in card.attributes
                    ),
                    targets=tuple(names.index(target) for target in head.targets),
                    levels=quantile_levels(head, quantiles),
                    ensemble=bool(card.members),
                    static=card.static,
                    spinup_days=card.spinup_days,
                    ceilings=_ceilings(card.targets, attributes),
                    external=_external(card, forcing, attributes),
                )
            )
        return tasks

    @property
    def targets(self) -> tuple[str, ...]:
        """What is answered, head by head."""
        return tuple(name for head in self.heads for name in head.targets)

    @property
    def spinup_days(self) -> int:
        """How long the states of the slowest head take to forget their start."""
        return max(head.weights.card.spinup_days for head in self.heads)

    @property
    def external(self) -> bool:
        """Whether a head reads embeddings of others."""
        return any(head.weights.card.external for head in self.heads)

    @property
    def physics(self) -> bool:
        """Whether a physical model answers, which needs weather without gaps."""
        networks = (n for h in self.heads for n in h.weights.members)
        return any(network.config.get("physics") for network in networks)


def _external(
    card: Card, forcing: Sequence[str], attributes: Sequence[str]
) -> ExternalColumns | None:
    """Find the columns of the embeddings of others that a head reads."""
    if card.external is None:
        return None
    where = forcing if card.external.daily else attributes
    wanted = external.columns(card.external.width)
    return ExternalColumns(
        tuple(where.index(name) for name in wanted), card.external.daily
    )


@dataclass(frozen=True)
class DefaultHead:
    """The targets that a head at hand is the default of, and what it requires.

    Its states take `spinup_days` to forget where they started.
    """

    default_for: tuple[str, ...]
    required: tuple[tuple[str, ...], ...]
    spinup_days: int


def default_heads(causal: bool = False) -> list[DefaultHead]:
    """Heads of one way of reading whose files are here: a report fetches nothing."""
    asked = CAUSAL if causal else TWO_WAY
    here = [e for e in table().heads if asked in e.readings and is_cached(e)]
    cards = [files.load(entry.name).card for entry in here]
    return [
        DefaultHead(entry.default_for, card.required, card.spinup_days)
        for entry, card in zip(here, cards, strict=True)
    ]


def _ceilings(
    targets: Sequence[TargetSpec], attributes: Sequence[str]
) -> tuple[Ceiling, ...]:
    """Soil holds no more water than its pores, or than the loosest mineral soil."""
    own = attributes.index(POROSITY) if POROSITY in attributes else None
    return tuple(
        Ceiling(column, own, LOOSEST)
        for column, spec in enumerate(targets)
        if spec.name.startswith("soil_moisture")
    )


def require_reading(causal: bool, *weights: Weights) -> None:
    """Refuse weights that were not trained for the way of reading that is asked.

    Raises
    ------
    WeightsError
        With the names of those that were not.
    """
    asked = CAUSAL if causal else TWO_WAY
    lacking = [w for w in weights if asked not in w.card.readings]
    if lacking:
        raise WeightsError(_reads_otherwise(lacking, asked))


def _reads_otherwise(lacking: Sequence[Weights], asked: str) -> str:
    """Say how weights read, and which others of the table read as is asked."""
    names = ", ".join(repr(weights.name) for weights in lacking)
    if asked == TWO_WAY:
        return (
            f"causal=False is not possible with {names}: they were trained to read "
            "days up to the present alone. Use causal=True."
        )
    instead = " or ".join(_that_read(asked, lacking)) or (
        "weights whose card has 'causal' among its `readings` "
        "(`xstefaland.weights.load(name).card`)"
    )
    return (
        f"causal=True is not possible with {names}: they were trained to read whole "
        "windows, days to come included. Use causal=False for hindcasts and gap "
        f"filling, or {instead}."
    )


def _that_read(asked: str, instead_of: Sequence[Weights]) -> list[str]:
    """Arguments that name weights of the table which read as is asked."""
    kinds = {weights.kind for weights in instead_of}
    targets = {spec.name for weights in instead_of for spec in weights.card.targets}
    return [
        f"{'head' if entry.kind == 'head' else 'weights'}='{entry.name}'"
        for entry in table().entries
        if asked in entry.readings and entry.kind in kinds and not entry.retired
        and (entry.kind != "head" or targets & set(entry.targets))
    ]  # fmt: skip


def plan_encoder(
    weights: WeightsLike | None, *, fills: bool = False
) -> tuple[Weights, Requirements]:
    """Open an encoder; return it with what it asks for, to embed or to fill gaps."""
    encoder = files.resolve_encoder(weights)
    return encoder, replace(requirements(encoder), fills=fills)


def plan_predictions(
    targets: Sequence[str],
    head: WeightsLike | None = None,
    weights: WeightsLike | None = None,
    *,
    causal: bool = False,
) -> list[HeadGroup]:
    """Open the heads of some targets and group those that share an encoder's run.

    Parameters
    ----------
    targets : sequence of str
        What is wanted.
    head, weights : str, path or Weights, optional
        As in :func:`xstefaland.predict`.
    causal : bool
        Prefer heads that were trained to read so, where none is named.

    Returns
    -------
    list of HeadGroup
        In the order of the targets.

    Raises
    ------
    UnknownTargetError
        With all targets that have no head.
    WeightsError
        When a head belongs to another encoder.
    """
    wanted: dict[str, list[str]] = {}
    heads: dict[str, Weights] = {}
    reading = CAUSAL if causal else TWO_WAY
    found_for = files.resolve_heads(list(targets), head, reading=reading)
    for target, found in found_for.items():
        heads[found.sha256] = found
        wanted.setdefault(found.sha256, []).append(target)
    encoders = _encoders(heads.values(), weights)
    groups: dict[tuple[object, ...], list[PlannedHead]] = {}
    for key, found in heads.items():
        card, encoder = found.card, encoders[key]
        group = (encoder, frozenset(card.masked_inputs), card.static, card.external)
        planned = PlannedHead(found, tuple(dict.fromkeys(wanted[key])))
        groups.setdefault(group, []).append(planned)
    plans = []
    for members in groups.values():
        encoder = encoders[members[0].weights.sha256]
        asked = requirements(encoder, *(member.weights for member in members))
        plans.append(HeadGroup(encoder, tuple(members), asked))
    return plans


def requirements(encoder: Weights, *heads: Weights) -> Requirements:
    """Join what an encoder and heads on it ask of a Dataset.

    What must be there is the heads' word; the encoder's own where there is no head.

    Raises
    ------
    WeightsError
        When they want one variable in different units.
    """
    cards = [encoder.card, *(head.card for head in heads)]
    last = cards[1:] or cards
    forcing = _union(encoder, heads, "forcing")
    attributes = _union(encoder, heads, "attributes")
    required = [choice for c in last for choice in c.required]
    for found in dict.fromkeys(card.external for card in cards if card.external):
        own = external.variables(found.width)
        required.append((own[0].name,))
        if found.daily:
            forcing += own
        else:
            attributes += own
    return Requirements(
        forcing=forcing,
        attributes=attributes,
        required=tuple(dict.fromkeys(required)),
        masked=frozenset(name for c in cards for name in c.masked_inputs),
        static=bool(heads) and all(head.card.static for head in heads),
    )


def quantile_levels(
    head: PlannedHead, quantiles: Sequence[float] | None
) -> tuple[int, ...] | int | None:
    """Find the columns of the wanted quantiles in a head's answer.

    Raises
    ------
    InputError
        For levels that the head was not trained for, or not corrected for.
    """
    card = head.weights.card
    known = {target: levels_of(card, target) for target in head.targets}
    if quantiles is None and (card.members or not card.quantiles):
        return None
    wanted = [MEDIAN] if quantiles is None else list(quantiles)
    lacking = {t: own for t, own in known.items() if not set(wanted) <= set(own)}
    if not lacking and wanted:
        columns = _columns(card, wanted)
        return columns[0] if quantiles is None else columns
    raise InputError(_no_quantiles(head.weights.name, wanted, lacking or known))


def _columns(card: Card, wanted: Sequence[float]) -> tuple[int, ...]:
    """Find levels among all that a head gives."""
    every = card.quantiles or card.bands[0].levels
    return tuple(every.index(level) for level in wanted)


def _no_quantiles(
    name: str, wanted: Sequence[float], known: Mapping[str, Sequence[float]]
) -> str:
    """Say which levels a head has of each target."""
    levels = next(iter(known.values()))
    what = f"the quantiles {list(levels)}" if levels else "no quantiles"
    use = f"quantiles={list(levels)}" if levels else "predict without quantiles="
    return (
        f"head '{name}' was trained for {what} of {', '.join(known)}; "
        f"quantiles={list(wanted)} is not possible. Use {use}."
    )


def _encoders(
    heads: Iterable[Weights], weights: WeightsLike | None
) -> dict[str, Weights]:
    """Open the encoder of each head, by the head's sha256; collect all refusals."""
    given = None if weights is None else files.resolve_encoder(weights)
    out, problems = {}, []
    for head in heads:
        encoder = given or _own_encoder(head)
        try:
            files.require_encoder(head, encoder)
        except WeightsError as error:
            problems.append(str(error))
        out[head.sha256] = encoder
    if problems:
        raise WeightsError("\n".join(problems))
    return out


def _own_encoder(head: Weights) -> Weights:
    """Open the encoder that a head names; the default one where it names none."""
    reference = head.card.encoder
    if reference is None:
        return files.resolve_encoder()
    try:
        return files.resolve_encoder(reference.name)
    except WeightsNotFoundError:
        raise WeightsError(
            f"head '{head.name}' was trained on the encoder '{reference.name}' (sha256 "
            f"{reference.sha256}), which is none of the listed weights. Pass its file: "
            "weights='path/to/encoder.safetensors'."
        ) from None


def _union(
    encoder: Weights, heads: Sequence[Weights], kind: str
) -> tuple[VariableSpec, ...]:
    """Variables of encoder and heads, the encoder's first: their order is fixed."""
    specs: dict[str, VariableSpec] = {}
    problems = []
    for weights in (encoder, *heads):
        for spec in getattr(weights.card, kind):
            first = specs.setdefault(spec.name, spec)
            if first.units != spec.units:
                problems.append(
                    f"'{weights.name}' takes '{spec.name}' in {spec.units}, "
                    f"'{encoder.name}' in {first.units}"
                )
    if problems:
        raise WeightsError(join_problems("head and encoder do not match", problems))
    return tuple(specs.values())
