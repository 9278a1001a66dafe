"""The fused τ of the CPU equals the plain one bit for bit."""

import threading
import time

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given
from torch_geometric.data import Batch

from helpers.effort import examples
from helpers.pictures import noise
from spitgraph import SuperpixelTokenizer, kernels
from spitgraph.colour import LEVELS, quantised_lab
from spitgraph.contraction import SIMILARITIES

pytest.importorskip("numba")

from spitgraph.contraction.cpu import batch as superpixels  # noqa: E402
from spitgraph.contraction.cpu.colour import (  # noqa: E402
    quantised_lab_of_bytes,
    quantised_lab_of_floats,
)
from spitgraph.contraction.cpu.work import arrays_of  # noqa: E402
from spitgraph.kernels.cpu import jit, threads  # noqa: E402
from spitgraph.kernels.cpu.team import next_chunk  # noqa: E402

slow = pytest.mark.slow


def stripes(image):
    """Two channels of whole numbers: many ties."""
    return (image[:2] * 3).round()


options = st.fixed_dictionaries(
    {
        "similarity": st.sampled_from(sorted(SIMILARITIES)),
        "features": st.sampled_from(["lab", "spit", stripes]),
        "compactness": st.sampled_from([0.0, 0.1, 0.6, 1.0]),
    }
)
# of several images: alone, or in chunks by a team
layouts = st.sampled_from(["alone", "team"])
# the pictures of the strategies are of 8 bits: as floats, as they are, with channels last, and dark
values = st.sampled_from(
    [
        lambda image: image,
        lambda image: (image * 255).round().byte(),
        lambda image: (image * 255).round().byte().permute(1, 2, 0).numpy(),
        lambda image: image * 0.3,
        lambda image: image.permute(1, 2, 0).numpy() * -0.0,
    ]
)


@pytest.fixture
def layout(monkeypatch):
    """Choose how images are divided: one thread each, or all threads on chunks of a few rows."""

    def choose(name):
        for limit in ("LARGE", "LARGE_OF_FEW"):
            monkeypatch.setattr(superpixels, limit, 1 if name == "team" else 2**19)
        monkeypatch.setattr(superpixels, "LEAST", 12 if name == "team" else 2**14)

    return choose


def assert_equal_to_plain(images, **kwargs):
    tokenizer = SuperpixelTokenizer(**kwargs)
    tokens = tokenizer(images)
    with kernels.plain():
        expected = tokenizer(images)
    assert type(tokens) is type(expected)
    assert list(tokens.keys()) == list(expected.keys())
    for key, value in expected.to_dict().items():
        assert tokens[key].dtype == value.dtype, key
        assert tokens[key].device == value.device, key
        assert torch.equal(tokens[key], value), key
    assert torch.equal(tokens.pixels.signbit(), expected.pixels.signbit())
    if isinstance(expected, Batch):
        for name in ("_slice_dict", "_inc_dict"):
            one, other = getattr(tokens, name), getattr(expected, name)
            assert list(one) == list(other)
            for key in one:
                assert torch.equal(one[key], other[key]), (name, key)
    return tokens


@examples(100)
@given(st.data(), options, st.integers(1, 6), layouts)
def test_levels(small_images, layout, data, options, levels, how):
    layout(how)
    images = data.draw(st.lists(small_images, min_size=1, max_size=3))
    images = [data.draw(values)(image) for image in images]
    assert_equal_to_plain(images, levels=levels, **options)


@examples(100)
@given(st.data(), options, layouts)
def test_exact_counts(small_images, layout, data, options, how):
    layout(how)
    images = data.draw(st.lists(small_images, min_size=1, max_size=3))
    fewest = min(image.shape[1] * image.shape[2] for image in images)
    count = data.draw(st.integers(1, fewest))
    images = [data.draw(values)(image) for image in images]
    tokens = assert_equal_to_plain(images, num_tokens=count, **options)
    assert (tokens.ptr.diff() == count).all()


