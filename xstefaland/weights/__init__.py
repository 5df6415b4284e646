"""Weights: list them, fetch them, open them, convert the original's."""

from __future__ import annotations

import builtins
from importlib import import_module
from typing import TYPE_CHECKING, Any

from xstefaland.inputs.requirements import VariableSpec
from xstefaland.weights.card import Card, EncoderReference
from xstefaland.weights.evidence import Places, Skill
from xstefaland.weights.files import Weights, read, save
from xstefaland.weights.members import Band, Member
from xstefaland.weights.opening import (
    WeightsLike,
    fetch,
    fetch_all,
    load,
    require_encoder,
    resolve_encoder,
    resolve_head,
    resolve_heads,
    show,
)
from xstefaland.weights.opening import list_weights as list
from xstefaland.weights.targets import TARGETS, TargetSpec

if TYPE_CHECKING:
    from xstefaland.weights.combining import combine
    from xstefaland.weights.original import convert_original

__all__ = [
    "TARGETS",
    "Band",
    "Card",
    "EncoderReference",
    "Member",
    "Places",
    "Skill",
    "TargetSpec",
    "VariableSpec",
    "Weights",
    "WeightsLike",
    "combine",
    "convert_original",
    "fetch",
    "fetch_all",
    "list",
    "load",
    "read",
    "require_encoder",
    "resolve_encoder",
    "resolve_head",
    "resolve_heads",
    "save",
    "show",
]

_WHERE = {"combine": "combining", "convert_original": "original"}


def __getattr__(name: str) -> Any:
    # What makes weights files is not loaded where they are used.
    if name in _WHERE:
        return getattr(import_module(f"xstefaland.weights.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> builtins.list[str]:
    return sorted({*globals(), *__all__})
