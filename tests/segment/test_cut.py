"""TokenCut: its eigenvector by the formula, its mask by hand, and what is degenerate."""

import numpy as np
import pytest
import torch
from scipy.linalg import eigh

from helpers.pictures import noise, seeded
from spitgraph import PatchTokenizer, SuperpixelTokenizer, from_partition, segment
from spitgraph.segment import eigen
from spitgraph.segment.affinity import affinity, unit_vectors

BOTH = (False, True)


def in_a_row(count):
    """A token graph: pixels in a row, each touching the next."""
    return from_partition(torch.zeros(3, 1, count), torch.arange(count)[None])


def features_of(count, seed=0, width=12):
    """Noise, the first third of it around one direction."""
    features = torch.randn(count, width, generator=seeded(seed))
    features[: count // 3] += 2
    return features


def oriented(vector, like):
    return vector * np.sign(vector @ like)


def test_affinities_are_the_formula():
    features = torch.tensor([[1.0, 0], [5, 0], [1, 1], [0, -2], [0, 0]])
    none = 1e-5
    expected = torch.tensor(
        [
            [1, 1, 1, none, none],
            [1, 1, 1, none, none],
            [1, 1, 1, none, none],
            [none, none, none, 1, none],
            [none, none, none, none, none],  # zeros are like nothing
        ],
        dtype=torch.float64,
    )
    assert torch.equal(affinity(unit_vectors(features), 0.2), expected)


def test_the_threshold_itself_is_not_above():
    features = torch.tensor([[1.0, 0], [3, 4]])  # a cosine of exactly 3/5
    units = unit_vectors(features)
    below = float(np.nextafter(0.6, 0))
    assert affinity(units, 0.6)[0, 1] == 1e-5 and affinity(units, below)[0, 1] == 1


@pytest.mark.parametrize("solver", ["dense", "sparse"])
@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.5])
@pytest.mark.parametrize("count", [13, 60])
def test_the_eigenvector_is_that_of_the_formula(solver, threshold, count):
    features = features_of(count)
    weight = affinity(unit_vectors(features), threshold).numpy()
    degree = np.diag(weight.sum(1))
    expected = eigh(degree - weight, degree)[1][:, 1]
    cut = segment.normalized_cut(features, in_a_row(count), threshold=threshold, solver=solver)
    found = cut.eigenvector.double().numpy()
    expected = oriented(expected, found)
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())
    seed = np.abs(expected).argmax()
    assert cut.seed == seed and found[seed] > 0


