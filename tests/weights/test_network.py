"""From card and tensors to a module: refusals that list everything."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from xstefaland.errors import WeightsError
from xstefaland.model import HeadConfig, StefaLand, build_head
from xstefaland.testing import tiny_head, tiny_weights
from xstefaland.weights import (
    Card,
    EncoderReference,
    TargetSpec,
    VariableSpec,
    Weights,
    network,
    require_encoder,
    save,
)


def test_wrong_tensors_are_all_listed(
    tmp_path: Path, encoder_card: Card, encoder_model: StefaLand
) -> None:
    """Left over, missing and misshapen tensors come in one error."""
    state = dict(encoder_model.state_dict())
    state["extra"] = torch.ones(1)
    del state["norm.bias"]
    state["norm.weight"] = torch.ones(3)
    weights = save(tmp_path / "x.safetensors", state, encoder_card)
    with pytest.raises(WeightsError, match="3 problems") as caught:
        weights.model()
    text = str(caught.value)
    assert "tensor 'extra' is left over" in text
    assert "tensor 'norm.bias' is missing" in text
    assert "tensor 'norm.weight' has shape (3,), the model needs (8,)" in text


def test_scaling_must_be_the_cards(
    tmp_path: Path, encoder_card: Card, encoder_model: StefaLand
) -> None:
    """A card that claims another scaling than the tensors is refused when written."""
    wrong = replace(encoder_card.forcing[1], mean=9.0, transform="log1p")
    card = replace(encoder_card, forcing=(encoder_card.forcing[0], wrong))
    with pytest.raises(WeightsError, match=r"2 problems.*\n.*8\.0.*card says 9\.0"):
        save(tmp_path / "x.safetensors", encoder_model.state_dict(), card)


@pytest.mark.parametrize("wrong", [{"novelty": 1}, {"heads": 3}])
def test_impossible_config(
    tmp_path: Path,
    encoder_card: Card,
    encoder_model: StefaLand,
    wrong: dict[str, int],
) -> None:
    """A config that no model can be built from names file and reason."""
    card = replace(encoder_card, config={**encoder_card.config, **wrong})
    weights = save(tmp_path / "x.safetensors", encoder_model.state_dict(), card)
    with pytest.raises(WeightsError, match=r"x\.safetensors.*config.*(novelty|heads)"):
        weights.model()


def test_head_accepts_its_encoder(encoder_file: Weights, make_head) -> None:
    """The encoder a head was trained on passes."""
    require_encoder(make_head("h-v1", ["streamflow"]), encoder_file)


def test_head_refuses_another_encoder(
    tmp_path: Path, encoder_file: Weights, encoder_model: StefaLand, make_head
) -> None:
    """Another encoder of the same shape is refused with both hashes."""
    state = encoder_model.state_dict()
    state["norm.bias"] = state["norm.bias"] + 1
    other = save(
        tmp_path / "o.safetensors", state, replace(encoder_file.card, name="o")
    )
    with pytest.raises(WeightsError, match="was trained on encoder 'tiny-v1'") as info:
        require_encoder(make_head("h-v1", ["streamflow"]), other)
    assert encoder_file.sha256 in str(info.value)
    assert other.sha256 in str(info.value)


def test_kinds_must_be_right(encoder_file: Weights) -> None:
    """An encoder in place of a head is named as such."""
    with pytest.raises(WeightsError, match="of kind 'encoder', not 'head'"):
        require_encoder(encoder_file, encoder_file)


def test_real_head_round_trip(tmp_path: Path, encoder_file: Weights) -> None:
    """A head with its scaling and bounds comes back from float16 and answers alike."""
    torch.manual_seed(2)
    config = HeadConfig(
        targets=("streamflow",),
        forcing=("precipitation",),
        attributes=("elevation",),
        embedding=8,
        width=8,
    )
    head = build_head(config).eval()
    rain = VariableSpec(name="precipitation", units="mm d-1", mean=3.0, std=5.0)
    height = VariableSpec(name="elevation", units="m", mean=900.0, std=600.0)
    card = Card(
        kind="head",
        name="real-v1",
        config=config.to_dict(),
        forcing=(rain,),
        attributes=(height,),
        encoder=EncoderReference(name="tiny-v1", sha256=encoder_file.sha256),
        targets=(TargetSpec(name="streamflow", units="mm d-1", minimum=0.0),),
    )
    with pytest.raises(
        WeightsError, match=r"5 problems.*\n.*features\.forcing_scaling"
    ):
        save(tmp_path / "h.safetensors", head.state_dict(), card)
    head.features.forcing_scaling.assign([3.0], [5.0], [False])
    head.features.attribute_scaling.assign([900.0], [600.0], [False])
    head.minimum[:] = 0.0
    weights = save(tmp_path / "h.safetensors", head.state_dict(), card, "float16")
    inputs = torch.rand(2, 20, 8), torch.rand(2, 20, 1), torch.rand(2, 1)
    torch.testing.assert_close(
        weights.model()(*inputs), head(*inputs), rtol=1e-2, atol=1e-3
    )


def test_targets_must_be_the_configs() -> None:
    """A head's card that lists other targets than its config is refused."""
    with pytest.raises(WeightsError, match=r"`targets` lists .*'flow'.* config has"):
        Card(
            kind="head",
            name="h",
            config={"targets": ["streamflow"]},
            encoder=EncoderReference(name="e", sha256="0" * 64),
            targets=(TargetSpec(name="flow", units="mm d-1"),),
        )


