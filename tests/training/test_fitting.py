"""Fitting: heads learn, resume bit by bit, scale from training sites alone."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from sklearn.linear_model import Ridge

from xstefaland.errors import InputError
from xstefaland.inference.plans import plan_encoder
from xstefaland.model import HeadConfig
from xstefaland.testing import example_points, tiny_weights
from xstefaland.training.choices import asked_of_data, head_config
from xstefaland.training.fitting import (
    Finetuning,
    fit,
    predict_sites,
    score_sites,
)
from xstefaland.training.scaling import PENALTY, head_statistics, scale
from xstefaland.training.tasks import Task, make_task, read_records
from xstefaland.training.versions import Version, cache_embeddings, drop_inputs
from xstefaland.weights import TARGETS, TargetSpec

BARE = [Version(None, None)]
SHARE = TargetSpec(
    name="wet", units="1", minimum=0.0, maximum=1.0, transform="logit",
    loss="cross_entropy",
)  # fmt: skip


def data(days: int = 800) -> xr.Dataset:
    """Twelve sites with a flow that is the rain of the last days."""
    ds = example_points(12, days)
    flow = ds.precipitation.rolling(time=4, min_periods=1).mean() * 0.5
    ds["flow"] = flow.assign_attrs(units="mm d-1")
    ds["wet"] = (ds.precipitation > 1).astype(float).assign_attrs(units="1")
    return ds


def make(observed: str = "flow", target: TargetSpec | None = None) -> Task:
    """A task whose last four sites are held out."""
    spec = target or TARGETS["streamflow"]
    asked = asked_of_data(plan_encoder(tiny_weights())[1], spec, frozenset())
    task = make_task(
        [read_records(data(), spec, asked, observed=observed)], spec, asked
    )
    roles = ["train"] * 8 + ["held out"] * 4
    return task.with_roles(dict(zip(task.sites["site"], roles, strict=True)))


@pytest.fixture(scope="module")
def task() -> Task:
    """Flow."""
    return make()


def form(task: Task, kind: str = "lstm", **more: Any) -> HeadConfig:
    """A narrow head on inputs as they are."""
    entries = {"kind": kind, "width": 16, "dropout": 0.0, "channels": (), **more}
    return head_config(task, entries, 16, causal=False)


def short(updates: int, **more: Any) -> Finetuning:
    """A run of seconds in float32."""
    entries = {"batch_size": 8, "days": 100, "warmup": 20, "precision": "float32"}
    return Finetuning(updates=updates, **(entries | more))


@pytest.mark.parametrize("kind", ["lstm", "resconn", "no_resconn", "linear"])
def test_heads_learn_a_simple_relation(task, tmp_path: Path, kind):
    """Flow at held-out sites; a linear head knows no days before but by the encoder."""
    encoder = tiny_weights()
    caches = cache_embeddings(encoder.model(), task, tmp_path, precision="float32")
    versions = [Version(None, caches)]
    config = form(task, kind)
    head = fit(task, config, versions, short(150, learning_rate=1e-2))
    scores = score_sites(predict_sites(head, task, config, versions[0]), ["nse", "kge"])
    assert scores["site"].tolist() == task.sites["site"].tolist()[8:]
    assert scores["nse"].median() > (0.2 if kind == "linear" else 0.7)


def test_a_run_that_was_broken_off_ends_bit_equal(task, tmp_path: Path):
    """Dropout, windows, learning rate and optimiser go on where they were."""
    config = form(task, dropout=0.4)
    hidden = drop_inputs(task, ["precipitation", "temperature"], 0)
    versions = [*BARE, Version(hidden, None)]
    settings = short(12, checkpoint_updates=5)
    whole = fit(task, config, versions, settings)
    path = tmp_path / "head.pt"

    def stop(done: int, loss: float) -> None:
        if done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(task, config, versions, settings, checkpoint=path, progress=stop)
    seen: list[int] = []
    resumed = fit(
        task, config, versions, settings, checkpoint=path,
        progress=lambda done, loss: seen.append(done),
    )  # fmt: skip
    assert seen == list(range(6, 13))
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name
    again = fit(
        task, config, versions, settings, checkpoint=path,
        progress=lambda *_: pytest.fail("it was finished"),
    )  # fmt: skip
    assert torch.equal(again.output.weight, whole.output.weight)


def test_the_user_s_random_state_stays(task):
    """Training draws from a generator of its own."""
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    fit(task, form(task), BARE, short(1))
    assert torch.equal(torch.rand(1), expected)


def test_scaling_is_of_training_sites_alone(task):
    """Held-out sites change neither scaling nor the trained head."""
    other = make()
    for array in (
        other.records[0].forcing, other.records[0].attributes, other.records[0].observed
    ):  # fmt: skip
        array[8:] = array[8:] * 3 + 7
    config = form(task)
    assert head_statistics(task, config) == head_statistics(other, config)
    first, second = (fit(t, config, BARE, short(3)) for t in (task, other))
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name]), name
    rain = head_statistics(task, config)["forcing_scaling"][0]
    assert rain["name"] == "precipitation"
    values = task.records[0].forcing[:8, ::7, 0]
    assert rain["mean"] == pytest.approx(values.mean(), rel=1e-5)
    assert rain["std"] == pytest.approx(values.std(), rel=1e-5)


def test_an_input_that_no_training_site_has(task):
    """It may be there at held-out sites only: no statistics, no error."""
    other = make()
    ids = other.sites["site"]
    other = other.with_roles(
        {site: "train" if n < 4 else "held out" for n, site in enumerate(ids)}
    )
    column = other.attribute_names.index("clay")
    other.records[0].attributes[:4, column] = np.nan
    config = form(other)
    rows = head_statistics(other, config)["attribute_scaling"]
    (clay,) = (row for row in rows if row["name"] == "clay")
    assert (clay["mean"], clay["std"]) == (0.0, 1.0)


def test_quantiles_hold_their_share(task):
    """A tenth of the observations lie below the first level, nine below the last."""
    config = form(task, quantiles=(0.1, 0.5, 0.9))
    head = fit(task, config, BARE, short(200, learning_rate=1e-2))
    ((records, rows, median),) = predict_sites(head, task, config, BARE[0])
    assert median.shape == (4, 800, 1)
    with torch.inference_mode():
        answer = head(
            torch.zeros(4, 1, 1),
            torch.from_numpy(
                records.forcing[rows][..., [
                    task.forcing_names.index(n) for n in config.forcing
                ]]
            ),
            torch.from_numpy(
                records.attributes[rows][:, [
                    task.attribute_names.index(n) for n in config.attributes
                ]]
            ),
            day_of_year=torch.from_numpy(
                records.dates.day_of_year.to_numpy(np.float32)
            ),
            latitude=torch.from_numpy(records.latitude[rows]),
        ).numpy()  # fmt: skip
    np.testing.assert_allclose(median[..., 0], answer[:, :, 0, 1], rtol=1e-5)
    below = (records.observed[rows][..., None] < answer[:, :, 0]).mean((0, 1))
    np.testing.assert_allclose(below, [0.1, 0.5, 0.9], atol=0.15)


def test_probabilities_are_learned_by_their_likelihood():
    """A wet day is one with rain: the head learns the threshold."""
    task = make("wet", SHARE)
    config = form(task)
    assert config.link == "logit"
    fresh = fit(task, config, BARE, short(0))
    head = fit(task, config, BARE, short(150, learning_rate=1e-2))
    ((records, rows, answer),) = predict_sites(head, task, config, BARE[0])
    ((_, _, before),) = predict_sites(fresh, task, config, BARE[0])
    observed = records.observed[rows]
    assert before.mean() == pytest.approx(observed.mean(), abs=0.15)
    assert ((answer[..., 0] > 0.5) == (observed == 1)).mean() > 0.97


@pytest.mark.parametrize(
    ("loss", "target", "match"),
    [
        ("huber", None, "there are nse, mse, kge, kge_alone, log"),
        ("cross_entropy", None, "are of probabilities alone"),
        ("kge", SHARE, "whose loss is 'cross_entropy'"),
    ],
)
def test_losses_that_are_refused(task, loss, target, match):
    """Unknown ones, and those of the other kind of target."""
    given = task if target is None else replace(task, target=target)
    with pytest.raises(InputError, match=match):
        fit(given, form(task), BARE, short(1, loss=loss))


def test_a_run_chooses_its_loss(task):
    """The same draws end elsewhere; the entry of the target is the default."""
    ends = [
        fit(task, form(task), BARE, short(2, loss=loss)).output.bias.item()
        for loss in (None, "nse", "kge", "log", "mse")
    ]
    assert ends[0] == ends[1]
    assert len(set(ends)) == 4


def test_level_and_spread_of_sites_are_learned_apart_from_their_anomalies():
    """Wetness is of the rain; where it hovers is said by clay, how far by elevation."""
    made = make()
    records = made.records[0]
    clay, high = (
        records.attributes[:, made.attribute_names.index(name)]
        for name in ("clay", "elevation")
    )
    rain = records.forcing[..., made.forcing_names.index("precipitation")]
    level, spread = 0.1 + clay / 200, 0.02 * np.exp(high / 1500)
    wet = (rain - rain.mean(1, keepdims=True)) / rain.std(1, keepdims=True)
    records.observed[:] = level[:, None] + spread[:, None] * wet
    target = TARGETS["soil_moisture"]
    made = replace(made, target=replace(target, minimum=None, maximum=None))
    config = form(
        made, form="anomaly", attributes=("clay", "elevation"),
        targets=("soil_moisture",), place=False,
    )  # fmt: skip
    head = fit(made, config, BARE, short(250, learning_rate=1e-2))
    ((_, rows, answer),) = predict_sites(head, made, config, BARE[0])
    train = np.stack([clay, high], -1)[:8].astype(np.float64)
    scaled = (train - train.mean(0)) / train.std(0)
    unit = records.observed[:8].std()
    for layer, wanted in (
        (head.level, (level[:8] - records.observed[:8].mean()) / unit),
        (head.log_spread, np.log(spread[:8] / unit)),
    ):
        expected = Ridge(alpha=PENALTY).fit(scaled, wanted)
        weight = layer.weight.detach().numpy()[0]
        np.testing.assert_allclose(weight, [*expected.coef_, 0, 0], atol=1e-3)
        assert layer.bias.item() == pytest.approx(expected.intercept_, abs=1e-3)
    found = answer[..., 0]
    corr = [np.corrcoef(a, b)[0, 1] for a, b in zip(found, wet[rows], strict=True)]
    assert min(corr) > 0.9


def test_limits_are_the_target_s(task):
    """Answers are clipped to them; HBV's other fluxes keep their own."""
    head = fit(task, form(task), BARE, short(0))
    assert (head.minimum.tolist(), head.maximum.tolist()) == ([0.0], [float("inf")])
    config = form(task, physics="hbv")
    balance = fit(task, config, BARE, short(0))
    assert balance.minimum.tolist() == [0.0] * 12


