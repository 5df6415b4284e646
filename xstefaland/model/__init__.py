"""The networks: torch only, no labels, no files, no network."""

from xstefaland.model.config import EncoderConfig, HeadConfig
from xstefaland.model.encoder import StefaLand
from xstefaland.model.heads import build_head

__all__ = ["EncoderConfig", "HeadConfig", "StefaLand", "build_head"]
