"""Kernels for the CPU, compiled by Numba and run by threads without the interpreter's lock."""
