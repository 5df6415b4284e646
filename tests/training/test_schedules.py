"""Optimisers: the rate at each update, and which parameters decay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from xstefaland.training.corpus import Corpus
from xstefaland.training.pretraining import Pretraining, pretrain

TINY = {"d_model": 16, "layers": 1, "heads": 2, "ffn": 32}
Steps = list[list[dict[str, Any]]]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    """Note the parameter groups at every update of an optimiser that works as ever."""
    noted: Steps = []
    step = torch.optim.AdamW.step

    def note(self: Any, *rest: Any, **more: Any) -> Any:
        noted.append([dict(group) for group in self.param_groups])
        return step(self, *rest, **more)

    monkeypatch.setattr(torch.optim.AdamW, "step", note)
    return noted


def run(corpus: Corpus, folder: Path, steps: int, **others: Any) -> Any:
    """Pretrain a tiny model."""
    entries = {"batch_size": 4, "model": TINY, "precision": "float32"}
    settings = Pretraining(steps=steps, **(entries | others))
    return pretrain(corpus, folder, settings)


def test_the_pretraining_rate_is_a_trapezoid(
    corpus: Corpus, tmp_path: Path, steps: Steps
) -> None:
    """Of 20 updates 5 go up, 5 stay, and the last 10 fall by a tenth each."""
    run(corpus, tmp_path / "run", 20, learning_rate=0.01, warmup=5, cooldown=0.5)
    up, flat = [0.2, 0.4, 0.6, 0.8, 1.0], [1.0] * 6
    down = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]
    expected = [0.01 * share for share in up + flat + down]
    for groups in zip(*steps, strict=True):
        assert [g["lr"] for g in groups] == pytest.approx(expected)
    last = json.loads((tmp_path / "run" / "log.jsonl").read_text().splitlines()[-1])
    assert last["rate"] == pytest.approx(0.001)


def test_only_matrices_decay(corpus: Corpus, tmp_path: Path, steps: Steps) -> None:
    """Biases, norms, positions and mask vectors do not; every parameter is in one."""
    model = run(corpus, tmp_path / "run", 1, weight_decay=0.07)
    decay, rest = steps[0]
    assert (decay["weight_decay"], rest["weight_decay"]) == (0.07, 0.0)
    assert decay["betas"] == rest["betas"] == (0.9, 0.98)
    members = {id(parameter) for parameter in decay["params"]}
    read_out = 2  # its matrix and its bias
    count = len(list(model.parameters())) + read_out
    assert len(members) + len(rest["params"]) == count
    decaying = {n for n, p in model.named_parameters() if id(p) in members}
    expected = {
        name
        for name, _ in model.named_parameters()
        if name.rsplit(".", 1)[-1].startswith("weight") and "norm" not in name
    }
    assert decaying == expected
    assert "forcing_embedding.weight2" in expected
    assert "attribute_embedding.missing" not in expected
    assert "position" not in expected
