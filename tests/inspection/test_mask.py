"""A mask drawn into its image: inside nothing changes, outside it is dark."""

import pytest
import torch

from helpers.pictures import noise
from spitgraph import SuperpixelTokenizer, inspection


@pytest.mark.parametrize("scale", [1, 2])
def test_inside_stays_and_outside_is_dark(scale):
    image = noise(12, 16)
    tokens = SuperpixelTokenizer()(image)
    mask = torch.zeros(12, 16, dtype=torch.bool)
    mask[3:9, 4:12] = True
    drawn = inspection.highlight(tokens, mask, scale=scale, color=(0.0, 1.0, 0.0))
    assert drawn.shape == (3, 12 * scale, 16 * scale)
    small = drawn[:, ::scale, ::scale]
    assert torch.equal(small[:, mask], image[:, mask])
    line = (drawn == torch.tensor([0.0, 1, 0])[:, None, None]).all(0)
    assert line.sum() == 2 * (6 + 8) * scale  # around it, without corners
    far = torch.zeros_like(mask)
    far[:, :2] = True
    assert (small[:, far].amax(0) <= 0.36).all()


def test_other_masks_are_refused(unchecked):
    tokens = SuperpixelTokenizer()(noise(6, 7))
    with pytest.raises(ValueError, match=r"expected mask \[6, 7\] of booleans, got \[7, 6\]"):
        inspection.highlight(tokens, torch.zeros(7, 6, dtype=torch.bool))
    with pytest.raises(TypeError, match="mask must be a boolean tensor"):
        inspection.highlight(tokens, None)
