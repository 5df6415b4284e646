"""Weights files: what is written comes back, and everything else is refused."""

from __future__ import annotations

import builtins
import hashlib
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from xstefaland.errors import InputError, WeightsError, WeightsNotFoundError
from xstefaland.model import StefaLand
from xstefaland.weights import Card, Weights, read, save
from xstefaland.weights.card import FORMAT
from xstefaland.weights.files import METADATA_KEY, sha256_of


def test_round_trip(
    encoder_file: Weights, encoder_card: Card, encoder_model: StefaLand
) -> None:
    """Card and tensors come back equal, and the model answers the same."""
    assert replace(encoder_file.card, package_version="") == encoder_card
    assert encoder_file.card.format == FORMAT
    assert encoder_file.card.package_version
    assert (encoder_file.name, encoder_file.kind) == ("tiny-v1", "encoder")
    for name, tensor in encoder_model.state_dict().items():
        torch.testing.assert_close(encoder_file.tensors()[name], tensor, rtol=0, atol=0)
    forcing, attributes = torch.rand(2, 9, 2), torch.rand(2, 1)
    days = torch.arange(1.0, 10.0).expand(2, 9)
    again = encoder_file.model()
    assert not again.training
    torch.testing.assert_close(
        again.encode(forcing, attributes, day_of_year=days),
        encoder_model.encode(forcing, attributes, day_of_year=days),
    )


def test_building_a_model_leaves_random_state(encoder_file: Weights) -> None:
    """Opening weights does not disturb the user's random numbers."""
    torch.manual_seed(3)
    before = torch.get_rng_state()
    encoder_file.model()
    assert torch.equal(before, torch.get_rng_state())


def test_half_precision_storage(
    tmp_path: Path, encoder_card: Card, encoder_model: StefaLand
) -> None:
    """Matrices take half the room and come back as float32; vectors stay exact."""
    state = encoder_model.state_dict()
    state["layers.0.linear1.weight"][0, 0] = 1e6  # beyond float16
    half = save(tmp_path / "half.safetensors", state, encoder_card, "float16")
    stored = load_file(half.path)
    assert stored["position"].dtype == torch.float16
    assert stored["layers.0.linear1.weight"].dtype == torch.float32
    assert stored["attribute_scaling.mean"].item() == 1e5
    tensors = half.tensors()
    assert {t.dtype for t in tensors.values()} == {torch.float32}
    torch.testing.assert_close(
        tensors["position"], state["position"], rtol=1e-3, atol=1e-5
    )
    full = save(tmp_path / "full.safetensors", state, encoder_card)
    assert half.path.stat().st_size < 0.75 * full.path.stat().st_size


def test_same_content_same_bytes(
    tmp_path: Path, encoder_file: Weights, encoder_card: Card, encoder_model: StefaLand
) -> None:
    """Saving twice gives the same sha256, and equal Weights."""
    again = save(
        tmp_path / "again.safetensors", encoder_model.state_dict(), encoder_card
    )
    assert again.sha256 == encoder_file.sha256
    assert again == encoder_file
    assert again.__dask_tokenize__() == encoder_file.sha256


def test_sha256_is_that_of_the_whole_file(encoder_file: Weights) -> None:
    """The hash is the one that `sha256sum` prints."""
    expected = hashlib.sha256(encoder_file.path.read_bytes()).hexdigest()
    assert encoder_file.sha256 == expected


def replaced(path: Path) -> None:
    """Flip one byte of the last tensor, keeping the file's size and time."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_hash_does_not_trust_time_and_size(encoder_file: Weights) -> None:
    """A file with other bytes has another hash, though its time and size are equal."""
    before = sha256_of(encoder_file.path)
    replaced(encoder_file.path)
    assert sha256_of(encoder_file.path) != before
    assert read(encoder_file.path).sha256 == sha256_of(encoder_file.path)


@pytest.mark.parametrize("change", ["other", "same size and time", "gone"])
def test_changed_file_is_noticed(encoder_file: Weights, change: str) -> None:
    """A file replaced after it was opened is not read under the old name."""
    if change == "other":
        encoder_file.path.write_bytes(b"something else")
    elif change == "gone":
        encoder_file.path.unlink()
    else:
        replaced(encoder_file.path)
    with pytest.raises(WeightsError, match="has changed since it was opened"):
        encoder_file.model()


def test_opening_reads_the_bytes_it_hashes(
    encoder_file: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Card and hash belong to each other even if the file is replaced in between."""
    import safetensors

    other = encoder_file.path.read_bytes().replace(b"tiny-v1", b"tony-v1")
    opened = safetensors.safe_open

    def swapping(path: Path, framework: str) -> object:
        Path(path).write_bytes(other)
        return opened(path, framework=framework)

    monkeypatch.setattr(safetensors, "safe_open", swapping)
    found = read(encoder_file.path)
    assert (found.name, found.sha256) == ("tiny-v1", encoder_file.sha256)