def test_large_values_are_learned_like_small_ones(task):
    """In hundredths of a millimetre the same relation holds (snow has 100 mm)."""
    large = make()
    large.records[0].observed[:] *= 100
    config, settings = form(task), short(100, learning_rate=1e-2)
    medians = []
    for each in (task, large):
        head = fit(each, config, BARE, settings)
        scores = score_sites(predict_sites(head, each, config, BARE[0]), ["nse"])
        medians.append(scores["nse"].median())
    assert medians[1] == pytest.approx(medians[0], abs=0.1)
    assert medians[1] > 0.6


def test_a_run_that_trains_nothing_is_given_up(task):
    """Infinite observations give no gradient: this is said, not hidden."""
    broken = make()
    broken.records[0].observed[:, ::2] = np.inf
    with pytest.raises(InputError, match="the gradient of 'streamflow' is no number"):
        fit(broken, form(broken), BARE, short(30))


def test_causal_predictions_have_no_spinup(task):
    """The first days are those of a cold start; with spin-up they are not."""
    config = form(task)
    head = fit(task, config, BARE, short(3))
    ((_, _, cold),) = predict_sites(head, task, config, BARE[0], causal=True)
    ((_, _, warm),) = predict_sites(head, task, config, BARE[0])
    other = make()
    other.records[0].forcing[:, 50:] += 5
    ((_, _, later),) = predict_sites(head, other, config, BARE[0], causal=True)
    np.testing.assert_array_equal(cold[:, :50], later[:, :50])
    assert not np.array_equal(cold[:, :5], warm[:, :5])


