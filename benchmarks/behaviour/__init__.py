"""Experiments that ask whether a model behaves as physics expects.

`sites` has the places, `scenarios` what is done to their weather, `answers` asks a head
once per scenario, `experiment` judges, and `report` writes. The experiments themselves
are in `water`, `warmth`, `climates`, `records` and `inputs`.
"""
