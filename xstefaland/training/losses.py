"""Losses of pretraining and finetuning."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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


def cross_entropy_loss(
    predicted: Tensor, observed: Tensor, *, balanced: bool = False, focus: float = 0.0
) -> Tensor:
    """Negative log-likelihood of what happened (1) or did not (0).

    Parameters
    ----------
    predicted, observed : Tensor
        Probabilities and shares of 0 to 1 ``(B, T, target)``; NaN observations are
        ignored.
    balanced : bool
        What happened and what did not have the same weight together in every batch,
        however rare one is. Probabilities are too high then where it is rare.
    focus : float
        Exponent of the focal loss: each term is weighted by how far off it is, to
        this power; 0: not at all.

    References
    ----------
    Lin et al. (2017), Focal loss for dense object detection,
    https://doi.org/10.1109/ICCV.2017.324, eq. 4.
    """
    valid = ~observed.isnan()
    truth = observed.nan_to_num()
    likely = predicted.clamp(1e-6, 1 - 1e-6)
    loss = functional.binary_cross_entropy(likely, truth, reduction="none")
    if focus:
        off = truth * (1 - likely) + (1 - truth) * likely
        loss = loss * off**focus
    weight = valid.to(loss.dtype)
    if balanced:
        shares = [(truth * weight).sum(), ((1 - truth) * weight).sum()]
        yes, no = (share.clamp_min(1.0) for share in shares)
        weight = weight * (truth / yes + (1 - truth) / no)
    return (loss * weight).sum() / weight.sum().clamp_min(1e-6)


FOCUS = 2.0
"""Exponent of the focal loss; the value that its authors found best."""

LEAST_DAYS = 30
"""Observed days of a window from which its KGE is taken."""

LOW = 0.1
"""Added to values before their logarithm, as a share of the site's deviation."""


def kge_mix_loss(
    predicted: Tensor, observed: Tensor, deviation: Tensor, floor: float = 0.1
) -> Tensor:
    """Mean of the NSE loss and of ``1 - KGE`` over windows, see :func:`kge_loss`.

    Windows that are too short for a KGE count by the first part.

    Parameters
    ----------
    predicted, observed, deviation, floor
        As for :func:`basin_nse_loss`.
    """
    loss = kge_loss(predicted, observed, deviation, floor)
    return (loss + basin_nse_loss(predicted, observed, deviation, floor)) / 2


def kge_loss(
    predicted: Tensor, observed: Tensor, deviation: Tensor, floor: float = 0.1
) -> Tensor:
    """Mean of ``1 - KGE`` over windows.

    KGE counts a peak that is too low twice, as variability and as bias. Windows with
    fewer than :data:`LEAST_DAYS` observations do not count.

    Parameters
    ----------
    predicted, observed, deviation, floor
        As for :func:`basin_nse_loss`.

    References
    ----------
    Gupta et al. (2009), J. Hydrol. 377, 80-91, eq. 9.
    """
    valid = ~observed.isnan()
    count = valid.sum(1).clamp_min(1)
    series = [
        each.masked_fill(~valid, 0.0) for each in (predicted, observed.nan_to_num())
    ]
    means = [each.sum(1) / count for each in series]
    apart = [
        (each - mean.unsqueeze(1)).masked_fill(~valid, 0.0)
        for each, mean in zip(series, means, strict=True)
    ]
    # a share of the floor keeps the root's slope finite and a dry window's ratio small
    variances = [each.square().sum(1) / count + (LOW * floor) ** 2 for each in apart]
    covariance = (apart[0] * apart[1]).sum(1) / count
    ratio = (variances[0] / variances[1]).sqrt()
    bias = (means[0] - means[1]) / (means[1].abs() + floor)
    correlation = covariance / (variances[0] * variances[1]).sqrt()
    apart_from_one = (correlation - 1).square() + (ratio - 1).square() + bias.square()
    enough = (valid.sum(1) >= LEAST_DAYS).to(predicted.dtype)
    return ((apart_from_one + 1e-6).sqrt() * enough).sum() / enough.sum().clamp_min(1)


def log_mix_loss(
    predicted: Tensor, observed: Tensor, deviation: Tensor, floor: float = 0.1
) -> Tensor:
    """Mean of the NSE loss and of squared errors of logarithms, for low values.

    Parameters
    ----------
    predicted, observed, deviation, floor
        As for :func:`basin_nse_loss`. Values below 0 count as 0.
    """
    least = LOW * (deviation + floor).unsqueeze(1)
    valid = ~observed.isnan()
    logs = [
        (each.clamp_min(0.0) + least).log()
        for each in (predicted, observed.nan_to_num())
    ]
    error = (logs[0] - logs[1]).masked_fill(~valid, 0.0)
    loss = error.square().sum() / valid.sum().clamp_min(1)
    return (loss + basin_nse_loss(predicted, observed, deviation, floor)) / 2


PointLoss = Callable[[Tensor, Tensor, Tensor, float], Tensor]

POINT_LOSSES: dict[str, PointLoss] = {
    "nse": basin_nse_loss,
    "mse": basin_nse_loss,
    "kge": kge_mix_loss,
    "kge_alone": kge_loss,
    "log": log_mix_loss,
    "cross_entropy": lambda predicted, observed, deviation, floor: cross_entropy_loss(
        predicted, observed
    ),
    "balanced": lambda predicted, observed, deviation, floor: cross_entropy_loss(
        predicted, observed, balanced=True
    ),
    "focal": lambda predicted, observed, deviation, floor: cross_entropy_loss(
        predicted, observed, focus=FOCUS
    ),
}
"""Losses of heads that give one value, by the name that a target or a run states. "mse"
differs from "nse" by the deviation it is given: that of all observations."""

OF_PROBABILITIES = ("cross_entropy", "balanced", "focal")
"""Of these, those of probabilities."""

PER_SITE = ("nse", "kge", "kge_alone", "log")
"""Of these, those that count errors in each site's own deviation."""


def anomaly_loss(
    predicted: Tensor,
    observed: Tensor,
    statistics: tuple[Tensor, Tensor],
    levels: Sequence[float],
) -> Tensor:
    """Loss of standardised anomalies at each site.

    Parameters
    ----------
    predicted : Tensor
        Standardised anomalies ``(B, T, target)``, with `levels` as a last axis where
        there are any.
    observed : Tensor
        Physical values ``(B, T, target)``; NaN observations are ignored.
    statistics : tuple of Tensor
        Mean and deviation of each site's observations ``(B, target)``.
    levels : sequence of float
        Quantiles, or none.
    """
    mean, deviation = (each.unsqueeze(1) for each in statistics)
    standard = (observed - mean) / deviation
    one = torch.ones_like(statistics[1])
    if levels:
        return pinball_loss(predicted, standard, one, levels, 0.0)
    return basin_nse_loss(predicted, standard, one, 0.0)