@pytest.mark.parametrize("how", ["alone", "team"])
@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize(
    "wanted",
    [{"levels": 3}, {"num_tokens": 1}, pytest.param({"levels": 60}, marks=pytest.mark.slow)],
)
def test_awkward_images(awkward_images, layout, how, similarity, wanted):
    layout(how)
    assert_equal_to_plain(awkward_images, similarity=similarity, **wanted)
    for image in awkward_images:
        assert_equal_to_plain(image, similarity=similarity, **wanted)


@pytest.mark.parametrize("how", ["alone", "team"])
@pytest.mark.parametrize("count", [None, 1, 40, 2000, 9000])
@pytest.mark.parametrize("compactness", [0.0, 0.1])
def test_larger_images(layout, num_threads, how, count, compactness):
    layout(how)
    generator = torch.Generator().manual_seed(3)
    noise = torch.rand(3, 97, 113, generator=generator)
    smooth = torch.nn.functional.avg_pool2d(noise, 9, stride=1, padding=4)
    images = [noise, smooth, (smooth * 12).round() / 12, torch.full((3, 128, 128), 0.5)]
    for threads_ in (1, 3):
        num_threads(threads_)
        assert_equal_to_plain(images, num_tokens=count, compactness=compactness)
        levels = [(image * 255).round().byte() for image in images]
        assert_equal_to_plain(levels, num_tokens=count, compactness=compactness)


@pytest.mark.parametrize("reds", [range(0, 256, 51), pytest.param(range(256), marks=slow)], ids=len)
def test_every_colour_of_8_bits(reds):
    shade = torch.arange(256, dtype=torch.uint8)
    green, blue = torch.meshgrid(shade, shade, indexing="ij")
    steps = np.empty((3, 2**16), np.int32)
    for red in reds:
        image = torch.stack([torch.full_like(green, red), green, blue]).flatten(1)
        quantised_lab_of_bytes(image.numpy().reshape(-1), 1, 2**16, 0, 2**16, steps)
        assert torch.equal(torch.from_numpy(steps), quantised_lab(image))


@pytest.mark.parametrize("gamma", [1, 6])
@pytest.mark.parametrize("layout", ["planar", "interleaved"])
def test_lab_of_any_part_of_an_image(layout, gamma):
    floats = torch.rand(3, 1300, generator=torch.Generator().manual_seed(gamma)) ** gamma
    ways = (floats, quantised_lab_of_floats), ((floats * 255).byte(), quantised_lab_of_bytes)
    for image, kernel in ways:
        flat = (image if layout == "planar" else image.t()).contiguous().view(-1).numpy()
        strides = (1, 1300) if layout == "planar" else (3, 1)
        for begin, end in [(0, 1300), (0, 512), (7, 8), (511, 1025), (40, 40)]:
            steps = np.full((3, 1301), -9, np.int32)
            kernel(flat, *strides, begin, end, steps)
            came = torch.from_numpy(steps)
            assert torch.equal(came[:, : end - begin], quantised_lab(image[:, begin:end]))
            assert (came[:, end - begin :] == -9).all()


def test_values_that_nobody_checked_stay_within_the_tables():
    values = np.array([np.nan, np.inf, -np.inf, -1, 2, 1e30], np.float32).repeat(3)
    steps = np.empty((3, 6), np.int32)
    quantised_lab_of_floats(values, 3, 1, 0, 6, steps)
    greys = quantised_lab((torch.arange(LEVELS + 1) / LEVELS).expand(3, -1)).numpy()
    assert np.isin(steps[0], greys[0]).all() and not steps[1:].any()


def test_features_beyond_32_bits_take_the_plain_path():
    image = noise(6, 7)
    tokens = assert_equal_to_plain(image, features=lambda image: image * 4000)
    assert tokens.num_nodes < 42


def test_gradients_reach_the_images():
    image = noise(6, 7).requires_grad_()
    SuperpixelTokenizer()(image).pixels.square().sum().backward()
    torch.testing.assert_close(image.grad, 2 * image.detach())


