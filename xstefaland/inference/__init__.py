"""Inference: Datasets through encoders and heads, block by block."""
