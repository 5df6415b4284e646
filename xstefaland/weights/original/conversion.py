"""Convert weights of the original StefaLand to a weights file of this package.

The released model is the class with a transformer encoder and an LSTM decoder; the
paper's variant with a transformer decoder is read as well. Facts on both, and every
tensor's name and shape, come from the authors' public code; see
:mod:`xstefaland.model` for the same model here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from xstefaland.errors import InputError, WeightsError, join_problems
from xstefaland.inputs.requirements import VariableSpec
from xstefaland.weights.card import Card
from xstefaland.weights.files import save, sha256_of
from xstefaland.weights.original.checkpoint import read_state
from xstefaland.weights.original.renaming import NAMES, PREFIXES, rename_original

if TYPE_CHECKING:
    from torch import Tensor

    from xstefaland.model import EncoderConfig

STD_OFFSET = 1e-5  # the original divides by (std + 1e-5)


def convert_original(
    path: str | os.PathLike[str],
    *,
    forcing: Sequence[str],
    attributes: Sequence[str],
    scaling: Mapping[str, tuple[float, float]] | None = None,
    heads: int = 4,
    window: int = 365,
    out: str | os.PathLike[str],
) -> Path:
    """Convert a checkpoint of the original StefaLand.

    Parameters
    ----------
    path : path
        A ``.pt`` checkpoint of the original's training, or a ``.safetensors`` file of
        its state dict. Pickles are read by torch's restricted reader, which runs no
        code.
    forcing, attributes : sequence of str
        The variables **in the order of training**: the checkpoint has their names, but
        not their order, which its mask table follows.
    scaling : mapping of str to (mean, std), optional
        Statistics of the original's scaler, per variable; the checkpoint has none. As
        in the original, values are divided by ``std + 1e-5``. Without it the file
        takes values that are normalised already.
    heads : int
        Attention heads; not in the checkpoint. Every release so far has 4.
    window : int
        Days the encoder sees at once.
    out : path
        The weights file to write.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    WeightsError
        When a tensor is left over, missing or of another shape (all are listed), or
        the checkpoint holds anything but numbers.
    InputError
        When `scaling`, `heads` or `window` do not fit.

    Notes
    -----
    Variables have no declared units: values are used as they are. A masked attribute
    takes row 0 of the original's table of mask values (there, the row depends on the
    sample's place in the batch).

    Examples
    --------
    >>> import xstefaland
    >>> path = xstefaland.weights.convert_original(
    ...     "StefaLandGlobal20.pt",
    ...     forcing=["P", "RelHum", "SWd", "Tmax", "Tmin"],
    ...     attributes=[...],
    ...     out="original.safetensors",
    ... )  # doctest: +SKIP
    """
    variables = {"forcing": tuple(forcing), "attributes": tuple(attributes)}
    state = read_state(path)
    specs = {kind: _specs(names, scaling) for kind, names in variables.items()}
    _refuse_scaling(scaling, [*forcing, *attributes])
    _refuse_other_variables(path, state, variables)
    config = _config(path, state, variables, heads, window)
    tensors = rename_original(state, config)
    _assign_scaling(tensors, specs)
    card = Card(
        kind="encoder",
        name=Path(out).stem,
        config=config.to_dict(),
        forcing=specs["forcing"],
        attributes=specs["attributes"],
        training={
            "converted_from": {"file": Path(path).name, "sha256": sha256_of(path)},
            "data": [],
        },
        licence="that of the converted checkpoint",
    )
    return save(out, tensors, card).path


def _config(
    path: str | os.PathLike[str],
    state: Mapping[str, Tensor],
    variables: Mapping[str, tuple[str, ...]],
    heads: int,
    window: int,
) -> EncoderConfig:
    """Read the sizes from the tensors' shapes."""
    from xstefaland.model import EncoderConfig

    position = "positional_encoding.position_embedding"
    linear1 = "encoder.transformer_encoder.layers.0.linear1.weight"
    lacking = [name for name in (position, linear1) if name not in state]
    if lacking:
        raise WeightsError(
            f"'{os.fspath(path)}' has no tensor {' and no '.join(map(repr, lacking))}: "
            "it is no checkpoint of the original StefaLand with LSTM or transformer "
            f"decoder. It has {len(state)} tensors, among them {sorted(state)[:3]}."
        )
    rows, width = state[position].shape
    if not 0 < window < rows:
        raise InputError(
            f"window={window} is not possible: the checkpoint has {rows} positions, of "
            f"which one is the static token's; use 1 to {rows - 1}."
        )
    decoder_layers = _count_layers(state, "decoder")
    return EncoderConfig(
        forcing=variables["forcing"],
        attributes=variables["attributes"],
        d_model=width,
        layers=_count_layers(state, "encoder"),
        heads=heads,
        ffn=state[linear1].shape[0],
        window=window,
        stride=(window + 1) // 2,
        decoder="transformer" if decoder_layers else "lstm",
        decoder_layers=decoder_layers or 1,
        norm="post",
        activation="relu",
        scale_input=True,
        static_mask="value",
        static_position="last",
        calendar=False,
        max_positions=rows,
    )