@pytest.mark.parametrize("count", [16, 200])
@pytest.mark.parametrize("kinds", [1, 4, 5])
def test_solvers_agree_where_eigenvalues_are_multiple(count, kinds):
    units = unit_vectors(torch.eye(count)[torch.arange(count) // kinds])
    sizes = torch.ones(count, dtype=torch.float64)
    dense = eigen.dense_eigenvector(units, 0.2, sizes)
    sparse = eigen.sparse_eigenvector(units, 0.2, sizes)
    sparse = torch.from_numpy(oriented(sparse.numpy(), dense.numpy()))
    torch.testing.assert_close(sparse, dense, rtol=0, atol=1e-8 * float(dense.abs().max()))


@pytest.mark.parametrize("solver", ["dense", "sparse"])
def test_by_size_a_token_counts_as_its_pixels_do(solver):
    token = torch.arange(20).repeat_interleave(torch.arange(20) % 5 + 1)[None]  # 60 pixels
    tokens = from_partition(torch.zeros(3, *token.shape), token)
    features = features_of(20)
    of_pixels = segment.normalized_cut(features[token[0]], in_a_row(60), solver=solver)
    cut = segment.normalized_cut(features, tokens, by_size=True, solver=solver)
    assert torch.equal(cut.mask, of_pixels.mask) and int(token[0, of_pixels.seed]) == cut.seed
    torch.testing.assert_close(cut.map, of_pixels.map)
    assert not torch.equal(segment.normalized_cut(features, tokens).soft, cut.soft)
    even = in_a_row(20)
    ways = [segment.normalized_cut(features, even, by_size=b, solver=solver) for b in BOTH]
    assert torch.equal(ways[0].tokens, ways[1].tokens)


def test_two_groups_are_told_apart():
    features = torch.tensor([[1.0, 0], [1, 0.1], [1, 0], [0, 1], [0, 1], [0.1, 1], [0, 1], [0, 2]])
    cut = segment.normalized_cut(features, in_a_row(8))
    assert cut.tokens.tolist() == [True] * 3 + [False] * 5  # the fewer stand out further
    assert torch.equal(cut.mask, cut.tokens[None])


def test_only_what_is_connected_with_the_seed_is_foreground():
    object_, ground = [1.0, 0], [0.0, 1]
    row = [ground, ground, object_, object_, ground, ground, object_, ground, ground, ground]
    cut = segment.normalized_cut(torch.tensor(row), in_a_row(10))
    assert cut.seed == 2 and cut.tokens.nonzero().flatten().tolist() == [2, 3]
    assert cut.soft[6] == 0.5  # on the side of the seed, but not connected with it
    ring = from_partition(  # token 2 between 0 and 1, which touch nowhere else
        torch.zeros(3, 1, 6), torch.tensor([[0, 2, 1, 3, 4, 5]])
    )
    cut = segment.normalized_cut(torch.tensor([object_, object_, object_, *[ground] * 3]), ring)
    assert cut.tokens.tolist() == [True, True, True, False, False, False]


def test_the_soft_map_is_above_a_half_where_the_mask_is():
    tokens = SuperpixelTokenizer(num_tokens=40)(noise(20, 30))
    for seed in range(5):
        features = torch.randn(40, 3, generator=seeded(seed))
        cut = segment.normalized_cut(features, tokens)
        assert torch.equal(cut.map > 0.5, cut.mask) and cut.mask.any()
        assert cut.soft.min() >= 0 and cut.soft.max() <= 1
        assert cut.soft.min() == 0 or cut.soft.max() == 1


@pytest.mark.parametrize(
    "features",
    [
        torch.tensor([[1.0, 2]]),
        torch.tensor([[1.0, 2], [2, 4]]),
        torch.tensor([[1.0, 2]]).expand(9, 2),
        torch.zeros(9, 2),
    ],
    ids=["one token", "two alike", "all alike", "all zero"],
)
@pytest.mark.parametrize("solver", ["dense", "sparse"])
def test_nothing_stands_out_where_all_are_alike(features, solver):
    cut = segment.normalized_cut(features, in_a_row(len(features)), solver=solver)
    assert not cut.tokens.any() and cut.seed is None
    assert not cut.eigenvector.any() and (cut.soft == 0.5).all()
    assert not cut.mask.any() and cut.mask.shape == (1, len(features))


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_of_two_that_differ_the_first_is_foreground(scale):
    features = scale * torch.tensor([[1.0, 0], [0, 1]])
    assert segment.normalized_cut(features, in_a_row(2)).tokens.tolist() == [True, False]


def test_the_mask_has_the_size_of_the_image():
    tokens = SuperpixelTokenizer(num_tokens=20)(noise(21, 34))
    mask = segment.token_cut(tokens.color - 0.5, tokens)
    assert mask.shape == (21, 34) and mask.dtype == torch.bool
    assert all(mask[tokens.seg[0] == i].unique().numel() == 1 for i in range(20))


def test_masks_do_not_depend_on_the_batch():
    images = [noise(20, 24, 1), noise(12, 30, 2), noise(4, 4, 3)]
    tokenizer = PatchTokenizer(4)
    batch = tokenizer(images)
    features = torch.randn(batch.num_nodes, 6, generator=seeded(0))
    masks = segment.token_cut(features, batch)
    assert [mask.shape for mask in masks] == [(20, 24), (12, 30), (4, 4)]
    alone = features.split(batch.ptr.diff().tolist())
    for image, rows, mask in zip(images, alone, masks, strict=True):
        assert torch.equal(segment.token_cut(rows, tokenizer(image)), mask)


def test_lengths_of_features_do_not_matter():
    tokens, features = in_a_row(30), features_of(30)
    lengths = torch.rand(30, 1, generator=seeded(1)) + 0.1
    for other in (features * lengths, features.double(), 1e25 * features):
        assert torch.equal(segment.token_cut(other, tokens), segment.token_cut(features, tokens))


@pytest.mark.parametrize("refine", ["bilateral", "guided"])
def test_refined_masks_have_the_size_of_the_image(refine):
    tokens = PatchTokenizer(8)(noise(33, 42))
    features = features_of(tokens.num_nodes)
    mask = segment.token_cut(features, tokens, refine=refine)
    assert mask.shape == (33, 42) and mask.dtype == torch.bool
    with pytest.raises(ValueError, match="pixels are needed"):
        segment.token_cut(features, tokens.without_pixels(), refine=refine)


def test_bad_arguments_are_refused(unchecked):
    tokens, features = in_a_row(6), features_of(6)
    with pytest.raises(ValueError, match=r"expected features of 6 tokens, got \[5, 12\]"):
        segment.token_cut(features[:5], tokens)
    with pytest.raises(ValueError, match=r"expected features \[N, D\], got \[6\]"):
        segment.token_cut(features[:, 0], tokens)
    with pytest.raises(ValueError, match="finite"):
        segment.token_cut(features / 0, tokens)
    with pytest.raises(TypeError, match="floats"):
        segment.token_cut(features.long(), tokens)
    with pytest.raises(TypeError, match="tokens must be a TokenData"):
        segment.token_cut(features, features)
    with pytest.raises(ValueError, match=r"threshold must be in \[-1, 1\]"):
        segment.token_cut(features, tokens, threshold=1.5)
    with pytest.raises(ValueError, match="refine must be one of 'bilateral', 'guided'"):
        segment.token_cut(features, tokens, refine="crf")
    with pytest.raises(ValueError, match="solver must be one of"):
        segment.token_cut(features, tokens, solver="fast")
    with pytest.raises(ValueError, match="no longer belongs"):
        segment.token_cut(features[:5], tokens.subgraph(torch.arange(5)))
