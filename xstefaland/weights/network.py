"""From a card and its tensors to a torch module: nothing left over, nothing missing.

A card may come from anywhere, so it is believed only as far as the tensors go: the
network is first built without memory (torch's meta device) and compared with them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from xstefaland.errors import InputError, WeightsError, join_problems
from xstefaland.weights.card import Card
from xstefaland.weights.members import LEVEL, Network
from xstefaland.weights.typed import from_plain, hints_of, type_problems

if TYPE_CHECKING:
    from torch import Tensor, nn

    from xstefaland.model import EnsembleConfig

MEMBERS = "members"
"""What the tensors of an ensemble's networks are called, before their number."""

LARGEST = 2**20
"""Largest size that a configuration may have."""

MOST_NAMES = 10_000
"""Most variables or targets that a configuration may list."""

STACKS = ("layers", "decoder_layers")
"""Sizes that count modules; there cannot be more of them than tensors."""

LIMITS = {"minimum": -math.inf, "maximum": math.inf}
"""Limits of a head's targets, and what stands for none."""


def build(card: Card, tensors: Mapping[str, Tensor], source: str) -> nn.Module:
    """Build the card's network and fill it with tensors.

    Parameters
    ----------
    card : Card
        Names the kind of network and its configuration.
    tensors : mapping of str to Tensor
        The network's whole ``state_dict()``.
    source : str
        Where both come from, for messages.

    Returns
    -------
    torch.nn.Module
        In evaluation mode, on the CPU; a head keeps to the card's limits.

    Raises
    ------
    WeightsError
        When no network can have the card's configuration, a tensor is left over,
        missing, of another shape or no number, or scaling or limits are not the
        card's; everything is listed.
    """
    problems = config_problems(card, len(tensors))
    module: Any = None
    if not problems:
        module = _empty(card, source)
        problems = mismatches(tensors, module.state_dict())
        problems += card_problems(card, tensors)
    if problems:
        raise WeightsError(
            join_problems(f"'{source}' does not fit its own card", problems)
        )
    module.load_state_dict(dict(tensors), assign=True)  # no random numbers before
    if card.kind == "head":
        module.limit(*([getattr(t, name) for t in card.targets] for name in LIMITS))
    return module.eval()  # type: ignore[no-any-return]


def config_problems(card: Card, count: int) -> list[str]:
    """List what is wrong with a card's configuration before anything is built.

    Parameters
    ----------
    card : Card
        With the configuration of its network.
    count : int
        Tensors that the file holds.
    """
    return [
        problem
        for network in card.networks
        for problem in _entry_problems(network.config, _config_class(card), count)
    ]


def _entry_problems(config: Mapping[str, Any], cls: Any, count: int) -> list[str]:
    """List what is wrong with the entries of one network's configuration."""
    problems = []
    hints = hints_of(cls)
    for name, value in config.items():
        if name not in hints:
            continue  # refused, with those that are known, when the network is built
        wrong = type_problems(name, from_plain(value, hints[name]), hints[name])
        most = count if name in STACKS else LARGEST
        if not wrong and type(value) is int and not 1 <= value <= most:
            wrong = [f"`{name}` is {value}; it must be 1 to {most}"]
        if not wrong and isinstance(value, list) and len(value) > MOST_NAMES:
            wrong = [f"`{name}` lists {len(value)} names; {MOST_NAMES} are possible"]
        problems += wrong
    return problems


