"""Read checkpoints of the authors' original code and convert them to weights files."""

from xstefaland.weights.original.conversion import convert_original

__all__ = ["convert_original"]
