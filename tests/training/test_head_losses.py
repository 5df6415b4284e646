"""Losses against numbers by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from xstefaland.training.losses import (
    LEAST_DAYS,
    OF_PROBABILITIES,
    POINT_LOSSES,
    anomaly_loss,
    basin_nse_loss,
    cross_entropy_loss,
    kge_mix_loss,
    log_mix_loss,
    pinball_loss,
)
from xstefaland.weights.targets import LOSSES

NAN = float("nan")


def test_nse_loss_by_hand():
    """Errors 1 and 3 over deviations 1 and 2 with 1 added; NaN does not count."""
    predicted = torch.tensor([[[2.0], [9.0]], [[4.0], [1.0]]])
    observed = torch.tensor([[[1.0], [NAN]], [[1.0], [1.0]]])
    deviation = torch.tensor([[1.0], [2.0]])
    loss = basin_nse_loss(predicted, observed, deviation, floor=1.0)
    assert loss.item() == pytest.approx((1 / 4 + 9 / 9 + 0) / 3)


def test_pinball_loss_by_hand():
    """Too low by 2 costs the level's share of it, too high by 1 the rest."""
    predicted = torch.tensor([[[[1.0, 3.0, 4.0]], [[5.0, 5.0, 5.0]]]])  # (1, 2, 1, 3)
    observed = torch.tensor([[[3.0], [NAN]]])
    loss = pinball_loss(
        predicted, observed, torch.tensor([[1.5]]), (0.1, 0.5, 0.9), floor=0.5
    )
    assert loss.item() == pytest.approx((0.1 * 2 + 0.5 * 0 + 0.1 * 1) / 3 / 2)


@pytest.mark.parametrize(("level", "best"), [(0.1, 1.0), (0.5, 5.0), (0.9, 9.0)])
def test_pinball_loss_is_least_at_the_quantile(level, best):
    """Of constants, the quantile of 0..10 is the best answer."""
    observed = torch.arange(11.0).reshape(1, 11, 1)
    losses = {
        value: pinball_loss(
            torch.full((1, 11, 1, 1), value), observed, torch.ones(1, 1), (level,)
        ).item()
        for value in torch.arange(0.0, 10.5, 0.5).tolist()
    }
    assert min(losses, key=losses.__getitem__) == best


def test_cross_entropy_by_hand():
    """-log 0.8 for what happened, -log 0.6 for what did not; NaN does not count."""
    predicted = torch.tensor([[[0.8], [0.4], [0.5]]])
    observed = torch.tensor([[[1.0], [0.0], [NAN]]])
    expected = -(torch.tensor([0.8, 0.6]).log().mean()).item()
    assert cross_entropy_loss(predicted, observed).item() == pytest.approx(expected)
    certain = cross_entropy_loss(torch.tensor([[[1.0]]]), torch.tensor([[[0.0]]]))
    assert certain.isfinite()


def flows() -> torch.Tensor:
    """Two windows of forty days, one of them with a gap."""
    g = torch.Generator().manual_seed(0)
    observed = torch.rand(2, 40, 1, generator=g) * 5
    observed[1, 3:6] = NAN
    return observed


def test_every_loss_that_a_target_may_name_is_there():
    """Each is least where the answer is right, and finite with its slope."""
    assert set(POINT_LOSSES) == set(LOSSES)
    observed, deviation = flows(), torch.ones(2, 1)
    for name, loss in POINT_LOSSES.items():
        if name in OF_PROBABILITIES:
            continue
        right = observed.nan_to_num(2.0).requires_grad_()
        least = loss(right, observed, deviation, 0.1)
        least.backward()
        assert right.grad.isfinite().all(), name
        assert least < 1e-2 < loss(right * 0.5, observed, deviation, 0.1), name
        assert least < loss(right + 1, observed, deviation, 0.1), name


def test_rare_slides_count_as_much_as_the_rest():
    """Balanced: the mean of both classes' means. Focal: (1 - p)**2 of each term."""
    predicted = torch.tensor([[[0.8], [0.4], [0.4], [0.4], [0.5]]])
    observed = torch.tensor([[[1.0], [0.0], [0.0], [0.0], [NAN]]])
    yes, no = -np.log(0.8), -np.log(0.6)
    found = cross_entropy_loss(predicted, observed, balanced=True).item()
    assert found == pytest.approx((yes + no) / 2)
    found = cross_entropy_loss(predicted, observed, focus=2.0).item()
    assert found == pytest.approx((0.04 * yes + 3 * 0.16 * no) / 4)
    nobody = cross_entropy_loss(predicted, observed * 0, balanced=True)
    assert nobody.isfinite()


def test_kge_mix_by_hand():
    """Doubled flow: ratio of deviations 2, of means 2, correlation 1; and the NSE."""
    observed = flows()[:1]
    loss = kge_mix_loss(2 * observed, observed, torch.ones(1, 1), floor=1e-6)
    nse = basin_nse_loss(2 * observed, observed, torch.ones(1, 1), floor=1e-6)
    assert loss.item() == pytest.approx((2**0.5 + nse.item()) / 2, rel=1e-3)


def test_kge_needs_enough_days():
    """A window with few observations counts by its squared errors alone."""
    observed = flows()[:1, : LEAST_DAYS - 1]
    given = 2 * observed, observed, torch.ones(1, 1), 0.1
    nse = basin_nse_loss(*given)
    assert kge_mix_loss(*given).item() == pytest.approx(nse.item() / 2)


def test_kge_of_a_window_without_any_change_is_finite():
    """A dry stretch has no variability to compare with."""
    predicted = torch.zeros(1, 40, 1, requires_grad=True)
    loss = kge_mix_loss(predicted, torch.zeros(1, 40, 1), torch.ones(1, 1), 0.1)
    loss.backward()
    assert loss.isfinite()
    assert predicted.grad is not None
    assert predicted.grad.isfinite().all()


def test_log_mix_by_hand():
    """Half of the NSE loss, half of squared logarithms, a tenth of the unit added."""
    predicted, observed = torch.tensor([[[3.9], [7.0]]]), torch.tensor([[[0.9], [NAN]]])
    loss = log_mix_loss(predicted, observed, torch.tensor([[0.5]]), floor=0.5)
    expected = (9.0 + torch.tensor(4.0).log().item() ** 2) / 2
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_anomalies_count_in_the_station_s_own_deviation():
    """An observation two deviations above the mean, answered by one."""
    statistics = torch.tensor([[0.2]]), torch.tensor([[0.05]])
    observed = torch.tensor([[[0.3], [NAN]]])
    predicted = torch.tensor([[[1.0], [9.0]]])
    assert anomaly_loss(predicted, observed, statistics, ()).item() == pytest.approx(
        1.0, rel=1e-4
    )
    levels = predicted.unsqueeze(-1).expand(-1, -1, -1, 3)
    loss = anomaly_loss(levels, observed, statistics, (0.1, 0.5, 0.9))
    assert loss.item() == pytest.approx((0.1 + 0.5 + 0.9) / 3, rel=1e-4)
