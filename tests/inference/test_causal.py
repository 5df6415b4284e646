"""Causal reading: the past never knows what comes after it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstefaland.errors import InputError
from xstefaland.inference.blocks import Block, Encoder, embed_block
from xstefaland.inference.loaded import Reference
from xstefaland.inference.predictions import HeadTask, predict_block
from xstefaland.testing import tiny_encoder, tiny_head, tiny_weights

WINDOW, STRIDE = 30, 12
FORMS: list[dict[str, Any]] = [
    {},
    {"norm": "pre", "activation": "gelu"},
    {"static_position": "last", "calendar": False, "static_mask": "value"},
]


def records(sites: int, days: int, seed: int) -> Block:
    """Weather with gaps and something on the first day, attributes with holes."""
    rng = np.random.default_rng(seed)
    forcing = rng.gamma(1.0, 5.0, (sites, days, 3)).astype(np.float32)
    forcing[:, 1:][rng.random((sites, days - 1, 3)) < 0.2] = np.nan
    attributes = rng.uniform(0, 40, (sites, 4)).astype(np.float32)
    attributes[0, 1] = np.nan
    latitude = rng.uniform(30, 60, sites).astype(np.float32)
    return Block(forcing, attributes, latitude, (np.arange(days) + 270) % 365 + 1)


def another_future(block: Block, day: int, seed: int) -> Block:
    """The same up to `day`; then other weather, all of it, none, or in extremes."""
    rng = np.random.default_rng(seed)
    forcing, calendar = block.forcing.copy(), block.day_of_year.copy()
    later = forcing[:, day + 1 :]
    later[:] = rng.choice([0.0, 20.0, 1e4]) * rng.standard_normal(later.shape)
    later[rng.random(later.shape) < rng.choice([0.0, 0.5, 1.0])] = np.nan
    calendar[day + 1 :] = rng.integers(1, 367)
    return replace(block, forcing=forcing, day_of_year=calendar)


def embed(model: Any, block: Block, **options: Any) -> Any:
    """Embed causally, on the CPU."""
    arrays = block.forcing, block.attributes, block.latitude, block.day_of_year
    return embed_block(model, *arrays, device="cpu", causal=True, **options)


@given(
    st.data(),
    st.integers(1, 110),
    st.integers(1, 12),
    st.sampled_from(["float32", "bfloat16"]),
    st.sampled_from(FORMS),
    st.integers(0, 99),
)
def test_the_future_changes_nothing_before_it(
    data: st.DataObject,
    days: int,
    batch: int,
    precision: str,
    form: dict[str, Any],
    seed: int,
) -> None:
    """Other weather and another calendar after a day leave every bit up to it."""
    model = tiny_encoder(window=WINDOW, stride=STRIDE, **form)
    block = records(3, days, seed)
    day = data.draw(st.integers(0, days - 1), "day")
    changed = another_future(block, day, seed)
    options: dict[str, Any] = {"batch_size": batch, "precision": precision}
    a, b = embed(model, block, **options), embed(model, changed, **options)
    assert np.isfinite(a).all()
    np.testing.assert_array_equal(a[:, : day + 1], b[:, : day + 1])


@given(st.integers(1, 100), st.integers(1, 60), st.sampled_from(FORMS))
def test_a_longer_record_starts_the_same(
    same: Any, days: int, more: int, form: dict[str, Any]
) -> None:
    """Days that are appended change no embedding of the days before."""
    model = tiny_encoder(window=WINDOW, stride=STRIDE, **form)
    block = records(2, days + more, days)
    cut = replace(
        block, forcing=block.forcing[:, :days], day_of_year=block.day_of_year[:days]
    )
    same(embed(model, block)[:, :days], embed(model, cut))


def test_a_day_has_a_history_of_fixed_length() -> None:
    """What lies ``window - stride`` days back counts, what lies a window back not."""
    model = tiny_encoder(window=WINDOW, stride=STRIDE)
    block = records(1, 100, 3)
    out = embed(model, block)
    for day in range(WINDOW, 100):
        changed = block.forcing.copy()
        changed[:, : day - WINDOW + 1] = 7.0
        same_day = embed(model, replace(block, forcing=changed))[:, day]
        np.testing.assert_array_equal(same_day, out[:, day])
        changed = block.forcing.copy()
        changed[:, day - (WINDOW - STRIDE)] += 50.0
        other = embed(model, replace(block, forcing=np.nan_to_num(changed)))[:, day]
        assert np.abs(other - out[:, day]).max() > 1e-5


def test_reading_both_ways_does_look_ahead() -> None:
    """The default is not causal: the test above could fail."""
    model = tiny_encoder(window=WINDOW, stride=STRIDE)
    block = records(2, 60, 0)
    arrays = block.attributes, block.latitude, block.day_of_year
    changed = another_future(block, 40, 1).forcing
    a = embed_block(model, block.forcing, *arrays, device="cpu")
    b = embed_block(model, changed, *arrays, device="cpu")
    assert np.abs(a - b)[:, 35:41].max() > 1e-4


def test_days_before_the_first_weather_are_nan() -> None:
    """Whether a site will have weather later on must not show before it has."""
    model = tiny_encoder(window=WINDOW, stride=STRIDE)
    block = records(3, 80, 5)
    block.forcing[1, :50] = np.nan
    block.forcing[1, 50] = 1.0
    block.forcing[2] = np.nan
    missing = np.isnan(embed(model, block)).all(2)
    assert not missing[0].any()
    assert missing[1].tolist() == [True] * 50 + [False] * 30
    assert missing[2].all()


def test_the_static_token_is_the_attributes_alone(same: Any) -> None:
    """It does not change with the weather, and is there without any weather."""
    model = tiny_encoder(window=WINDOW, stride=STRIDE)
    block = records(2, 80, 0)
    wet = replace(block, forcing=block.forcing + 20)
    a, b = (embed(model, each, pool="static") for each in (block, wet))
    np.testing.assert_array_equal(a, b)
    encoder = Encoder(model, "auto", "cpu", "float32")
    none = replace(block, forcing=block.forcing[:, :0], day_of_year=np.empty(0))
    same(encoder.embed(none, "static", everywhere=True, causal=True), a)
    other = replace(block, attributes=block.attributes + 5)
    assert np.abs(embed(model, other, pool="static") - a).max() > 1e-3


def test_the_static_token_costs_one_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """All windows have the same one."""
    model, seen = tiny_encoder(window=WINDOW, stride=STRIDE), []
    encode = model.encode

    def counted(series: Any, *rest: Any, **more: Any) -> Any:
        seen.append(len(series))
        return encode(series, *rest, **more)

    monkeypatch.setattr(model, "encode", counted)
    embed(model, records(2, 80, 0), pool="static")
    assert sum(seen) == 2


def test_pools_are_means_of_causal_days(same: Any) -> None:
    """Pooled causal embeddings average the daily ones, the last window's too."""
    model = tiny_encoder(window=WINDOW, stride=STRIDE)
    block = records(2, 77, 2)
    daily = embed(model, block)
    same(embed(model, block, pool="mean"), daily.mean(1))
    groups = np.repeat([0, 1, -1], [40, 30, 7])
    year = embed(model, block, pool="year", groups=groups)
    same(year[:, 1], daily[:, 40:70].mean(1))


