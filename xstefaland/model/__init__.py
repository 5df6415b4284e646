"""The networks: torch only, no labels, no files, no network."""

from xstefaland.model.bands import BandConfig
from xstefaland.model.config import EncoderConfig, HeadConfig
from xstefaland.model.encoder import StefaLand
from xstefaland.model.heads import build_head
from xstefaland.model.members import Ensemble, EnsembleConfig

__all__ = [
    "BandConfig",
    "EncoderConfig",
    "Ensemble",
    "EnsembleConfig",
    "HeadConfig",
    "StefaLand",
    "build_head",
]
