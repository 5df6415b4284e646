"""Read a state dict from someone else's checkpoint without running any of its code."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xstefaland.errors import WeightsError, WeightsNotFoundError

if TYPE_CHECKING:
    from torch import Tensor

STATE_KEY = "model_state_dict"
PARALLEL_PREFIX = "module."

# what torch's restricted reader raises on damaged bytes
DAMAGED = (RuntimeError, EOFError, OSError, LookupError, TypeError, ValueError)


def read_state(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Read the model's tensors from a ``.pt`` or ``.safetensors`` file.

    A ``.pt`` file goes through torch's restricted reader (``weights_only=True``), which
    is told that numpy scalars are harmless: training scripts keep their losses so.

    Parameters
    ----------
    path : path
        A state dict, or a checkpoint that holds one under ``model_state_dict``.

    Returns
    -------
    dict of str to Tensor
        On the CPU; the prefix ``module.`` of data-parallel training is removed.

    Raises
    ------
    WeightsNotFoundError
        When there is no such file.
    WeightsError
        When the file holds anything but plain data, or no state dict.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsNotFoundError(
            f"There is no checkpoint '{path}'. Pass the path of an existing file."
        )
    content = _read_safetensors(path) if _is_safetensors(path) else _read_pickle(path)
    if isinstance(content, dict) and STATE_KEY in content:
        content = content[STATE_KEY]
    return _without_prefix(_checked(content, path))


def _is_safetensors(path: Path) -> bool:
    """Whether to read safetensors, by the name; anything else is a pickle."""
    return path.suffix == ".safetensors"


def _read_safetensors(path: Path) -> Any:
    """Read tensors from a format that holds no code."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"'{path}' is not a safetensors file ({error}).") from None


def _read_pickle(path: Path) -> Any:
    """Read a pickle of plain data; one with anything else is refused."""
    import torch

    try:
        with torch.serialization.safe_globals(_numpy_scalars()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"'{path}' is refused: it is no checkpoint of plain tensors and numbers "
            f"({str(error).splitlines()[0]}). Nothing in it was run."
        ) from error
    except DAMAGED as error:
        raise WeightsError(f"'{path}' is no readable checkpoint ({error!r}).") from None


def _numpy_scalars() -> list[Any]:
    """List what a pickled numpy scalar names, with numpy 1 and numpy 2."""
    types = {type(np.dtype(code)) for code in np.typecodes["All"] if code not in "OV"}
    modules = ("numpy.core.multiarray", "numpy._core.multiarray")
    return [*map(_scalar_of, modules), np.dtype, *types]


def _scalar_of(module: str) -> Callable[..., Any]:
    """Return numpy's maker of scalars under the name that `module` gave it."""
    make: Any = np.float64(0).__reduce__()[0]

    def scalar(dtype: Any, content: Any) -> Any:
        return make(dtype, content)

    scalar.__module__, scalar.__qualname__ = module, "scalar"
    return scalar


def _checked(content: Any, path: Path) -> dict[str, Tensor]:
    """Return a state dict, or say what it is instead."""
    import torch

    if not isinstance(content, dict) or not content:
        raise WeightsError(
            f"'{path}' holds a {type(content).__name__}, not a state dict, nor one "
            f"under '{STATE_KEY}'."
        )
    others = [
        str(name)
        for name, value in content.items()
        if not isinstance(value, torch.Tensor)
    ]
    if others:
        raise WeightsError(
            f"'{path}' holds entries that are no tensors: {others[:5]}. Pass a state "
            f"dict, or a checkpoint that holds one under '{STATE_KEY}'."
        )
    return {str(name): value for name, value in content.items()}


def _without_prefix(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Remove what data-parallel training puts before every name."""
    if not all(name.startswith(PARALLEL_PREFIX) for name in state):
        return state
    return {name[len(PARALLEL_PREFIX) :]: value for name, value in state.items()}
