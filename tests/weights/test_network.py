"""From card and tensors to a module: refusals that list everything."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from xstefaland.errors import WeightsError
from xstefaland.model import HeadConfig, StefaLand, build_head
from xstefaland.weights import (
    Card,
    EncoderReference,
    TargetSpec,
    VariableSpec,
    Weights,
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
        WeightsError, match=r"4 problems.*\n.*features\.forcing_scaling"
    ):
        save(tmp_path / "h.safetensors", head.state_dict(), card)
    head.features.forcing_scaling.assign([3.0], [5.0], [False])
    head.features.attribute_scaling.assign([900.0], [600.0], [False])
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
