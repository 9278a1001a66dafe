"""Pictures: noise, patterns, and those that superpixel code tends to go wrong on."""

import numpy as np
import torch


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def noise(height, width, seed=0):
    """Uniform noise, [3, H, W] float in [0, 1)."""
    return torch.rand(3, height, width, generator=seeded(seed))


def noise_of_bytes(height, width, seed=0, channels=3):
    """Uniform noise in 8 bits, [channels, H, W] float in [0, 1]."""
    return torch.randint(256, (channels, height, width), generator=seeded(seed)) / 255


def random_bytes(*shape, seed=0):
    """Uniform noise as an array of uint8, of any shape."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def checkerboard(height, width):
    squares = (torch.arange(height)[:, None] + torch.arange(width)) % 2
    return squares.float().expand(3, -1, -1)


def mixed(height=24, width=31):
    """Flat areas, a ramp, stripes and noise side by side."""
    image = torch.full((3, height, width), 0.25)
    image[:, : height // 3, : width // 2] = 1
    image[0, height // 3 : 2 * height // 3] = torch.linspace(0, 1, width)
    image[:, 2 * height // 3 :, : width // 3] = noise_of_bytes(height, width)[
        :, 2 * height // 3 :, : width // 3
    ]
    image[1, 2 * height // 3 :, width // 2 :: 2] = 0.8
    return image


#: Pictures on which superpixel code tends to go wrong, by name.
AWKWARD = {
    "one pixel": torch.tensor([0.2, 0.5, 0.9]).view(3, 1, 1),
    "one row": noise_of_bytes(1, 7),
    "one column": noise_of_bytes(7, 1),
    "flat row": torch.full((3, 1, 9), 0.5),
    "flat grey": torch.full((3, 12, 13), 128 / 255),
    "flat black": torch.zeros(3, 9, 16),
    "flat white": torch.ones(3, 16, 9),
    "checkerboard": checkerboard(10, 11),
    "saturated": (noise_of_bytes(11, 12) > 0.5).float(),
    "noise": noise_of_bytes(13, 17),
    "mixed": mixed(),
}


def rgb(image):
    """Features of one's own: the picture as it is."""
    return image
