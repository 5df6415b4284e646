"""Proof of equality: numbers of the authors' public code come out again.

The golden files hold weights, inputs and outputs of the original (float32, in
evaluation mode); ``golden.json`` describes every array. "Relative" is the L2 norm of
the difference over the L2 norm of the reference, and has to stay below 1e-5.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from safetensors.torch import load_file, save_file
from torch import Tensor

import xstefaland
from xstefaland.model import HeadConfig, StefaLand, build_head
from xstefaland.model.adapters import Bottleneck, MixtureOfExperts, build_adapter
from xstefaland.weights import convert_original, load
from xstefaland.weights.original.renaming import rename_original

GOLDEN = Path(__file__).parents[1] / "golden" / "encoder"
TOLERANCE = 1e-5
CASES = ("small_dec_lstm", "small_transformer_dec")


def relative(actual: Tensor, reference: Tensor) -> float:
    """L2 norm of the difference over that of the reference."""
    assert actual.shape == reference.shape
    return float((actual.detach() - reference).norm() / reference.norm())


def arrays(case: str) -> dict[str, Tensor]:
    """The case's inputs and outputs."""
    with np.load(GOLDEN / f"{case}.npz") as file:
        return {name: torch.from_numpy(file[name]) for name in file}


def described(case: str) -> Any:
    """What golden.json says about the case."""
    return json.loads((GOLDEN / "golden.json").read_text())[case]


