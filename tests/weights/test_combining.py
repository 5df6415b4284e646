"""Combining: one file of several heads answers with the mean of what they answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xstefaland
from xstefaland.errors import InputError, WeightsError
from xstefaland.model.members import MEDIAN
from xstefaland.testing import example_points, tiny_head, tiny_weights
from xstefaland.weights import Band, Card, Weights, combine, load, members, save
from xstefaland.weights.summary import headline

FLUXES = ("streamflow", "evapotranspiration", "soil_water")
LEVELS = (0.1, 0.5, 0.9)


@pytest.fixture(scope="module")
def encoder() -> Weights:
    """A small encoder."""
    return tiny_weights(window=60, stride=30)


@pytest.fixture(scope="module")
def ds() -> xr.Dataset:
    """Sites with a gap in the weather of one, and attributes that some heads take."""
    ds = example_points(sites=3, days=150)
    ds["precipitation"][1, 50:90] = np.nan
    return ds


def test_cards_and_networks_agree_on_the_median() -> None:
    """It is said twice, for cards are read without torch."""
    assert members.MEDIAN == MEDIAN


def floored(head: Weights, name: str) -> Weights:
    """The same head with answers that are not negative."""
    targets = tuple(replace(spec, minimum=0.0) for spec in head.card.targets)
    card = replace(head.card, name=name, targets=targets, training={"of": name})
    tensors = head.tensors()
    if "minimum" in tensors:
        tensors["minimum"][:] = 0.0
        tensors["target_scaling.mean"][:] = 1.0
    return save(head.path, tensors, card)


@pytest.fixture(scope="module")
def made(encoder: Weights) -> dict[str, Weights]:
    """Heads of several kinds, inputs and seeds."""
    weather = ("precipitation", "temperature", "potential_evapotranspiration")
    hbv = {"physics": "hbv", "components": 2, "forcing": weather, "targets": FLUXES}
    needs = (("precipitation",), ("temperature",), ("potential_evapotranspiration",))
    forms: dict[str, Any] = {
        "resconn": {"kind": "resconn"},
        "lstm": {"kind": "lstm", "forcing": ("temperature",)},
        "resconn-hbv": {"kind": "resconn", "required": needs, **hbv},
        "lstm-hbv": {"kind": "lstm", "required": needs, **hbv},
        "quantiles": {"kind": "resconn", "quantiles": LEVELS},
    }
    return {
        name: floored(tiny_head(encoder, seed=seed, **form), name)
        for seed, (name, form) in enumerate(forms.items())
    }


def answers(
    ds: xr.Dataset, encoder: Weights, head: Weights, **more: Any
) -> xr.DataArray:
    """Predict streamflow."""
    return xstefaland.predict(ds, "streamflow", head=head, weights=encoder, **more)


def mean_of(ds: xr.Dataset, encoder: Weights, heads: Any, **more: Any) -> xr.DataArray:
    """The mean of what heads answer one by one."""
    each = [answers(ds, encoder, head, **more) for head in heads]
    return sum(each[1:], each[0]) / len(each)


def near(first: xr.DataArray, second: xr.DataArray) -> None:
    """Equal within the rounding of float32."""
    np.testing.assert_allclose(first.values, second.values, rtol=1e-5, atol=1e-5)


def test_the_mean_of_kinds_inputs_and_seeds(ds, encoder, made, tmp_path: Path):
    """Eager and lazy, from one file, equal to the mean of single predictions."""
    heads = [made[name] for name in ("resconn", "lstm", "resconn-hbv")]
    both = combine(heads, tmp_path / "mean.safetensors")
    assert [spec.name for spec in both.card.targets] == ["streamflow"]
    assert [m.name for m in both.members] == ["resconn", "lstm", "resconn-hbv"]
    expected = mean_of(ds, encoder, heads)
    assert float(np.ptp([answers(ds, encoder, h).mean() for h in heads])) > 0.01
    got = answers(ds, encoder, both)
    near(got, expected)
    lazy = answers(ds.chunk(site=2), encoder, load(both.path))
    assert lazy.chunks is not None
    near(lazy.compute(), expected)
    assert (got.attrs["head"], got.attrs["head_sha256"]) == ("mean", both.sha256)


def test_the_level_is_that_of_other_heads(ds, encoder, made, tmp_path: Path):
    """By hand: answers keep their course and get the mean of the others at a site."""
    course, level = [made["resconn"], made["lstm"]], [made["lstm-hbv"]]
    file = combine(course, tmp_path / "x.safetensors", level=level, bands=[band()])
    assert [m.role for m in file.members] == ["answer", "answer", "level"]
    own, other = (mean_of(ds, encoder, heads) for heads in (course, level))
    assert float(abs(own.mean("time") - other.mean("time")).max()) > 0.01
    expected = (own - own.mean("time") + other.mean("time")).clip(0)
    for data in (ds, ds.chunk(site=1)):
        near(answers(data, encoder, file).compute(), expected)
    quantiles = answers(ds, encoder, file, quantiles=LEVELS)
    near(quantiles.sel(quantile=0.5), expected)
    again = combine([file], tmp_path / "y.safetensors")
    near(answers(ds, encoder, load(again.path)), expected)
    assert "mean of 2 heads" in headline(file.card)
    assert "at the level of 1 lstm-hbv" in headline(file.card)


@pytest.mark.parametrize(
    ("heads", "level", "changes", "message"),
    [
        (["resconn-hbv"], ["lstm"], {}, "balance of HBV does not hold"),
        (["resconn"], ["lstm"], {"readings": ("causal",)}, "knows the days to come"),
    ],
)
def test_levels_that_cannot_be_are_refused(
    made, tmp_path: Path, heads, level, changes, message
):
    """Every reason, before anything is written."""
    heads, level = ([made[name] for name in names] for names in (heads, level))
    with pytest.raises(WeightsError, match=message):
        combine(heads, tmp_path / "x.safetensors", level=level, **changes)


def test_a_role_must_be_known(made, tmp_path: Path):
    """And one member has to answer."""
    file = combine([made["lstm"]], tmp_path / "x.safetensors")
    for role, message in (("chief", "has role 'chief'"), ("level", "one has to give")):
        with pytest.raises(WeightsError, match=message):
            replace(file.card, members=(replace(file.members[0], role=role),))


def test_what_members_need_is_needed(ds, encoder, made, tmp_path: Path):
    """Required inputs are those of any member, and so are all others."""
    heads = [made["lstm"], made["resconn-hbv"]]
    card = combine(heads, tmp_path / "x.safetensors").card
    assert set(card.required) == {c for h in heads for c in h.card.required}
    assert ("potential_evapotranspiration",) in card.required
    names = [spec.name for spec in card.forcing]
    assert names[0] == "temperature"
    assert set(names) == {s.name for h in heads for s in h.card.forcing}
    assert [m.training for m in card.members] == [{"of": h.name} for h in heads]


def test_members_of_a_balance(ds, encoder, made, tmp_path: Path):
    """Physical heads keep all their fluxes; the mean of each is that of the heads."""
    heads = [made["resconn-hbv"], made["lstm-hbv"]]
    both = combine(heads, tmp_path / "balance.safetensors")
    fluxes = list(FLUXES)
    how: dict[str, Any] = {"weights": encoder}
    each = [xstefaland.predict(ds, fluxes, head=head, **how) for head in heads]
    got = xstefaland.predict(ds, fluxes, head=both, **how)
    for name in fluxes:
        near(got[name], (each[0][name] + each[1][name]) / 2)
    assert "fraction_filled" in got.coords
    with pytest.raises(WeightsError, match=r"not all of them predict.*soil_water"):
        combine([*heads, made["lstm"]], tmp_path / "y", targets=fluxes)


def test_a_balance_takes_no_other_members(encoder, tmp_path: Path):
    """A head without physics cannot answer for two fluxes of one balance."""
    fluxes = ["streamflow", "recharge"]
    weather = ("precipitation", "temperature", "potential_evapotranspiration")
    physics = {"physics": "hbv", "components": 2, "forcing": weather}
    heads = [tiny_head(encoder, fluxes, **physics), tiny_head(encoder, fluxes)]
    with pytest.raises(
        WeightsError, match=r"physical members alone, but \['tiny-head'"
    ):
        combine(heads, tmp_path / "x.safetensors")
    one = combine(heads, tmp_path / "x.safetensors", targets=["recharge"])
    assert [spec.name for spec in one.card.targets] == ["recharge"]


def test_ensembles_of_ensembles_are_flat(ds, encoder, made, tmp_path: Path):
    """All members weigh the same, whatever they were combined into before."""
    heads = [made[name] for name in ("resconn", "lstm", "resconn-hbv")]
    first = combine(heads[:2], tmp_path / "first.safetensors")
    all_three = combine([first, heads[2]], tmp_path / "second.safetensors")
    assert len(all_three.members) == 3
    near(answers(ds, encoder, all_three), mean_of(ds, encoder, heads))


def test_quantiles_are_averaged_level_by_level(ds, encoder, made, tmp_path: Path):
    """A head without quantiles counts as its answer at every level."""
    heads = [made["quantiles"], made["lstm"]]
    both = combine(heads, tmp_path / "x.safetensors")
    assert both.card.quantiles == LEVELS
    got = answers(ds, encoder, both, quantiles=[0.9, 0.1])
    own = answers(ds, encoder, heads[0], quantiles=[0.9, 0.1])
    near(got, (own + answers(ds, encoder, heads[1])) / 2)
    assert got.dims == ("site", "time", "quantile")
    near(answers(ds, encoder, both), mean_of(ds, encoder, heads))


def band(**entries: Any) -> Band:
    """A band that is wider where the answer is high."""
    values: dict[str, Any] = {
        "target": "streamflow",
        "levels": LEVELS,
        "knots": (0.0, 2.0),
        "offsets": ((-0.1, 0.0, 0.1), (-0.5, 0.0, 0.5)),
        "scale": "root",
    }
    return Band(**(values | entries))


def test_a_band_gives_quantiles_to_heads_without(ds, encoder, made, tmp_path: Path):
    """By hand: the root of the answer, plus what the band says at that answer."""
    file = combine([made["lstm-hbv"]], tmp_path / "x.safetensors", bands=[band()])
    answer = answers(ds, encoder, file)
    near(answer, answers(ds, encoder, made["lstm-hbv"]))
    got = answers(ds.chunk(site=2), encoder, file, quantiles=LEVELS).compute()
    root = np.sqrt(answer)
    half = 0.1 + 0.2 * root.clip(0, 2)
    near(got.sel(quantile=0.1), (root - half).clip(0) ** 2)
    near(got.sel(quantile=0.5), answer)
    near(got.sel(quantile=0.9), (root + half) ** 2)
    with pytest.raises(
        InputError, match=r"for the quantiles \[0.1, 0.5, 0.9\] of stre"
    ):
        answers(ds, encoder, file, quantiles=[0.2])
    with pytest.raises(InputError, match="for no quantiles of evapotranspiration"):
        xstefaland.predict(
            ds,
            ["streamflow", "evapotranspiration"],
            head=file,
            weights=encoder,
            quantiles=[0.5],
        )


def test_corrected_quantiles_do_not_cross(ds, encoder, made, tmp_path: Path):
    """Offsets that would turn levels round leave them in order, within limits."""
    crossed = band(offsets=((3.0, 0.0, -3.0), (3.0, 0.0, -3.0)))
    file = combine([made["quantiles"]], tmp_path / "x.safetensors", bands=[crossed])
    got = answers(ds, encoder, file, quantiles=LEVELS)
    assert bool((got.diff("quantile") >= 0).all())
    assert float(got.min()) == 0
    assert float(got.diff("quantile").max()) > 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": "recharge"}, r"`bands` are for \['recharge'\]; each must be a tar"),
        ({"levels": (0.1, 0.9)}, "must have one offset for each knot and level"),
        ({"levels": (0.9, 0.5, 0.1)}, "must rise and lie between 0 and 1"),
        ({"levels": (0.1, 0.5, 0.8)}, r"is not for levels \(0.1, 0.5, 0.9\)"),
        ({"knots": (2.0, 2.0)}, "two knots or more that rise"),
        ({"knots": (1.0,), "offsets": ((0.0,) * 3,)}, "two knots or more that rise"),
        ({"scale": "log"}, "has scale 'log'; there are linear, root"),
        ({"offsets": ((0.0, 0.0, 1e30),) * 2}, "has offsets beyond 1e"),
        ({"offsets": ((0.0, 0.0, float("nan")),) * 2}, "must be a finite number"),
    ],
)
def test_wrong_bands_are_refused(made, tmp_path: Path, changes, message):
    """Each contradiction is named."""
    with pytest.raises(WeightsError, match=message):
        combine([made["quantiles"]], tmp_path / "x", bands=[band(**changes)])


def test_bands_need_members(made):
    """A card of one network says how a band is added."""
    with pytest.raises(WeightsError, match=r"`bands` need `members`.*combine"):
        replace(made["quantiles"].card, bands=(band(),))


def test_heads_that_read_no_embedding_need_no_encoder(ds, made, tmp_path: Path):
    """Their file names none, goes with every encoder, and none is run."""
    file = combine([made["lstm"], made["lstm-hbv"]], tmp_path / "x.safetensors")
    assert file.card.encoder is None
    first = answers(ds, tiny_weights(seed=5), file)
    near(first, answers(ds, tiny_weights(seed=6), file))
    assert bool(first.notnull().any("time").all())


def test_heads_of_two_encoders_are_refused(encoder, made, tmp_path: Path):
    """Both encoders are named; a head that reads neither goes with either."""
    other = tiny_head(tiny_weights(seed=4), ["streamflow"])
    with pytest.raises(WeightsError, match="they read several encoders"):
        combine([made["resconn"], other], tmp_path / "x")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"targets": ["recharge"]}, "have no target in common"),
        ({"readings": ("causal",)}, "they read in different ways"),
        ({"static": True}, "differ in `static`"),
        ({"quantiles": (0.25, 0.5, 0.75)}, r"has quantiles \(0.25, 0.5, 0.75\), not"),
    ],
)
def test_heads_that_differ_are_refused(encoder, tmp_path: Path, changes, message):
    """Each contradiction is named."""
    first = tiny_head(encoder, quantiles=LEVELS)
    with pytest.raises(WeightsError, match=message):
        combine([first, tiny_head(encoder, **changes)], tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_units_and_limits_must_be_alike(encoder, tmp_path: Path):
    """Answers in other units, or clipped elsewhere, have no mean."""
    first, second = tiny_head(encoder), tiny_head(encoder, seed=3)
    member, other = combine([first, second], tmp_path / "x.safetensors").card.members
    spec = replace(other.targets[0], units="m s-1")
    card = load(tmp_path / "x.safetensors").card
    wrong = replace(other, targets=(spec,))
    with pytest.raises(WeightsError, match=r"gives 'streamflow' as \('m s-1'"):
        replace(card, members=(member, wrong))


def test_an_encoder_is_no_member(encoder, tmp_path: Path):
    """What cannot answer cannot be combined, and nothing is nothing."""
    with pytest.raises(WeightsError, match=r"\['tiny'\] are encoders"):
        combine([encoder], tmp_path / "x")
    with pytest.raises(WeightsError, match="there are none; pass one or more"):
        combine([], tmp_path / "x")


def test_a_card_with_members_comes_back(encoder, tmp_path: Path):
    """JSON and back gives an equal card; half precision stores the same members."""
    heads = [tiny_head(encoder), tiny_head(encoder, seed=7, attributes=("slope",))]
    file = combine(heads, tmp_path / "x.safetensors", dtype="float16", doi="10.1/x")
    assert Card.from_json(file.card.to_json()) == file.card
    assert [spec.name for spec in file.card.attributes] == ["elevation", "slope"]
    assert file.card.doi == "10.1/x"
    again = combine(heads, tmp_path / "x.safetensors", dtype="float16", doi="10.1/x")
    assert again.sha256 == file.sha256


def test_scaling_of_members_must_be_the_cards(encoder, tmp_path: Path):
    """The scaling of each member is checked against its own lines."""
    file = combine([tiny_head(encoder)] * 2, tmp_path / "x.safetensors")
    tensors = file.tensors()
    tensors["members.1.features.forcing_scaling.mean"][0] += 1
    text = r"'precipitation' has .* in tensor 'members.1.features.forcing_scaling.mean'"
    with pytest.raises(WeightsError, match=text):
        xstefaland.weights.save(file.path, tensors, file.card)
