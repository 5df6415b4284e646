"""Causal attention, on every path that attention can take."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
import torch

from xstefaland.model.transformer import TransformerLayer
from xstefaland.testing import tiny_encoder

DAYS, DAY = 20, 11


def inputs(seed: int = 0) -> tuple[Any, ...]:
    """Weather, attributes, day of year and latitude of three sites."""
    g = torch.Generator().manual_seed(seed)
    forcing = 5 * torch.rand(3, DAYS, 3, generator=g)
    attributes = 40 * torch.rand(3, 4, generator=g)
    days = torch.arange(DAYS).expand(3, -1) + 100.0
    return forcing, attributes, days, torch.tensor([10.0, 40.0, torch.nan])


def encode(model: Any, forcing: Any, **options: Any) -> Any:
    """Embed windows of the inputs above."""
    _, attributes, days, latitude = inputs()
    return model.encode(
        forcing, attributes, day_of_year=days, latitude=latitude, **options
    )


PATHS: dict[str, dict[str, Any]] = {
    "fused": {},
    "padded": {"padding": True},
    "training": {"train": True},
    "padded training": {"padding": True, "train": True},
    "autocast": {"autocast": True},
}


@pytest.mark.parametrize("path", PATHS)
def test_gradient_of_a_day_reaches_no_later_one(path: str) -> None:
    """Exactly zero after the day, something on it and before it."""
    how = PATHS[path]
    model = tiny_encoder().train(how.get("train", False))
    forcing = inputs()[0].requires_grad_()
    padding = None
    if how.get("padding"):
        padding = torch.zeros(3, DAYS, dtype=torch.bool)
        padding[1, -3:] = True
    low = torch.autocast("cpu", torch.bfloat16) if "autocast" in how else nullcontext()
    with low:
        hidden = encode(model, forcing, padding=padding, causal=True)
        hidden[:, DAY].float().square().sum().backward()
    gradient = forcing.grad.abs().amax((0, 2))
    assert torch.equal(gradient[DAY + 1 :], torch.zeros(DAYS - DAY - 1))
    assert (gradient[: DAY + 1] > 0).all()


@pytest.mark.parametrize("path", ["fused", "training"])
def test_static_token_is_blind_to_the_weather(path: str) -> None:
    """Else it would carry the future into each day, one layer on."""
    model = tiny_encoder().train(path == "training")
    forcing = inputs()[0].requires_grad_()
    hidden = encode(model, forcing, causal=True)
    hidden[:, -1].square().sum().backward()
    assert torch.equal(forcing.grad, torch.zeros_like(forcing))


def test_days_see_the_static_token() -> None:
    """Other attributes change every day."""
    model = tiny_encoder()
    forcing, attributes, days, latitude = inputs()
    calendar = {"day_of_year": days, "latitude": latitude, "causal": True}
    with torch.inference_mode():
        a = model.encode(forcing, attributes, **calendar)
        b = model.encode(forcing, attributes + 10, **calendar)
    assert ((a - b).abs().amax(-1) > 1e-4).all()


def test_all_paths_give_one_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fused, fused with a mask and plain products agree."""
    model, forcing = tiny_encoder(), inputs()[0]
    nothing = torch.zeros(3, DAYS, dtype=torch.bool)
    with torch.inference_mode():
        fused = encode(model, forcing, causal=True)
        masked = encode(model, forcing, causal=True, padding=nothing)
        monkeypatch.setattr(TransformerLayer, "_explicit", lambda *_: True)
        plain = encode(model, forcing, causal=True)
    torch.testing.assert_close(masked, fused, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(plain, fused, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("causal", [False, True])
def test_padded_days_do_not_count(causal: bool) -> None:
    """What stands on filler days changes no other token."""
    model, forcing = tiny_encoder(), inputs()[0]
    padding = torch.zeros(3, DAYS, dtype=torch.bool)
    padding[:, 4:7] = True
    other = forcing.clone()
    other[:, 4:7] = 30.0
    with torch.inference_mode():
        a = encode(model, forcing, padding=padding, causal=causal)
        b = encode(model, other, padding=padding, causal=causal)
    kept = torch.ones(DAYS + 1, dtype=torch.bool)
    kept[4:7] = False
    torch.testing.assert_close(a[:, kept], b[:, kept], rtol=0, atol=0)
    assert (a - b)[:, ~kept].abs().max() > 1e-4