def renamed(state: Mapping[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor]:
    """Replace the first matching start of every name; all must match."""
    out = {}
    for name, tensor in state.items():
        start = next(old for old in names if name.startswith(old))
        out[names[start] + name.removeprefix(start)] = tensor
    return out


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> str:
    """Both forms of the original: LSTM decoder (released), transformer decoder."""
    name: str = request.param
    return name


@pytest.fixture
def converted(case: str, tmp_path: Path) -> StefaLand:
    """The case's weights, converted, written to a file and loaded from it."""
    config = described(case)["config"]
    path = convert_original(
        GOLDEN / f"{case}.weights.safetensors",
        forcing=config["time_series_variables"],
        attributes=config["static_variables"],
        heads=config["num_heads"],
        window=config["seq_len"],
        out=tmp_path / "converted.safetensors",
    )
    model = load(path).model()
    assert isinstance(model, StefaLand)
    return model


def mask_table(case: str, rows: int) -> Tensor:
    """The mask scalars that the original takes by the sample's row in the batch."""
    state = load_file(GOLDEN / f"{case}.weights.safetensors")
    return state["static_embedding.masked_values"][:rows].clone()


def test_hidden_without_masks(case: str, converted: StefaLand) -> None:
    """Complete input gives the original's embedding."""
    given = arrays(case)
    hidden = converted.encode(given["full_x"], given["full_c"])
    assert relative(hidden, given["full_hidden"]) < TOLERANCE


def test_masked_hidden_and_reconstruction(case: str, converted: StefaLand) -> None:
    """Masked and missing input gives the original's embedding and reconstruction."""
    given = arrays(case)
    hidden = converted.encode(
        given["batch_x"],
        given["batch_c"],
        forcing_mask=given["mask_ts"],
        attribute_mask=given["mask_static"],
        substitute=mask_table(case, 3),
    )
    assert relative(hidden, given["hidden"]) < TOLERANCE
    forcing, attributes = converted.decode(hidden)
    assert relative(forcing, given["outputs_time_series"]) < TOLERANCE
    assert relative(attributes, given["outputs_static"]) < TOLERANCE


def test_first_row_of_mask_table_is_kept(case: str, converted: StefaLand) -> None:
    """Without a table, the first sample is still the original's (row 0)."""
    given = arrays(case)
    hidden = converted.encode(
        given["batch_x"][:1],
        given["batch_c"][:1],
        forcing_mask=given["mask_ts"][:1],
        attribute_mask=given["mask_static"][:1],
    )
    assert relative(hidden, given["hidden"][:1]) < TOLERANCE


def masked_loss(
    given: Mapping[str, Tensor], forcing: Tensor, attributes: Tensor
) -> Tensor:
    """Loss of the original: sum over forcings of means, half the mean of attributes."""

    def errors(output: Tensor, truth: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        scored = mask & ~truth.isnan()
        return (output - truth.nan_to_num()) ** 2 * scored, scored

    series, scored = errors(forcing, given["batch_x"], given["mask_ts"])
    static, static_scored = errors(attributes, given["batch_c"], given["mask_static"])
    per_variable = series.sum((0, 1)) / scored.sum((0, 1))
    return per_variable.sum() + 0.5 * static.sum() / static_scored.sum()


def test_loss_and_gradients(case: str, converted: StefaLand) -> None:
    """Loss, and its gradient in every tensor, are the original's."""
    given = arrays(case)
    table = mask_table(case, 3).requires_grad_()
    hidden = converted.encode(
        given["batch_x"],
        given["batch_c"],
        forcing_mask=given["mask_ts"],
        attribute_mask=given["mask_static"],
        substitute=table,
    )
    loss = masked_loss(given, *converted.decode(hidden))
    expected = described(case)["losses"]["run1_eachts=1_eachstatic=0_xstd=0"]
    assert float(loss.detach()) == pytest.approx(expected, rel=TOLERANCE)
    loss.backward()
    theirs = load_file(GOLDEN / f"{case}.grads.safetensors")
    rows = theirs["static_embedding.masked_values"]
    assert table.grad is not None
    assert relative(table.grad, rows[:3]) < TOLERANCE
    assert not rows[3:].any()
    ours = dict(converted.named_parameters())
    reference = rename_original(theirs, converted.config)
    del reference["attribute_embedding.missing"]  # the table was in its place
    assert set(ours) - set(reference) == {"attribute_embedding.missing"}
    worst = {}
    for name, expected_gradient in reference.items():
        gradient = ours[name].grad
        assert gradient is not None, name
        if not expected_gradient.any():
            assert gradient.abs().max() < 1e-6, name
        elif "in_proj.bias" in name:
            # a constant added to all keys cancels in the softmax: zero but for rounding
            query, _, value = expected_gradient.chunk(3)
            parts = gradient.chunk(3)
            worst[f"{name} (q)"] = relative(parts[0], query)
            worst[f"{name} (v)"] = relative(parts[2], value)
            assert parts[1].norm() < 1e-5 * expected_gradient.norm()
        else:
            worst[name] = relative(gradient, expected_gradient)
    assert max(worst.values()) < TOLERANCE, sorted(worst.items(), key=lambda i: -i[1])


def test_public_call(tmp_path: Path, case: str) -> None:
    """`xstefaland.embed` on a Dataset with the original's variable names agrees."""
    pytest.importorskip("xstefaland.inference.api")
    config, given = described(case)["config"], arrays(case)
    forcing = dict(
        zip(config["time_series_variables"], given["full_x"].unbind(-1), strict=True)
    )
    attributes = dict(
        zip(config["static_variables"], given["full_c"].unbind(-1), strict=True)
    )
    ds = xr.Dataset(
        {
            **{name: (("site", "time"), v.numpy()) for name, v in forcing.items()},
            **{name: ("site", v.numpy()) for name, v in attributes.items()},
        },
        coords={"time": pd.date_range("2001-02-03", periods=30)},
    )
    path = convert_original(
        GOLDEN / f"{case}.weights.safetensors",
        forcing=list(forcing),
        attributes=list(attributes),
        heads=config["num_heads"],
        window=config["seq_len"],
        out=tmp_path / "converted.safetensors",
    )
    days = xstefaland.embed(ds, weights=path)
    assert days.dims == ("site", "time", "embedding")
    reference = given["full_hidden"]
    assert relative(torch.tensor(days.values), reference[:, :-1]) < TOLERANCE
    static = xstefaland.embed(ds, weights=path, pool="static")
    assert relative(torch.tensor(static.values), reference[:, -1]) < TOLERANCE


HEAD_NAMES = {
    "embedding_norm.": "trunk.norm.",
    "embedding_scale": "trunk.scale",
    "adapter.time_transform.0.": "trunk.adapter.forcing.",
    "adapter.static_transform.0.": "trunk.adapter.attributes.",
    "adapter.combined_transform.": "trunk.adapter.mix.",
    "adapter.layer_norm": "trunk.adapter.norm",
    "pre_lstm.": "trunk.before.",
    "post_lstm.": "trunk.after.",
    "projection.": "output.",
}
LSTM_NAMES = {
    f"{part}{side}": f"{ours}_{side}_l0"
    for part, ours in (("w_", "weight"), ("b_", "bias"))
    for side in ("ih", "hh")
}


@pytest.fixture
def finetuned(tmp_path: Path) -> tuple[StefaLand, torch.nn.Module]:
    """Encoder and resconn head of the original's finetuning."""
    case = described("finetune_batchfirst")
    state = load_file(GOLDEN / "finetune_batchfirst.weights.safetensors")
    prefix = "pretrained_model."
    encoder = {k.removeprefix(prefix): v for k, v in state.items() if prefix in k}
    save_file(encoder, tmp_path / "encoder.safetensors")
    path = convert_original(
        tmp_path / "encoder.safetensors",
        forcing=case["time_series_variables"],
        attributes=case["static_variables"],
        heads=4,
        window=20,
        out=tmp_path / "converted.safetensors",
    )
    config = HeadConfig(
        kind="resconn",
        targets=("first", "second"),
        forcing=tuple(case["time_series_variables"]),
        attributes=tuple(case["static_variables"]),
        embedding=32,
        width=32,
        flags=False,
    )
    unused = ("pretrained_model.", "direct_input_projection.")
    rest = {k: v for k, v in state.items() if not k.startswith(unused)}
    lstm = {f"decoder.{old}": f"trunk.lstm.{new}" for old, new in LSTM_NAMES.items()}
    tensors = renamed(rest, {**HEAD_NAMES, **lstm})
    return load(path).model(), filled_head(config, tensors)


def filled_head(config: HeadConfig, tensors: dict[str, Tensor]) -> torch.nn.Module:
    """A head with the given tensors; only scaling and bounds stay its own."""
    head = build_head(config)
    missing, unexpected = head.load_state_dict(tensors, strict=False)
    assert not unexpected
    assert all("scaling" in name or name in ("minimum", "maximum") for name in missing)
    return head.eval()


def test_finetuned_hidden(finetuned: tuple[StefaLand, torch.nn.Module]) -> None:
    """The encoder inside a finetuned model gives its embedding."""
    given = arrays("finetune_batchfirst")
    hidden = finetuned[0].encode(given["x"], given["c"])
    assert relative(hidden, given["hidden"]) < TOLERANCE


@pytest.mark.parametrize("output", ["output_ts_only", "output_ts_plus_static"])
def test_finetuned_output(
    finetuned: tuple[StefaLand, torch.nn.Module], output: str
) -> None:
    """Encoder and resconn head give the original's predictions, cold start."""
    encoder, head = finetuned
    given = arrays("finetune_batchfirst")
    hidden = encoder.encode(given["x"], given["c"])
    days = hidden[:, :-1]
    if output == "output_ts_plus_static":
        days = days + hidden[:, -1:]
    predicted = head(days, given["x"], given["c"], spinup_days=0)
    assert relative(predicted, given[output]) < TOLERANCE


ADAPTER_NAMES = {
    "feedforward": {"adapter.": "mix."},
    "bottleneck": {
        "down_project.0.": "mix.0.",
        "up_project.0.": "mix.3.",
        "layer_norm.": "norm.",
    },
    "moe": {"gate.": "gate.", "experts.": "experts.", "layer_norm.": "norm."},
    "gated": {"gate.": "gate.", "transform.": "transform."},
    "conv": {
        "input_projection.": "project.",
        "conv_layers.": "mix.",
        "layer_norm.": "norm.",
    },
    "attention": {
        "input_projection.": "project.",
        "self_attention.": "self_attention.",
        "cross_attention.": "cross_attention.",
        "feedforward.": "mix.",
        "layer_norm": "norm",
    },
    "dual_residual": {
        "time_transform.0.": "forcing.",
        "static_transform.0.": "attributes.",
        "combined_transform.": "mix.",
        "layer_norm": "norm",
    },
}


def new_adapter(name: str) -> torch.nn.Module:
    """An adapter of the golden sizes; two are narrower there than by default."""
    if name == "bottleneck":
        return Bottleneck(32, 5, 6, 0.0, narrow=16)
    if name == "moe":
        return MixtureOfExperts(32, 5, 6, 0.0, hidden=24)
    return build_adapter({"dual_residual": "residual"}.get(name, name), 32, 5, 6, 0.0)


@pytest.mark.parametrize("name", ADAPTER_NAMES)
def test_adapter(name: str) -> None:
    """Every adapter gives the original's output with the original's tensors."""
    given = arrays("adapters")
    state = load_file(GOLDEN / "adapters.weights.safetensors")
    own = {
        key.removeprefix(f"{name}."): value
        for key, value in state.items()
        if key.startswith(f"{name}.")
    }
    adapter = new_adapter(name)
    adapter.load_state_dict(renamed(own, ADAPTER_NAMES[name]))
    output = adapter.eval()(
        given["hidden"], given["time_features"], given["static_features"]
    )
    assert relative(output, given[f"{name}.output"]) < TOLERANCE


def test_lstm_baseline() -> None:
    """The baseline without embedding is the original's, which is time-major."""
    given = arrays("adapters")
    state = load_file(GOLDEN / "adapters.weights.safetensors")
    prefix = "lstm_model."
    own = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    names = {
        "linear_in.": "trunk.before.",
        "linear_out.": "output.",
        **{f"lstm.{old}": f"trunk.lstm.{new}" for old, new in LSTM_NAMES.items()},
    }
    config = HeadConfig(
        kind="lstm",
        targets=("first", "second"),
        forcing=tuple("abcdefghijk"),
        attributes=(),
        width=32,
        flags=False,
    )
    head = filled_head(config, renamed(own, names))
    inputs = given["lstm_model.input_TBF"].transpose(0, 1)
    output = head(inputs, inputs, inputs.new_zeros(3, 0), spinup_days=0)
    assert relative(output, given["lstm_model.output"].transpose(0, 1)) < TOLERANCE