@pytest.fixture(scope="module")
def weights() -> Any:
    """A small encoder."""
    return tiny_weights(window=WINDOW, stride=STRIDE)


def asked(weights: Any, **config: Any) -> tuple[Any, HeadTask]:
    """A head on it, and its task."""
    head = tiny_head(weights, **config)
    columns = tuple(range(len(head.card.forcing)))
    return head.model(), HeadTask(Reference.of(head), columns, (0,), (0,))


RICH: dict[str, Any] = {
    "forcing": ("precipitation", "temperature", "potential_evapotranspiration"),
    "channels": ("precipitation_30d", "dry_spell", "streamflow_00", "soil_water_01"),
    "place": True,
}


@given(st.data(), st.integers(1, 90), st.integers(0, 99))
@pytest.mark.parametrize(
    "config",
    [
        {"kind": "resconn"},
        {"kind": "no_resconn"},
        {"kind": "lstm"},
        {"kind": "linear"},
        {"kind": "resconn", **RICH},
        {"kind": "lstm", **RICH, "form": "anomaly"},
    ],
)
def test_predictions_do_not_look_ahead(
    weights: Any, config: dict[str, Any], data: st.DataObject, days: int, seed: int
) -> None:
    """Heads start cold: nothing of the future, bit by bit."""
    encoder = Encoder(weights.model(), "auto", "cpu", "float32")
    heads = [asked(weights, **config)]
    block = records(3, days, seed)
    day = data.draw(st.integers(0, days - 1), "day")
    (a,) = predict_block(encoder, heads, block, causal=True)
    (b,) = predict_block(encoder, heads, another_future(block, day, seed), causal=True)
    assert np.isfinite(a).all()
    np.testing.assert_array_equal(a[:, : day + 1], b[:, : day + 1])


def test_predictions_start_with_the_weather(weights: Any, same: Any) -> None:
    """Days before it are NaN and leave no trace in the states after it."""
    encoder = Encoder(weights.model(), "auto", "cpu", "float32")
    block = records(2, 60, 1)
    block.forcing[1, :20] = np.nan
    block.forcing[1, 20] = 3.0
    (out,) = predict_block(encoder, [asked(weights)], block, causal=True)
    assert np.isnan(out[1]).tolist() == [True] * 20 + [False] * 40
    (alone,) = predict_block(encoder, [asked(weights)], block.take([0]), causal=True)
    same(out[:1], alone)


@pytest.mark.parametrize(
    "config",
    [
        {
            "physics": "hbv",
            "components": 2,
            "forcing": (
                "precipitation",
                "temperature",
                "potential_evapotranspiration",
            ),
        },
        {"adapter": "conv"},
        {"adapter": "attention", "kind": "no_resconn"},
    ],
)
def test_heads_that_need_the_whole_record_refuse(
    weights: Any, config: dict[str, Any]
) -> None:
    """HBV and two-way adapters are named instead of looking ahead in silence."""
    encoder = Encoder(weights.model(), "auto", "cpu", "float32")
    with pytest.raises(InputError, match=r"tiny-head.*whole record.*causal=False"):
        predict_block(
            encoder, [asked(weights, **config)], records(1, 9, 0), causal=True
        )
