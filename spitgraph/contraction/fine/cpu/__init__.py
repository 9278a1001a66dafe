"""The fine rule on the CPU, compiled by Numba."""
