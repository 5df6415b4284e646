"""Pretraining: it learns, resumes exactly, and keeps to training sites."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from xstefaland.errors import InputError
from xstefaland.model import StefaLand
from xstefaland.training.corpus import Corpus
from xstefaland.training.losses import autoencoder_loss, masked_mean_square
from xstefaland.training.pretraining import (
    Pretraining,
    PretrainingRun,
    load_model,
    pretrain,
    roles,
    variable_statistics,
)

TINY = {"d_model": 16, "layers": 1, "heads": 2, "ffn": 32}


def log(folder: Path) -> list[dict[str, float]]:
    """Lines of a run's log."""
    lines = (folder / "log.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def settings(steps: int | None, **others: object) -> Pretraining:
    """A run of seconds."""
    return Pretraining(
        steps=steps,
        batch_size=8,
        warmup=5,
        model=TINY,
        precision="float32",
        checkpoint_minutes=60,
        **others,  # type: ignore[arg-type]
    )


def test_loss_counts_hidden_and_seen_values_apart() -> None:
    """Errors of 1 on hidden and 2 on seen values give 1 + weight * 4; NaN is none."""
    scaled = torch.tensor([[[0.0], [0.0], [float("nan")]]])
    predicted = torch.tensor([[[1.0], [2.0], [9.0]]])
    masked = torch.tensor([[[True], [False], [True]]])
    loss = autoencoder_loss(predicted, scaled, masked, 0.5)
    assert float(loss) == pytest.approx(1 + 0.5 * 4)


def test_every_variable_weighs_the_same() -> None:
    """A variable seen once counts as much as one seen often."""
    error = torch.ones(4, 10, 2) * torch.tensor([1.0, 3.0])
    where = torch.ones(4, 10, 2, dtype=torch.bool)
    where[:, :, 1] = False
    where[0, 0, 1] = True
    assert float(masked_mean_square(error, where)) == pytest.approx((1 + 9) / 2)


def test_training_lowers_the_loss(corpus: Corpus, tmp_path: Path) -> None:
    """After 120 updates the hidden values are guessed better than at the start."""
    pretrain(corpus, tmp_path / "run", settings(120, learning_rate=5e-3))
    lines = log(tmp_path / "run")
    for name in ("series", "memory"):
        assert lines[-1][name] < 0.8 * lines[0][name]


def test_a_resumed_run_equals_one_that_was_not_interrupted(
    corpus: Corpus, tmp_path: Path
) -> None:
    """Stopping, and losing updates after a checkpoint, changes nothing, bit by bit."""
    whole = pretrain(corpus, tmp_path / "whole", settings(45))

    def kill(run: PretrainingRun) -> bool:
        if run.step == 33:
            raise KeyboardInterrupt
        return run.step == 25

    pretrain(corpus, tmp_path / "parts", settings(45), watch=kill)
    with pytest.raises(KeyboardInterrupt):
        pretrain(corpus, tmp_path / "parts", settings(45), watch=kill)
    with (tmp_path / "parts" / "log.jsonl").open("a") as file:
        file.write('{"step": 40, "left": "by the kill"}\n{"half a li')
    parts = pretrain(corpus, tmp_path / "parts", settings(45))
    both = zip(whole.state_dict().items(), parts.state_dict().values(), strict=True)
    for (name, a), b in both:
        assert torch.equal(a, b), name
    states = [
        torch.load(tmp_path / name / "checkpoint.pt", weights_only=True)
        for name in ("whole", "parts")
    ]
    for name in ("networks", "optimiser", "position"):
        first, second = (state[name] for state in states)
        first.pop("seconds", None), second.pop("seconds", None)
        torch.testing.assert_close(first, second, rtol=0, atol=0)
    assert [line["step"] for line in log(tmp_path / "parts")] == [20, 40]
    assert "left" not in log(tmp_path / "parts")[-1]


def test_a_finished_run_is_left_as_it_is(corpus: Corpus, tmp_path: Path) -> None:
    """Asking again for what is there makes no update; asking for more goes on."""
    first = pretrain(corpus, tmp_path / "run", settings(2)).state_dict()
    again = pretrain(corpus, tmp_path / "run", settings(2)).state_dict()
    assert all(torch.equal(again[name], value) for name, value in first.items())
    pretrain(corpus, tmp_path / "run", settings(3))
    model, position = load_model(tmp_path / "run")
    assert position["step"] == 3
    assert not model.training
    assert any(
        not torch.equal(model.state_dict()[name], value)
        for name, value in first.items()
    )


def test_a_run_without_an_end_keeps_its_rate(corpus: Corpus, tmp_path: Path) -> None:
    """Up in five updates, then constant until it is stopped."""
    rates = []

    def note(run: PretrainingRun) -> bool:
        rates.append(run.optimiser.param_groups[0]["lr"])
        return run.step == 9

    pretrain(corpus, tmp_path / "run", settings(None, learning_rate=0.01), watch=note)
    up = [0.002, 0.004, 0.006, 0.008]
    assert rates == pytest.approx(up + [0.01] * 5)


def test_both_readings_are_logged_apart(corpus: Corpus, tmp_path: Path) -> None:
    """Means of the updates since the last line, two-way and causal, of every loss."""
    seen: list[tuple[str, dict[str, float]]] = []

    def note(run: PretrainingRun) -> bool:
        seen.extend(run._recent[-1:])
        return False

    pretrain(corpus, tmp_path / "run", settings(21, causal_share=0.5), watch=note)
    (line,) = log(tmp_path / "run")
    for reading in ("", "causal_"):
        for name in ("series", "static", "memory"):
            # the line of update 20 is written before `watch` sees it
            own = [losses[name] for kind, losses in seen[:19] if kind == reading]
            assert 3 < len(own) < 17
            assert line[reading + name] == pytest.approx(np.mean(own), rel=0.3)
    assert line["basin_years"] < 20 * 8
    assert line["seconds"] > 0


def test_without_memory_there_is_no_read_out(corpus: Corpus, tmp_path: Path) -> None:
    """A weight of 0 computes and logs nothing of it, and is another run."""
    pretrain(corpus, tmp_path / "run", settings(20, memory_weight=0.0))
    assert "memory" not in log(tmp_path / "run")[0]
    assert not list(corpus.folder.glob("*/memory"))
    with pytest.raises(InputError, match="another configuration"):
        pretrain(corpus, tmp_path / "run", settings(21))


def test_another_configuration_does_not_continue_a_run(
    corpus: Corpus, tmp_path: Path
) -> None:
    """A checkpoint of another model is refused, not overwritten."""
    pretrain(corpus, tmp_path / "run", settings(1))
    other = Pretraining(steps=2, batch_size=8, model={**TINY, "layers": 2})
    with pytest.raises(InputError, match="another configuration"):
        pretrain(corpus, tmp_path / "run", other)


def test_named_sites_are_left_out_in_place_of_a_draw(
    corpus: Corpus, tmp_path: Path
) -> None:
    """They alone are held out; a run goes on with the same ones only."""
    table = corpus.sites[corpus.sites["source"] == "long"]
    labels = tuple(table["site"].str.removeprefix("long-").iloc[:2])
    run = settings(1, left_out=labels)
    role = roles(corpus, run)
    held = corpus.sites["site"][role == "held out"]
    assert set(held) == {n for n in corpus.sites["site"] if n.endswith(labels)}
    pretrain(corpus, tmp_path / "run", run)
    pretrain(corpus, tmp_path / "run", settings(2, left_out=labels))
    with pytest.raises(InputError, match="left out other places: left_out differ"):
        pretrain(corpus, tmp_path / "run", settings(3))


def test_a_typing_error_leaves_no_site_in_training(corpus: Corpus) -> None:
    """Names of no site are told, also beside those that are some."""
    label = corpus.sites["site"][corpus.sites["source"] == "long"].iloc[0]
    names = (label.removeprefix("long-"), "nowhere", "")
    with pytest.raises(InputError, match=r"2 of 3 names .* 'nowhere', ''; its gauges"):
        roles(corpus, settings(1, left_out=names))


def test_scaling_comes_from_training_sites_only(corpus: Corpus) -> None:
    """Huge values at left-out sites do not move the statistics; a training one does."""
    run = settings(1, share_left_out=0.3)
    before = variable_statistics(corpus, run)
    role = roles(corpus, run)[corpus.sites["source"] == "long"].to_numpy()
    for kind, same in (("held out", True), ("dropped", True), ("train", False)):
        row = int(np.flatnonzero(role == kind)[0])
        path = corpus.folder / "long" / "forcing.npy"
        values = np.load(path)
        changed = values.copy()
        changed[row] = 1e6
        np.save(path, changed)
        assert (variable_statistics(Corpus(corpus.folder), run) == before) == same
        np.save(path, values)


@pytest.mark.parametrize(("share", "readings"), [(0.0, {False}), (1.0, {True})])
def test_batches_are_read_causally_in_the_share_that_is_asked(
    corpus: Corpus,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    share: float,
    readings: set[bool],
) -> None:
    """Never, or always; the encoder is told."""
    seen, encode = set(), StefaLand.encode

    def spy(model: StefaLand, *args: object, **named: object) -> torch.Tensor:
        seen.add(named["causal"])
        return encode(model, *args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(StefaLand, "encode", spy)
    pretrain(corpus, tmp_path / "run", settings(3, causal_share=share))
    assert seen == readings


def test_left_out_sites_are_never_drawn(corpus: Corpus, tmp_path: Path) -> None:
    """Sites with absurd weather that are left out do not show in the losses."""
    run = settings(20, share_left_out=0.3)
    role = roles(corpus, run)
    for name, shard in corpus.shards.items():
        part = role[corpus.sites["source"] == name].to_numpy()
        path = shard.folder / "forcing.npy"
        values = np.load(path)
        values[part != "train"] = 1e9
        np.save(path, values)
    pretrain(Corpus(corpus.folder), tmp_path / "run", run)
    (line,) = log(tmp_path / "run")
    assert line["series"] < 10
    assert line["memory"] < 10