def mismatches(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> list[str]:
    """List tensors that are left over, missing, of another shape or no numbers."""
    problems = [
        f"tensor '{name}' is left over" for name in sorted(given) if name not in wanted
    ]
    for name in sorted(wanted):
        if name not in given:
            problems.append(f"tensor '{name}' is missing")
        elif given[name].shape != wanted[name].shape:
            problems.append(
                f"tensor '{name}' has shape {tuple(given[name].shape)}, the model "
                f"needs {tuple(wanted[name].shape)}"
            )
        elif given[name].is_floating_point() != wanted[name].is_floating_point():
            problems.append(
                f"tensor '{name}' is of type {given[name].dtype}, the model needs "
                f"{wanted[name].dtype}"
            )
        elif not _is_finite(given[name], unless=name.rpartition(".")[2] in LIMITS):
            problems.append(f"tensor '{name}' has values that are no finite numbers")
    return problems


def card_problems(card: Card, tensors: Mapping[str, Tensor]) -> list[str]:
    """List where a card and the tensors state different scaling or limits.

    Parameters
    ----------
    card : Card
        Of an encoder or a head.
    tensors : mapping of str to Tensor
        The network's ``state_dict()``; what it lacks is not looked at.
    """
    return [
        problem
        for number, network in enumerate(card.networks)
        for problem in _network_problems(
            network,
            tensors,
            whole=f"{MEMBERS}.{number}." if card.members else "",
            inputs="" if card.kind == "encoder" else "features.",
        )
    ]


def _network_problems(
    network: Network, tensors: Mapping[str, Tensor], whole: str, inputs: str
) -> list[str]:
    """List the same of one network, by the prefixes of its tensors and its inputs'."""
    problems = []
    for name, specs in (
        (f"{whole}{inputs}forcing_scaling", network.forcing),
        (f"{whole}{inputs}attribute_scaling", network.attributes),
    ):
        logs = [float(spec.transform == "log1p") for spec in specs]
        problems += _differences(
            f"{name}.mean", specs, [s.mean for s in specs], tensors
        )
        problems += _differences(f"{name}.std", specs, [s.std for s in specs], tensors)
        problems += _differences(f"{name}.log", specs, logs, tensors)
    targets = network.targets
    logs = [float(spec.transform == "log1p") for spec in targets]
    problems += _differences(f"{whole}target_scaling.log", targets, logs, tensors)
    for name, none in LIMITS.items():
        stated = [getattr(spec, name) for spec in targets]
        limits = [none if value is None else value for value in stated]
        problems += _differences(f"{whole}{name}", targets, limits, tensors)
    return problems


def _differences(
    name: str,
    specs: Sequence[Any],
    values: Sequence[float],
    tensors: Mapping[str, Tensor],
) -> list[str]:
    """List where a tensor (float32) and the card (float64) disagree."""
    found = tensors.get(name)
    if found is None or found.shape != (len(specs),):
        return []
    return [
        f"'{spec.name}' has {actual} in tensor '{name}' but its card says {value}"
        for spec, value, actual in zip(specs, values, found.tolist(), strict=True)
        if not math.isclose(actual, value, rel_tol=1e-6, abs_tol=1e-30)
    ]


def _is_finite(values: Tensor, unless: bool) -> bool:
    """Tell a tensor of finite numbers; one of limits may be infinite."""
    return not bool(values.isnan().any() if unless else (~values.isfinite()).any())


def _config_class(card: Card) -> Any:
    """Return the class of the configuration of the card's networks."""
    from xstefaland import model

    return model.EncoderConfig if card.kind == "encoder" else model.HeadConfig


def _made(card: Card) -> nn.Module:
    """Build the card's network, as it comes."""
    from xstefaland import model

    if card.members:
        return model.Ensemble(_ensemble(card))
    config = _config_class(card).from_dict(card.config)
    return (
        model.StefaLand(config) if card.kind == "encoder" else model.build_head(config)
    )


def _ensemble(card: Card) -> EnsembleConfig:
    """Return the configuration of a card with members."""
    from xstefaland import model

    minima = {spec.name: spec.minimum or 0.0 for spec in card.targets}
    bands = tuple(
        model.BandConfig(
            target=band.target,
            levels=band.levels,
            knots=band.knots,
            offsets=band.offsets,
            root=band.scale == "root",
            low=minima[band.target],
        )
        for band in card.bands
    )
    return model.EnsembleConfig(
        members=tuple(model.HeadConfig.from_dict(m.config) for m in card.members),
        bands=bands,
        level_from=tuple(n for n, m in enumerate(card.members) if m.role == LEVEL),
        **{
            kind: tuple(spec.name for spec in getattr(card, kind))
            for kind in ("targets", "forcing", "attributes")
        },
    )


def _empty(card: Card, source: str) -> nn.Module:
    """Build the card's network without memory and without random numbers."""
    import torch

    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        try:
            return _made(card)
        except (InputError, TypeError, ValueError, LookupError, RuntimeError) as error:
            raise WeightsError(
                f"'{source}' has a config that no model can be built from: {error}"
            ) from error
