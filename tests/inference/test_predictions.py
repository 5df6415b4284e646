"""Predictions: what heads really give, through encoder and blocks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import xstefaland
from xstefaland.inference.batches import Limit
from xstefaland.inference.blocks import Block, Encoder, embed_block
from xstefaland.inference.loaded import Reference
from xstefaland.inference.plans import requirements
from xstefaland.inference.predictions import Ceiling, HeadTask, predict_block
from xstefaland.inputs.hints import Hints
from xstefaland.inputs.prepare import prepare
from xstefaland.model.process import CHANNELS, WEATHER
from xstefaland.testing import example_points, tiny_head, tiny_weights

LEVELS = (0.1, 0.5, 0.9)
TARGETS = ("streamflow", "soil_moisture")
CLAY = 2
"""Column of the tiny encoder's attributes that stands for porosity here."""


@pytest.fixture(scope="module")
def weights() -> Any:
    """A small encoder."""
    return tiny_weights(window=30, stride=15)


@pytest.fixture(scope="module")
def encoder(weights: Any) -> Encoder:
    """The same, ready to work."""
    return Encoder(weights.model(), "auto", "cpu", "float32")


def block(sites: int = 3, days: int = 50) -> Block:
    """Weather and attributes with a hole."""
    rng = np.random.default_rng(0)
    forcing = rng.gamma(1.0, 5.0, (sites, days, 3)).astype(np.float32)
    attributes = rng.uniform(0, 40, (sites, 4)).astype(np.float32)
    attributes[-1, CLAY] = np.nan
    latitude = rng.uniform(30, 60, sites).astype(np.float32)
    return Block(forcing, attributes, latitude, np.arange(days) % 365 + 1)


def asked(
    weights: Any, task: dict[str, Any], targets: Any = TARGETS, **config: Any
) -> tuple[Any, HeadTask]:
    """A head of some targets, and what to ask of it."""
    head = tiny_head(weights, targets, **config)
    columns = {"forcing": (0, 1), "attributes": (0,)}
    columns["targets"] = tuple(range(len(targets)))
    return head.model(), HeadTask(
        **{"reference": Reference.of(head), **columns, "spinup_days": 20, **task}
    )


def by_hand(head: Any, embedding: Any, given: Block, **options: Any) -> Any:
    """The head on an embedding, whole."""
    with torch.inference_mode():
        return head(
            torch.from_numpy(embedding),
            torch.from_numpy(given.forcing[..., :2]),
            torch.from_numpy(given.attributes[:, :1]),
            spinup_days=20,
            **options,
        ).numpy()


def embedded(weights: Any, given: Block, **options: Any) -> Any:
    """The block's daily embedding."""
    arrays = given.forcing, given.attributes, given.latitude, given.day_of_year
    return embed_block(weights.model(), *arrays, device="cpu", **options)


def test_levels_in_the_order_asked(weights: Any, encoder: Encoder, same: Any) -> None:
    """Several levels are a last axis, one is none; both targets have their own."""
    head, task = asked(weights, {"levels": (2, 0)}, quantiles=LEVELS)
    given = block()
    expected = by_hand(head, embedded(weights, given), given)
    flow, moisture = predict_block(encoder, [(head, task)], given)
    assert flow.shape == (3, 50, 2)
    same(flow, expected[:, :, 0][..., [2, 0]])
    same(moisture, expected[:, :, 1][..., [2, 0]])
    assert (flow[..., 0] > flow[..., 1]).all()
    median = replace(task, levels=1, targets=(1,))
    (middle,) = predict_block(encoder, [(head, median)], given)
    same(middle, expected[:, :, 1, 1])


@pytest.mark.parametrize("quantiles", [(), LEVELS])
def test_static_answers(
    weights: Any, encoder: Encoder, same: Any, quantiles: tuple[float, ...]
) -> None:
    """One per site and target, also where a site has attributes only."""
    task = {"static": True, "levels": (0, 2) if quantiles else None}
    head, task_ = asked(weights, task, static=True, quantiles=quantiles)
    given = block()
    flow, moisture = predict_block(encoder, [(head, task_)], given)
    expected = by_hand(head, embedded(weights, given), given)
    assert flow.shape == ((3, 2) if quantiles else (3,))
    for target, answer in enumerate((flow, moisture)):
        own = expected[:, target]
        same(answer, own[:, [0, 2]] if quantiles else own)
    given.forcing[1] = np.nan
    (flow, _) = predict_block(encoder, [(head, task_)], given)
    assert np.isfinite(flow).all()
    given.attributes[1] = np.nan
    (flow, _) = predict_block(encoder, [(head, task_)], given)
    assert np.isnan(flow[1]).all()
    assert np.isfinite(flow[[0, 2]]).all()


def test_static_answers_without_days(weights: Any, encoder: Encoder, same: Any) -> None:
    """The static token stands for the record."""
    head, task = asked(weights, {"static": True}, static=True)
    given = block(days=0)
    flow, moisture = predict_block(encoder, [(head, task)], given)
    token = encoder.embed(given, "static", everywhere=True)[:, None]
    nothing = replace(given, forcing=np.full((3, 1, 3), np.nan, np.float32))
    same(np.stack([flow, moisture], -1), by_hand(head, token, nothing))


