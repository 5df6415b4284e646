"""Channels from the weather: right numbers, gaps, spin-up, and no look ahead."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from xstefaland.errors import InputError
from xstefaland.model import process
from xstefaland.model.hbv import simulate_lean
from xstefaland.model.landscapes import COLUMNS, LANDSCAPES
from xstefaland.model.process import (
    AVAILABLE,
    CHANNELS,
    MEMORY,
    degree_day_snow,
    dry_spell,
    process_channels,
    trailing_mean,
)


def weather(sites: int = 2, days: int = 1200, seed: int = 0) -> Tensor:
    """Rain, temperature and PET with seasons, frost and dry spells."""
    g = torch.Generator().manual_seed(seed)
    noise = torch.randn(3, sites, days, generator=g)
    season = torch.sin(torch.arange(days) * 2 * torch.pi / 365)
    rain = 12 * noise[0].clamp(min=0) * (noise[2] > 0)
    heat = 4 + 10 * season + 4 * noise[1]
    return torch.stack([rain, heat, (2 + 1.5 * season + 0.2 * noise[2])], -1)


def column(values: Tensor, name: str) -> Tensor:
    """One channel of all of :data:`MEMORY`."""
    return values[..., MEMORY.index(name)]


def test_landscapes_are_the_sobol_points_they_say():
    """The table is what its docstring tells how to draw."""
    engine = torch.quasirandom.SobolEngine(len(COLUMNS), scramble=True, seed=0)
    drawn = engine.draw(12).double() * 5 - 2.5
    table = torch.tensor(LANDSCAPES, dtype=torch.float64)
    torch.testing.assert_close(table, drawn, rtol=0, atol=5.1e-4)


def test_trailing_mean_against_a_loop():
    """Days so far at the start, then the last seven."""
    values = torch.rand(3, 40)
    expected = [values[:, max(0, t - 6) : t + 1].mean(1) for t in range(40)]
    torch.testing.assert_close(trailing_mean(values, 7), torch.stack(expected, 1))


def test_dry_spell_against_a_loop():
    """Counts up each day below 1 mm and starts again at 0."""
    rain = weather()[..., 0]
    for site, result in zip(rain, dry_spell(rain), strict=True):
        length = 0
        for amount, found in zip(site, result, strict=True):
            length = 0 if amount >= 1 else length + 1
            assert found == length


def test_degree_day_snow_against_a_loop():
    """The closed form is the recursion ``max(store + snow - melt, 0)``."""
    rain, heat, _ = weather().unbind(-1)
    heat[0, :20], rain[0, 0] = -5, 8  # one record starts in snow
    store, expected = torch.zeros(2), []
    for p, t in zip(rain.T, heat.T, strict=True):
        change = torch.where(t < 0, p, 0.0) - 3 * t.clamp_min(0)
        store = (store + change).clamp_min(0)
        expected.append(store)
    found = degree_day_snow(rain, heat)
    torch.testing.assert_close(found, torch.stack(expected, 1), rtol=1e-4, atol=1e-3)
    assert found.max() > 20
    assert found.min() == 0


def test_responses_are_hbv_started_again_after_the_first_year():
    """Site, landscape, unit and spin-up of a response, against the kernel by hand."""
    given = weather()
    again = torch.cat([given[1:, :365], given[1:]], 1).transpose(0, 1).contiguous()
    logits = torch.tensor(LANDSCAPES[5:6])
    fluxes = simulate_lean(again, logits, components=1, dynamic=())
    found = process_channels(given, MEMORY)[1]
    for name, expected in {
        "streamflow_05": fluxes.streamflow.sqrt(),
        "soil_water_05": fluxes.soil_moisture / 100,
        "snow_water_equivalent_05": fluxes.snow_water_equivalent.sqrt(),
        "evapotranspiration_05": fluxes.evapotranspiration,
        "lower_zone_storage_05": fluxes.lower_zone.sqrt(),
    }.items():
        torch.testing.assert_close(column(found, name), expected[365:, 0])


def test_averages_are_spun_up_too():
    """With the first year before the record a year's mean is known on day one."""
    given = weather()
    mean = process_channels(given, ["precipitation_365d"])[:, 0, 0]
    expected = torch.cat([given[:, 1:365, 0], given[:, :1, 0]], 1).mean(1)
    torch.testing.assert_close(mean, expected)


