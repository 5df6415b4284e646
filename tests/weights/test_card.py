"""The card: round trip, and a refusal for every contradiction."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest

from xstefaland.errors import WeightsError
from xstefaland.inputs.requirements import VariableSpec
from xstefaland.weights.card import FORMAT, Card
from xstefaland.weights.specs import EncoderReference, TargetSpec

HEAD = Card(
    kind="head",
    name="streamflow-tiny-v1",
    config={"hidden": 8, "quantiles": (0.1, 0.9)},
    forcing=(VariableSpec(name="precipitation", units="mm d-1", mean=0.1, std=1 / 3),),
    attributes=(VariableSpec(name="area", units=None, transform="log1p"),),
    encoder=EncoderReference(name="tiny-v1", sha256="ab" * 32),
    targets=(
        TargetSpec(
            name="streamflow", units="mm d-1", standard_name="runoff_flux", minimum=0.0
        ),
    ),
    required=(("precipitation",), ("temperature", "temperature_max")),
    masked_inputs=("clay",),
    quantiles=(0.1, 0.5, 0.9),
    spinup_days=365,
    left_out=("a", "b"),
    metrics={"nse": 0.7},
)


def test_head_round_trip() -> None:
    """JSON and back gives an equal card, tuples and all."""
    again = Card.from_json(HEAD.to_json())
    assert again == HEAD
    assert isinstance(again.required[0], tuple)
    assert again.forcing[0].std == 1 / 3


def test_encoder_round_trip(encoder_card: Card) -> None:
    """An encoder's card survives JSON as well."""
    assert Card.from_json(encoder_card.to_json()) == encoder_card


def test_mappings_become_plain_json() -> None:
    """Tuples in the config are lists at once, so that a read card equals it."""
    assert HEAD.config["quantiles"] == [0.1, 0.9]


def test_optional_entries_have_defaults() -> None:
    """A short card of the same format can be read."""
    text = json.dumps({"format": 1, "kind": "encoder", "name": "x", "config": {}})
    assert Card.from_json(text).licence == "Apache-2.0"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "adapter"}, "kind is 'adapter'; there are encoder, head"),
        ({"name": ""}, "`name` is empty"),
        ({"encoder": None}, "must name its `encoder`"),
        ({"targets": ()}, "must list its `targets`"),
        ({"kind": "encoder"}, "has no `encoder` and no `targets`"),
        ({"quantiles": (0.9, 0.1)}, "must rise and lie between 0 and 1"),
        ({"quantiles": (0.5, 1.0)}, "must rise and lie between 0 and 1"),
        ({"spinup_days": -1}, "`spinup_days` is negative: -1"),
        ({"required": ((),)}, "`required` has an empty choice"),
        ({"config": {"forcing": ["rain"]}}, "the model's config has"),
        ({"config": {"attributes": []}}, r"lists \['area'\] but"),
        ({"metrics": {"nse": float("nan")}}, "`metrics` cannot be stored as JSON"),
        ({"training": {"n": np.float32(1)}}, "`training` cannot be stored as JSON"),
        ({"forcing": HEAD.forcing * 2}, "names something twice"),
        (
            {"encoder": EncoderReference(name="e", sha256="abc")},
            "must be 64 lower-case hexadecimal digits",
        ),
        (
            {"targets": (TargetSpec(name="q", units="1", minimum=2.0, maximum=1.0),)},
            "minimum 2.0 above maximum 1.0",
        ),
    ],
)
def test_contradiction_is_refused(changes: dict[str, Any], message: str) -> None:
    """Each contradiction is named."""
    with pytest.raises(WeightsError, match=message):
        replace(HEAD, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"std": 0.0}, "std positive"),
        ({"mean": float("inf")}, "must be finite"),
        ({"transform": "sqrt"}, "transform 'sqrt'; there are linear, log1p"),
        ({"minimum": 3.0, "maximum": 2.0}, "minimum 3.0 above maximum 2.0"),
    ],
)
def test_wrong_variable_is_refused(changes: dict[str, Any], message: str) -> None:
    """A variable that cannot be scaled is named."""
    wrong = replace(HEAD.forcing[0], **changes)
    with pytest.raises(WeightsError, match=message):
        replace(HEAD, forcing=(wrong,))


def test_all_problems_at_once() -> None:
    """Two contradictions are one error."""
    with pytest.raises(WeightsError, match="2 problems") as caught:
        replace(HEAD, targets=(), spinup_days=-3)
    assert "`targets`" in str(caught.value)
    assert "-3" in str(caught.value)


def test_newer_format_is_refused() -> None:
    """A newer card is refused before anything else in it is looked at."""
    text = json.dumps({"format": FORMAT + 1, "novelty": 1})
    with pytest.raises(WeightsError, match=r"has format 2.*reads up to 1.*upgrade"):
        Card.from_json(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[1]", "not a JSON object"),
        ('{"format": "1"}', "integer `format`"),
        ('{"format": 1}', "3 problems"),
    ],
)
def test_unreadable_text_is_refused(text: str, message: str) -> None:
    """Text that is no card says why."""
    with pytest.raises(WeightsError, match=message):
        Card.from_json(text)


def test_unknown_entry_is_refused() -> None:
    """Nothing in a card is silently dropped."""
    values = {**asdict(HEAD), "colour": "blue"}
    with pytest.raises(WeightsError, match="unknown entry 'colour'"):
        Card.from_json(json.dumps(values))
    values = asdict(HEAD)
    values["forcing"][0]["scale"] = 2
    with pytest.raises(WeightsError, match=r"VariableSpec.*unknown entry 'scale'"):
        Card.from_json(json.dumps(values))


@pytest.mark.parametrize("wrong", [{"forcing": 3}, {"forcing": [None]}])
def test_wrong_type_is_refused(wrong: dict[str, Any]) -> None:
    """A list that is none is an error of ours, not a TypeError."""
    values = {**asdict(HEAD), **wrong}
    with pytest.raises(WeightsError, match="wrong type"):
        Card.from_json(json.dumps(values))
