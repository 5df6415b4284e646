"""A land-surface foundation model for xarray.

Daily weather and site attributes go in as an :class:`xarray.Dataset` in physical
units; embeddings, streamflow, soil moisture and gap-filled inputs come out with
the same dims, coordinates and chunks. Importing the package loads neither torch
nor dask.distributed; a name is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

from xstefaland import accessor as _accessor  # noqa: F401  (registers .stefaland)
from xstefaland.options import get_options, set_options

if TYPE_CHECKING:
    from xstefaland.inference.api import check, embed, predict, reconstruct
    from xstefaland.inference.explaining import explain
    from xstefaland.inference.sending import send_weights
    from xstefaland.inference.unseen import unseen
    from xstefaland.inputs.climate import derive_climate
    from xstefaland.store.run import run
    from xstefaland.versions import show_versions

__version__ = _version("xstefaland")

_FUNCTIONS = {
    "check": "inference.api",
    "derive_climate": "inputs.climate",
    "embed": "inference.api",
    "explain": "inference.explaining",
    "predict": "inference.api",
    "reconstruct": "inference.api",
    "send_weights": "inference.sending",
    "run": "store.run",
    "show_versions": "versions",
    "unseen": "inference.unseen",
}
_MODULES = (
    "datasets",
    "errors",
    "geometry",
    "metrics",
    "plotting",
    "splits",
    "weights",
)

__all__ = [
    "__version__",
    "check",
    "derive_climate",
    "datasets",
    "embed",
    "errors",
    "explain",
    "geometry",
    "get_options",
    "metrics",
    "plotting",
    "predict",
    "reconstruct",
    "run",
    "send_weights",
    "set_options",
    "show_versions",
    "splits",
    "unseen",
    "weights",
]


def __getattr__(name: str) -> Any:
    if name in _FUNCTIONS:
        return getattr(import_module(f"xstefaland.{_FUNCTIONS[name]}"), name)
    if name in _MODULES:
        return import_module(f"xstefaland.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
