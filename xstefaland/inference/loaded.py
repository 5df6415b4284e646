"""Loaded models: one per process, device and precision, however many tasks ask."""

from __future__ import annotations

import copy
import logging
import socket
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from xstefaland.errors import InputError, WeightsError, WeightsNotFoundError
from xstefaland.inference.batches import Limit

if TYPE_CHECKING:
    import torch
    from torch import nn

    from xstefaland.weights import Weights

logger = logging.getLogger("xstefaland")


@dataclass(frozen=True)
class Reference:
    """What a task graph holds in place of a model: its name and hash.

    Parameters
    ----------
    name : str
        Name of the weights; fetched by it where there is no file at `path`.
    path : str
        Where the file lay when the graph was built.
    sha256 : str
        Hash of the file.
    """

    name: str
    path: str
    sha256: str

    @classmethod
    def of(cls, weights: Weights) -> Reference:
        """Refer to opened weights; this process opens them once while they are kept.

        What is believed of them is the card: the file is hashed with its tensors.
        """
        _OPENED[weights.sha256] = weights
        return cls(weights.name, str(weights.path), weights.sha256)


@dataclass(frozen=True)
class Loaded:
    """A model in place.

    Parameters
    ----------
    model : torch.nn.Module
        On its device, in evaluation mode.
    lock : threading lock
        Held while the model works: one task per device at a time, so that memory is
        that of one batch and the cores are not shared out twice.
    limit, sites : Limit
        The most windows, and the most records of a head, known to fit at once.
    """

    model: nn.Module
    lock: threading.RLock
    limit: Limit = field(default_factory=Limit)
    sites: Limit = field(default_factory=Limit)


_Key = tuple[str, str, str]
_MODELS: dict[_Key, Loaded] = {}
_LOADING: dict[_Key, threading.Lock] = {}
_WORKING: dict[str, Any] = {}
_SENT: dict[str, Path] = {}
_OPENED: WeakValueDictionary[str, Weights] = WeakValueDictionary()
_GUARD = threading.Lock()


def get(reference: Reference, device: str, precision: str) -> Loaded:
    """Return the model of a reference, loading it when this process has not yet.

    Parameters
    ----------
    reference : Reference
        Which weights.
    device : str
        ``"auto"`` is resolved here, in the process that does the work.
    precision : {"float32", "bfloat16"}
        Arithmetic of the model.

    Raises
    ------
    WeightsError
        When the file here is not the one the graph was built with.
    """
    where = resolve_device(device)
    key = (reference.sha256, str(where), precision)
    with _GUARD:
        loading = _LOADING.setdefault(key, threading.Lock())
        working = _WORKING.setdefault(str(where), threading.RLock())
    with loading:
        if key not in _MODELS:
            model = _weights(reference).model()
            _MODELS[key] = Loaded(placed(model, where, precision), working)
            logger.info("loaded '%s' on %s in %s", reference.name, where, precision)
        return _MODELS[key]


def clear() -> None:
    """Forget all models of this process, so that their memory is free again."""
    with _GUARD:
        _MODELS.clear()
        _LOADING.clear()


def resolve_device(device: str) -> torch.device:
    """Return the device that an option names; ``"auto"`` is CUDA where there is one.

    Raises
    ------
    InputError
        For a CUDA device, or Apple's GPU, on a machine without.
    """
    import torch

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise InputError(
            f"device='{device}' is not here: PyTorch finds no CUDA device. Use "
            "`xstefaland.set_options(device='cpu')`, or 'auto'."
        )
    if device == "mps" and not torch.backends.mps.is_available():
        raise InputError(
            "device='mps' is not here: PyTorch finds no GPU of Apple's. Use "
            "`xstefaland.set_options(device='cpu')`, or 'auto'."
        )
    return torch.device(device)


def placed(model: nn.Module, device: torch.device, precision: str) -> nn.Module:
    """Return `model` on a device and in a precision; itself when it is there already.

    Scaling statistics stay float32: pressures and radiation lose too much otherwise.
    """
    import torch

    from xstefaland.model.scaling import Scaling

    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    first = next(model.parameters())
    if (first.device, first.dtype) == (torch.empty(0, device=device).device, dtype):
        return model.eval()
    statistics = {
        name: {key: tensor.to(device) for key, tensor in part.named_buffers()}
        for name, part in model.named_modules()
        if isinstance(part, Scaling)
    }
    model = copy.deepcopy(model).to(device, dtype)
    for name, buffers in statistics.items():
        for key, tensor in buffers.items():
            setattr(model.get_submodule(name), key, tensor)
    return model.eval().requires_grad_(False)


def keep(sha256: str, path: Path) -> None:
    """Note where this process has the weights of a hash, wherever they lay before."""
    _SENT[sha256] = path


def _weights(reference: Reference) -> Weights:
    """Open the weights where they lay, else by name (another machine's worker)."""
    from xstefaland import weights

    path = _SENT.get(reference.sha256, Path(reference.path))
    opened = _OPENED.get(reference.sha256)
    if opened is not None and opened.path == path and path.is_file():
        return opened  # whose tensors are refused if the file has changed
    try:
        found = weights.load(path if path.is_file() else reference.name)
    except WeightsNotFoundError:
        raise WeightsNotFoundError(
            f"host '{socket.gethostname()}' has no weights '{reference.name}' (sha256 "
            f"{reference.sha256}): there is no file '{reference.path}', and none is "
            "listed under that name. Put the file where all machines see it under the "
            "same path, or send it to the workers before you compute: "
            f"`xstefaland.send_weights(client, '{reference.path}')`."
        ) from None
    if found.sha256 != reference.sha256:
        raise WeightsError(
            f"'{found.path}' on host '{socket.gethostname()}' has sha256 "
            f"{found.sha256}, but the task was made with '{reference.name}' of sha256 "
            f"{reference.sha256}. Use the same weights on all machines, or build the "
            "result again."
        )
    return found