@pytest.fixture
def head_file(tmp_path: Path) -> Weights:
    """A head of two targets, one with both limits, one with none."""
    return tiny_head(
        tiny_weights(),
        ("soil_moisture", "streamflow"),
        path=tmp_path / "head.safetensors",
    )


@pytest.mark.parametrize("limit", ["minimum", "maximum"])
def test_limits_must_be_the_cards(head_file: Weights, limit: str) -> None:
    """A card cannot state limits that its network does not keep, nor hide any."""
    first, second = head_file.card.targets
    card = replace(head_file.card, targets=(replace(first, **{limit: 0.5}), second))
    tensors = head_file.tensors()
    with pytest.raises(
        WeightsError, match=f"in tensor '{limit}' but its card says 0.5"
    ):
        save(head_file.path, tensors, card)
    with pytest.raises(
        WeightsError, match=f"in tensor '{limit}' but its card says 0.5"
    ):
        network.build(card, tensors, "x")
    tensors[limit][0] = 0.5
    written = save(head_file.path, tensors, card).model()
    assert getattr(written, limit)[0] == 0.5
    with pytest.raises(WeightsError, match=f"has 0.5 in tensor '{limit}'"):
        network.build(head_file.card, tensors, "x")


def test_answers_keep_to_the_cards_limits(head_file: Weights) -> None:
    """Limits on the card are limits of the answers."""
    low, high = -0.01, 0.01
    first, second = head_file.card.targets
    targets = (replace(first, minimum=low, maximum=high), second)
    tensors = head_file.tensors()
    tensors["minimum"][0], tensors["maximum"][0] = low, high
    model = network.build(replace(head_file.card, targets=targets), tensors, "x")
    inputs = torch.randn(2, 40, 16) * 9, torch.randn(2, 40, 2), torch.ones(2, 1)
    answer = model(*inputs).detach()
    assert answer[..., 0].min() == pytest.approx(low)
    assert answer[..., 0].max() == pytest.approx(high)
    assert answer[..., 1].abs().max() > high


def test_physics_keep_to_the_cards_limits() -> None:
    """A head whose file has no limits takes those of the card."""
    weather = ("precipitation", "temperature", "potential_evapotranspiration")
    targets = ("streamflow", "recharge")
    weights = tiny_head(tiny_weights(), targets, physics="hbv", forcing=weather)
    flow = replace(weights.card.targets[0], minimum=0.0, maximum=0.001)
    card = replace(weights.card, targets=(flow, weights.card.targets[1]))
    limited = network.build(card, weights.tensors(), "x")
    assert limited.maximum.tolist() == pytest.approx([0.001, torch.inf])
    assert limited.minimum.tolist() == [0.0, -torch.inf]


def test_transform_must_be_the_networks(head_file: Weights) -> None:
    """A target that the card calls logarithmic must be so in the network."""
    first, second = head_file.card.targets
    card = replace(head_file.card, targets=(first, replace(second, transform="log1p")))
    with pytest.raises(WeightsError, match=r"'streamflow' has 0.0 in .*scaling\.log'"):
        save(head_file.path, head_file.tensors(), card)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"heads": 0}, "`heads` is 0; it must be 1 to"),
        ({"d_model": -8}, "must have `d_model`, 1 or more"),
        ({"ffn": 2**40}, "`ffn` is 1099511627776; it must be 1 to 1048576"),
        ({"layers": 10**6}, "`layers` is 1000000; it must be 1 to"),
        ({"ffn": "16"}, "`ffn` is '16'; it must be an integer"),
        ({"ffn": True}, "`ffn` is True; it must be an integer"),
        ({"dropout": "none"}, "`dropout` is 'none'; it must be a finite number"),
        ({"norm": "both"}, "`norm` is 'both'; it must be 'pre' or 'post'"),
        ({"calendar": 1}, "`calendar` is 1; it must be true or false"),
        ({"ffn": 2**20, "d_model": 2**20}, r"tensor '.*' has shape .* the model needs"),
    ],
)
def test_hostile_config(
    encoder_card: Card, encoder_model: StefaLand, wrong: dict[str, Any], message: str
) -> None:
    """A wrong type or size is named before anything is built."""
    config = {**encoder_card.config, **wrong}
    with pytest.raises(WeightsError, match=message):
        network.build(
            replace(encoder_card, config=config), encoder_model.state_dict(), "x"
        )


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            torch.full((8,), torch.nan),
            "tensor 'norm.bias' has values that are no finite",
        ),
        (torch.zeros(8, dtype=torch.int64), "is of type torch.int64, the model needs"),
    ],
)
def test_tensors_must_be_numbers(
    encoder_card: Card, encoder_model: StefaLand, value: torch.Tensor, message: str
) -> None:
    """NaN and integers are no weights."""
    state = {**encoder_model.state_dict(), "norm.bias": value}
    with pytest.raises(WeightsError, match=message):
        network.build(encoder_card, state, "x")
