"""The command that trains the foundation model: it stops, goes on, ends on a copy."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from weights import __main__ as command
from weights import encoder

from xstefaland.testing import example_points
from xstefaland.training.corpus import Corpus
from xstefaland.training.pretraining import (
    Pretraining,
    PretrainingRun,
    load_model,
    pretrain,
)
from xstefaland.training.rendering import Rendering
from xstefaland.training.shards import write_shard
from xstefaland.training.sources import SOURCES
from xstefaland.weights import load

SETTINGS = Pretraining(
    steps=None,
    batch_size=4,
    warmup=4,
    precision="float32",
    share_left_out=0.3,
    rendering=Rendering(short_windows=0.0),
    model={
        "d_model": 16,
        "layers": 1,
        "heads": 2,
        "ffn": 32,
        "window": 120,
        "stride": 60,
    },
)
YEARS = 4 * 120 / 365  # basin-years of an update


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """One source of forty sites, some of them held out."""
    write_shard(tmp_path / "corpus" / "own", example_points(40, 900))
    return Corpus(tmp_path / "corpus")


@pytest.fixture
def marks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Snapshots after 5 and 12 updates, a look at each tenth and the second."""
    monkeypatch.setattr(encoder, "SNAPSHOTS", (4.5 * YEARS, 11.5 * YEARS))
    monkeypatch.setattr(encoder, "LOOK_EVERY", 9.5 * YEARS)
    monkeypatch.setattr(encoder, "FIRST_LOOKS", (1.5 * YEARS,))


class Noted(encoder.EncoderRun):
    """A run that notes when it wrote snapshots."""

    snapshots: list[int]

    def snapshot(self, run: PretrainingRun) -> None:
        """Note the update."""
        super().snapshot(run)
        self.snapshots.append(run.step)


def train(corpus: Corpus, folder: Path, updates: int) -> list[int]:
    """Train to so many updates; return those after which there were snapshots."""
    run = Noted(corpus, SETTINGS, folder, (updates - 0.5) * YEARS)
    run.snapshots = []
    run.train()
    return run.snapshots


def log(folder: Path) -> list[dict[str, Any]]:
    """Lines of a run's log."""
    lines = (folder / "log.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def looks(lines: list[dict[str, Any]]) -> list[int]:
    """Updates after which held-out places were looked at."""
    return [line["step"] for line in lines if "held_out" in line]


@pytest.mark.usefixtures("marks")
def test_a_run_looks_at_held_out_places_and_leaves_snapshots(
    corpus: Corpus, tmp_path: Path
) -> None:
    """At its marks and at its end, also when it is extended."""
    folder = tmp_path / "run"
    assert train(corpus, folder, 7) == [5, 7]
    assert looks(log(folder)) == [2, 7]
    assert train(corpus, folder, 13) == [12, 13]
    lines = log(folder)
    assert looks(lines) == [2, 7, 10, 13]
    scores = lines[-1]["held_out"]
    assert set(scores) == {"two-way", "causal"}
    assert {"hidden_precipitation", "complete_memory"} <= set(scores["causal"])
    places = pd.read_csv(folder / "places.csv")
    assert set(places["role"]) == {"train", "held out"}
    stored = load(folder / "run-000k.safetensors")
    held = places["site"][places["role"] != "train"]
    assert stored.card.left_out == tuple(sorted(held))
    assert stored.card.training["step"] == 13
    assert stored.card.readings == ("two-way", "causal")
    model = load_model(folder)[0]
    for name, tensor in stored.model().state_dict().items():
        torch.testing.assert_close(
            tensor, model.state_dict()[name], rtol=1e-3, atol=1e-4
        )


def test_a_copy_is_ended_while_the_run_may_go_on(
    corpus: Corpus, tmp_path: Path
) -> None:
    """Of 8 updates a quarter more, falling from where the run stood; then no more."""
    folder = tmp_path / "run"
    train(corpus, folder, 8)
    before = (folder / "checkpoint.pt").read_bytes()
    copy, settings = encoder.cooled(folder, SETTINGS, 0.25)
    assert (settings.steps, settings.cooldown) == (10, 0.2)
    rates = []

    def note(run: PretrainingRun) -> bool:
        rates.append(run.optimiser.param_groups[0]["lr"] / settings.learning_rate)
        return len(rates) == 1

    pretrain(corpus, copy, settings, watch=note)
    train(corpus, folder, 9)
    again = encoder.cooled(folder, SETTINGS, 0.25)  # not at its end: it goes on
    assert again == (copy, settings)
    pretrain(corpus, *again, watch=note)
    assert rates == pytest.approx([1.0, 0.5])
    assert encoder.position(copy)["step"] == 10
    assert encoder.position(folder)["step"] == 9
    assert (folder / "checkpoint.pt").read_bytes() != before
    with pytest.raises(SystemExit, match="delete it"):
        encoder.cooled(folder, SETTINGS, 0.25)
    with pytest.raises(SystemExit, match="train before"):
        encoder.cooled(tmp_path / "none", SETTINGS, 0.25)


def test_a_run_that_diverges_stops(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Far below its best at held-out places."""
    monkeypatch.setattr(encoder, "FALL", -10.0)  # any score is as far below
    folder = tmp_path / "run"
    train(corpus, folder, 5)  # the first look has nothing to fall from
    with pytest.raises(SystemExit, match=r"diverged: complete_memory .* weights file"):
        train(corpus, folder, 7)


@pytest.mark.slow
def test_the_command_stops_when_told_and_goes_on(
    tmp_path: Path, benchmarks: Path
) -> None:
    """SIGTERM leaves a checkpoint; the same command goes on to the end."""
    for name in ("own", *(source.name for source in SOURCES)):
        write_shard(tmp_path / "corpus" / name, example_points(60, 400))
    words = [sys.executable, "-m", "benchmarks.weights", "encoder"]
    words += ["--runs", str(tmp_path), "--width", "128", "--basin-years", "160"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    folder = tmp_path / "encoder-128-0"
    with subprocess.Popen(
        words, cwd=benchmarks.parent, env=environment, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()  # the roles of the sites: training begins
        time.sleep(3)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=300)
        assert process.returncode == 0
    first = encoder.position(folder)
    assert 0 < first["basin_years"] < 160
    subprocess.run(
        words, cwd=benchmarks.parent, env=environment, check=True, timeout=600
    )
    assert encoder.position(folder)["basin_years"] >= 160
    assert encoder.position(folder)["seconds"] > first["seconds"]
    done = subprocess.run(
        words, cwd=benchmarks.parent, env=environment, capture_output=True, text=True
    )
    assert "come to its end" in done.stderr
    assert "Traceback" not in done.stderr


def test_shares_are_printed_without_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line a source, from the corpus that is there."""
    for source in SOURCES:
        write_shard(tmp_path / "corpus" / source.name, example_points(12, 100))
    command.main(["shares", "--runs", str(tmp_path)])
    printed = capsys.readouterr().out
    assert all(source.name in printed for source in SOURCES)
    assert "share_of_updates" in printed
