"""Attributions hold scores of tokens, pixels and regions, and can be kept and shown."""

import pytest
import torch
from torch_geometric.data import Batch

from helpers.models import TINY, make_random_model, make_random_tokens, randomised
from helpers.pictures import mixed
from spitgraph import SuperpixelTokenizer, create_model, from_partition
from spitgraph.explain import Attribution, input_gradient, prototype_pca, rollout
from spitgraph.explain.plot import limits
from spitgraph.explain.prototypes import largest_projections
from spitgraph.hierarchy import Hierarchy

#: Six pixels, four tokens of which two merge further on.
CLUSTER = torch.tensor([0, 0, 1, 2, 2, 3])
COARSER = torch.tensor([0, 1, 1, 0])
SCORES = torch.tensor([4.0, 1.0, 2.0, -1.0])


@pytest.fixture
def nested():
    """Tokens of a 2×3 picture, whose hierarchy is pixels → tokens; and one that goes on."""
    made = from_partition(mixed(2, 3), CLUSTER.view(2, 3))
    tree = Hierarchy.from_parents([[CLUSTER, COARSER]], [[6, 4, 2]])
    return Attribution(SCORES, 0, "test", made), tree


def test_a_map_lifts_scores_to_pixels(nested):
    attribution, _ = nested
    assert attribution.map.tolist() == [[4, 4, 1], [2, 2, -1]]


def test_scores_at_a_level_are_means_or_sums_of_pixels(nested):
    attribution, tree = nested
    assert attribution.at_level(0).tolist() == [4, 4, 1, 2, 2, -1]
    assert attribution.at_level(0, reduce="sum").tolist() == [2, 2, 1, 1, 1, -1]
    for reduce in ("mean", "sum"):  # the tokens themselves
        assert attribution.at_level(1, reduce=reduce).tolist() == SCORES.tolist()
    # coarser: tokens 0 and 3, of 2 and 1 pixels; 1 and 2, of 1 and 2
    means = attribution.at_level(2, tree=tree)
    assert torch.allclose(means, torch.tensor([(4 + 4 - 1) / 3, (1 + 2 + 2) / 3]))
    assert attribution.at_level(2, reduce="sum", tree=tree).tolist() == [3, 3]


def test_scores_of_pixels_are_pooled_as_they_are(nested):
    attribution, tree = nested
    pixels = torch.arange(6.0).view(2, 3)
    sums = torch.zeros(4).index_add(0, CLUSTER, pixels.flatten())
    of_pixels = Attribution(sums, 0, "test", attribution.token_data, pixels)
    assert of_pixels.at_level(1, reduce="sum").tolist() == [1, 2, 7, 5]
    assert of_pixels.at_level(1).tolist() == [0.5, 2, 3.5, 5]
    assert of_pixels.at_level(2, reduce="sum", tree=tree).tolist() == [6, 9]


def test_levels_of_superpixels_go_on_beyond_the_models_own():
    model = randomised(create_model("spit_tiny_16", **TINY, levels=2)).eval()
    image = mixed()
    found = rollout(model, image)
    further = SuperpixelTokenizer(4)(image).tree
    assert torch.equal(found.token_data.tree.partition(2), further.partition(2))
    total = float(found.tokens.sum())
    for level in range(5):
        scores = found.at_level(level, reduce="sum", tree=further)
        assert scores.shape == tuple(further.num_regions(level))
        assert float(scores.sum()) == pytest.approx(total, rel=1e-4)


def test_what_is_no_level_is_refused(nested):
    attribution, _ = nested
    with pytest.raises(ValueError, match="level must be in 0 … 1, got 2"):
        attribution.at_level(2)
    with pytest.raises(ValueError, match="reduce must be one of 'mean', 'sum'"):
        attribution.at_level(1, reduce="max")
    other = SuperpixelTokenizer(1)(mixed(3, 3)).tree
    with pytest.raises(ValueError, match="expected values of 9 leaves"):
        attribution.at_level(1, tree=other)


def test_files_hold_them(nested, tmp_path):
    model = randomised(create_model("spit_tiny_16", **TINY)).eval()
    for found in (rollout(model, mixed()), input_gradient(model, mixed())):
        torch.save(found, tmp_path / "a.pt")
        loaded = torch.load(tmp_path / "a.pt", weights_only=True)
        assert torch.equal(loaded.tokens, found.tokens) and torch.equal(loaded.map, found.map)
        assert (loaded.target, loaded.method) == (found.target, found.method)
        assert torch.equal(loaded.at_level(2), found.at_level(2))


def test_they_say_briefly_what_they_are(nested):
    attribution, _ = nested
    assert repr(attribution) == "Attribution(method='test', target=0, tokens=[4])"
    attribution.pixel_map = torch.zeros(2, 3)
    assert repr(attribution).endswith("tokens=[4], map=[2, 3])")


def test_maps_need_the_tokens_of_the_image():
    found = rollout(make_random_model(), make_random_tokens((4,))[0])
    with pytest.raises(ValueError):
        _ = found.map


# ---- pictures ------------------------------------------------------------------------------------


def drawn(figure):
    figure.canvas.draw()
    return torch.tensor([*figure.axes[0].get_images()[0].get_array().shape])


@pytest.mark.parametrize("scores", [SCORES, SCORES.abs(), -SCORES.abs(), torch.zeros(4)])
@pytest.mark.parametrize("borders", [True, False])
def test_any_scores_can_be_plotted(nested, scores, borders):
    attribution, _ = nested
    attribution.tokens = scores
    figure = attribution.plot(borders=borders)
    assert drawn(figure).tolist() == [2, 3, 3]
    assert figure.axes[0].get_title() == "test · class 0"
    assert len(figure.axes) == 2  # with a colour bar


def test_zero_is_in_the_middle_where_both_signs_occur():
    assert limits(torch.tensor([[-1.0, 3.0]])) == pytest.approx((-3, 3), rel=0.01)
    assert limits(torch.tensor([[1.0, 3.0]])) == pytest.approx((1, 3), rel=0.01)
    assert limits(torch.zeros(2, 2)) == (0, 1)
    assert limits(torch.full((2, 2), 0.5)) == (0, 1)


def test_a_missing_extra_is_named(nested, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'pip install "spitgraph\[plot\]"'):
        nested[0].plot()


# ---- prototype PCA -------------------------------------------------------------------------------


def test_projections_by_hand():
    # unit vectors along ±x and ±y; twice as many along x, so that it leads
    features = torch.tensor([[2.0, 0], [-3, 0], [0, 1], [0, -1], [5, 0]])
    prototypes = torch.tensor([[-1.0, 0], [0.0, 1.0], [0.0, -1.0], [1, 0], [-1, 0]])
    for target, sign in ((0, -1.0), (3, 1.0)):
        found = largest_projections(features, prototypes, target, 1)
        assert torch.allclose(found, sign * torch.tensor([1.0, -1, 0, 0, 1]), atol=1e-6)
    found = largest_projections(features, prototypes, 1, 2)  # and y, towards the target
    assert torch.allclose(found[2:4], torch.tensor([1.0, 0.0]), atol=1e-6)


def test_vectors_that_are_alike_score_zero():
    same = torch.ones(4, 3)
    assert torch.equal(largest_projections(same, same[:2], 0, 3), torch.zeros(4))


def test_heads_without_prototypes_are_refused():
    model = make_random_model()
    model.head = torch.nn.Sequential(torch.nn.ReLU(), model.head)
    with pytest.raises(ValueError, match="this head is a Sequential"):
        prototype_pca(model, Batch.from_data_list([make_random_tokens((3,))[0]]))
