"""Tokens live in memory of their own, and what the caller owns is never written to."""

import copy
import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch_geometric.data import Data

from helpers.pictures import noise
from spitgraph import (
    InterpolationExtractor,
    PatchTokenizer,
    SuperpixelTokenizer,
    VoronoiTokenizer,
    from_partition,
    kernels,
)
from spitgraph.contraction.difference import first_difference
from spitgraph.images import load_image
from spitgraph.settings import Settings
from spitgraph.tensors import plain, unshared
from spitgraph.transforms import ContractSuperpixels, ToGridGraph, ToSuperpixels

H, W = 8, 10
LABELS = np.arange(H * W).reshape(H, W) // W


#: What is called with an image.
ENTRIES = {
    "patches": PatchTokenizer(4),
    "Voronoi": lambda image: VoronoiTokenizer(5, generator=torch.Generator().manual_seed(0))(image),
    "superpixels": SuperpixelTokenizer(levels=1),
    "superpixels of a count": SuperpixelTokenizer(num_tokens=7, similarity="cosine"),
    "spit": SuperpixelTokenizer(2, features="spit"),
    "own features": SuperpixelTokenizer(1, features=lambda image: image),
    "partition": lambda image: from_partition(image, LABELS),
    "grid": ToGridGraph(),
    "transform": ToSuperpixels(levels=2),
    "transforms": lambda image: ContractSuperpixels(levels=1)(ToGridGraph()(image)),
    "list": lambda image: PatchTokenizer(4)([image]),
    "two": lambda image: SuperpixelTokenizer(1)([image, image]),
    "coarser": lambda image: SuperpixelTokenizer(levels=2)(image).to_level(1),
    "vectors": lambda image: InterpolationExtractor(bins=2)(PatchTokenizer(4)(image)),
}
#: Memory that may serve as it is: (what is given, what of it is changed afterwards).
MEMORY = {
    "array": lambda: (frame := np.ascontiguousarray(noise(H, W).permute(1, 2, 0)), frame),
    "byte array": lambda: (
        frame := (255 * noise(H, W)).byte().permute(1, 2, 0).numpy().copy(),
        frame,
    ),
    "part of an array": lambda: (
        (frame := np.random.default_rng(0).random((2 * H, W, 3), dtype=np.float32))[3 : 3 + H],
        frame,
    ),
    "grey array": lambda: (frame := noise(H, W)[0].numpy().copy(), frame),
    "tensor": lambda: (image := noise(H, W), image),
    "tensor, channels last": lambda: (
        image := noise(H, W).permute(1, 2, 0).contiguous().permute(2, 0, 1),
        image,
    ),
    "bytes, channels last": lambda: (
        image := (255 * noise(H, W)).byte().permute(1, 2, 0).contiguous().permute(2, 0, 1),
        image,
    ),
    "grey tensor": lambda: (image := noise(H, W)[:1].clone(), image),
    "PIL": lambda: (image := Image.fromarray((255 * noise(H, W)[0]).byte().numpy()), image),
    "float PIL": lambda: (image := Image.fromarray(noise(H, W)[0].numpy()), image),
}


def blackened(memory):
    """As the next frame of a video would replace what is there."""
    if isinstance(memory, Image.Image):
        memory.paste(0, (0, 0, *memory.size))
    else:
        memory[...] = 0


def values_of(result):
    return {
        key: value.clone()
        for key, value in result.to_dict().items()
        if isinstance(value, torch.Tensor)
    }


def content(memory):
    return np.array(memory)


@pytest.mark.parametrize("memory", MEMORY.values(), ids=MEMORY.keys())
@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES.keys())
def test_tokens_do_not_change_with_the_callers_memory(entry, memory, implementation):
    image, owned = memory()
    before = content(owned)
    result = entry(image)
    assert np.array_equal(content(owned), before)
    expected = values_of(result)
    blackened(owned)
    for key, value in values_of(result).items():
        assert torch.equal(value, expected[key]), key


