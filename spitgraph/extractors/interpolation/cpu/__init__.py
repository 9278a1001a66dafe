"""Interpolation on the CPU, compiled by Numba."""
