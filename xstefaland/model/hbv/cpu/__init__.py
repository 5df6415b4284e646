"""HBV forward and backward in compiled code for the CPU, with numba."""
