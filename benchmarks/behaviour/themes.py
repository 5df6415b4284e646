"""All experiments, theme by theme."""

from __future__ import annotations

from behaviour import balance, climates, inputs, rain, records, storms, warmth

THEMES = (rain, storms, balance, warmth, climates, records, inputs)
EXPERIMENTS = [each for theme in THEMES for each in theme.EXPERIMENTS]
