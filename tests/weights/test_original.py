"""Converting the original: what is read from the file, and every refusal."""

from __future__ import annotations

import builtins
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from xstefaland.errors import InputError, WeightsError, WeightsNotFoundError
from xstefaland.weights import convert_original, load
from xstefaland.weights.files import sha256_of
from xstefaland.weights.original.conversion import STD_OFFSET

GOLDEN = Path(__file__).parents[1] / "golden" / "encoder"
SOURCE = GOLDEN / "small_dec_lstm.weights.safetensors"
FORCING = ["P", "Tmax", "Tmin", "SWd"]
ATTRIBUTES = ["elev", "slope", "sand", "clay", "ndvi", "area"]


def convert(out: Path, source: Path = SOURCE, **changes: Any) -> Path:
    """Convert the small golden model, with some arguments changed."""
    arguments = {
        "forcing": FORCING,
        "attributes": ATTRIBUTES,
        "heads": 2,
        "window": 30,
        **changes,
    }
    return convert_original(source, out=out / "converted.safetensors", **arguments)


def test_card(tmp_path: Path) -> None:
    """Sizes come from the shapes; variables have no units; the source is named."""
    path = convert(tmp_path)
    card = load(path).card
    assert path == tmp_path / "converted.safetensors"
    assert (card.kind, card.name) == ("encoder", "converted")
    config = {
        key: card.config[key]
        for key in ("d_model", "layers", "heads", "ffn", "window", "stride", "decoder")
    }
    assert config == {
        "d_model": 32,
        "layers": 2,
        "heads": 2,
        "ffn": 48,
        "window": 30,
        "stride": 15,
        "decoder": "lstm",
    }
    assert card.config["calendar"] is False
    assert card.config["max_positions"] == 1000
    assert [spec.name for spec in card.forcing] == FORCING
    assert {spec.units for spec in (*card.forcing, *card.attributes)} == {None}
    assert card.training["converted_from"]["sha256"] == sha256_of(SOURCE)
    assert card.licence != "Apache-2.0"


def test_transformer_decoder_is_recognised(tmp_path: Path) -> None:
    """The paper's form has a transformer decoder and its number of layers."""
    path = convert(tmp_path, GOLDEN / "small_transformer_dec.weights.safetensors")
    config = load(path).card.config
    assert (config["decoder"], config["decoder_layers"]) == ("transformer", 1)


def test_order_of_variables_is_free(tmp_path: Path) -> None:
    """Embeddings go by name: another order of complete input gives the same tokens."""
    straight = load(convert(tmp_path)).model()
    turned = load(
        convert(tmp_path, forcing=FORCING[::-1], attributes=ATTRIBUTES[::-1])
    ).model()
    forcing, attributes = torch.rand(2, 10, 4), torch.rand(2, 6)
    torch.testing.assert_close(
        straight.encode(forcing, attributes),
        turned.encode(forcing.flip(-1), attributes.flip(-1)),
        rtol=1e-4,
        atol=1e-4,
    )


def test_scaling(tmp_path: Path) -> None:
    """Given statistics, physical input gives what normalised input gave before."""
    statistics = {
        name: (3.0 * i, 2.0 + i) for i, name in enumerate([*FORCING, *ATTRIBUTES])
    }
    plain = load(convert(tmp_path)).model()
    weights = load(convert(tmp_path, scaling=statistics))
    assert weights.card.forcing[1].mean == 3.0
    assert weights.card.forcing[1].std == 3.0 + STD_OFFSET
    forcing, attributes = torch.rand(2, 10, 4), torch.rand(2, 6)
    means, stds = torch.tensor(list(statistics.values())).T
    stds = stds + STD_OFFSET
    torch.testing.assert_close(
        weights.model().encode(
            forcing * stds[:4] + means[:4], attributes * stds[4:] + means[4:]
        ),
        plain.encode(forcing, attributes),
        rtol=1e-4,
        atol=1e-4,
    )


def test_incomplete_scaling(tmp_path: Path) -> None:
    """Statistics must be there for exactly the variables."""
    statistics = dict.fromkeys([*FORCING, *ATTRIBUTES[1:], "rain"], (0.0, 1.0))
    with pytest.raises(InputError, match=r"no \(mean, std\) for 'elev'") as caught:
        convert(tmp_path, scaling=statistics)
    assert "'rain' is no variable" in str(caught.value)


def test_real_checkpoint(tmp_path: Path) -> None:
    """A training checkpoint (.pt, data-parallel, numpy scalars, optimiser) is read."""
    path = checkpoint(tmp_path)
    assert_same_tensors(convert(tmp_path, path), convert_reference(tmp_path))


def test_checkpoint_of_numpy_1(tmp_path: Path) -> None:
    """A checkpoint written with numpy 1 names its scalars by another module."""
    new, old = checkpoint(tmp_path), tmp_path / "numpy1.pt"
    with zipfile.ZipFile(new) as source, zipfile.ZipFile(old, "w") as target:
        for item in source.infolist():
            content = source.read(item)
            if item.filename.endswith("data.pkl"):
                assert b"numpy._core.multiarray" in content
                content = content.replace(b"numpy._core.", b"numpy.core.")
            target.writestr(item.filename, content)
    assert_same_tensors(convert(tmp_path, old), convert_reference(tmp_path))


def checkpoint(folder: Path) -> Path:
    """Write what the original's training writes."""
    state = load_file(SOURCE)
    parameter = torch.nn.Parameter(torch.ones(3))
    optimiser = torch.optim.AdamW([parameter])
    parameter.sum().backward()
    optimiser.step()
    content = {
        "epoch": 20,
        "model_state_dict": {f"module.{k}": v for k, v in state.items()},
        "optim_state_dict": optimiser.state_dict(),
        "epoch_train_loss_list": [np.float64(1.5), np.float32(0.5)],
        "epoch_val_loss_list": [np.float64(2.5), np.int64(3), np.bool_(True)],
    }
    path = folder / "checkpoint.pt"
    torch.save(content, path)
    return path


