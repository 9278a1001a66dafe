"""Windows round tokens: on patches, the patches; elsewhere, plain pieces of the picture."""

import pytest
import torch
from torch_geometric.data import Batch

from helpers.pictures import AWKWARD, noise, noise_of_bytes
from spitgraph import PatchTokenizer, SuperpixelTokenizer, VoronoiTokenizer, WindowExtractor

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.5)


@pytest.mark.parametrize("side", [1, 4, 5])
def test_windows_of_patches_are_the_patches(side):
    image = noise_of_bytes(3 * side, 4 * side)
    tokens = WindowExtractor(side)(PatchTokenizer(side)(image))
    patches = image.unflatten(1, (3, side)).unflatten(3, (4, side)).permute(1, 3, 2, 4, 0)
    assert torch.equal(tokens.x, patches.reshape(12, -1))


def test_colours_are_normalised():
    tokens = SuperpixelTokenizer(num_tokens=6)(noise(20, 24))
    plain, normed = WindowExtractor(4)(tokens).x, WindowExtractor(4, mean=MEAN, std=STD)(tokens).x
    expected = (plain.view(-1, 3) - torch.tensor(MEAN)) / torch.tensor(STD)
    assert torch.equal(normed.view(-1, 3), expected)


def test_layout_tells_the_channels():
    extractor = WindowExtractor(3)
    x = extractor(PatchTokenizer(3)(noise_of_bytes(6, 9))).x
    assert extractor.out_channels == x.shape[1] == 27
    image = noise_of_bytes(6, 9)
    for channel, name in enumerate(("red", "green", "blue")):
        assert torch.equal(x[0, extractor.layout[name]], image[channel, :3, :3].flatten())


def test_each_window_is_the_picture_round_the_centroid():
    image = noise_of_bytes(17, 23)
    tokens = SuperpixelTokenizer(num_tokens=9)(image)
    x = WindowExtractor(5)(tokens).x.view(-1, 5, 5, 3)
    for (column, row), window in zip(tokens.pos.tolist(), x, strict=True):
        for i in range(5):
            for j in range(5):
                y = min(max(int(row + 0.5) + i - 2, 0), 16)
                x_ = min(max(int(column + 0.5) + j - 2, 0), 22)
                assert torch.equal(window[i, j], image[:, y, x_])


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_pictures(name):
    tokens = WindowExtractor(4)(SuperpixelTokenizer()(AWKWARD[name]))
    assert tokens.x.shape == (tokens.num_nodes, 48) and torch.isfinite(tokens.x).all()


def test_an_image_has_the_same_windows_in_any_batch():
    images = [noise(20, 30), noise(31, 9, seed=1), noise(12, 12, seed=2)]
    for tokenizer in (SuperpixelTokenizer(), PatchTokenizer(8)):
        batch = WindowExtractor(6)(tokenizer(images))
        alone = [WindowExtractor(6)(tokenizer(image)).x for image in images]
        assert torch.equal(batch.x, torch.cat(alone))
        assert torch.equal(batch[1].x, alone[1])


def test_of_tokens_that_were_dropped():
    tokens = VoronoiTokenizer(8, generator=torch.Generator().manual_seed(0))(noise(20, 30))
    keep = torch.arange(tokens.num_nodes) % 2 == 0
    extractor = WindowExtractor(4)
    assert torch.equal(extractor(tokens.subgraph(keep)).x, extractor(tokens).x[keep])


def test_gradients_reach_the_pixels():
    tokens = PatchTokenizer(4)(noise(8, 8))
    tokens.pixels.requires_grad_()
    WindowExtractor(4, mean=MEAN, std=STD)(tokens).x.sum().backward()
    assert torch.allclose(tokens.pixels.grad, 1 / torch.tensor(STD).expand(64, 3))


def test_device_and_dtype_follow_the_pixels():
    tokens = PatchTokenizer(4)(noise(8, 8))
    tokens.pixels = tokens.pixels.double()
    assert WindowExtractor(4, mean=MEAN, std=STD)(tokens).x.dtype == torch.float64


@pytest.mark.parametrize(
    "arguments",
    [
        {"side": 0},
        {"mean": MEAN},
        {"mean": MEAN, "std": (0.1, 0.1)},
        {"mean": MEAN, "std": (0.1, 0.1, 0.0)},
        {"mean": (0.0, 0.0, float("nan")), "std": STD},
    ],
)
def test_refuses_other_arguments(arguments):
    with pytest.raises(ValueError):
        WindowExtractor(**arguments)


def test_refuses_tokens_without_pixels():
    tokens = PatchTokenizer(4)(noise(8, 8))
    with pytest.raises(ValueError, match="pixels"):
        WindowExtractor(4)(tokens.without_pixels())
    with pytest.raises(TypeError, match="TokenData"):
        WindowExtractor(4)(noise(8, 8))
    batch = Batch.from_data_list([tokens, tokens])
    assert len(WindowExtractor(4)(batch).x) == 8
