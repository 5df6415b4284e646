"""The behaviour table: what it does to weather, how it judges, what it lets pass."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from behaviour import sites
from behaviour.answers import Answers, find_head
from behaviour.bucket import BUCKETS, Bucket
from behaviour.experiment import Experiment, Verdict
from behaviour.measures import seam_rank
from behaviour.report import markdown, write
from behaviour.scenarios import SCENARIOS, other_units, turning_day
from behaviour.themes import EXPERIMENTS

import xstefaland
from xstefaland.errors import InputError
from xstefaland.testing import example_points, tiny_head, tiny_weights

FLOW = frozenset({"flow"})


@pytest.fixture
def weather() -> xr.Dataset:
    """Two northern sites of four years, with snow, rain and hot summers."""
    time = pd.date_range("2000-01-01", periods=1461)
    rng = np.random.default_rng(0)
    season = np.cos(2 * np.pi * (time.day_of_year.to_numpy() - 205) / 365.25)
    warmth = np.array([[4.0], [11.0]]) + 13 * season + rng.normal(0, 2, (2, 1461))
    rain = (rng.random((2, 1461)) < 0.4) * rng.gamma(0.8, 9, (2, 1461))
    dims = ("site", "time")
    return xr.Dataset(
        {
            "precipitation": (dims, rain.astype("f4"), {"units": "mm d-1"}),
            "temperature": (dims, warmth.astype("f4"), {"units": "degC"}),
            "vapour_pressure": (dims, 0 * warmth + 700.0, {"units": "Pa"}),
            "elevation": ("site", [300.0, 100.0], {"units": "m"}),
        },
        {
            "site": ["cold", "mild"],
            "time": time,
            "latitude": ("site", [46.0, 39.0], {"units": "degrees_north"}),
        },
    )


def _row(name: str, kind: str, head: Bucket, ds: xr.Dataset) -> Verdict:
    """Judge the first experiment of a name and kind that concerns the head."""
    return next(
        each.judge(Answers(head, ds))
        for each in EXPERIMENTS
        if each.name == name and each.kind == kind and each.concerns(head.roles)
    )


def test_scenarios_do_what_they_say(weather):
    """Rain, warmth and gaps are changed where they should be, and nowhere else."""
    rain = weather.precipitation
    day = turning_day(weather)
    assert str(weather.time.values[day])[:10] == "2002-07-15"
    dry = SCENARIOS["dry after"](weather).precipitation
    assert dry[:, :day].identical(rain[:, :day])
    assert not dry[:, day:].any()
    spell, storm = SCENARIOS["dry spell"](weather), SCENARIOS["storm"](weather)
    added = storm.precipitation - spell.precipitation
    assert np.flatnonzero(added[0]).tolist() == [day]
    assert added.max() == 50
    assert not spell.precipitation[:, day - 30 : day + 31].any()
    gap = SCENARIOS["winter gap"](weather)
    for name in ("temperature", "vapour_pressure"):
        hidden = gap[name].isnull()
        assert (hidden.sum("time") == 5).all()
    winter = slice("2003-01-01", "2003-02-28")
    coldest = weather.temperature.sel(time=winter).rolling(time=5).mean().min("time")
    lost = weather.temperature.where(gap.temperature.isnull()).mean("time")
    np.testing.assert_allclose(lost, coldest, rtol=1e-5)
    assert gap.temperature.attrs == weather.temperature.attrs
    assert "elevation" not in SCENARIOS["without attributes"](weather)


def test_warmer_air_keeps_its_relative_humidity(weather):
    """Five degrees more need 35 to 45 % more vapour."""
    warm = SCENARIOS["+5 K"](weather)
    more = warm.vapour_pressure / weather.vapour_pressure
    np.testing.assert_allclose(warm.temperature - weather.temperature, 5, atol=1e-5)
    assert ((more > 1.3) & (more < 1.6)).all()


def test_wettest_week_is_the_wettest(weather):
    """Seven days of the third year whose rain is the largest of all sevens."""
    lost = weather.precipitation - SCENARIOS["week dry"](weather).precipitation
    year = weather.precipitation.sel(time="2002")
    most = year.rolling(time=7).sum().max("time")
    np.testing.assert_allclose(lost.sum("time"), most, rtol=1e-5)
    hidden = SCENARIOS["week missing"](weather).precipitation.isnull()
    assert (hidden.sum("time") == 7).all()


def test_other_units_are_the_same_weather(weather):
    """The package reads them as what they were."""
    encoder = tiny_weights()
    plain = xstefaland.embed(weather, weights=encoder)
    other = xstefaland.embed(other_units(weather), weights=encoder)
    np.testing.assert_allclose(other, plain, atol=1e-4)


def test_row_passes_where_every_site_agrees(weather):
    """One site outside the limits, or without a number, fails the row."""

    def judged(*values: float):
        measure = lambda _: xr.DataArray(list(values), dims="site")  # noqa: E731
        what = ("done", "measured", "size", "flow", "because", measure)
        return Experiment(*what, least=0, most=1).judge(Answers(Bucket(), weather))

    row = judged(0.0, 0.5, 1.0)
    assert (row.passed, row.agree, row.sites, row.value) == (True, 3, 3, 0.5)
    assert row.rule == "0 to 1"
    row = judged(0.1, 0.2, 1.7)
    assert (row.passed, row.agree, row.worst) == (False, 2, 1.7)
    assert not judged(0.1, np.nan).passed
    assert judged().problem == "no site to which it applies"


def test_row_names_the_error_of_a_refused_answer(weather):
    """A head that refuses a scenario fails its row, and the table goes on."""

    class Refusing(Bucket):
        def predict(self, ds: xr.Dataset, **options: object) -> xr.Dataset:
            raise InputError("no such weather\nmore lines")

    row = _row("300 mm in a day", "range", Refusing(roles=FLOW), weather)
    assert (row.passed, row.problem) == (False, "no such weather")


@dataclass(frozen=True)
class Foreseeing(Bucket):
    """Smooths its answer over the days around."""

    def predict(self, ds: xr.Dataset, **options: object) -> xr.Dataset:
        """Mean of eleven days."""
        out = super().predict(ds, **options)
        return out.rolling(time=11, center=True, min_periods=1).mean()


@dataclass(frozen=True)
class Seamed(Bucket):
    """Adds something else in every other stride."""

    def predict(self, ds: xr.Dataset, **options: object) -> xr.Dataset:
        """Steps at the windows' edges."""
        odd = np.arange(ds.sizes["time"]) // self.stride % 2
        return super().predict(ds, **options) + xr.DataArray(10.0 * odd, dims="time")


