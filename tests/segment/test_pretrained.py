"""What a pretrained model finds, where its weights are at hand."""

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from helpers.places import REPOSITORY
from spitgraph import SuperpixelTokenizer, from_vit, segment
from spitgraph.images import load_image

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


@pytest.mark.skipif("SPITGRAPH_WEIGHTS" not in os.environ, reason="SPITGRAPH_WEIGHTS is not set")
def test_the_cup_and_its_saucer_are_found():
    path = Path(os.environ["SPITGRAPH_WEIGHTS"]) / "saliency.safetensors"
    if not path.exists():
        pytest.skip(f"no {path}")
    image = load_image(REPOSITORY / "examples" / "pictures" / "coffee.jpg")  # 600×400
    with torch.inference_mode():
        grid = segment.grid_features(from_vit(load_file(path), **IMAGENET), image, long_side=448)
    tokens = SuperpixelTokenizer(num_tokens=256, quality="fine")(image)
    features = segment.pool_grid(grid, tokens)
    mask = segment.token_cut(features, tokens, threshold=0.5, by_size=True)
    y, x = torch.meshgrid(torch.arange(400), torch.arange(600), indexing="ij")
    saucer = ((x - 278) / 195) ** 2 + ((y - 208) / 190) ** 2 < 1
    both, either = (mask & saucer).sum(), (mask | saucer).sum()
    assert both / either > 0.9
