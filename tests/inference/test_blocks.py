"""Blocks: the model's own answer, whatever the batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from xstefaland.inference.blocks import embed_block, reconstruct_block
from xstefaland.inference.windows import fade_weights, window_starts
from xstefaland.testing import tiny_encoder

CPU: dict[str, Any] = {"device": "cpu"}


def inputs(sites: int, days: int, seed: int = 0) -> tuple[Any, ...]:
    """Forcing with gaps, attributes with a hole, latitude, day of year."""
    rng = np.random.default_rng(seed)
    forcing = rng.gamma(1.0, 5.0, (sites, days, 3)).astype(np.float32)
    forcing[rng.random(forcing.shape) < 0.1] = np.nan
    attributes = rng.uniform(0, 40, (sites, 4)).astype(np.float32)
    attributes[0, 1] = np.nan
    latitude = rng.uniform(30, 60, sites).astype(np.float32)
    return forcing, attributes, latitude, (np.arange(days) + 270) % 365 + 1


@pytest.fixture(scope="module")
def model() -> Any:
    """A small encoder with a window of 30 days at a stride of 15."""
    return tiny_encoder(window=30, stride=15)


def by_hand(model: Any, forcing: Any, attributes: Any, latitude: Any, day: Any) -> Any:
    """Embed window by window and site by site, in plain loops."""
    days = forcing.shape[1]
    out = np.zeros((*forcing.shape[:2], 16))
    fade = fade_weights(days, 30, 15)
    for site in range(len(forcing)):
        for start, weights in zip(window_starts(days, 30, 15), fade, strict=True):
            part = slice(start, start + len(weights))
            with torch.inference_mode():
                hidden = model.encode(
                    torch.tensor(forcing[None, site, part]),
                    torch.tensor(attributes[None, site]),
                    day_of_year=torch.tensor(day[None, part], dtype=torch.float32),
                    latitude=torch.tensor(latitude[None, site]),
                )
            out[site, part] += hidden[0, :-1].numpy() * weights[:, None]
    return out


@pytest.mark.parametrize("days", [7, 30, 31, 100])
def test_block_equals_plain_loops(model: Any, days: int, same: Any) -> None:
    """Windows of many sites at once give what one at a time gives."""
    arrays = inputs(3, days)
    same(embed_block(model, *arrays, **CPU), by_hand(model, *arrays))


@settings(max_examples=20, deadline=None)
@given(batch=st.integers(1, 40), days=st.integers(1, 110), seed=st.integers(0, 9))
def test_batch_size_changes_nothing(
    same: Any, batch: int, days: int, seed: int
) -> None:
    """Any batch size gives the same embeddings to 1e-5, pooled or not."""
    model = tiny_encoder(window=30, stride=15)
    arrays = inputs(4, days, seed)
    groups = np.arange(days) // 50
    for pool in (None, "mean", "year", "static"):
        settings: dict[str, Any] = {"pool": pool, "groups": groups, **CPU}
        if pool != "year":
            settings["groups"] = None
        some = embed_block(model, *arrays, batch_size=batch, **settings)
        default = embed_block(model, *arrays, **settings)
        same(some, default)


def test_pooling_is_the_mean_of_days(model: Any, same: Any) -> None:
    """`mean` averages the days, `year` those of its group; -1 leaves a day out."""
    arrays = inputs(2, 100)
    daily = embed_block(model, *arrays, **CPU)
    mean = embed_block(model, *arrays, pool="mean", **CPU)
    same(mean, daily.mean(1))
    groups = np.repeat([0, 1, -1], [40, 50, 10])
    year = embed_block(model, *arrays, pool="year", groups=groups, **CPU)
    assert year.shape == (2, 2, 16)
    same(year[:, 0], daily[:, :40].mean(1))
    same(year[:, 1], daily[:, 40:90].mean(1))


def test_static_pool_is_the_static_token(model: Any, same: Any) -> None:
    """With one window it is the token after the last day."""
    forcing, attributes, latitude, day = inputs(2, 30)
    with torch.inference_mode():
        hidden = model.encode(
            torch.tensor(forcing),
            torch.tensor(attributes),
            day_of_year=torch.tensor(day, dtype=torch.float32).expand(2, -1),
            latitude=torch.tensor(latitude),
        )
    static = embed_block(
        model, forcing, attributes, latitude, day, pool="static", **CPU
    )
    same(static, hidden[:, -1])


def test_sites_without_forcing_never_reach_the_model(model: Any, same: Any) -> None:
    """They are NaN, the others are as if they were alone."""
    forcing, attributes, latitude, day = inputs(3, 60)
    forcing[1] = np.nan
    seen = []
    encode = model.encode
    model.encode = lambda series, *rest, **more: (
        seen.append(len(series)),
        encode(series, *rest, **more),
    )[1]
    try:
        out = embed_block(model, forcing, attributes, latitude, day, **CPU)
    finally:
        del model.encode
    assert sum(seen) == 2 * len(window_starts(60, 30, 15))
    assert np.isnan(out[1]).all()
    alone = embed_block(model, forcing[[2]], attributes[[2]], latitude[[2]], day, **CPU)
    same(out[2], alone[0])


def test_nothing_to_do_runs_nothing(model: Any) -> None:
    """A block of sea cells only is all NaN."""
    forcing, attributes, latitude, day = inputs(2, 40)
    out = embed_block(model, forcing * np.nan, attributes, latitude, day, **CPU)
    assert out.shape == (2, 40, 16)
    assert np.isnan(out).all()


def test_infinite_values_are_missing_ones(model: Any) -> None:
    """An infinity in the forcing counts as NaN."""
    arrays = inputs(2, 40)
    infinite = arrays[0].copy()
    infinite[np.isnan(infinite)] = np.inf
    np.testing.assert_array_equal(
        embed_block(model, infinite, *arrays[1:], **CPU),
        embed_block(model, *arrays, **CPU),
    )


def test_bfloat16_is_close(model: Any) -> None:
    """Half precision changes the second digit at most, and float32 comes back."""
    arrays = inputs(3, 100)
    exact = embed_block(model, *arrays, **CPU)
    rough = embed_block(model, *arrays, precision="bfloat16", **CPU)
    assert rough.dtype == np.float32
    error = np.linalg.norm(rough - exact) / np.linalg.norm(exact)
    assert 1e-5 < error < 5e-2


def test_reconstruction_fades_windows(model: Any, same: Any) -> None:
    """Each day is the blend of its windows' reconstructions, in physical units."""
    forcing, attributes, latitude, day = inputs(2, 45)
    series, static = reconstruct_block(
        model, forcing, attributes, latitude, day, batch_size=3, **CPU
    )
    assert series.shape == forcing.shape
    assert static.shape == attributes.shape
    expected = np.zeros_like(forcing)
    for start, fade in zip(
        window_starts(45, 30, 15), fade_weights(45, 30, 15), strict=True
    ):
        part = slice(start, start + 30)
        with torch.inference_mode():
            hidden = model.encode(
                torch.tensor(forcing[:, part]),
                torch.tensor(attributes),
                day_of_year=torch.tensor(day[part], dtype=torch.float32).expand(2, -1),
                latitude=torch.tensor(latitude),
            )
            decoded = model.decode(hidden, physical=True)[0].numpy()
        expected[:, part] += decoded * fade[:, None]
    same(series, expected)


def test_no_days_give_the_static_token(model: Any) -> None:
    """A site without any record still has a static token."""
    from xstefaland.inference.blocks import Block, Encoder

    _, attributes, latitude, _ = inputs(3, 1)
    nothing = np.empty((3, 0, 3), np.float32)
    encoder = Encoder(model, "auto", "cpu", "float32")
    block = Block(nothing, attributes, latitude, np.empty(0))
    static = encoder.embed(block, "static", everywhere=True)
    assert static.shape == (3, 16)
    assert np.isfinite(static).all()