def _count_layers(state: Mapping[str, Tensor], stack: str) -> int:
    """Count the layers of a stack by the numbers in its tensors' names."""
    prefix = f"{stack}.transformer_encoder.layers."
    return len(
        {name[len(prefix) :].split(".")[0] for name in state if name.startswith(prefix)}
    )


def _refuse_other_variables(
    path: str | os.PathLike[str],
    state: Mapping[str, Tensor],
    variables: Mapping[str, tuple[str, ...]],
) -> None:
    """Compare the lists with the names in the checkpoint, as sets."""
    problems = []
    for kind, names in variables.items():
        prefix = f"{PREFIXES[kind]}_embedding.{NAMES[kind]}1."
        there = {
            n[len(prefix) :].rsplit(".", 1)[0] for n in state if n.startswith(prefix)
        }
        unknown = [name for name in names if name not in there]
        unlisted = sorted(there - set(names))
        if unknown:
            problems.append(f"`{kind}` lists {unknown}, which the checkpoint lacks")
        if unlisted:
            problems.append(f"`{kind}` lacks {unlisted}, which the checkpoint has")
    if problems:
        raise WeightsError(
            join_problems(f"cannot convert '{os.fspath(path)}'", problems)
        )


def _refuse_scaling(
    scaling: Mapping[str, tuple[float, float]] | None, names: Sequence[str]
) -> None:
    """Refuse a scaling that lacks variables or has others."""
    if scaling is None:
        return
    problems = [f"no (mean, std) for '{name}'" for name in names if name not in scaling]
    problems += [f"'{name}' is no variable" for name in scaling if name not in names]
    if problems:
        raise InputError(
            join_problems("`scaling` does not fit the variables", problems)
        )


def _specs(
    names: Sequence[str], scaling: Mapping[str, tuple[float, float]] | None
) -> tuple[VariableSpec, ...]:
    """Describe variables without units: values are taken as they are."""
    if scaling is None:
        return tuple(VariableSpec(name=name) for name in names)
    found = [(name, *scaling.get(name, (0.0, 1.0))) for name in names]
    return tuple(
        VariableSpec(name=name, mean=float(mean), std=float(std) + STD_OFFSET)
        for name, mean, std in found
    )


def _assign_scaling(
    tensors: dict[str, Tensor], specs: Mapping[str, tuple[VariableSpec, ...]]
) -> None:
    """Add the scaling buffers that the original lacks."""
    import torch

    for kind, prefix in (
        ("forcing", "forcing_scaling"),
        ("attributes", "attribute_scaling"),
    ):
        tensors[f"{prefix}.mean"] = torch.tensor([spec.mean for spec in specs[kind]])
        tensors[f"{prefix}.std"] = torch.tensor([spec.std for spec in specs[kind]])
        tensors[f"{prefix}.log"] = torch.zeros(len(specs[kind]))
