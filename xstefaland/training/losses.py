"""Losses of pretraining and finetuning."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def masked_mean_square(error: Tensor, where: Tensor) -> Tensor:
    """Mean square per variable over the places `where`, averaged over variables.

    Every variable counts the same, however rarely it is observed.

    Parameters
    ----------
    error : Tensor
        ``(..., variable)``; anything where `where` is False.
    where : Tensor
        True on the places that count.
    """
    axes = tuple(range(error.ndim - 1))
    square = error.masked_fill(~where, 0.0).square().sum(axes)
    count = where.sum(axes)
    seen = count > 0
    return (square / count.clamp_min(1)).sum() / seen.sum().clamp_min(1)


def autoencoder_loss(
    predicted: Tensor, scaled: Tensor, masked: Tensor, seen_weight: float
) -> Tensor:
    """Squared error on hidden observed values, and a smaller term on those seen.

    Parameters
    ----------
    predicted, scaled : Tensor
        Reconstruction and truth, scaled, ``(..., variable)``; NaN truth is ignored.
    masked : Tensor
        True where the value was hidden.
    seen_weight : float
        Weight of the term on values that were not hidden.
    """
    observed = ~scaled.isnan()
    error = predicted - scaled.nan_to_num()
    hidden = masked_mean_square(error, observed & masked)
    return hidden + seen_weight * masked_mean_square(error, observed & ~masked)


def basin_nse_loss(
    predicted: Tensor, observed: Tensor, deviation: Tensor, floor: float = 0.1
) -> Tensor:
    """Squared error in units of each site's own variance.

    Parameters
    ----------
    predicted, observed : Tensor
        Physical values ``(B, T, target)``; NaN observations are ignored.
    deviation : Tensor
        Standard deviation of the observations of each sample's site ``(B, target)``.
    floor : float
        Added to the deviation, in the target's units.

    References
    ----------
    Kratzert et al. (2019), HESS 23, 5089-5110, eq. 9.
    """
    valid = ~observed.isnan()
    error = (predicted - observed.nan_to_num()).masked_fill(~valid, 0.0)
    weight = (deviation + floor).square().unsqueeze(1)
    return (error.square() / weight).sum() / valid.sum().clamp_min(1)


def pinball_loss(
    predicted: Tensor,
    observed: Tensor,
    deviation: Tensor,
    levels: Sequence[float],
    floor: float = 0.1,
) -> Tensor:
    """Quantile loss in units of each site's own deviation, averaged over levels.

    Parameters
    ----------
    predicted : Tensor
        Quantiles in physical units ``(B, T, target, level)``.
    observed, deviation, floor
        As for :func:`basin_nse_loss`.
    levels : sequence of float
        Levels of the quantiles, between 0 and 1.

    References
    ----------
    Koenker and Bassett (1978), Econometrica 46, 33-50.
    """
    valid = ~observed.isnan()
    above = observed.nan_to_num().unsqueeze(-1) - predicted  # observed above predicted
    level = predicted.new_tensor(levels)
    loss = torch.maximum(level * above, (level - 1) * above).mean(-1)
    loss = (loss / (deviation + floor).unsqueeze(1)).masked_fill(~valid, 0.0)
    return loss.sum() / valid.sum().clamp_min(1)


def cross_entropy_loss(predicted: Tensor, observed: Tensor) -> Tensor:
    """Negative log-likelihood of what happened (1) or did not (0).

    Parameters
    ----------
    predicted, observed : Tensor
        Probabilities and shares of 0 to 1 ``(B, T, target)``; NaN observations are
        ignored.
    """
    valid = ~observed.isnan()
    likely = predicted.clamp(1e-6, 1 - 1e-6)
    loss = functional.binary_cross_entropy(
        likely, observed.nan_to_num(), reduction="none"
    )
    return loss.masked_fill(~valid, 0.0).sum() / valid.sum().clamp_min(1)
