"""Embedding of variables and calendar, and dropout: numbers worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from xstefaland.model.embedding import CalendarEmbedding, Dropout, VariableEmbedding

NAN = math.nan


def into(module: Any, *inputs: Tensor) -> Tensor:
    """Return what reaches a layer of a module while it works."""
    seen = []
    layer = module.expand
    handle = layer.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    module(*inputs)
    handle.remove()
    return seen[0]


def test_calendar_is_sine_and_cosine_of_the_day_and_signed_latitude() -> None:
    """Features are sin, cos of 2 pi day / 365.25, latitude / 90, and whether known."""
    day = torch.tensor([[1.0, 91.3125, 366.0], [182.625, 60.0, 365.25]])
    latitude = torch.tensor([-45.0, NAN])
    features = into(CalendarEmbedding(8), day, latitude)
    assert features.shape == (2, 3, 4)
    for site, place in ((0, [-0.5, 1.0]), (1, [0.0, 0.0])):
        for column in range(3):
            angle = 2 * math.pi * float(day[site, column]) / 365.25
            expected = torch.tensor([math.sin(angle), math.cos(angle), *place])
            torch.testing.assert_close(features[site, column], expected, atol=1e-5,
                                       rtol=0)  # fmt: skip
    quarter = features[0, 1, :2]
    torch.testing.assert_close(quarter, torch.tensor([1.0, 0.0]), atol=1e-6, rtol=0)


def gelu(value: float) -> float:
    """x times the normal distribution's share below x."""
    return value * 0.5 * (1 + math.erf(value / math.sqrt(2)))


def by_hand(part: VariableEmbedding, variable: int, value: float) -> Tensor:
    """Linear(1 -> 64), GELU, Linear(64 -> d) of one variable, number by number."""
    weights, biases = part.weight1[variable].tolist(), part.bias1[variable].tolist()
    hidden = [gelu(value * w + b) for w, b in zip(weights, biases, strict=True)]
    columns = part.weight2[variable].T.tolist()
    total = [
        sum(h * w for h, w in zip(hidden, column, strict=True)) for column in columns
    ]
    return torch.tensor(total) + part.bias2[variable].detach()


@pytest.fixture
def part() -> VariableEmbedding:
    """Three variables to a token of four, every parameter far from zero."""
    torch.manual_seed(0)
    embedding = VariableEmbedding(3, 4).eval()
    for parameter in embedding.parameters():
        parameter.data.uniform_(-1, 1)
    return embedding


def test_a_token_is_the_sum_of_its_variables(part: VariableEmbedding) -> None:
    """Present values pass their own network, a missing one is its learned vector."""
    values = torch.tensor([[0.3, -1.2, NAN]])
    token = part(values, values.isnan())[0]
    expected = by_hand(part, 0, 0.3) + by_hand(part, 1, -1.2) + part.missing[2]
    torch.testing.assert_close(token, expected, atol=1e-5, rtol=1e-5)


def test_what_is_masked_does_not_matter(part: VariableEmbedding) -> None:
    """The value under a mask changes nothing, not even its bias."""
    mask = torch.tensor([[False, True, False]])
    first, second = (part(torch.tensor([[0.3, x, 2.0]]), mask) for x in (5.0, -8.0))
    torch.testing.assert_close(first, second, atol=0, rtol=0)
    expected = by_hand(part, 0, 0.3) + part.missing[1] + by_hand(part, 2, 2.0)
    torch.testing.assert_close(first[0], expected, atol=1e-5, rtol=1e-5)


def test_a_missing_scalar_passes_the_network() -> None:
    """With mask="value" the learned (or given) scalar is embedded like a value."""
    torch.manual_seed(1)
    part = VariableEmbedding(2, 4, mask="value").eval()
    part.missing.data.copy_(torch.tensor([0.7, -0.4]))
    values, missing = torch.tensor([[1.5, 9.0]]), torch.tensor([[False, True]])
    learned = by_hand(part, 0, 1.5) + by_hand(part, 1, -0.4)
    torch.testing.assert_close(part(values, missing)[0], learned, atol=1e-5, rtol=1e-5)
    given = by_hand(part, 0, 1.5) + by_hand(part, 1, 0.9)
    substitute = torch.tensor([[5.0, 0.9]])
    token = part(values, missing, substitute)[0]
    torch.testing.assert_close(token, given, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("rate", "of_256"), [(0.1, 26), (0.4, 102), (0.5, 128)])
def test_dropout_keeps_the_mean(rate: float, of_256: int) -> None:
    """The share asked for becomes zero, the rest is scaled so that the mean stays."""
    torch.manual_seed(0)
    values = torch.full((1000, 1003), 3.0)
    out = Dropout(rate).train()(values)
    dropped = float((out == 0).float().mean())
    assert dropped == pytest.approx(of_256 / 256, abs=0.003)
    assert float(out.mean()) == pytest.approx(3.0, abs=0.02)
    kept = out[out != 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 3.0 * 256 / (256 - of_256)))


def test_dropout_drops_others_every_time() -> None:
    """Rows, columns and calls are independent of each other."""
    torch.manual_seed(0)
    drop = Dropout(0.5).train()
    first, second = (drop(torch.ones(400, 400)) > 0 for _ in range(2))
    for one, other in (
        (first, second),
        (first[:200], first[200:]),
        (first[:, ::2], first[:, 1::2]),
    ):
        assert float((one == other).float().mean()) == pytest.approx(0.5, abs=0.01)


def test_dropout_is_for_training_only() -> None:
    """In evaluation, or at rate zero, values pass as they are."""
    values = torch.arange(10.0)
    assert Dropout(0.5).eval()(values) is values
    assert Dropout(0.0).train()(values) is values