def convert_reference(folder: Path) -> Path:
    """Convert the safetensors file of the same state dict."""
    (folder / "reference").mkdir()
    return convert(folder / "reference")


def assert_same_tensors(first: Path, second: Path) -> None:
    """Both files hold the same numbers."""
    theirs = load_file(second)
    ours = load_file(first)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


class Malicious:
    """Unpickling it would run a line of code."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("import builtins; builtins.PWNED_ORIGINAL = True",))


def test_malicious_pickle(tmp_path: Path) -> None:
    """A pickle that would run code is refused and does not run."""
    path = tmp_path / "evil.pt"
    torch.save({"model_state_dict": load_file(SOURCE), "x": Malicious()}, path)
    with pytest.raises(WeightsError, match=r"evil\.pt' is refused.*Nothing in it was"):
        convert(tmp_path, path)
    assert not hasattr(builtins, "PWNED_ORIGINAL")


def changed(folder: Path, **tensors: Tensor | None) -> Path:
    """Write the golden state dict with tensors replaced, added or (None) removed."""
    state = {**load_file(SOURCE), **tensors}
    path = folder / "changed.safetensors"
    save_file({k: v for k, v in state.items() if v is not None}, path)
    return path


def test_wrong_tensors_are_all_listed(tmp_path: Path) -> None:
    """Left over, missing and misshapen tensors come in one error."""
    source = changed(
        tmp_path,
        **{
            "decoder.weight_ih_l0_reverse": torch.ones(128, 32),
            "encoder_norm.bias": None,
            "static_projection.numerical_embeddings2.elev.weight": torch.ones(2, 64),
        },
    )
    with pytest.raises(WeightsError, match="3 problems") as caught:
        convert(tmp_path, source)
    text = str(caught.value)
    assert "'decoder.weight_ih_l0_reverse' is left over" in text
    assert "'encoder_norm.bias' is missing" in text
    assert "elev.weight' has shape (2, 64), not (1, 64)" in text
    assert not (tmp_path / "converted.safetensors").exists()


def test_other_model(tmp_path: Path) -> None:
    """A state dict of something else says what it lacks."""
    path = tmp_path / "other.safetensors"
    save_file({"tokenizer.patch_proj.weight": torch.ones(2)}, path)
    with pytest.raises(WeightsError, match=r"position_embedding.*no checkpoint of the"):
        convert(tmp_path, path, forcing=[], attributes=[])


def test_wrong_variables(tmp_path: Path) -> None:
    """Variable lists that differ from the checkpoint's names are told which way."""
    with pytest.raises(WeightsError, match="3 problems") as caught:
        convert(
            tmp_path,
            forcing=["P", "Tmax", "Tmin", "PET"],
            attributes=[*ATTRIBUTES, "x"],
        )
    text = str(caught.value)
    assert "`forcing` lists ['PET'], which the checkpoint lacks" in text
    assert "`forcing` lacks ['SWd'], which the checkpoint has" in text
    assert "`attributes` lists ['x']" in text


def test_wrong_numbers(tmp_path: Path) -> None:
    """A window beyond the position table, and heads that do not divide, are refused."""
    with pytest.raises(InputError, match=r"window=1000 is not possible.*1 to 999"):
        convert(tmp_path, window=1000)
    with pytest.raises(InputError, match="no multiple of"):
        convert(tmp_path, heads=5)


@pytest.mark.parametrize("name", list(json.loads((GOLDEN / "names.json").read_text())))
def test_published_tensor_lists(tmp_path: Path, name: str) -> None:
    """Every published list of names and shapes of this architecture converts."""
    listed = json.loads((GOLDEN / "names.json").read_text())[name]
    state = {key: torch.zeros(shape) for key, shape in listed["tensors"].items()}
    save_file(state, tmp_path / "zeros.safetensors")
    path = convert_original(
        tmp_path / "zeros.safetensors",
        forcing=listed["time_series_variables"],
        attributes=listed["static_variables"],
        out=tmp_path / "converted.safetensors",
    )
    weights = load(path)
    assert weights.card.config["d_model"] == listed["d_model"]
    assert weights.card.config["layers"] == listed["num_enc_layers"]
    assert len(state) == listed["n_tensors"]
    rows = 999 * len(listed["static_variables"])  # of the mask table, left out
    ours = sum(p.numel() for p in weights.model().parameters())
    assert ours + rows == listed["n_params"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "holds a list, not a state dict"),
        ({}, "holds a dict, not a state dict"),
        ({"a": 3}, r"entries that are no tensors: \['a'\]"),
        ({"model_state_dict": 3}, "holds a int, not a state dict"),
    ],
)
def test_no_state_dict(tmp_path: Path, content: object, message: str) -> None:
    """A checkpoint without a state dict says what it holds."""
    torch.save(content, tmp_path / "x.pt")
    with pytest.raises(WeightsError, match=message):
        convert(tmp_path, tmp_path / "x.pt")


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_unreadable_checkpoint(tmp_path: Path, suffix: str) -> None:
    """Missing, empty and senseless files are errors of ours."""
    path = tmp_path / f"x.{suffix}"
    with pytest.raises(WeightsNotFoundError, match="There is no checkpoint"):
        convert(tmp_path, path)
    for content in (b"", b"hello world", b"PK\x03\x04 broken"):
        path.write_bytes(content)
        with pytest.raises(WeightsError, match=rf"x\.{suffix}'.* (no|not|refused)"):
            convert(tmp_path, path)
