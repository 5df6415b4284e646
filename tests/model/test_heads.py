"""Heads: quantiles, static answers, probabilities, limits and spin-up."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from xstefaland.errors import InputError
from xstefaland.model import HeadConfig, build_head

LEVELS = (0.05, 0.25, 0.5, 0.9)
TARGETS = ("streamflow", "soil_moisture")
SHAPE: dict[str, Any] = {
    "targets": TARGETS,
    "forcing": ("precipitation", "temperature"),
    "attributes": ("elevation", "soil_porosity"),
    "embedding": 8,
    "width": 5,
    "dropout": 0.2,
}


def make(seed: int = 0, **config: Any) -> Any:
    """A head with random weights, scaled targets, in evaluation mode."""
    torch.manual_seed(seed)
    head = build_head(HeadConfig(**{**SHAPE, **config}))
    for parameter in head.parameters():
        parameter.data.add_(torch.randn_like(parameter))
    head.target_scaling.assign([1.0, 0.3], [2.0, 0.1], [True, False])
    return head.eval()


def inputs(days: int = 12, seed: int = 0) -> tuple[torch.Tensor, ...]:
    """Embedding, forcing with gaps and attributes of three sites."""
    g = torch.Generator().manual_seed(seed)
    forcing = torch.randn(3, days, 2, generator=g)
    forcing[torch.rand(3, days, 2, generator=g) < 0.2] = torch.nan
    return (
        torch.randn(3, days, 8, generator=g),
        forcing,
        torch.randn(3, 2, generator=g),
    )


@given(
    st.integers(0, 10_000),
    st.sampled_from(["resconn", "no_resconn", "lstm", "linear"]),
    st.booleans(),
    st.sampled_from(["identity", "logit"]),
    st.booleans(),
)
def test_quantiles_never_cross(
    seed: int, kind: str, static: bool, link: str, train: bool
) -> None:
    """Whatever the weights: levels rise, in training as after it."""
    head = make(seed, kind=kind, static=static, link=link, quantiles=LEVELS)
    with torch.no_grad():
        out = head.train(train)(*inputs(seed=seed))
    assert out.shape == ((3, 2, 4) if static else (3, 12, 2, 4))
    assert (out[..., 1:] >= out[..., :-1]).all()
    assert (out[..., 1:] > out[..., :-1]).any()


def test_quantiles_of_a_target_are_its_own() -> None:
    """The first output row moves the first target's lowest level, and so all of it."""
    head = make(quantiles=LEVELS)
    with torch.no_grad():
        before = head(*inputs())
        head.output.bias[0] += 1.0
        lowest = head(*inputs()) - before
        head.output.bias[0] -= 1.0
        head.output.bias[2 * 3 + 1] += 1.0
        highest = head(*inputs()) - before
    assert (lowest[..., 0, :].abs() > 0).all()
    assert torch.equal(lowest[..., 1, :], torch.zeros(3, 12, 4))
    assert torch.equal(highest[..., 0, :], torch.zeros(3, 12, 4))
    assert torch.equal(highest[..., 1, :3], torch.zeros(3, 12, 3))
    assert (highest[..., 1, 3] > 0).all()


def test_static_answer_is_of_the_mean_state() -> None:
    """A pointwise head is linear: the mean of days is the day of the means."""
    head = make(kind="linear", static=True)
    head.target_scaling.assign([0.0, 0.0], [1.0, 1.0], [False, False])
    embedding, forcing, attributes = inputs()
    with torch.no_grad():
        out = head(embedding, forcing.nan_to_num(), attributes)
        daily = make(kind="linear")
        daily.load_state_dict(head.state_dict())
        by_day = daily(embedding, forcing.nan_to_num(), attributes)
    assert out.shape == (3, 2)
    torch.testing.assert_close(out, by_day.mean(1), rtol=1e-4, atol=1e-5)


def test_probabilities() -> None:
    """A logit head's scaling is that of the logits: its mean is the base rate."""
    head = make(link="logit")
    with torch.no_grad():
        for parameter in head.output.parameters():
            parameter.zero_()
        head.target_scaling.assign([-3.0, 0.0], [1.0, 1.0], [False, False])
        out = head(*inputs())
    torch.testing.assert_close(out, torch.tensor([0.04742587, 0.5]).expand(3, 12, 2))


def test_limits_hold_outside_training() -> None:
    """Each target has its own; None is no limit; training sees raw values."""
    head = make()
    with torch.no_grad():
        free = head(*inputs())
        low, high = free[..., 0].median(), free[..., 1].median()
        head.limit([float(low), None], [None, float(high)])
        held = head(*inputs())
        raw = head.train()(*inputs())
    assert torch.equal(held[..., 0], free[..., 0].clamp_min(low))
    assert torch.equal(held[..., 1], free[..., 1].clamp_max(high))
    assert (raw[..., 0] < low).any()
    assert (raw[..., 1] > high).any()


