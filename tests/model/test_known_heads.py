"""Heads: flags, bounds and spin-up, by other means than the heads' own."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from xstefaland.model import HeadConfig, build_head
from xstefaland.model.hbv import simulate_lean
from xstefaland.model.heads import Features, SequenceHead

NAN = math.nan
WEATHER = ("precipitation", "temperature", "potential_evapotranspiration")


def config(**others: Any) -> HeadConfig:
    """A narrow head on an embedding of six."""
    entries = {
        "targets": ("streamflow",),
        "forcing": WEATHER,
        "attributes": ("elevation", "clay"),
        "embedding": 8,
        "width": 5,
        "dropout": 0.0,
    }
    return HeadConfig(**(entries | others))


def features(**others: Any) -> Features:
    """Features with statistics that are easy to work with."""
    part = Features(config(also_log=("precipitation",), **others))
    part.forcing_scaling.assign([2.0, 10.0, 3.0], [4.0, 5.0, 1.0], [False] * 3)
    part.attribute_scaling.assign([500.0, 20.0], [100.0, 10.0], [False] * 2)
    part.log_scaling.assign([1.0], [2.0], [True])
    return part


def test_absent_values_are_zero_with_a_flag_that_says_so() -> None:
    """A value at its mean is 0 with flag 1, a missing one is 0 with flag 0."""
    forcing = torch.tensor([[[6.0, NAN, 3.0], [NAN, 0.0, NAN]]])
    attributes = torch.tensor([[NAN, 45.0]])
    series, static = features()(forcing, attributes)
    log = (math.log(7.0) - 1) / 2
    first = [1.0, 0.0, 0.0, log, 1.0, 0.0, 1.0]
    second = [0.0, -2.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    torch.testing.assert_close(series[0], torch.tensor([first, second]))
    torch.testing.assert_close(static[0], torch.tensor([0.0, 2.5, 0.0, 1.0]))


def test_without_flags_there_are_values_only() -> None:
    """Sizes promised are sizes given, with and without flags."""
    forcing, attributes = torch.rand(2, 4, 3), torch.rand(2, 2)
    for flags, sizes in ((True, (7, 4)), (False, (4, 2))):
        part = features(flags=flags)
        series, static = part(forcing, attributes)
        assert (part.forcing_size, part.attribute_size) == sizes
        assert (series.shape[-1], static.shape[-1]) == sizes


def linear_head() -> SequenceHead:
    """A head that gives -9 and 11 whatever it sees, bounded to 0..10."""
    head = SequenceHead(config(kind="linear", targets=("streamflow", "soil_moisture")))
    head.output.weight.data.zero_()
    head.output.bias.data.copy_(torch.tensor([-5.0, 5.0]))
    head.target_scaling.assign([1.0, 1.0], [2.0, 2.0], [False, False])
    head.minimum.fill_(0.0)
    head.maximum.fill_(10.0)
    return head


def test_answers_are_bounded_outside_training() -> None:
    """-5 * 2 + 1 = -9 becomes 0 and 5 * 2 + 1 = 11 becomes 10; training sees both."""
    head = linear_head()
    inputs = torch.rand(1, 3, 8), torch.rand(1, 3, 3), torch.rand(1, 2)
    expected = torch.tensor([0.0, 10.0]).expand(1, 3, 2)
    torch.testing.assert_close(head.eval()(*inputs), expected)
    free = torch.tensor([-9.0, 11.0]).expand(1, 3, 2)
    torch.testing.assert_close(head.train()(*inputs), free)


def test_a_new_head_has_no_bounds() -> None:
    """Without limits on the card nothing is clamped."""
    head = linear_head()
    head.minimum.fill_(-math.inf)
    head.maximum.fill_(math.inf)
    answer = head.eval()(torch.rand(1, 2, 8), torch.rand(1, 2, 3), torch.rand(1, 2))
    torch.testing.assert_close(answer[0, 0], torch.tensor([-9.0, 11.0]))


def inputs(days: int) -> tuple[Tensor, Tensor, Tensor]:
    """Embedding, weather and attributes of two sites."""
    torch.manual_seed(3)
    weather = torch.rand(2, days, 3) * torch.tensor([12.0, 20.0, 4.0])
    return torch.randn(2, days, 8), weather, torch.rand(2, 2)


def twice(series: Tensor, spinup: int) -> Tensor:
    """The first days, then the whole record."""
    return torch.cat([series[:, :spinup], series], 1)


@pytest.mark.parametrize("kind", ["resconn", "no_resconn", "lstm"])
@pytest.mark.parametrize(("days", "spinup"), [(500, 365), (90, 90)])
@torch.inference_mode()
def test_spinup_runs_the_first_days_before_the_record(
    kind: Any, days: int, spinup: int
) -> None:
    """It equals a longer record whose first 365 days (or all, if fewer) come twice."""
    head = build_head(config(kind=kind)).eval()
    embedding, weather, attributes = inputs(days)
    answer = head(embedding, weather, attributes)
    longer = head(
        twice(embedding, spinup), twice(weather, spinup), attributes, spinup_days=0
    )
    torch.testing.assert_close(answer, longer[:, spinup:], atol=1e-5, rtol=1e-5)
    cold = head(embedding, weather, attributes, spinup_days=0)
    assert (answer - cold)[:, 0].abs().max() > 1e-3


@torch.inference_mode()
def test_hbv_starts_from_the_stores_after_the_first_year() -> None:
    """Stores after 365 days are those of a record whose first year comes twice."""
    targets = ("streamflow", "soil_water", "snow_water_equivalent")
    head: Any = build_head(
        config(kind="lstm", physics="hbv", targets=targets, components=3)
    ).eval()
    embedding, weather, attributes = inputs(450)
    weather = weather - torch.tensor([0.0, 12.0, 0.0])
    answer = head(embedding, weather, attributes)
    series, static = head.features(weather, attributes)
    state = head.trunk(embedding, series, static, 365)
    daily = head.daily_logits(state)
    fluxes = simulate_lean(
        twice(weather, 365).transpose(0, 1).contiguous(),
        head.static_logits(state.mean(1)),
        twice(daily, 365).transpose(0, 1).contiguous(),
        components=3,
    )
    # routing starts anew with the record, so flow is compared once that is over
    soil = fluxes.soil_moisture.transpose(0, 1)[:, 365:]
    torch.testing.assert_close(answer[..., 1], soil, atol=1e-3, rtol=1e-4)
    snow = fluxes.snow_water_equivalent.transpose(0, 1)[:, 365:]
    torch.testing.assert_close(answer[..., 2], snow, atol=1e-3, rtol=1e-4)
    flow = fluxes.streamflow.transpose(0, 1)[:, 365:]
    torch.testing.assert_close(answer[:, 20:, 0], flow[:, 20:], atol=1e-4, rtol=1e-4)
