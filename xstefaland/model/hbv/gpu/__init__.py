"""HBV forward and backward in compiled code for the GPU, with triton (experimental)."""