def test_heads_take_what_the_experiments_took():
    """Six averages and eighteen responses, each of them available."""
    assert len(CHANNELS) == len(set(CHANNELS)) == 24
    assert set(CHANNELS) | set(MEMORY) <= set(AVAILABLE)
    assert process_channels(weather(1, 10)).shape == (1, 10, 24)


@pytest.mark.parametrize("day", [5, 364, 365, 700, 1100])
def test_the_past_does_not_know_the_future(day):
    """With `causal` and no spin-up, other weather from `day` on changes no bit before.

    Gaps of one day and of a season lie on both sides.
    """
    given, other = weather(), weather(seed=1)
    other[:, :day] = given[:, :day]
    for each in (given, other):
        each[0, :3, 1] = torch.nan
        each[0, 350:400] = torch.nan
        each[1, 650:900, 0] = torch.nan
    before, after = (
        process_channels(each, MEMORY, spinup=0, causal=True) for each in (given, other)
    )
    assert torch.equal(before[:, :day].nan_to_num(-1), after[:, :day].nan_to_num(-1))
    assert not torch.equal(before[:, day:], after[:, day:])


def test_spin_up_reaches_no_further_than_the_first_year():
    """The stated exception to causality is the first year and nothing more."""
    given, other = weather(), weather(seed=1)
    other[:, :400] = given[:, :400]
    before, after = process_channels(given, MEMORY), process_channels(other, MEMORY)
    assert torch.equal(before[:, :400], after[:, :400])


def test_causal_values_begin_when_all_weather_was_seen():
    """Days before the first temperature have no value; without `causal` they have."""
    given = weather(1)
    given[0, :50, 1] = torch.nan
    causal = process_channels(given, spinup=0, causal=True)
    assert causal[0, :50].isnan().all()
    assert causal[0, 50:].isfinite().all()
    assert process_channels(given).isfinite().all()


@pytest.mark.parametrize("causal", [False, True])
def test_snow_outlives_a_gap(causal):
    """A winter gap gets winter temperatures: what lay before it does not melt."""
    given = weather(1, 1460)
    given[0, :, 1] = 5 + 15 * torch.cos(torch.arange(1460) * 2 * torch.pi / 365)
    holed = given.clone()
    holed[0, 900:920] = torch.nan  # half a year after a summer's peak at day 730
    snow = process_channels(holed, ["snow_water_equivalent_00"], causal=causal)
    whole = process_channels(given, ["snow_water_equivalent_00"])
    assert snow[0, 919, 0] >= 0.9 * whole[0, 899, 0] > 3


def test_a_site_without_temperature_has_no_channels():
    """Nothing is made up where a variable is missing throughout; others are served."""
    given = weather(2)
    given[0, :, 1] = torch.nan
    found = process_channels(given)
    assert found[0].isnan().all()
    assert found[1].isfinite().all()


def test_sites_do_not_depend_on_their_company():
    """More sites than are run at once give what each gives alone."""
    given = weather(process.SITES_AT_ONCE + 3, 400)
    together = process_channels(given)
    for site in (0, process.SITES_AT_ONCE, process.SITES_AT_ONCE + 2):
        alone = process_channels(given[site : site + 1])
        torch.testing.assert_close(together[site], alone[0], rtol=0, atol=0)


def test_every_problem_is_named_at_once():
    """Shape and names, with what would be right."""
    with pytest.raises(InputError, match=r"\[site, time, 3\].*flow_99.*AVAILABLE"):
        process_channels(torch.zeros(5, 3), ["flow_99"])


def test_real_records_give_finite_channels(real_data):
    """All channels of real basins are finite, and snow lies where it does."""
    xr = pytest.importorskip("xarray")
    with xr.open_dataset(real_data / "camels_us.nc") as ds:
        rows = np.flatnonzero(ds["has_era5land"].values)[:5]
        part = ds.isel(basin=rows).sel(time=slice("1981", "1985")).load()
    rain, heat = part["prcp_era5land"].values, part["tmean_era5land"].values
    pet = np.clip(heat, 0, None) / 5
    given = torch.from_numpy(np.stack([rain, heat, pet], -1).astype(np.float32))
    found = process_channels(given, MEMORY)
    assert found.isfinite().all()
    snow = column(found, "degree_day_snow")
    assert (snow[:, 14:45].mean(1) > snow[:, 180:210].mean(1)).all()
