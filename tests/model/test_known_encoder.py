"""The encoder: what hides a day, and what a day may not depend on."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from xstefaland.errors import InputError
from xstefaland.testing import tiny_encoder


def inputs(days: int = 20) -> dict[str, Any]:
    """Weather, attributes, calendar of two sites."""
    torch.manual_seed(0)
    return {
        "forcing": torch.rand(2, days, 3) * torch.tensor([9.0, 25.0, 300.0]),
        "attributes": torch.rand(2, 4) * 40,
        "day_of_year": torch.arange(1.0, days + 1).expand(2, -1),
        "latitude": torch.tensor([47.0, -33.0]),
    }


@pytest.mark.parametrize("form", [{}, {"norm": "pre"}, {"static_position": "own"}])
@torch.inference_mode()
def test_days_that_only_fill_the_batch_change_nothing(form: dict[str, Any]) -> None:
    """Padded days, whatever they hold, leave the others and the static token alone."""
    model = tiny_encoder(**form)
    given = inputs()
    short = {
        name: value[:, :14] if name in ("forcing", "day_of_year") else value
        for name, value in given.items()
    }
    padding = torch.zeros(2, 20, dtype=torch.bool)
    padding[:, 14:] = True
    given["forcing"][:, 14:] = 1e3
    padded, plain = model.encode(**given, padding=padding), model.encode(**short)
    torch.testing.assert_close(padded[:, :14], plain[:, :-1], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(padded[:, -1], plain[:, -1], atol=1e-5, rtol=1e-5)
    seen = model.encode(**given)
    assert (seen[:, :14] - plain[:, :-1]).abs().max() > 1e-3


@torch.inference_mode()
def test_a_hidden_value_is_a_missing_one() -> None:
    """A mask and NaN give the same tokens; the value under the mask does not matter."""
    model, given = tiny_encoder(), inputs()
    mask = torch.zeros(2, 20, 3, dtype=torch.bool)
    mask[0, 3:9, 1] = True
    static = torch.zeros(2, 4, dtype=torch.bool)
    static[1, 2] = True
    hidden = model.encode(**given, forcing_mask=mask, attribute_mask=static)
    gone = dict(given)
    gone["forcing"] = given["forcing"].masked_fill(mask, math.nan)
    gone["attributes"] = given["attributes"].masked_fill(static, math.nan)
    torch.testing.assert_close(hidden, model.encode(**gone), atol=0, rtol=0)
    assert (hidden - model.encode(**given)).abs().max() > 1e-3


@torch.inference_mode()
def test_hemispheres_and_seasons_are_told_apart() -> None:
    """The sign of latitude and the day of year reach the embedding."""
    model, given = tiny_encoder(), inputs()
    base = model.encode(**given)
    turned = model.encode(**{**given, "latitude": -given["latitude"]})
    later = model.encode(**{**given, "day_of_year": given["day_of_year"] + 182})
    unknown = model.encode(**{**given, "latitude": None})
    nothing = torch.full((2,), math.nan)
    for other in (turned, later, unknown):
        assert (other - base).abs().max() > 1e-3
    same = model.encode(**{**given, "latitude": nothing})
    torch.testing.assert_close(unknown, same, atol=0, rtol=0)


@torch.inference_mode()
def test_each_day_has_a_place_of_its_own() -> None:
    """Equal days differ by their position, and the static token stands apart."""
    model = tiny_encoder(calendar=False)
    forcing, attributes = torch.ones(1, 10, 3), torch.ones(1, 4)
    tokens = model.encode(forcing, attributes)[0]
    distance = torch.cdist(tokens, tokens) + torch.eye(11)
    assert distance.min() > 1e-4


def test_a_calendar_model_asks_for_its_days() -> None:
    """Without day of year the error names the argument and its shape."""
    given = inputs()
    with pytest.raises(InputError, match=r"day_of_year=.* \(batch, time\)"):
        tiny_encoder().encode(given["forcing"], given["attributes"])


def test_a_window_longer_than_the_positions_is_refused() -> None:
    """The error names the most that fits: one position is the static token's."""
    model = tiny_encoder(window=20, stride=10, max_positions=20)
    given = inputs(20)
    with pytest.raises(InputError, match="20 days exceeds the model's 19"):
        model.encode(**given)
    shorter = {
        name: value[:, :19] if name in ("forcing", "day_of_year") else value
        for name, value in given.items()
    }
    assert model.encode(**shorter).shape == (2, 20, 16)


@torch.inference_mode()
def test_decoding_physical_values_inverts_the_scaling() -> None:
    """Physical reconstructions are the scaled ones times deviation plus mean."""
    model = tiny_encoder()
    hidden = model.encode(**inputs())
    scaled, static = model.decode(hidden)
    physical, attributes = model.decode(hidden, physical=True)
    torch.testing.assert_close(
        physical[..., 0], torch.expm1(scaled[..., 0] * 0.8 + 0.5)
    )
    torch.testing.assert_close(physical[..., 1], scaled[..., 1] * 10 + 10)
    torch.testing.assert_close(attributes[..., 0], static[..., 0] * 500 + 600)
