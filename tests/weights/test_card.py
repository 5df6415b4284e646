"""The card: round trip, and a refusal for every contradiction."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest

from xstefaland.errors import WeightsError
from xstefaland.inputs.requirements import VariableSpec
from xstefaland.weights.card import FORMAT, Card, EncoderReference, ExternalEmbeddings
from xstefaland.weights.targets import TargetSpec

HEAD = Card(
    kind="head",
    name="streamflow-tiny-v1",
    config={"hidden": 8, "quantiles": (0.1, 0.5, 0.9)},
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
    assert HEAD.config["quantiles"] == [0.1, 0.5, 0.9]


def test_optional_entries_have_defaults() -> None:
    """A short card of the same format can be read."""
    config = {"d_model": 8, "stride": 4}
    text = json.dumps({"format": 1, "kind": "encoder", "name": "x", "config": config})
    card = Card.from_json(text)
    assert card.licence == "Apache-2.0"
    assert card.readings == ("two-way",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "adapter"}, "kind is 'adapter'; there are encoder, head"),
        ({"name": ""}, "`name` is empty"),
        ({"encoder": None}, "must name its `encoder`"),
        ({"targets": ()}, "must list its `targets`"),
        ({"kind": "encoder"}, "has no `encoder`, no `external` and no `targets`"),
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
        ({"mean": float("inf")}, r"`card\.forcing\[0\]\.mean` is inf.*a finite number"),
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
    with pytest.raises(WeightsError, match=r"has format 4.*reads up to 3.*upgrade"):
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


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"forcing": 3}, "`card.forcing` is 3; it must be a list, each item Variable"),
        ({"forcing": [None]}, r"`card.forcing\[0\]` is None; it must be VariableSpec"),
        ({"config": [1]}, r"`card.config` is \[1\]; it must be an object"),
        ({"name": 7}, "`card.name` is 7; it must be text"),
        ({"static": 1}, "`card.static` is 1; it must be true or false"),
        ({"spinup_days": True}, "`card.spinup_days` is True; it must be an integer"),
        ({"quantiles": [10**400]}, "`card.quantiles.*must be a finite number"),
        ({"encoder": "base"}, "`card.encoder` is 'base'.*EncoderReference or null"),
        ({"required": [["rain", 3]]}, r"`card.required\[0\]\[1\]` is 3"),
    ],
)
def test_wrong_type_is_refused(wrong: dict[str, Any], message: str) -> None:
    """An entry of another type is an error of ours that names it, not a TypeError."""
    values = {**asdict(HEAD), **wrong}
    with pytest.raises(WeightsError, match=message):
        Card.from_json(json.dumps(values))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "not JSON"),
        ('{"format": 2, "name": ' + "[" * 30 + "]" * 30 + "}", "deeper than 20 levels"),
        ('{"format": 2, "metrics": {"nse": NaN}}', "NaN is no JSON number"),
        ('{"format": 2, "kind": "head", "kind": "encoder"}', "same entry twice"),
        ('{"format": true}', "integer `format`"),
    ],
    ids=["deep", "nested", "nan", "twice", "bool"],
)
def test_hostile_text_is_refused(text: str, message: str) -> None:
    """Text that would end in a RecursionError, or be read in two ways, is refused."""
    with pytest.raises(WeightsError, match=message):
        Card.from_json(text)


def test_deep_mappings_are_refused() -> None:
    """The same for a card made in Python, with the entry's name."""
    deep: list[Any] = []
    for _ in range(2000):
        deep = [deep]
    with pytest.raises(WeightsError, match="`metrics` is nested deeper"):
        replace(HEAD, metrics={"x": deep})


@pytest.mark.parametrize("size", ["d_model", "stride"])
def test_encoder_must_state_its_sizes(encoder_card: Card, size: str) -> None:
    """Sizes that are used before a model is built cannot be absent or nonsense."""
    for wrong in ({}, {size: 0}, {size: "8"}):
        config = {k: v for k, v in encoder_card.config.items() if k != size} | wrong
        with pytest.raises(WeightsError, match=f"must have `{size}`, 1 or more"):
            replace(encoder_card, config=config)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"quantiles": (0.5,)},
            r"`quantiles` is \(0.5,\) but .* has \[\]: the network",
        ),
        ({"static": True}, "`static` is True but .* has False: the network cannot"),
        ({"config": {"quantiles": [0.5]}}, r"`quantiles` is \(\) but .* has \[0.5\]"),
        ({"config": {"static": True}}, "`static` is False but .* has True"),
    ],
)
def test_claims_must_be_the_networks(changes: dict[str, Any], message: str) -> None:
    """A card that claims what its network's configuration cannot give is refused."""
    head = replace(HEAD, config={}, quantiles=())
    with pytest.raises(WeightsError, match=message):
        replace(head, **changes)


@pytest.mark.parametrize("readings", [(), ("backwards",), ("causal", "both")])
def test_unknown_reading_is_refused(readings: tuple[str, ...]) -> None:
    """Only two ways of reading exist, and one is needed."""
    with pytest.raises(WeightsError, match="name one or more of two-way, causal"):
        replace(HEAD, readings=readings)


def test_readings_come_back() -> None:
    """An encoder trained on both says so."""
    both = replace(HEAD, readings=("two-way", "causal"))
    assert Card.from_json(both.to_json()).readings == ("two-way", "causal")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"transform": "sqrt"}, "transform 'sqrt'; there are linear, log1p, logit"),
        (
            {"loss": "mae"},
            "loss 'mae'; there are nse, mse, kge, kge_alone, log, cross_entropy",
        ),
        ({"depth": -0.1}, "negative depth: -0.1"),
    ],
)
def test_wrong_target_is_refused(changes: dict[str, Any], message: str) -> None:
    """A target that cannot be trained or placed is named."""
    wrong = replace(HEAD.targets[0], **changes)
    with pytest.raises(WeightsError, match=message):
        replace(HEAD, targets=(wrong,))


def test_external_embeddings_fit_the_network():
    """In place of an encoder, in the width of the config, and of heads alone."""
    config = {"targets": ["a"], "forcing": [], "attributes": [], "embedding": 4}
    entries = {
        "kind": "head",
        "name": "h",
        "config": config,
        "targets": (TargetSpec(name="a", units="1"),),
    }
    card = Card(**entries, external=ExternalEmbeddings(name="others", width=4))
    assert Card.from_json(card.to_json()) == card
    with pytest.raises(WeightsError, match="`external` is 3 wide"):
        Card(**entries, external=ExternalEmbeddings(name="others", width=3))
    own = EncoderReference(name="e", sha256="ab" * 32)
    with pytest.raises(WeightsError, match="not both"):
        Card(
            **entries, external=ExternalEmbeddings(name="others", width=4), encoder=own
        )
