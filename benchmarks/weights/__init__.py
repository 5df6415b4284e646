"""Make weights and prove them: ``python -m benchmarks.weights STAGE``."""