@pytest.mark.parametrize("memory", ["tensor, channels last", "array"])
@pytest.mark.parametrize("name", ["patches", "grid", "superpixels"])
def test_the_caller_does_not_change_with_the_tokens(name, memory, implementation):
    image, owned = MEMORY[memory]()
    before = content(owned)
    for value in ENTRIES[name](image).to_dict().values():
        value.zero_()
    assert np.array_equal(content(owned), before)


def test_a_graphs_pixels_are_not_its_tokens(implementation):
    data = ToGridGraph()(noise(H, W))
    assert data.x.untyped_storage().data_ptr() != data.pixels.untyped_storage().data_ptr()
    for name in ("pixels", "x"):
        graph = Data(**{name: noise(H, W).flatten(1).t().contiguous()})
        graph.edge_index, graph.image_size = data.edge_index, data.image_size
        tokens = ContractSuperpixels(levels=1)(graph)
        expected = values_of(tokens)
        graph[name].zero_()
        assert torch.equal(tokens.pixels, expected["pixels"])


def test_a_batch_of_one_in_channels_last(implementation):
    batch = noise(H, W)[None].contiguous(memory_format=torch.channels_last)
    tokens = PatchTokenizer(4)(batch)
    expected = tokens.pixels.clone()
    batch.zero_()
    assert torch.equal(tokens.pixels, expected)


def test_gradients_flow_through_copies():
    for layout in (torch.contiguous_format, torch.channels_last):
        batch = noise(H, W)[None].contiguous(memory_format=layout).requires_grad_()
        for make in (PatchTokenizer(4), SuperpixelTokenizer(1)):
            batch.grad = None
            make(batch).pixels.sum().backward()
            assert torch.equal(batch.grad, torch.ones_like(batch))
        batch.grad = None
        data = ToGridGraph()(batch[0])
        (data.pixels.sum() + 2 * data.x.sum()).backward()
        assert torch.equal(batch.grad, 3 * torch.ones_like(batch))


def test_nothing_is_copied_that_is_not_shared(monkeypatch):
    """Bytes become floats in memory of their own: no copy of these is made."""
    copies = []
    clone = torch.Tensor.clone
    monkeypatch.setattr(
        torch.Tensor, "clone", lambda self, **kw: (copies.append(self.shape), clone(self, **kw))[1]
    )
    frame = (255 * noise(H, W)).byte().permute(1, 2, 0).numpy().copy()
    with kernels.plain():
        for image in (frame, noise(H, W)):
            PatchTokenizer(4)(image)
            SuperpixelTokenizer(1, features=lambda image: image)(frame)
    assert (H * W, 3) not in copies and (3, H, W) not in copies


def test_unshared_copies_what_overlaps_only():
    image = noise(H, W)
    assert unshared(image[1:], image).data_ptr() != image[1:].data_ptr()
    other = noise(H, W)
    assert unshared(other, image) is other


# ---- features of the caller's own ----------------------------------------------------------------


def inverting(image):
    image.neg_().add_(1)
    return image


@pytest.mark.parametrize("memory", [m for k, m in MEMORY.items() if "PIL" not in k])
@pytest.mark.parametrize("similarity", ["distance", "cosine"])
def test_features_may_write_to_what_they_are_given(memory, similarity, implementation, assert_same):
    image, owned = memory()
    before = content(owned)
    options = {"levels": 2, "similarity": similarity}
    tokens = SuperpixelTokenizer(features=inverting, **options)(image)
    assert np.array_equal(content(owned), before)
    assert_same(tokens, SuperpixelTokenizer(features=lambda image: 1 - image, **options)(image))
    assert torch.equal(tokens.pixels, PatchTokenizer(4)(image).pixels)


def test_features_may_write_in_transforms_too():
    data = ToGridGraph()(noise(H, W))
    data.edge_index = data.edge_index[:, 2:]  # no grid any more
    before = data.pixels.clone()
    tokens = ContractSuperpixels(levels=1, features=inverting)(data)
    assert torch.equal(data.pixels, before)
    assert torch.equal(tokens.pixels, before)


def test_features_may_write_while_bodies_are_compared():
    image = noise(4, 5)
    before = image.clone()
    assert first_difference(image, Settings(1, features=inverting)) is None
    assert torch.equal(image, before)


