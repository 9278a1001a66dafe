"""Pictures come to the kernels as they lie in memory: no copy of them is made."""

import numpy as np
import pytest
import torch

pytest.importorskip("numba")

from spitgraph.contraction.cpu.batch import values_in_order  # noqa: E402
from spitgraph.images import checked_images  # noqa: E402

PLANAR = torch.linspace(0, 1, 3 * 6 * 7).view(3, 6, 7)
LAST = PLANAR.permute(1, 2, 0).contiguous()


@pytest.mark.parametrize(
    "image",
    [
        PLANAR,
        LAST.permute(2, 0, 1),
        LAST.numpy(),
        (255 * PLANAR).byte(),
        (255 * LAST).byte().numpy(),
        PLANAR[None].contiguous(memory_format=torch.channels_last)[0],
    ],
    ids=["planar", "channels last", "array", "bytes", "array of bytes", "of a batch"],
)
def test_no_copy_is_made(image):
    (checked,), _ = checked_images(image)
    values = values_in_order(checked)
    assert np.shares_memory(values, image if isinstance(image, np.ndarray) else image.numpy())
    assert values.flags.c_contiguous
    pixels = values if values.ndim == 3 else values.reshape(3, 6, 7).transpose(1, 2, 0)
    assert np.array_equal(pixels, checked.permute(1, 2, 0).numpy())


def test_what_lies_in_no_order_is_copied_once():
    values = values_in_order(PLANAR[:, :, ::2])
    assert np.array_equal(values.reshape(3, 6, 4), PLANAR[:, :, ::2].numpy())
