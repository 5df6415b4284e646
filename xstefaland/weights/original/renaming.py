"""The original's tensor names and layouts, and what they are called here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from xstefaland.errors import WeightsError, join_problems

if TYPE_CHECKING:
    from torch import Tensor

    from xstefaland.model import EncoderConfig

LAYER_PARTS = {
    "self_attn.in_proj_weight": "in_proj.weight",
    "self_attn.in_proj_bias": "in_proj.bias",
    **{
        f"{theirs}.{part}": f"{ours}.{part}"
        for theirs, ours in (
            ("self_attn.out_proj", "out_proj"),
            ("linear1", "linear1"),
            ("linear2", "linear2"),
            ("norm1", "norm1"),
            ("norm2", "norm2"),
        )
        for part in ("weight", "bias")
    },
}
"""Names inside one transformer layer: theirs to ours."""

NAMES = {"forcing": "embeddings", "attributes": "numerical_embeddings"}
PREFIXES = {"forcing": "time_series", "attributes": "static"}


def rename_original(
    state: Mapping[str, Tensor], config: EncoderConfig
) -> dict[str, Tensor]:
    """Rename and stack the original's tensors to those of :class:`StefaLand`.

    Parameters
    ----------
    state : mapping of str to Tensor
        A state dict of the original. Gradients under the same names work as well.
    config : EncoderConfig
        Variables in order and sizes.

    Returns
    -------
    dict of str to Tensor
        Everything but the scaling.

    Raises
    ------
    WeightsError
        When a tensor is left over, missing or of another shape.
    """
    return _Renaming(state).all(config)


class _Renaming:
    """Takes each tensor of the original once and keeps account of it."""

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        self.state = dict(state)
        self.problems: list[str] = []

    def all(self, config: EncoderConfig) -> dict[str, Tensor]:
        """Rename everything; what is missing or left over is one error."""
        width = config.d_model
        out = {
            **self._embedding("forcing", config.forcing, width),
            **self._embedding("attributes", config.attributes, width),
            "position": self._take(
                "positional_encoding.position_embedding", config.max_positions, width
            ),
            **self._layers("encoder", "layers", config.layers, config),
            **self._pair("encoder_norm", "norm", width),
            **self._pair("enc_2_dec_embedding", "to_embedding", width, width),
            **self._decoder(config),
            **self._pair("decoder_norm", "decoder.norm", width),
            **self._projection("forcing", config.forcing, width),
            **self._projection("attributes", config.attributes, width),
        }
        self.problems += [f"tensor '{name}' is left over" for name in self.state]
        if self.problems:
            raise WeightsError(
                join_problems(
                    "this is no checkpoint of the original StefaLand with LSTM or "
                    "transformer decoder and these variables",
                    self.problems,
                )
            )
        return out

    def _take(self, name: str, *shape: int) -> Tensor:
        """Take a tensor out of the state; note it when missing or of another shape."""
        import torch

        tensor = self.state.pop(name, None)
        if tensor is None:
            self.problems.append(f"tensor '{name}' is missing")
        elif tuple(tensor.shape) != shape:
            self.problems.append(
                f"tensor '{name}' has shape {tuple(tensor.shape)}, not {shape}"
            )
        else:
            return tensor.float()
        return torch.zeros(shape)

    def _pair(self, theirs: str, ours: str, *shape: int) -> dict[str, Tensor]:
        """Weight of the given shape and the bias that belongs to it."""
        return {
            f"{ours}.weight": self._take(f"{theirs}.weight", *shape),
            f"{ours}.bias": self._take(f"{theirs}.bias", shape[0]),
        }

    def _embedding(
        self, kind: str, names: Sequence[str], width: int
    ) -> dict[str, Tensor]:
        """Stack the per-variable embeddings; weights are transposed for one product."""
        theirs = f"{PREFIXES[kind]}_embedding"
        ours = "forcing_embedding" if kind == "forcing" else "attribute_embedding"
        part = f"{theirs}.{NAMES[kind]}"
        hidden = _hidden()
        first = [self._pair(f"{part}1.{v}", "x", hidden, 1) for v in names]
        second = [self._pair(f"{part}2.{v}", "x", width, hidden) for v in names]
        mask = f"{theirs}.masked_values"
        if kind == "forcing":
            missing = self._take(mask, len(names), width)
        else:
            rows = len(self.state[mask]) if mask in self.state else 1
            missing = self._take(mask, rows, len(names))[0].clone()
        return {
            f"{ours}.weight1": _stack([p["x.weight"].squeeze(1) for p in first]),
            f"{ours}.bias1": _stack([p["x.bias"] for p in first]),
            f"{ours}.weight2": _stack([p["x.weight"].T for p in second]),
            f"{ours}.bias2": _stack([p["x.bias"] for p in second]),
            f"{ours}.missing": missing,
        }

    def _projection(
        self, kind: str, names: Sequence[str], width: int
    ) -> dict[str, Tensor]:
        """Stack the per-variable heads of the decoder."""
        part = f"{PREFIXES[kind]}_projection.{NAMES[kind]}"
        hidden, ours = _hidden(), f"decoder.{kind}"
        first = [self._pair(f"{part}1.{v}", "x", hidden, width) for v in names]
        second = [self._pair(f"{part}2.{v}", "x", 1, hidden) for v in names]
        return {
            f"{ours}.expand.weight": _stack([p["x.weight"] for p in first]).flatten(
                0, 1
            ),
            f"{ours}.expand.bias": _stack([p["x.bias"] for p in first]).flatten(),
            f"{ours}.weight": _stack([p["x.weight"] for p in second]).squeeze(1),
            f"{ours}.bias": _stack([p["x.bias"] for p in second]).squeeze(1),
        }

    def _decoder(self, config: EncoderConfig) -> dict[str, Tensor]:
        """Tensors of either decoder: transformer layers, or a single LSTM."""
        if config.decoder == "transformer":
            return self._layers(
                "decoder", "decoder.layers", config.decoder_layers, config
            )
        width = config.d_model
        shapes = {"weight": (4 * width, width), "bias": (4 * width,)}
        return {
            f"decoder.lstm.{part}_{side}_l0": self._take(
                f"decoder.{part}_{side}_l0", *shapes[part]
            )
            for part in ("weight", "bias")
            for side in ("ih", "hh")
        }

    def _layers(
        self, theirs: str, ours: str, count: int, config: EncoderConfig
    ) -> dict[str, Tensor]:
        """Tensors of a stack of transformer layers, from theirs to ours."""
        width, ffn = config.d_model, config.ffn
        shapes = {
            "in_proj.weight": (3 * width, width),
            "in_proj.bias": (3 * width,),
            "out_proj.weight": (width, width),
            "linear1.weight": (ffn, width),
            "linear1.bias": (ffn,),
            "linear2.weight": (width, ffn),
        }
        return {
            f"{ours}.{i}.{our}": self._take(
                f"{theirs}.transformer_encoder.layers.{i}.{their}",
                *shapes.get(our, (width,)),
            )
            for i in range(count)
            for their, our in LAYER_PARTS.items()
        }


def _hidden() -> int:
    """Width inside the embeddings; imported late, as it brings torch."""
    from xstefaland.model.embedding import HIDDEN

    return HIDDEN


def _stack(tensors: Sequence[Tensor]) -> Tensor:
    """Stack tensors of single variables; torch is imported late."""
    import torch

    return torch.stack(list(tensors))