def test_features_that_are_kept_are_not_written_to():
    kept = noise(H, W).double()
    before = kept.clone()
    SuperpixelTokenizer(1, features=lambda image: kept)(noise(H, W))
    with kernels.plain():
        SuperpixelTokenizer(1, features=lambda image: kept, compactness=0.5)(noise(H, W))
    assert torch.equal(kept, before)


# ---- subclasses of Tensor ------------------------------------------------------------------------


class Annotated(torch.Tensor):
    """Keeps its type through every operation."""


class Tagged(torch.Tensor):
    """Carries something along, as MONAI's do, and does not let go of it."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        result = super().__torch_function__(function, types, args, kwargs or {})
        if isinstance(result, cls):
            result.meta = {"lock": open}  # not to be copied
        return result


SUBCLASSES = {
    "keeps its type": lambda image: image.as_subclass(Annotated),
    "carries along": lambda image: image.as_subclass(Tagged),
    "parameter": torch.nn.Parameter,
    "buffer": getattr(torch.nn, "Buffer", torch.nn.Parameter),
}


@pytest.fixture(params=SUBCLASSES.values(), ids=SUBCLASSES.keys())
def subclass(request):
    return request.param


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES.keys())
def test_tokens_of_a_subclass_are_plain(entry, subclass, implementation):
    image = noise(H, W)
    expected = values_of(entry(image))
    result = entry(subclass(image))
    for key, value in result.to_dict().items():
        assert type(value) is torch.Tensor, key
        if key == "x":  # with gradients, to 1e-6
            torch.testing.assert_close(value, expected[key], rtol=1e-5, atol=1e-5)
        else:
            assert torch.equal(value, expected[key]), key
    file = io.BytesIO()
    torch.save(result, file)
    copy.deepcopy(Data(**{key: value.detach() for key, value in result.to_dict().items()}))


def test_every_input_may_be_a_subclass():
    labels = torch.from_numpy(LABELS).as_subclass(Annotated)
    batch = torch.stack([noise(H, W)] * 2).as_subclass(Annotated)
    data = ToGridGraph()(noise(H, W))
    graph = Data(**{k: v.as_subclass(Annotated) for k, v in data.to_dict().items()})
    features = SuperpixelTokenizer(1, features=lambda image: image.as_subclass(Annotated))
    for tokens in (
        from_partition(noise(H, W), labels),
        from_partition(batch, [labels, labels]),
        PatchTokenizer(4)(batch),
        SuperpixelTokenizer(1)(batch),
        features(noise(H, W)),
        ContractSuperpixels(levels=1)(graph),
        ContractSuperpixels(levels=1, features=None)(graph),
    ):
        assert {type(value) for value in tokens.to_dict().values()} == {torch.Tensor}
    with kernels.plain():
        assert type(features(noise(H, W)).cluster) is torch.Tensor
    assert type(load_image(batch[0])) is torch.Tensor


def test_gradients_flow_to_a_subclass(subclass):
    leaf = noise(H, W).requires_grad_()
    image = subclass(leaf)
    leaf = image if image.is_leaf else leaf
    leaf.requires_grad_()
    tokens = InterpolationExtractor(bins=2)(PatchTokenizer(4)(image))
    tokens.pixels.sum().backward()
    assert torch.equal(torch.Tensor(leaf.grad), torch.ones(3, H, W))


def test_plain_leaves_plain_tensors_and_those_that_trace():
    from torch._subclasses import FakeTensorMode

    image = noise(H, W)
    assert plain(image) is image
    with FakeTensorMode() as mode:
        fake = mode.from_tensor(image)
        assert plain(fake) is fake


def test_sizes_are_copied_and_saved_as_plain_tensors():
    size = PatchTokenizer(4)(noise(H, W)).size
    for one in (copy.copy(size), copy.deepcopy(size), copy.deepcopy({"a": size})["a"]):
        assert type(one) is torch.Tensor and torch.equal(one, size)
    file = io.BytesIO()
    torch.save({"size": size}, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=True)["size"]
    assert type(loaded) is torch.Tensor and torch.equal(loaded, size)
