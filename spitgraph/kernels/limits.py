"""How much the compiled bodies take: they number pixels, regions and edges in 32 bits."""

#: Pixels of one image on the CPU.
CPU_PIXELS = 2**30
#: Pixels of a batch on CUDA.
CUDA_PIXELS = 2**29
#: Images of a batch on CUDA: a launch has no more rows of programs.
CUDA_IMAGES = 2**16 - 1
