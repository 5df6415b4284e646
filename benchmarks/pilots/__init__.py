"""Pilots: encoders and inputs of equal budget, judged by heads at held-out sites."""