def test_hbv_is_trained_on_its_first_flux(task):
    """Gradients reach its parameters; all fluxes are answered, none below zero."""
    entries = {
        "kind": "lstm", "width": 16, "dropout": 0.0, "physics": "hbv", "components": 2,
        "targets": ("streamflow", "evapotranspiration"), "channels": (),
    }  # fmt: skip
    config = head_config(task, entries, 16, causal=False)
    fresh = fit(task, config, BARE, short(0, days=30))
    head = fit(task, config, BARE, short(2, days=30))
    for part in ("static_logits", "daily_logits"):
        before, after = (getattr(each, part).weight for each in (fresh, head))
        assert not torch.equal(before, after)
    ((_, _, answer),) = predict_sites(head, task, config, BARE[0])
    assert answer.shape == (4, 800, 2)
    assert np.isfinite(answer).all()
    assert answer.min() >= 0


def test_scores_leave_out_first_days_and_short_series(task):
    """A site with too few observations is not scored."""
    records, rows = task.records[0], np.array([8, 9])
    predicted = records.observed[rows][..., None].copy()
    predicted[:, :100] += 50
    scores = score_sites([(records, rows, predicted)], ["nse", "rmse"], skip=100)
    np.testing.assert_allclose(scores["nse"], 1.0)
    assert score_sites([(records, rows, predicted)], ["nse"], skip=0)["nse"].max() < 0
    none = score_sites([(records, rows, predicted)], ["nse"], skip=100, minimum=701)
    assert not len(none)


