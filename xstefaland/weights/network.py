"""From a card and its tensors to a torch module: nothing left over, nothing missing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from xstefaland.errors import InputError, WeightsError, join_problems
from xstefaland.weights.card import Card

if TYPE_CHECKING:
    from torch import Tensor, nn

    from xstefaland.inputs.requirements import VariableSpec
    from xstefaland.weights.files import Weights


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
        In evaluation mode, on the CPU.

    Raises
    ------
    WeightsError
        When a tensor is left over, missing or of another shape, or the scaling is not
        the card's; everything is listed.
    """
    module = _empty(card, source)
    problems = mismatches(tensors, module.state_dict())
    problems += scaling_problems(card, tensors)
    if problems:
        raise WeightsError(
            join_problems(f"'{source}' does not fit its own card", problems)
        )
    module.load_state_dict(dict(tensors))
    return module.eval()


def mismatches(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> list[str]:
    """List tensors that are left over, missing or of another shape."""
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
    return problems


def scaling_problems(card: Card, tensors: Mapping[str, Tensor]) -> list[str]:
    """List variables whose scaling in the tensors is not that of the card."""
    part_of = "" if card.kind == "encoder" else "features."
    problems = []
    for name, specs in (
        (f"{part_of}forcing_scaling", card.forcing),
        (f"{part_of}attribute_scaling", card.attributes),
    ):
        stated = {
            "mean": [spec.mean for spec in specs],
            "std": [spec.std for spec in specs],
            "log": [float(spec.transform == "log1p") for spec in specs],
        }
        for part, values in stated.items():
            found = tensors.get(f"{name}.{part}")
            if found is not None and found.shape == (len(specs),):
                problems += _differences(f"{name}.{part}", specs, values, found)
    return problems


def _differences(
    name: str, specs: Sequence[VariableSpec], values: Sequence[float], found: Tensor
) -> list[str]:
    """List where a tensor (float32) and the card (float64) disagree."""
    return [
        f"'{spec.name}' has {actual} in tensor '{name}' but its card says {value}"
        for spec, value, actual in zip(specs, values, found.tolist(), strict=True)
        if not math.isclose(actual, value, rel_tol=1e-6, abs_tol=1e-30)
    ]


def _empty(card: Card, source: str) -> nn.Module:
    """Build the card's network without touching the user's random state."""
    import torch

    from xstefaland import model

    with torch.random.fork_rng(devices=[]):
        try:
            if card.kind == "encoder":
                return model.StefaLand(model.EncoderConfig.from_dict(card.config))
            head: nn.Module = model.build_head(model.HeadConfig.from_dict(card.config))
            return head
        except (InputError, TypeError) as error:
            raise WeightsError(
                f"'{source}' has a config that no model can be built from: {error}"
            ) from error


def require_encoder(head: Weights, encoder: Weights) -> None:
    """Refuse a head that was trained on another encoder than `encoder`.

    Parameters
    ----------
    head, encoder : Weights
        An opened head and an opened encoder.

    Raises
    ------
    WeightsError
        When the kinds are wrong, or the head's encoder has another sha256.
    """
    problems = [
        f"'{weights.name}' ({weights.path}) is of kind '{weights.kind}', not '{kind}'"
        for weights, kind in ((head, "head"), (encoder, "encoder"))
        if weights.kind != kind
    ]
    wanted = head.card.encoder
    if not problems and wanted is not None and wanted.sha256 != encoder.sha256:
        problems.append(
            f"head '{head.name}' was trained on encoder '{wanted.name}' (sha256 "
            f"{wanted.sha256}), not on '{encoder.name}' (sha256 {encoder.sha256}); "
            f"pass `weights='{wanted.name}'` or a head trained on '{encoder.name}'"
        )
    if problems:
        raise WeightsError(join_problems("head and encoder do not match", problems))
