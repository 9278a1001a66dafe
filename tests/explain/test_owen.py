"""Owen values: of games worked by hand and by enumeration, and of models."""

from itertools import pairwise, permutations

import pytest
import torch

from helpers.models import make_random_model, make_random_tokens
from helpers.pictures import noise, seeded
from spitgraph import Hierarchy, PatchTokenizer, SuperpixelTokenizer, create_model, explain
from spitgraph.explain.coalitions import token_tree, tree_above
from spitgraph.explain.games import num_coalitions, owen_values, planned

PLAYERS = 6
FLAT = Hierarchy.from_parents([[]], [[PLAYERS]], None, torch.device("cpu"))
NESTED = Hierarchy.from_parents(
    [[torch.tensor([0, 0, 1, 1, 1, 2]), torch.tensor([0, 0, 1])]], [[PLAYERS, 3, 2]]
)
TREES = pytest.mark.parametrize("tree", [FLAT, NESTED], ids=["flat", "nested"])
WORTH = torch.rand(2**PLAYERS, generator=seeded(0)).double()


def game(keep):
    return WORTH[(keep.long() << torch.arange(PLAYERS)).sum(1)]


def by_all_orders(game, tree):
    """The definition: mean of what each adds, over orders in which regions stay together."""
    count = len(tree.cluster)
    levels = [tree.partition(level) for level in range(1, len(tree.parents) + 1)]
    total, orders = torch.zeros(count).double(), 0
    for order in permutations(range(count)):
        labels = [level[list(order)].tolist() for level in levels]
        if any(sum(a != b for a, b in pairwise(row)) >= len(set(row)) for row in labels):
            continue
        orders += 1
        masks = torch.tril(torch.ones(count, count, dtype=torch.bool))
        before = torch.zeros(count + 1, count, dtype=torch.bool)
        before[1:, list(order)] = masks
        total[list(order)] += game(before).diff()
    return total / orders


@TREES
def test_are_the_mean_over_all_orders_in_which_regions_stay_together(tree):
    exact = owen_values(game, tree, 2**PLAYERS, seeded(0))
    assert torch.allclose(exact, by_all_orders(game, tree))


def test_of_a_gloves_game_by_hand():
    """One left glove (0), two right ones (1, 2): a pair is worth 1; the right ones are a union.

    As a union they are as strong as the left glove: ½ each side, shared equally. Without the union,
    Shapley gives the left one 2/3.
    """
    union = Hierarchy.from_parents([[torch.tensor([0, 1, 1])]], [[3, 2]])
    alone = Hierarchy.from_parents([[]], [[3]], None, torch.device("cpu"))

    def gloves(keep):
        return (keep[:, 0] & keep[:, 1:].any(1)).double()

    assert owen_values(gloves, union, 99, seeded(0)).tolist() == pytest.approx(
        [1 / 2, 1 / 4, 1 / 4]
    )
    assert owen_values(gloves, alone, 99, seeded(0)).tolist() == pytest.approx(
        [2 / 3, 1 / 6, 1 / 6]
    )


@TREES
@pytest.mark.parametrize("samples", [1, 3, 6, 12, 25, 64])
def test_add_up_to_what_all_add_to_none(tree, samples):
    values = owen_values(game, tree, samples, seeded(1))
    assert float(values.sum()) == pytest.approx(float(WORTH[-1] - WORTH[0]))


@TREES
def test_drawn_orders_are_right_on_average(tree):
    exact, samples, generator = by_all_orders(game, tree), 25, seeded(0)
    assert num_coalitions(tree, 0) > samples
    assert planned(tree, samples, generator)[-1].level == 0
    draws = torch.stack([owen_values(game, tree, samples, generator) for _ in range(100)])
    error = (draws.mean(0) - exact).abs() / (draws.std(0) / 100**0.5 + 1e-9)
    assert error.max() < 4


def test_no_more_is_evaluated_than_asked_for():
    asked = []

    def counted(keep):
        asked.append(len(keep.unique(dim=0)))
        return game(keep)

    for tree in (FLAT, NESTED):
        for samples in (1, 5, 10, 30, 62):
            owen_values(counted, tree, samples, seeded(0))
            assert asked.pop() <= samples + 2


