"""The fine rule on CUDA, by Triton: a batch at once."""
