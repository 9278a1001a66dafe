"""Interpolation on CUDA, compiled by Triton."""
