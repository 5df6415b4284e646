"""What pytest leaves out when it looks for examples in docstrings."""

from __future__ import annotations

from importlib.util import find_spec

# Kernels for the GPU are defined by triton's decorators, so they need it to import.
collect_ignore = [] if find_spec("triton") else ["xstefaland/model/hbv/gpu"]