def test_probabilities(weights: Any, encoder: Encoder) -> None:
    """A static logit head answers with a share, another one with whatever."""
    given = block()
    for link, inside in (("logit", True), ("identity", False)):
        head, task = asked(weights, {"static": True}, static=True, link=link)
        with torch.no_grad():
            head.output.weight.mul_(100)
        answers = np.stack(predict_block(encoder, [(head, task)], given))
        assert bool(((answers > 0) & (answers < 1)).all()) is inside


@pytest.mark.parametrize("quantiles", [(), LEVELS])
def test_sites_have_their_own_ceilings(
    weights: Any, quantiles: tuple[float, ...]
) -> None:
    """The site's attribute, or the value where it is missing; other targets are free.

    Two sites at a time: each keeps its own when they go through the head in turns.
    """
    encoder = Encoder(weights.model(), "auto", "cpu", "float32", sites=Limit(2))
    given = block()
    given.attributes[:2, CLAY] = [0.45, 0.3]
    levels = 1 if quantiles else None
    free = asked(weights, {"levels": levels}, quantiles=quantiles)
    head, task = free
    with torch.no_grad():
        head.target_scaling.mean.fill_(5.0)
    limited = replace(task, ceilings=(Ceiling(target=1, attribute=CLAY, value=0.65),))
    flow, moisture = predict_block(encoder, [free], given)
    flow_again, held = predict_block(encoder, [(head, limited)], given)
    np.testing.assert_array_equal(flow, flow_again)
    assert (moisture > 1).all()
    ceiling = np.array([0.45, 0.3, 0.65], np.float32)[:, None]
    np.testing.assert_array_equal(held, np.broadcast_to(ceiling, held.shape))
    nowhere = replace(task, ceilings=(Ceiling(target=1, attribute=None, value=0.65),))
    _, everywhere = predict_block(encoder, [(head, nowhere)], given)
    np.testing.assert_array_equal(everywhere, np.float32(0.65))


def test_heads_of_all_kinds_share_one_embedding(
    weights: Any, encoder: Encoder, same: Any
) -> None:
    """A quantile head beside a plain one: each answers as it does alone."""
    given = block()
    heads = [
        asked(weights, {"levels": (0, 1)}, quantiles=LEVELS),
        asked(weights, {}, seed=3),
    ]
    together = predict_block(encoder, heads, given)
    apart = [answer for one in heads for answer in predict_block(encoder, [one], given)]
    for a, b in zip(together, apart, strict=True):
        same(a, b)


def test_a_gap_in_hbvs_weather_is_filled(weights: Any, encoder: Encoder) -> None:
    """No NaN comes out, and a wet week that is missing gives flow."""
    names = ("precipitation", "temperature", "potential_evapotranspiration")
    task = {"forcing": (0, 1, 3)}
    hbv = {"forcing": names, "physics": "hbv", "components": 2}
    heads = [asked(weights, task, ["streamflow"], **hbv)]
    given = block(1, 120)
    pet = np.ones((1, 120, 1), np.float32)
    whole = replace(given, forcing=np.concatenate([given.forcing, pet], -1))
    missing = replace(whole, forcing=whole.forcing.copy())
    missing.forcing[:, 60:67, 0] = np.nan
    dry = replace(whole, forcing=whole.forcing.copy())
    dry.forcing[:, 60:67, 0] = 0.0
    filled, none = (predict_block(encoder, heads, each)[0] for each in (missing, dry))
    assert np.isfinite(filled).all()
    assert filled[0, 60:90].sum() > none[0, 60:90].sum() + 3


@pytest.mark.parametrize("form", ["direct", "anomaly"])
def test_channels_and_place_come_from_the_dataset_itself(
    weights: Any, same: Any, form: str
) -> None:
    """Nothing is passed: lazy as eager, and as by hand from the forcing read."""
    head = tiny_head(
        weights, forcing=WEATHER, channels=CHANNELS, place=True, kind="lstm", form=form
    )
    ds = example_points(3, 420)
    eager = xstefaland.predict(ds, "streamflow", head=head, weights=weights)
    lazy = xstefaland.predict(
        ds.chunk(site=1), "streamflow", head=head, weights=weights
    )
    same(lazy.values, eager.values)
    read = prepare(ds, requirements(weights, head), Hints.of())
    names = [spec.name for spec in requirements(weights, head).forcing]
    columns = [names.index(name) for name in WEATHER]
    with torch.inference_mode():
        expected = head.model()(
            torch.zeros(3, 1, 1),
            torch.from_numpy(np.ascontiguousarray(read.forcing.values[..., columns])),
            torch.from_numpy(ds.elevation.values[:, None]),
            day_of_year=torch.from_numpy(ds.time.dt.dayofyear.values.astype("f4")),
            latitude=torch.from_numpy(ds.latitude.values.astype("f4")),
        )
    same(eager.values, expected[..., 0].numpy())


def test_without_latitude_there_are_neither_channels_nor_season(weights: Any) -> None:
    """The answer is another one, and still one."""
    head = tiny_head(
        weights, forcing=WEATHER, channels=CHANNELS, place=True, kind="lstm"
    )
    ds = example_points(2, 60)
    known = xstefaland.predict(ds, "streamflow", head=head, weights=weights)
    with pytest.warns(UserWarning, match="the latitude of the sites is unknown"):
        unknown = xstefaland.predict(
            ds.drop_vars("latitude"), "streamflow", head=head, weights=weights
        )
    assert unknown.notnull().all()
    assert not np.allclose(known, unknown, atol=1e-3)
