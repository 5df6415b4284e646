"""Weights: list them, fetch them, open them, convert the original's."""

from xstefaland.inputs.requirements import VariableSpec
from xstefaland.weights.access import (
    fetch,
    fetch_all,
    load,
    resolve_encoder,
    resolve_head,
    resolve_heads,
)
from xstefaland.weights.access import list_weights as list
from xstefaland.weights.card import Card
from xstefaland.weights.files import Weights, read, save
from xstefaland.weights.network import require_encoder
from xstefaland.weights.original import convert_original
from xstefaland.weights.specs import EncoderReference, TargetSpec

__all__ = [
    "Card",
    "EncoderReference",
    "TargetSpec",
    "VariableSpec",
    "Weights",
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
]
