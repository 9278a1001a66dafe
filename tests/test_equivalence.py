"""METHOD 4.5: square patches + φ + γ are a plain patch embedding, weights carried either way."""

import runpy
from pathlib import Path

import pytest
import torch

example = runpy.run_path(str(Path(__file__).parents[1] / "examples" / "equivalence.py"))


@pytest.fixture
def image():
    return torch.rand(3, 256, 256, generator=torch.Generator().manual_seed(0))


def test_a_patch_embedding_becomes_a_linear_layer(image):
    torch.manual_seed(1)
    plain = example["PatchEmbedding"]()
    linear = example["linear_from_patch_embedding"](plain)
    assert example["largest_difference"](plain, linear, image) < 2e-6


def test_a_linear_layer_becomes_a_patch_embedding(image):
    torch.manual_seed(2)
    linear = torch.nn.Linear(1024, 192)
    plain = example["patch_embedding_from_linear"](linear)
    assert example["largest_difference"](plain, linear, image) < 2e-6


def test_other_weights_are_told_apart(image):
    torch.manual_seed(3)
    plain, other = example["PatchEmbedding"](), example["PatchEmbedding"]()
    linear = example["linear_from_patch_embedding"](other)
    assert example["largest_difference"](plain, linear, image) > 0.1
