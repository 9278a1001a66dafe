"""The contraction on the CPU, compiled by Numba."""
