"""Weights: list them, fetch them, open them, convert the original's."""

from xstefaland.inputs.requirements import VariableSpec
from xstefaland.weights.card import Card, EncoderReference
from xstefaland.weights.combining import combine
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
from xstefaland.weights.original import convert_original
from xstefaland.weights.targets import TARGETS, TargetSpec

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