def test_strided_images(small_images):
    image = torch.rand(12, 15, 3, generator=torch.Generator().manual_seed(0))
    assert_equal_to_plain(image.permute(2, 0, 1))
    assert_equal_to_plain(image.permute(2, 1, 0)[:, ::2])
    assert_equal_to_plain(image[..., 0][None])


def test_threads_of_the_caller(awkward_images):
    """Several threads may tokenize at once, and the work of each may be divided again."""
    expected = SuperpixelTokenizer()(awkward_images)
    results = [None] * 6

    def tokenize(i):
        results[i] = SuperpixelTokenizer()(awkward_images)

    callers = [threading.Thread(target=tokenize, args=(i,)) for i in range(len(results))]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    for result in results:
        assert torch.equal(result.cluster, expected.cluster)


def test_jobs_may_start_jobs(num_threads):
    num_threads(3)
    done = []
    threads.for_each(lambda i: threads.for_each(lambda j: done.append((i, j)), range(5)), range(7))
    assert sorted(done) == [(i, j) for i in range(7) for j in range(5)]


@pytest.mark.parametrize("failing", range(4))
def test_after_an_exception_no_more_is_begun(num_threads, failing):
    num_threads(2)
    begun, ended = [], []

    def job(i):
        begun.append(i)
        if i == failing:
            raise ZeroDivisionError
        time.sleep(0.05)
        ended.append(i)

    with pytest.raises(ZeroDivisionError):
        threads.for_each(job, range(100))
    assert len(begun) <= failing + 2
    assert sorted([*ended, failing]) == sorted(begun)  # nothing goes on behind the caller's back


@pytest.mark.parametrize("failing", [0, 1])
def test_a_team_one_of_whom_fails_ends(layout, num_threads, monkeypatch, failing):
    layout("team")
    num_threads(2)
    contract, begun = superpixels.contract_image, threading.Event()

    def fail(worker, image, memory, *args):
        if worker != failing:
            if worker == 0:
                assert begun.wait(10)  # else it may be done before anyone else begins
            return contract(worker, image, memory, *args)
        begun.set()
        chunks = len(arrays_of.py_func(*memory).trees_found)
        while worker and next_chunk(memory.board, chunks)[1] < 0:
            pass
        raise MemoryError

    monkeypatch.setattr(superpixels, "contract_image", fail)
    with pytest.raises(MemoryError):
        SuperpixelTokenizer()(torch.rand(3, 40, 50))
    monkeypatch.undo()
    assert_equal_to_plain(torch.rand(3, 40, 50))


def test_where_compiled_code_cannot_be_kept(monkeypatch):
    monkeypatch.setattr(jit.cache, "folder", lambda: None)
    twice = jit.kernel(lambda x: 2 * x)
    assert twice(21) == 42


def test_forked_children_have_threads_of_their_own():
    """As a `DataLoader` with workers makes them, after the parent has used its own threads."""
    images = [torch.zeros(3, 8, 8)] * 4
    expected = SuperpixelTokenizer()(images[0]).num_nodes
    loader = torch.utils.data.DataLoader(
        images, batch_size=None, num_workers=2, collate_fn=SuperpixelTokenizer()
    )
    assert [tokens.num_nodes for tokens in loader] == [expected] * 4


def test_operators_are_sound():
    """Fake tensors get the right shapes, nothing is written to arguments: `torch.compile` works."""
    from spitgraph.contraction import Settings, operator
    from spitgraph.extractors.interpolation import operator as vectors
    from spitgraph.regions import operator as region_operator

    image = noise(8, 9)
    for wanted in (Settings(2), Settings(num_tokens=5)):
        torch.library.opcheck(operator.contracted, ([image, image], None, wanted.to_json()))
    tokens = SuperpixelTokenizer()([image, image])
    torch.library.opcheck(
        region_operator.measured, ([image, image], tokens.cluster, tokens.ptr.diff().tolist())
    )
    described = (tokens.pixels, tokens.cluster, tokens.to_dict()["size"], tokens.bbox)
    counts = tokens.ptr.diff().tolist()
    torch.library.opcheck(
        vectors.token_vectors, (*described, [8, 8], [9, 9], counts, 4, 0.05, True, "bilinear")
    )