def test_scale_sets_what_the_card_will_say(task):
    """Target scaling after the target's transform."""
    log = TargetSpec(name="streamflow", units="mm d-1", transform="log1p")
    other = make(target=log)
    head = fit(other, form(other), BARE, short(0))
    scale(head, other, form(other))
    flow = np.log1p(other.records[0].observed[:8])
    assert head.target_scaling.mean.item() == pytest.approx(flow.mean(), rel=1e-4)
    assert head.target_scaling.log.tolist() == [1.0]


def test_the_rate_warms_up_and_falls_as_a_cosine(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Update n of 60 has min(1, (n + 1) / 50) of half of 1 + cos(pi n / 60)."""
    noted: list[dict[str, Any]] = []
    step = torch.optim.AdamW.step

    def note(self: Any, *rest: Any, **more: Any) -> Any:
        noted.append(dict(self.param_groups[0]))
        return step(self, *rest, **more)

    monkeypatch.setattr(torch.optim.AdamW, "step", note)
    settings = short(60, learning_rate=0.02, weight_decay=0.03, batch_size=2)
    fit(task, form(task, kind="lstm", width=4), BARE, settings)
    rates = [group["lr"] for group in noted]
    assert len(rates) == 60
    assert rates[0] == pytest.approx(0.02 / 50)
    assert rates[30] == pytest.approx(0.02 * 0.5 * 31 / 50)
    assert rates[49] == pytest.approx(0.01 * (1 + math.cos(math.pi * 49 / 60)))
    assert rates[59] == pytest.approx(0.01 * (1 - math.cos(math.pi / 60)))
    assert noted[0]["weight_decay"] == 0.03
