"""Regions weigh as much as the pixels in them."""

import pytest
import torch

from helpers.models import EVEN, UNEVEN, make_random_model, make_random_tokens
from helpers.pictures import seeded
from spitgraph import create_model, explain
from spitgraph.explain.subsets import subset_logits
from spitgraph.nn import log_relative_sizes
from spitgraph.nn.packed_attention import _packed_attention, looped_attention
from spitgraph.nn.sequences import pack

LAYOUTS = ("padded", "packed")
KINDS = (
    {},
    {"graph_bias": True, "registers": 2},
    {"class_token": False, "pool": "mean"},
)


def of_sizes(sizes, counts, num_prefix=1):
    """Sequences of nothing but sizes."""
    vectors, prefix = torch.zeros(len(sizes), 2), torch.zeros(num_prefix, 2)
    return pack(vectors, prefix, torch.tensor(counts), len(sizes), sizes=torch.tensor(sizes))


def test_sizes_are_relative_to_the_mean_of_their_image():
    came = log_relative_sizes(of_sizes([1, 3, 5, 5, 2], [2, 0, 3], num_prefix=2))
    of_rows = [1, 1, 1 / 2, 3 / 2, 1, 1, 1, 1, 5 / 4, 5 / 4, 2 / 4]
    torch.testing.assert_close(came, torch.tensor(of_rows).log())


@pytest.mark.parametrize("factor", [2, 3, 1000])
def test_the_unit_of_sizes_makes_no_difference(factor):
    sizes, counts = [7, 1, 12, 500, 3], [4, 1]
    came = log_relative_sizes(of_sizes([factor * size for size in sizes], counts))
    torch.testing.assert_close(came, log_relative_sizes(of_sizes(sizes, counts)))


def test_equal_regions_have_a_bias_of_zero():
    assert not log_relative_sizes(of_sizes([256] * 196 + [9] * 5, [196, 5])).any()


def test_the_prefix_keeps_its_share_among_keys_that_are_alike():
    sizes = torch.randint(1, 10**5, (50,), generator=seeded(0)).tolist()
    weights = log_relative_sizes(of_sizes(sizes, [50])).softmax(0)
    assert float(weights[0]) == pytest.approx(1 / 51)
    torch.testing.assert_close(weights[1:], 50 / 51 * torch.tensor(sizes) / sum(sizes))


@pytest.mark.parametrize("attention", LAYOUTS)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_regions_of_equal_size_change_nothing(assert_close, kind, attention):
    plain, biased = (
        make_random_model(attention=attention, size_bias=b, **kind) for b in (False, True)
    )
    for counts in (UNEVEN, EVEN):
        tokens = make_random_tokens(counts)
        assert not torch.allclose(biased.forward_tokens(tokens), plain.forward_tokens(tokens))
        tokens["size"] = torch.full((sum(counts),), 256)
        assert_close(biased.forward_tokens(tokens), plain.forward_tokens(tokens), 1e-6)


def test_a_region_counts_as_many_times_as_it_has_pixels(assert_close):
    """Without rows that are no regions, exactly as so many tokens of one pixel each."""
    model = make_random_model(size_bias=True, class_token=False, pool="mean")
    tokens = make_random_tokens((4,))[0]
    tokens["size"] = torch.tensor([3, 1, 5, 2])
    node = torch.arange(4).repeat_interleave(tokens["size"])
    pixels = make_random_tokens((len(node),))[0]
    pixels.x, pixels["size"] = tokens.x[node], torch.ones(len(node), dtype=torch.int64)
    came = model.forward_features(pixels).tokens
    assert_close(came, model.forward_features(tokens).tokens[node])


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_layouts_agree_forward_and_backward(assert_close, kind):
    results = []
    for attention in LAYOUTS:
        for checkpointing in (False, True):
            model = make_random_model(attention=attention, size_bias=True, **kind).train()
            model.set_grad_checkpointing(checkpointing)
            logits = model.forward_tokens(make_random_tokens(UNEVEN))
            logits.square().sum().backward()
            grads = torch.cat([p.grad.flatten() for p in model.parameters()])
            results.append((logits.detach(), grads / grads.abs().max()))
    alone = [model.eval().forward_tokens(one) for one in make_random_tokens(UNEVEN).to_data_list()]
    assert_close(results[0][0], torch.cat(alone).detach())
    for logits, grads in results[1:]:
        assert_close(logits, results[0][0])
        assert_close(grads, results[0][1])