def test_saved_cards_have_the_newest_format(encoder_file: Weights) -> None:
    """An older card that is saved again says what this package writes."""
    older = replace(encoder_file.card, format=1)
    assert save(encoder_file.path, encoder_file.tensors(), older).card.format == FORMAT


def test_failed_save_leaves_nothing(
    tmp_path: Path, encoder_card: Card, encoder_model: StefaLand
) -> None:
    """A save that fails leaves neither a file nor a temporary one."""
    encoder_model.forcing_scaling.mean[0] = 7.0
    with pytest.raises(WeightsError, match=r"'precipitation' has 7.0 in tensor"):
        save(tmp_path / "x.safetensors", encoder_model.state_dict(), encoder_card)
    assert list(tmp_path.iterdir()) == []


def test_unknown_dtype_is_refused(tmp_path: Path, encoder_card: Card) -> None:
    """Only two storage types exist."""
    with pytest.raises(InputError, match="dtype='int8' is not possible"):
        save(tmp_path / "x", {}, encoder_card, "int8")  # type: ignore[arg-type]


def test_missing_file(tmp_path: Path) -> None:
    """A path that is not there says so, and how to list names."""
    with pytest.raises(WeightsNotFoundError, match=r"no weights file .*weights\.list"):
        read(tmp_path / "nothing.safetensors")


def test_missing_card(tmp_path: Path) -> None:
    """A safetensors file of someone else is refused and the conversion is named."""
    save_file({"x": torch.ones(2)}, tmp_path / "x.safetensors")
    with pytest.raises(WeightsError, match=r"without the card.*convert_original"):
        read(tmp_path / "x.safetensors")


def test_newer_format(tmp_path: Path) -> None:
    """A file of a newer format is refused with the reason and its path."""
    path = tmp_path / "new.safetensors"
    save_file({"x": torch.ones(2)}, path, metadata={METADATA_KEY: '{"format": 9}'})
    with pytest.raises(WeightsError, match=r"new\.safetensors.*has format 9"):
        read(path)


def test_not_safetensors(tmp_path: Path, encoder_file: Weights) -> None:
    """Text, and a truncated file, are refused with the likely cause."""
    path = tmp_path / "text.safetensors"
    path.write_text("hello")
    with pytest.raises(WeightsError, match=r"not a safetensors file.*truncated"):
        read(path)
    path.write_bytes(encoder_file.path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match=r"not a safetensors file.*truncated"):
        read(path)


class Malicious:
    """Unpickling it would run a line of code."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("import builtins; builtins.PWNED = True",))


@pytest.mark.parametrize("writer", ["pickle", "torch"])
def test_pickle_is_never_loaded(tmp_path: Path, writer: str) -> None:
    """A pickled file is recognised by its bytes and refused unread."""
    path = tmp_path / "evil.safetensors"
    if writer == "pickle":
        path.write_bytes(pickle.dumps(Malicious(), protocol=2))
    else:
        torch.save({"x": Malicious()}, path)
    with pytest.raises(WeightsError, match="pickled PyTorch checkpoint"):
        read(path)
    assert not hasattr(builtins, "PWNED")


def test_import_is_light() -> None:
    """The room can be imported and lists weights without torch or pooch's network."""
    code = (
        "import sys, xstefaland; xstefaland.weights.list(); "
        "bad = {'torch', 'requests'} & set(sys.modules); assert not bad, bad"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