def test_a_head_that_foresees_fails(weather):
    """Rain to come must not show before it falls."""
    for name in ("no rain after 15 July", "50 mm in a dry July"):
        assert _row(name, "invariance", Bucket(), weather).passed
        assert not _row(name, "invariance", Foreseeing(), weather).passed


def test_a_head_with_seams_fails(weather):
    """A step at each window's edge is found among the steps of weather."""
    plain = _row("seams of windows", "invariance", Bucket(), weather)
    seamed = _row("seams of windows", "invariance", Seamed(), weather)
    assert (plain.passed, seamed.passed) == (True, False)


def test_seams_are_at_the_edges_of_windows():
    """Steps at each window's first day, and at the day after its last, rank first."""
    days, window, stride = 1461, 365, 183
    starts = [0, 183, 366, 549, 732, 915, 1096]
    edges = [*starts[1:], *(start + window for start in starts[:-1])]
    steps = np.random.default_rng(0).uniform(0, 1, (3, days))
    steps[:, edges] += 2
    dims = ("site", "time")
    ranks = [
        seam_rank(xr.DataArray(x.cumsum(-1), dims=dims), window, stride)
        for x in (steps, np.roll(steps, 60, axis=-1))
    ]
    assert float(ranks[0]) > 0.95  # some edges are near another
    assert 0.4 < float(ranks[1]) < 0.6


