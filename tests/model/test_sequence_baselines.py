"""Trunks of others: shapes, the past alone, and what each is known for."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from xstefaland.errors import InputError
from xstefaland.model import HeadConfig, build_head
from xstefaland.model import sequence_baselines as baselines
from xstefaland.model.config import CONVOLVED
from xstefaland.model.sequence_baselines import WINDOW, DLinear, Informer, Reformer
from xstefaland.model.trunks import TRUNKS

KINDS = ["resconn_additive", "dlinear", "informer", "reformer", "transformer", "direct"]


def config(kind: str) -> HeadConfig:
    """A small head."""
    return HeadConfig(
        targets=("flow",), forcing=("rain", "warmth"), attributes=("height",),
        kind=kind, embedding=8, width=16, dropout=0.0, flags=False,
    )  # fmt: skip


def inputs(days: int, seed: int = 0) -> tuple[torch.Tensor, ...]:
    """Embedding, forcing and attributes of three sites."""
    draw = torch.Generator().manual_seed(seed)
    return tuple(
        torch.randn(shape, generator=draw)
        for shape in ((3, days, 8), (3, days, 2), (3, 1))
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("days", [1, 40, WINDOW, 2 * WINDOW + 5])
def test_one_answer_a_day(kind, days):
    """Records shorter and longer than any window; every weight gets a gradient."""
    head = build_head(config(kind)).train()
    answer = head(*inputs(days), spinup_days=0)
    assert answer.shape == (3, days, 1)
    assert answer.isfinite().all()
    answer.square().sum().backward()
    if days > WINDOW:
        assert all(p.grad is not None and p.grad.any() for p in head.trunk.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_days_to_come_change_nothing(kind):
    """Neither other weather later on nor a record that ends sooner; but an informer's
    choice of days, which its configuration owns up to."""
    head = build_head(config(kind)).eval()
    embedding, forcing, attributes = inputs(500)
    whole = head(embedding, forcing, attributes, spinup_days=0)
    other = torch.where(torch.arange(500)[:, None] < 300, forcing, -forcing)
    changed = head(embedding, other, attributes, spinup_days=0)
    short = head(embedding[:, :300], forcing[:, :300], attributes, spinup_days=0)
    same = torch.allclose(whole[:, :300], changed[:, :300], atol=1e-6)
    assert same == head.config.causal_possible
    if same:
        torch.testing.assert_close(whole[:, :300], short, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(whole[:, 300:], changed[:, 300:])


@pytest.mark.parametrize("kind", KINDS)
def test_who_looks_at_the_embedding(kind):
    """As the configuration says."""
    head = build_head(config(kind)).eval()
    embedding, forcing, attributes = inputs(50)
    first = head(embedding, forcing, attributes)
    second = head(embedding.flip(-1), forcing, attributes)
    assert torch.equal(first, second) != head.config.embeds


def test_dlinear_is_linear():
    """The answer to a sum is the sum of the answers."""
    trunk = DLinear(config("dlinear"), 2, 1)
    (_, a, s), (_, b, t) = inputs(300), inputs(300, 1)
    none = trunk(a, a * 0, s * 0, 0)
    both = trunk(a, a + b, s + t, 0) - none
    apart = trunk(a, a, s, 0) + trunk(a, b, t, 0) - 2 * none
    torch.testing.assert_close(both, apart, atol=1e-5, rtol=1e-4)


def test_informer_with_all_queries_is_plain_attention(monkeypatch):
    """Sparse attention with nothing left out; with little, most days take a mean."""
    trunk = Informer(config("informer"), 2, 1)
    q, k, v = torch.randn(3, 2, 4, 30, 8).unbind()
    plain = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    monkeypatch.setattr(Informer, "factor", 100)
    torch.testing.assert_close(trunk.attend(q, k, v), plain)
    monkeypatch.setattr(Informer, "factor", 0.5)
    sparse = trunk.attend(q, k, v)
    mean = v.cumsum(2) / torch.arange(1, 31)[:, None]
    lazy = torch.isclose(sparse, mean).all(-1).sum(-1)
    assert ((lazy >= 27) & (lazy <= 30)).all()


def test_reformer_sees_its_bucket_alone():
    """A day of another bucket may be anything."""
    trunk = Reformer(config("reformer"), 2, 1)
    trunk.rotations[1:] = trunk.rotations[:1]  # one round
    query = torch.randn(1, 1, 1, 4).expand(1, 1, 6, 4).clone()
    query[0, 0, 2] *= -1  # the opposite direction is in another bucket
    value = torch.randn(1, 1, 6, 4)
    trunk.rotations = torch.randn(2, 4, 4)
    before = trunk.attend(query, query, value)
    value[0, 0, 2] += 100
    after = trunk.attend(query, query, value)
    kept = [0, 1, 3, 4, 5]
    torch.testing.assert_close(before[..., kept, :], after[..., kept, :])
    assert not torch.allclose(before[..., 2, :], after[..., 2, :])


def test_windows_hold_every_day_once():
    """The second half of each window is the record, in order."""
    series = torch.arange(400.0).reshape(1, 400, 1)
    windows = baselines.cut_windows(series)
    assert windows[:, WINDOW:].flatten()[:400].tolist() == list(range(400))
    assert windows[1, :WINDOW].flatten().tolist() == list(range(WINDOW))


def test_each_is_one_line_of_a_table():
    """All kinds are trunks."""
    assert set(KINDS) <= set(TRUNKS)


@pytest.mark.parametrize("kind", CONVOLVED)
def test_a_convolution_needs_weather(kind: str) -> None:
    """Torch would warn of an empty weight and fail later; season counts as weather."""
    with pytest.raises(InputError, match=f"kind='{kind}' convolves.*kind='resconn'"):
        replace(config(kind), forcing=())
    seasonal = replace(config(kind), forcing=(), place=True)
    head = build_head(seasonal).eval()
    embedding, _, attributes = inputs(20)
    place = {"day_of_year": torch.arange(20.0), "latitude": torch.tensor([1.0, 2, 3])}
    answer = head(embedding, torch.zeros(3, 20, 0), attributes, **place)
    assert answer.shape == (3, 20, 1)
    plain = build_head(replace(config("resconn"), forcing=()))  # warnings are errors
    assert plain(embedding, torch.zeros(3, 20, 0), attributes).shape == (3, 20, 1)