def test_where_no_order_is_covered_tokens_share_equally():
    values = owen_values(game, FLAT, 2, seeded(0))
    assert torch.allclose(values, ((WORTH[-1] - WORTH[0]) / PLAYERS).expand(PLAYERS))


# ---- of models -----------------------------------------------------------------------------------


def model_and_tokens(count=6):
    tokens = make_random_tokens((count,))[0]
    tokens.color = torch.rand(count, 3, generator=seeded(0))
    tokens.size = torch.arange(1, count + 1)
    return make_random_model(attention="packed"), tokens


@pytest.mark.parametrize("output", ["logit", "probability"])
@pytest.mark.parametrize("samples", [20, 100])
def test_attributions_add_up_to_the_difference_from_no_token(output, samples):
    model, tokens = model_and_tokens()
    found = explain.owen(model, tokens, 2, tree=FLAT, n_samples=samples, output=output)
    ends = torch.tensor([[False], [True]]).expand(2, 6)
    logits = explain.subset_logits(model, tokens, ends)
    answers = logits if output == "logit" else logits.softmax(-1)
    assert float(found.tokens.sum()) == pytest.approx(float(answers[:, 2].diff()), abs=1e-5)
    assert found.method == "owen" and found.target == 2


def test_without_regions_they_are_shapley_values():
    model, tokens = model_and_tokens()
    owen = explain.owen(model, tokens, 2, tree=FLAT)
    shapley = explain.kernel_shap(model, tokens, 2)
    assert torch.allclose(owen.tokens, shapley.tokens, atol=1e-5)


def test_are_those_of_the_same_seed():
    model, tokens = model_and_tokens(40)
    found = [explain.owen(model, tokens, 1, generator=seeded(s)).tokens for s in (0, 0, 1)]
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])
    assert torch.equal(explain.owen(model, tokens, 1).tokens, found[0])


# ---- trees ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("tokenizer", [SuperpixelTokenizer(2), PatchTokenizer(4)])
def test_the_tree_of_tokens_ends_in_one_region_and_joins_what_touches(tokenizer):
    tokens = tokenizer(noise(16, 20))
    tree = token_tree(tokens)
    counts = tree.image_counts[0]
    assert counts[0] == tokens.num_nodes and counts[-1] == 1
    assert all(fine > coarse for fine, coarse in pairwise(counts))
    region, (a, b) = tree.partition(1), tokens.edge_index
    for label in region.unique():
        inside = (region[a] == label) & (region[b] == label)
        size = int((region == label).sum())
        assert size == 1 or len(a[inside].unique()) == size


def test_tokens_of_like_colour_are_joined_first():
    image = torch.zeros(3, 4, 16)
    image[:, :, 8:] = 1
    tree = token_tree(PatchTokenizer(4)(image))
    assert tree.partition(1).tolist() == [0, 0, 1, 1]


def test_unconnected_tokens_are_left_apart():
    _, tokens = model_and_tokens(3)
    tokens.edge_index = torch.zeros(2, 0, dtype=torch.int64)
    assert token_tree(tokens).image_counts == [[3]]


def test_a_deeper_hierarchy_of_the_same_image_is_a_tree_of_its_tokens():
    image = noise(20, 24)
    model = create_model("spit_tiny_16", depth=1, bins=2, num_classes=3, levels=2).eval()
    tokens, deeper = model.tokenize(image), SuperpixelTokenizer(5)(image).tree
    tree = tree_above(deeper, tokens)
    assert tree.image_counts[0][1:] == deeper.image_counts[0][2:]
    for level in range(3):
        assert torch.equal(tree.partition(level + 1)[tokens.cluster], deeper.partition(level + 2))
    assert explain.owen(model, image, 0, tree=deeper, n_samples=50).tokens.isfinite().all()
    with pytest.raises(ValueError, match="expected a tree over"):
        explain.owen(model, image, 0, tree=FLAT)
    with pytest.raises(TypeError, match="tree"):
        explain.owen(model, image, 0, tree=deeper.parents)