@pytest.mark.parametrize("static", [False, True])
@pytest.mark.parametrize("quantiles", [(), LEVELS])
def test_each_site_has_its_own_ceiling(
    static: bool, quantiles: tuple[float, ...]
) -> None:
    """The lower of porosity and limit; where unknown, the limit."""
    head = make(static=static, quantiles=quantiles)
    head.target_scaling.assign([0.0, 5.0], [1.0, 0.0], [False, False])
    head.limit([None, 0.0], [None, 0.65])
    own = torch.tensor([[torch.nan, 0.4], [torch.nan, torch.nan], [torch.nan, 0.9]])
    with torch.no_grad():
        out = head(*inputs(), maximum=own)
        free = head(*inputs())
    moisture = out.select(-2 if quantiles else -1, 1)
    for site, value in enumerate((0.4, 0.65, 0.65)):
        torch.testing.assert_close(
            moisture[site], torch.full_like(moisture[site], value)
        )
    flow = (each.select(-2 if quantiles else -1, 0) for each in (out, free))
    assert torch.equal(*flow)


def test_spinup_ends_where_the_record_begins() -> None:
    """With it, the first day's state has seen days; without, it starts cold."""
    head = make(kind="lstm")
    given = inputs(30)
    with torch.no_grad():
        cold = head(*given, spinup_days=0)
        warm = head(*given, spinup_days=30)
        twice = head(
            *(torch.cat([x, x], 1) for x in given[:2]), given[2], spinup_days=0
        )
    assert (warm - cold)[:, 0].abs().max() > 1e-3
    torch.testing.assert_close(warm, twice[:, 30:], rtol=1e-4, atol=1e-5)


def test_names_of_tensors_stay() -> None:
    """Bundled files have these, whatever a head is told to give."""
    plain, rich = make(), make(quantiles=LEVELS, link="logit", static=True)
    assert set(plain.state_dict()) == set(rich.state_dict())
    assert {"minimum", "maximum", "output.weight"} < set(plain.state_dict())


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"quantiles": (0.9, 0.1)}, r"`quantiles` must rise .* \(0\.9, 0\.1\)"),
        ({"quantiles": (0.0, 0.5)}, "`quantiles` must rise and lie between 0 and 1"),
        ({"quantiles": (0.5, 0.5)}, "`quantiles` must rise"),
        ({"link": "probit"}, "link='probit' is neither 'identity' nor 'logit'"),
        (
            {
                "physics": "hbv",
                "static": True,
                "forcing": (
                    "precipitation",
                    "temperature",
                    "potential_evapotranspiration",
                ),
            },
            "HBV gives one daily value per target",
        ),
    ],
)
def test_impossible_configurations(config: dict[str, Any], message: str) -> None:
    """Refused with the reason when they are made."""
    with pytest.raises(InputError, match=message):
        HeadConfig(**{**SHAPE, **config})


def test_configuration_survives_json() -> None:
    """Lists of a JSON card become tuples again."""
    config = HeadConfig(**SHAPE, quantiles=LEVELS, static=True, link="logit")
    entries = {
        k: list(v) if isinstance(v, tuple) else v for k, v in config.to_dict().items()
    }
    assert HeadConfig.from_dict(entries) == config


@pytest.mark.parametrize(
    ("config", "possible"),
    [
        ({}, True),
        ({"adapter": "conv"}, False),
        ({"adapter": "attention", "kind": "no_resconn"}, False),
        ({"adapter": "conv", "kind": "lstm"}, True),
    ],
)
def test_which_heads_can_be_causal(config: dict[str, Any], possible: bool) -> None:
    """Adapters that mix days look ahead, and it is they that decide."""
    head = make(**config)
    embedding, forcing, attributes = inputs()
    other = embedding.clone()
    other[:, 8:] += 1.0
    with torch.no_grad():
        a = head(embedding, forcing, attributes, spinup_days=0)
        b = head(other, forcing, attributes, spinup_days=0)
    assert head.config.causal_possible is possible
    assert torch.equal(a[:, :8], b[:, :8]) is possible


@pytest.mark.parametrize("adapter", ["residual", "attention"])
@pytest.mark.parametrize("kind", ["resconn", "transformer", "direct"])
@pytest.mark.parametrize("lacking", ["forcing", "attributes"])
def test_a_part_without_inputs_is_built_quietly(
    kind: str, adapter: str, lacking: str
) -> None:
    """Torch warns of weights without elements; that is an error here."""
    form = {**SHAPE, "kind": kind, "adapter": adapter, lacking: ()}
    head = build_head(HeadConfig(**form))
    empty = [m for m in head.modules() if getattr(m, "in_features", 1) == 0]
    assert empty or (adapter, lacking) == ("attention", "attributes")
    assert not any(layer.bias.any() for layer in empty)
