"""The networks: torch only, no labels, no files, no network."""

from xstefaland.model.config import EncoderConfig
from xstefaland.model.encoder import StefaLand

__all__ = ["EncoderConfig", "StefaLand"]
