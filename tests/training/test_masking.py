"""Masks of pretraining: share, stationarity, groups."""

from __future__ import annotations

import numpy as np
import pytest

from xstefaland.training.masking import (
    Masking,
    attribute_mask,
    family_of,
    forcing_mask,
    stretches,
)

LONERS = ("precipitation", "wind_speed", "surface_pressure", "temperature", "albedo")
RELATED = ("precipitation", "temperature_max", "temperature_min", "relative_humidity",
           "vapour_pressure", "potential_evapotranspiration")  # fmt: skip


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
def test_stretches_hide_the_share_that_is_asked_on_every_day(share: float) -> None:
    """The true share is that asked for, at the edges as in the centre."""
    rng = np.random.default_rng(0)
    mask = stretches(rng, 20_000, 365, Masking(share=share))
    daily = mask.mean(0)
    assert abs(mask.mean() - share) < 0.01
    assert np.abs(daily - share).max() < 0.03


def test_stretches_have_the_lengths_that_are_asked() -> None:
    """Every hidden run inside the window is 30 to 90 days long."""
    mask = stretches(np.random.default_rng(1), 300, 730, Masking())
    lengths = []
    for row in mask:
        edges = np.flatnonzero(np.diff(row.astype(int)))
        runs = np.diff(edges)
        first = 0 if row[edges[0] + 1] else 1
        lengths += runs[first::2].tolist()
    assert min(lengths) >= 30
    assert max(lengths) <= 90
    assert len(set(lengths)) > 40


def test_some_samples_lose_whole_forcings_but_never_all() -> None:
    """About the asked share has a forcing hidden throughout; one always is open."""
    masking = Masking(share=0.5, untouched=1.0, drop_forcing=0.4)
    mask = forcing_mask(np.random.default_rng(2), 4000, 100, LONERS, masking)
    whole = mask.all(1)
    assert abs(whole.any(1).mean() - 0.4) < 0.03
    assert not whole.all(1).any()


def test_untouched_samples_are_not_masked() -> None:
    """A share of samples has no hidden stretch at all."""
    masking = Masking(untouched=0.25, drop_forcing=0.0)
    mask = forcing_mask(np.random.default_rng(3), 4000, 200, LONERS, masking)
    assert abs((~mask.any((1, 2))).mean() - 0.25) < 0.03


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_forcings_that_follow_from_one_another_are_hidden_together(
    share: float,
) -> None:
    """Temperatures with PET, the humidities; but in a share of samples one by one."""
    masking = Masking(untouched=0.0, one_by_one=share)
    mask = forcing_mask(np.random.default_rng(6), 3000, 200, RELATED, masking)
    families = [family_of(name) for name in RELATED]
    for first, family in enumerate(families):
        for second in range(first):
            equal = (mask[..., first] == mask[..., second]).all(1).mean()
            if family == families[second]:
                assert equal == pytest.approx(1 - share, abs=0.05)
            else:
                assert equal < 0.3
    assert abs(mask.mean() - 0.5) < 0.1
    hidden = mask.all(1)
    assert hidden.any()
    assert not hidden.all(1).any()  # something always is open


def test_attributes_are_hidden_in_whole_groups() -> None:
    """Members of a group go together; the share of groups is what is asked."""
    groups = ["soil", "soil", "climate", "geology", "climate"]
    masking = Masking(group_share=0.5, drop_attributes=0.0)
    mask = attribute_mask(np.random.default_rng(4), 4000, groups, masking)
    assert (mask[:, 0] == mask[:, 1]).all()
    assert (mask[:, 2] == mask[:, 4]).all()
    assert (mask[:, 0] != mask[:, 2]).any()
    assert abs(mask.mean() - 0.5) < 0.02


def test_masks_repeat_with_the_seed() -> None:
    """The same generator state gives the same masks."""
    masks = [
        forcing_mask(np.random.default_rng(5), 8, 365, RELATED, Masking())
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*masks)


def test_a_single_forcing_is_never_hidden_as_a_whole() -> None:
    """With one variable there is none to drop: only stretches are hidden."""
    masking = Masking(untouched=0.5, drop_forcing=1.0)
    mask = forcing_mask(np.random.default_rng(6), 2000, 365, LONERS[:1], masking)
    assert mask.shape == (2000, 365, 1)
    assert not mask.all(1).any()
    assert abs((~mask.any((1, 2))).mean() - 0.5) < 0.04


def test_some_samples_lose_all_attributes() -> None:
    """Without any hidden group, the share asked for has everything hidden."""
    masking = Masking(group_share=0.0, drop_attributes=0.3)
    groups = ["soil", "climate", "geology"]
    mask = attribute_mask(np.random.default_rng(7), 4000, groups, masking)
    assert (mask.all(1) == mask.any(1)).all()
    assert abs(mask.mean() - 0.3) < 0.03


def test_what_is_hidden_by_default() -> None:
    """Attributes: 1 - 0.5 * 0.8; weather: 0.7 of samples in stretches of half."""
    rng = np.random.default_rng(8)
    assert abs(attribute_mask(rng, 8000, ["a"], Masking()).mean() - 0.6) < 0.02
    mask = forcing_mask(rng, 4000, 365, LONERS[:4], Masking())
    whole = mask.all(1)  # a stretch is 90 days at most
    assert abs(whole.any(1).mean() - 0.3) < 0.03
    assert abs((~mask.any((1, 2))).mean() - 0.3 * 0.7) < 0.02
    stretched = mask[~whole.any(1)]
    assert abs(stretched.mean() - 0.7 * 0.5) < 0.02