@pytest.mark.parametrize("with_pairs", [False, True])
@pytest.mark.parametrize("counts", [UNEVEN, EVEN], ids=["uneven", "even"])
def test_the_compiled_operator_has_the_gradients_of_the_loop(assert_close, counts, with_pairs):
    results, generator = [], seeded(0)
    rows = torch.randn(3, sum(counts), 2, 4, generator=generator, dtype=torch.float64)
    pairs = torch.randn(2, sum(n**2 for n in counts), generator=generator, dtype=torch.float64)
    keys = torch.randn(sum(counts), generator=generator, dtype=torch.float64)
    offsets = torch.tensor([0, *counts]).cumsum(0)
    for attend, where in ((_packed_attention, offsets), (looped_attention, list(counts))):
        given, bias = rows.clone().requires_grad_(), pairs.clone().requires_grad_()
        out = attend(*given.unbind(), where, bias if with_pairs else None, keys)
        (out * torch.arange(out.numel()).view(out.shape).cos()).sum().backward()
        results.append((out, given.grad, bias.grad if with_pairs else out))
    for one, other in zip(*results, strict=True):
        assert_close(one, other, 1e-12)


@pytest.mark.parametrize("attention", LAYOUTS)
def test_sizes_are_relative_to_the_tokens_that_are_there(assert_close, attention):
    model = make_random_model(attention=attention, size_bias=True, token_budget=3)
    tokens = make_random_tokens(UNEVEN)
    keep = torch.rand(sum(UNEVEN), generator=seeded(2)) < 0.5
    images = zip(tokens.to_data_list(), keep.split(UNEVEN), strict=True)
    left = [one.subgraph(part) for one, part in images]
    alone = torch.cat([model.forward_tokens(one) for one in left])
    assert_close(model.forward_tokens(tokens, keep=keep), alone)
    subsets = torch.rand(6, UNEVEN[0], generator=seeded(3)) < 0.5
    one_by_one = [model.forward_tokens(tokens[0], keep=subset) for subset in subsets]
    assert_close(subset_logits(model, tokens[0], subsets), torch.cat(one_by_one))
    model.train()  # a budget draws the same tokens for the same seed
    drawn = model.forward_features(tokens, seeded(4))
    mask = torch.zeros_like(keep).index_fill(0, drawn.kept, True)
    again = model.eval().forward_features(tokens, keep=mask)
    assert_close(drawn.class_token, again.class_token)


@pytest.mark.parametrize("attention", LAYOUTS)
@pytest.mark.parametrize("graph_bias", [False, True])
def test_attention_weights_tell_of_it(assert_close, attention, graph_bias):
    """In the first layer, against the same model without the bias: weights times sizes, normed."""
    tokens, told = make_random_tokens(UNEVEN), []
    for size_bias in (False, True):
        options = {"attention": attention, "graph_bias": graph_bias}
        model = make_random_model(depth=1, size_bias=size_bias, **options)
        with explain.recorded_attention(model) as record:
            model.forward_tokens(tokens)
        told.append(record.layers[0])
    for plain, biased, sizes in zip(*told, tokens["size"].split(UNEVEN), strict=True):
        factors = torch.cat([torch.ones(1), sizes / sizes.float().mean()])
        expected = plain * factors
        assert_close(biased, expected / expected.sum(-1, keepdim=True))


def test_tokens_of_pictures_have_their_sizes(assert_close):
    model = create_model("spit_tiny_16", depth=1, bins=4, size_bias=True, init_values=1.0).eval()
    image = torch.rand(3, 24, 30, generator=seeded(0))
    tokens = model.tokenize([image, image[:, :9]])
    rows = model.embedder(tokens)
    assert torch.equal(rows.sizes, tokens.cluster.bincount())
    logits = model.forward_tokens(tokens)
    model.backbone.size_bias = False
    assert not torch.allclose(logits, model.forward_tokens(tokens))


def test_missing_sizes_are_named():
    tokens = make_random_tokens((4, 5))
    del tokens["size"]
    with pytest.raises(ValueError, match="no size.*size_bias"):
        make_random_model(size_bias=True).forward_tokens(tokens)
    make_random_model().forward_tokens(tokens)