def test_a_leaking_balance_fails(weather):
    """A tenth of the flow lost is found."""

    class Leaking(Bucket):
        def predict(self, ds: xr.Dataset, **options: object) -> xr.Dataset:
            out = super().predict(ds, **options)
            return out.assign(streamflow=0.9 * out.streamflow)

    name = "as it is"
    balance = "mean of rain - flow - evapotranspiration - change of storage, over rain"
    for head, passed in ((Bucket, True), (Leaking, False)):
        only = head(roles=frozenset({"balance"}))
        row = _row(name, "size", only, weather)
        assert (row.measured, row.passed) == (balance, passed)


def test_report_names_failures(weather, tmp_path):
    """Failures stand out in the table, and every row is an entry of the file."""
    rows = [
        _row("50 mm in a dry July", "invariance", head, weather)
        for head in (Bucket(), Foreseeing(label="foreseeing"))
    ]
    text = markdown(rows, ["a fact"])
    assert text.count("**FAIL**") == 2  # the introduction has one
    assert "* foreseeing: 50 mm in a dry July (invariance)" in text
    write(rows, text, tmp_path)
    entries = json.loads((tmp_path / "behaviour.json").read_text())
    assert [entry["passed"] for entry in entries] == [True, False]
    assert {"name", "value", "expected", "head"} <= set(entries[0])
    assert len((tmp_path / "behaviour.csv").read_text().splitlines()) == 3


@pytest.mark.slow
def test_table_lets_physics_pass(real_data):
    """A model that obeys physics passes each row, so a failure is the head's own."""
    for head, real in zip(BUCKETS, (sites.basins, sites.stations), strict=True):
        answers = {"real": Answers(head, real(real_data))}
        answers["synthetic"] = Answers(head, sites.synthetic())
        rows = [
            each.judge(answers[each.places])
            for each in EXPERIMENTS
            if each.concerns(head.roles)
        ]
        assert len(rows) > 30
        assert [row for row in rows if not row.passed] == []


def test_places_were_left_out_of_training():
    """The bundled weights have seen none of the sites."""
    card = xstefaland.weights.resolve_encoder().card
    assert sites.not_held_out(card.left_out) == []
    assert sites.not_held_out(card.left_out[:0]) == [*sites.BASINS, *sites.STATIONS]


def test_a_causal_head_is_asked_causally():
    """Asked in the other way it would refuse, and fail every experiment."""
    both = ("two-way", "causal")
    encoder = tiny_weights(readings=both, window=40, stride=15)
    ds = example_points(2, 60)
    for readings in (both, ("causal",)):
        file = str(tiny_head(encoder, readings=readings).path)
        head = find_head("streamflow", file, str(encoder.path))
        causal = readings == ("causal",)
        asked = {"head": file, "weights": encoder, "causal": causal}
        wanted = xstefaland.predict(ds, ["streamflow"], **asked)
        xr.testing.assert_equal(head.predict(ds), wanted)


@pytest.mark.slow
def test_command_runs_other_weights(real_data, benchmarks, tmp_path):
    """Weights of one's own go through the table by their paths."""
    encoder = tiny_weights()
    head = tiny_head(encoder)
    command = [sys.executable, benchmarks / "behaviour.py", "--data", real_data]
    command += ["--weights", encoder.path, "--head", f"streamflow={head.path}"]
    command += ["--only", "rain x", "--out", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    entries = json.loads((tmp_path / "behaviour.json").read_text())
    own = [entry for entry in entries if entry["head"] == "tiny-head"]
    wanted = [x for x in EXPERIMENTS if x.name.startswith("rain x")]
    assert len(own) == sum(x.concerns(FLOW) for x in wanted) > 0
    assert all(entry["value"] is not None for entry in own)
    assert "## Failures" in done.stdout
