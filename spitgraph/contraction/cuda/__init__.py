"""The contraction on CUDA, compiled by Triton."""
