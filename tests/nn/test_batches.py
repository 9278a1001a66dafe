"""A model reads batches as they are, however PyG came by them, or refuses them."""

import copy

import pytest
import torch
from torch_geometric.data import Batch
from torch_geometric.loader import DataLoader

from helpers.comparison import assert_close
from helpers.models import EVEN, FEATURES, UNEVEN, make_random_model, make_random_tokens
from helpers.pictures import noise
from spitgraph import SuperpixelTokenizer, TokenData, create_model


@pytest.fixture(scope="module")
def model():
    return make_random_model(graph_bias=True)


def logits(model, tokens):
    with torch.no_grad():
        return model.forward_tokens(tokens)


def without(tokens, *names):
    tokens = copy.copy(tokens)
    for name in names:
        del tokens[name]
    return tokens


@pytest.mark.parametrize("counts", [EVEN, UNEVEN])
def test_a_batch_vector_is_enough(model, counts):
    batch = make_random_tokens(counts)
    expected = logits(model, batch)
    assert_close(logits(model, without(batch, "ptr")), expected)
    assert_close(logits(model, without(batch, "batch")), expected)
    plain = TokenData(x=batch.x, edge_index=batch.edge_index, batch=batch.batch)
    assert_close(logits(model, plain), expected)


def test_a_batch_of_batches_is_all_of_its_images(model):
    first, second = make_random_tokens(EVEN), make_random_tokens(UNEVEN, seed=1)
    nested = Batch.from_data_list([first, second])
    assert_close(logits(model, nested), torch.cat([logits(model, first), logits(model, second)]))
    assert_close(logits(model, nested[1]), logits(model, second))


def test_nodes_dropped_from_a_batch_are_dropped_from_their_images(model):
    batch = make_random_tokens((4, 3, 5))
    kept = torch.tensor([1, 2, 4, 5, 6, 7, 11])
    parts = [torch.tensor(nodes) for nodes in ([1, 2], [0, 1, 2], [0, 4])]
    images = [
        image.subgraph(nodes) for image, nodes in zip(batch.to_data_list(), parts, strict=True)
    ]
    expected = logits(model, Batch.from_data_list(images))
    assert_close(logits(model, batch.subgraph(kept)), expected)


def test_images_without_nodes_are_still_images(model):
    images = make_random_tokens((4, 3, 5)).to_data_list()
    images[1] = images[1].subgraph(torch.tensor([], dtype=torch.int64))
    batch = Batch.from_data_list(images)
    assert logits(model, batch).shape[0] == 3
    assert_close(logits(model, batch)[[0, 2]], logits(model, Batch.from_data_list(images[::2])))
    last = make_random_tokens((4, 3)).subgraph(torch.arange(4))
    assert logits(model, last).shape[0] == 2


def test_ways_of_batching_make_no_difference(model):
    images = make_random_tokens(UNEVEN).to_data_list()
    expected = logits(model, Batch.from_data_list(images))
    followed = Batch.from_data_list(images, follow_batch=["x"])
    (loaded,) = DataLoader(images, batch_sampler=[range(len(images))])
    for batch in (followed, loaded):
        assert_close(logits(model, batch), expected)


def wrong_batches():
    batch = make_random_tokens((4, 3))
    yield "moved", batch.subgraph(torch.arange(7).flip(0))
    yield "short", without(batch, "ptr").update({"batch": batch.batch[:-1]})
    yield "negative", copy.copy(batch).update({"batch": batch.batch - 1})
    yield "too many", copy.copy(batch).update({"batch": batch.batch * 2})
    yield "bounds", without(batch, "batch").update({"ptr": torch.tensor([0, 5, 4, 7])})
    yield "an end", without(batch, "batch").update({"ptr": torch.tensor([0, 4, 8])})
    yield "twice", batch.concat(batch)


@pytest.mark.parametrize("batch", [pytest.param(b, id=name) for name, b in wrong_batches()])
def test_what_is_no_batch_is_refused(model, batch):
    with pytest.raises(ValueError, match="batch must|ptr must"):
        logits(model, batch)


def test_graphs_joined_without_a_batch_are_refused():
    model = create_model("spit_tiny_16", depth=1, num_classes=3, bins=2).eval()
    images = [model.tokenize(noise(8, 9, seed=seed)) for seed in (0, 1)]
    both = images[0].concat(images[1])
    for use in (model.forward_tokens, lambda tokens: tokens.parents, model.extractor):
        with pytest.raises(ValueError, match="2 images.*Batch.from_data_list"):
            use(both)


def test_the_rest_of_the_package_reads_them_as_well():
    batch = SuperpixelTokenizer(2)([noise(8, 9), noise(5, 7, seed=1)])
    model = create_model("spit_tiny_16", depth=1, num_classes=3, bins=2).eval()
    expected = model.extractor(batch)
    for other in (without(batch, "ptr"), Batch.from_data_list([batch])):
        assert torch.equal(model.extractor(other).x, expected.x)
        assert torch.equal(other.partition(1), batch.partition(1))
        assert torch.equal(other.to_level(1).pos, batch.to_level(1).pos)
        assert [image.shape for image, *_ in other.iter_images()] == [(3, 8, 9), (3, 5, 7)]


def test_vectors_are_needed(model):
    with pytest.raises(ValueError, match="the tokens have no x"):
        model.forward_tokens(TokenData(edge_index=torch.zeros(2, 0, dtype=torch.int64)))
    tokens = TokenData(x=torch.rand(3, FEATURES))
    with pytest.raises(ValueError, match="the tokens have no edge_index"):
        model.forward_tokens(tokens)
