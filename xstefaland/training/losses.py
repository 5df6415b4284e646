"""Losses of pretraining and finetuning."""

from __future__ import annotations

from torch import Tensor


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
