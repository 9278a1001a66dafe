"""What hypothesis draws pictures and label maps from."""

import torch
from hypothesis import strategies as st

from .pictures import noise_of_bytes, seeded


@st.composite
def small_images(draw, max_side=9):
    """Pictures of up to 9×9 pixels, of 1, 2, 4 or 256 shades, grey or coloured."""
    height, width = draw(st.integers(1, max_side)), draw(st.integers(1, max_side))
    image = noise_of_bytes(height, width, seed=draw(st.integers(0, 2**16)))
    shades = draw(st.sampled_from([1, 2, 4, 256]))  # few shades: ties everywhere
    image = (image * 255 / 256 * shades).floor() / max(shades - 1, 1)
    return image[:1].expand(3, -1, -1) if draw(st.booleans()) else image


@st.composite
def label_maps(draw, max_side=8, max_labels=6):
    """Label maps [H, W] of up to 8×8 pixels and 6 labels, not connected, with gaps."""
    height, width = draw(st.integers(1, max_side)), draw(st.integers(1, max_side))
    labels = draw(st.integers(1, max_labels))
    generator = seeded(draw(st.integers(0, 2**16)))
    return torch.randint(labels, (height, width), generator=generator)
