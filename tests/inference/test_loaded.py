"""Loaded models: one per process, found by hash, placed where asked."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from xstefaland.errors import InputError, WeightsError
from xstefaland.inference import loaded
from xstefaland.inference.loaded import Reference
from xstefaland.testing import tiny_encoder, tiny_weights


@pytest.fixture
def reference(tmp_path: Path) -> Any:
    """A weights file that this process has not loaded."""
    loaded.clear()
    yield Reference.of(tiny_weights(tmp_path / "tiny.safetensors"))
    loaded.clear()


def test_threads_share_one_load(
    reference: Reference, caplog: pytest.LogCaptureFixture
) -> None:
    """Eight threads at once get the same model, loaded once."""
    found: list[Any] = []
    with caplog.at_level(logging.INFO, "xstefaland"):
        threads = [
            threading.Thread(
                target=lambda: found.append(loaded.get(reference, "cpu", "float32"))
            )
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(found) == 8
    assert len({id(entry.model) for entry in found}) == 1
    assert [record.message for record in caplog.records] == [
        "loaded 'tiny' on cpu in float32"
    ]


def test_precisions_are_separate_but_share_the_device(reference: Reference) -> None:
    """Two precisions are two models under one lock."""
    exact = loaded.get(reference, "cpu", "float32")
    rough = loaded.get(reference, "cpu", "bfloat16")
    assert exact.model is not rough.model
    assert exact.lock is rough.lock
    assert exact.model.position.dtype == torch.float32
    assert rough.model.position.dtype == torch.bfloat16


def test_same_bytes_at_another_path_are_the_same_model(
    reference: Reference, tmp_path: Path
) -> None:
    """What counts is the hash."""
    first = loaded.get(reference, "cpu", "float32")
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(Path(reference.path).read_bytes())
    other = Reference(reference.name, str(copy), reference.sha256)
    assert loaded.get(other, "cpu", "float32") is first


def test_changed_file_is_refused(reference: Reference, tmp_path: Path) -> None:
    """A task must not run other weights than its graph was built with."""
    tiny_weights(reference.path, seed=5)
    with pytest.raises(WeightsError, match=r"but the task was made with 'tiny'"):
        loaded.get(reference, "cpu", "float32")


def test_no_cuda_names_the_way_out() -> None:
    """Asking for CUDA where there is none is an input error."""
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(InputError, match=r"device='cuda:0' is not here.*set_options"):
        loaded.resolve_device("cuda:0")
    assert loaded.resolve_device("auto") == torch.device("cpu")


def test_placed_keeps_the_model_and_its_statistics() -> None:
    """In place already: the same object. In bfloat16: statistics stay float32."""
    model = tiny_encoder()
    device = torch.device("cpu")
    assert loaded.placed(model, device, "float32") is model
    rough = loaded.placed(model, device, "bfloat16")
    assert rough.forcing_scaling.mean.dtype == torch.float32
    torch.testing.assert_close(rough.forcing_scaling.std, model.forcing_scaling.std)
    assert model.position.dtype == torch.float32
    assert not any(parameter.requires_grad for parameter in rough.parameters())


def test_kept_weights_are_not_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their card is parsed once; a file that changed meanwhile is still refused."""
    loaded.clear()
    weights = tiny_weights(tmp_path / "kept.safetensors")
    reference = Reference.of(weights)
    with monkeypatch.context() as patch:
        patch.setattr("xstefaland.weights.load", None)
        assert loaded.get(reference, "cpu", "float32").model is not None
    loaded.clear()
    tiny_weights(weights.path, seed=5)
    with pytest.raises(WeightsError, match="has changed since it was opened"):
        loaded.get(reference, "cpu", "float32")
