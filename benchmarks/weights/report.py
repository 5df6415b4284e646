from pathlib import Path
RESULTS = Path("benchmarks/results")
