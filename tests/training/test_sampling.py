"""Windows: drawn where there are observations, the same for every head."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from xstefaland.errors import InputError
from xstefaland.inputs.requirements import Requirements, VariableSpec
from xstefaland.model import HeadConfig
from xstefaland.training.sampling import Sampler
from xstefaland.training.tasks import Records, Task
from xstefaland.training.versions import Version
from xstefaland.weights import TARGETS

RAIN = VariableSpec("precipitation", "mm d-1")
HEIGHT = VariableSpec("elevation", "m")


def records(name: str, observed: np.ndarray) -> Records:
    """Records whose rain is the day's number, and whose elevation is the site's."""
    sites, days = observed.shape
    table = pd.DataFrame({"site": [f"{name}-{i}" for i in range(sites)]})
    forcing = np.broadcast_to(np.arange(days, dtype=np.float32), (sites, days))
    return Records(
        name,
        forcing[..., None].copy(),
        np.arange(sites, dtype=np.float32)[:, None],
        np.zeros(sites, np.float32),
        observed.astype(np.float32),
        table.assign(role="train"),
        pd.date_range("2000-01-01", periods=days),
        np.arange(sites),
    )


def task(*observed: np.ndarray) -> Task:
    """A task of one or several records."""
    parts = tuple(records(f"part{i}", each) for i, each in enumerate(observed))
    return Task(TARGETS["streamflow"], parts, Requirements((RAIN,), (HEIGHT,)))


def config(kind: str = "lstm") -> HeadConfig:
    """A head that takes all."""
    return HeadConfig(
        targets=("streamflow",),
        forcing=("precipitation",),
        attributes=("elevation",),
        kind=kind,
    )


def sampler(
    made: Task, versions: list[Version] | None = None, **more: object
) -> Sampler:
    """Windows of 50 days, 20 of them to warm up."""
    entries = {"days": 30, "warmup": 20, "batch_size": 8, **more}
    return Sampler(made, config(), versions or [Version(None, None)], **entries)


def test_windows_are_cut_alike_from_inputs_and_observations():
    """Rain is the day's number, and so are the observations here."""
    days = np.broadcast_to(np.arange(200.0), (3, 200))
    sample = sampler(task(days)).draw(0)
    assert sample.forcing.shape == (8, 50, 1)
    torch.testing.assert_close(sample.forcing, sample.observed)
    assert (sample.forcing.diff(dim=1) == 1).all()
    assert set(sample.attributes[:, 0].tolist()) <= {0.0, 1.0, 2.0}


def test_draws_depend_on_seed_and_number_alone():
    """A resumed run goes on as if it had not been broken off; seeds differ."""
    made = task(np.random.default_rng(0).random((4, 300)))
    first, second = sampler(made), sampler(made)
    for number in (0, 1, 2):
        first.draw(number)
    torch.testing.assert_close(first.draw(3).forcing, second.draw(3).forcing)
    assert not torch.equal(first.draw(4).forcing, first.draw(3).forcing)
    other = sampler(made, seed=1)
    assert not torch.equal(other.draw(3).forcing, first.draw(3).forcing)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("seen", [1, 3, 10])
def test_sparse_observations_end(seen):
    """One observation a site is enough, and every window has one that is scored."""
    observed = np.full((2, 400), np.nan)
    observed[:, 200 : 200 + seen] = 1.0
    draws = [sampler(task(observed)).draw(n) for n in range(5)]
    for sample in draws:
        scored = sample.observed[:, 20:]
        assert (~scored.isnan()).any(1).all()


def test_windows_prefer_many_observations():
    """A fifth of the days at least, where the site has such windows."""
    observed = np.full((1, 1000), np.nan)
    observed[:, 500:600] = 1.0
    observed[:, 10] = 1.0
    for number in range(20):
        scored = sampler(task(observed)).draw(number).observed[:, 20:]
        assert ((~scored.isnan()).sum(1) >= 6).all()


def test_every_scored_day_of_a_window_can_be_reached():
    """First and last windows of a record are drawn too."""
    made = task(np.ones((1, 203)))
    draws = sampler(made, days=180, batch_size=200).draw(0)
    assert set(draws.forcing[:, 0, 0].tolist()) == {0.0, 1.0, 2.0, 3.0}


def test_sites_without_observations_in_windows_are_refused():
    """Observations in the first warm-up days alone teach nothing."""
    observed = np.full((1, 200), np.nan)
    observed[0, :20] = 1.0
    with pytest.raises(InputError, match="after the first 20 days"):
        sampler(task(observed))


def test_data_sets_of_different_length_share_windows():
    """Windows are no longer than the shortest record; every site is as likely."""
    made = task(np.ones((1, 40)), np.full((3, 1000), 2.0))
    windows = sampler(made, days=60, batch_size=400)
    assert (windows.warmup, windows.days) == (10, 40)
    share = (windows.draw(0).observed[:, 0, 0] == 1).float().mean()
    assert 0.18 < share < 0.32


def test_only_training_sites_are_drawn():
    """Held-out and dropped sites never enter, nor their deviation."""
    rng = np.random.default_rng(1)
    observed = rng.random((3, 200)) * np.array([[1.0], [100.0], [1.0]])
    made = task(observed).with_roles(
        {"part0-0": "train", "part0-1": "held out", "part0-2": "dropped"}
    )
    windows = sampler(made, batch_size=50)
    assert set(windows.draw(0).attributes[:, 0].tolist()) == {0.0}
    assert windows.overall == pytest.approx(observed[0].std(), rel=1e-5)


def test_errors_count_in_the_deviation_of_the_site_or_of_all():
    """`per_site` chooses."""
    observed = np.random.default_rng(2).random((2, 300)) * np.array([[1.0], [9.0]])
    own = sampler(task(observed), per_site=True, batch_size=30).draw(0)
    spread = torch.from_numpy(observed.std(1).astype("f4"))
    torch.testing.assert_close(own.deviation, spread[own.attributes.long()])
    shared = sampler(task(observed), per_site=False).draw(0)
    assert shared.deviation.unique().tolist() == pytest.approx([observed.std()])


def test_hidden_inputs_come_in_their_share_of_the_batches():
    """The first version is the complete one; embeddings go with what is hidden."""
    made = task(np.ones((2, 300)))
    mask = np.ones((2, 1), bool)
    versions = [
        Version(None, {"part0": np.zeros((2, 300, 4), np.float16)}),
        Version({"part0": (mask, mask)}, {"part0": np.ones((2, 300, 4), np.float16)}),
    ]
    windows = Sampler(
        made, config("resconn"), versions, days=30, warmup=20, batch_size=2,
        full_share=0.75,
    )  # fmt: skip
    draws = [windows.draw(number) for number in range(200)]
    hidden = [bool(d.forcing.isnan().all()) for d in draws]
    assert hidden == [bool(d.attributes.isnan().all()) for d in draws]
    assert hidden == [bool((d.embedding == 1).all()) for d in draws]
    assert 0.15 < np.mean(hidden) < 0.35


def test_every_head_sees_the_same_windows():
    """An LSTM and a head with embeddings draw the same observations."""
    made = task(np.random.default_rng(3).random((3, 300)))
    caches = {"part0": np.zeros((3, 300, 4), np.float16)}
    both = [
        Sampler(made, config(kind), [Version(None, cache)], days=30, warmup=20,
                batch_size=4)
        for kind, cache in (("lstm", None), ("resconn", caches))
    ]  # fmt: skip
    for number in range(3):
        first, second = (windows.draw(number) for windows in both)
        torch.testing.assert_close(first.observed, second.observed)
        torch.testing.assert_close(first.forcing, second.forcing)
