"""The benchmarks of skill at full size: encoders for the folds, and a queue of runs."""
