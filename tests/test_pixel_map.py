"""A pixel map serves the tokens it was made for, and nobody else: PyG drops and reorders nodes."""

import copy

import pytest
import torch
import torch_geometric.transforms as T
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.data import Batch
from torch_geometric.loader import DataLoader, DynamicBatchSampler, RandomNodeLoader

from helpers.pictures import noise, seeded
from spitgraph import InterpolationExtractor, SuperpixelTokenizer, TokenData, VoronoiTokenizer
from spitgraph.attributes import NotHeldError
from spitgraph.inspection import mean_colors

N = 12
EXTRACT = InterpolationExtractor(bins=2)
GONE = r"the pixel map \(cluster.*\) no longer belongs to these nodes"


@pytest.fixture(scope="module")
def whole():
    return EXTRACT(SuperpixelTokenizer(num_tokens=N)(noise(9, 11)))


def uses(tokens):
    """Everything that reads the pixel map."""
    return {
        "cluster": lambda: tokens.cluster,
        "by name": lambda: tokens["cluster"],
        "hierarchy": lambda: tokens.hierarchy,
        "tree": lambda: tokens.tree,
        "parents": lambda: tokens.parents,
        "partition": lambda: tokens.partition(1),
        "to_level": lambda: tokens.to_level(1),
        "images": lambda: list(tokens.iter_images()),
        "φ": lambda: EXTRACT(tokens),
    }


def assert_gone(tokens):
    for what, use in uses(tokens).items():
        with pytest.raises(ValueError, match=GONE):
            pytest.fail(f"{what}: {use()}")
    assert not hasattr(tokens, "cluster") and not hasattr(tokens, "tree")


def assert_usable(tokens):
    for use in uses(tokens).values():
        use()


def with_fewer(tokens, *names):
    return tokens.update({name: tokens[name][:5] for name in names})


def fewer_of_everything(tokens):
    return with_fewer(tokens, *(name for name, _ in tokens if tokens.is_node_attr(name)))


def times_then_snapshot(tokens):
    tokens.time = torch.arange(N)
    return tokens.snapshot(2, 7)


#: What leaves other nodes than the tokens of the image, or the same in another order.
OTHERS = {
    "subgraph": lambda tokens: tokens.subgraph(torch.tensor([1, 4, 5])),
    "the first": lambda tokens: tokens.subgraph(torch.arange(5)),
    "one": lambda tokens: tokens.subgraph(torch.tensor([0])),
    "none": lambda tokens: tokens.subgraph(torch.tensor([], dtype=torch.int64)),
    "mask": lambda tokens: tokens.subgraph(torch.arange(N) % 2 == 0),
    "backwards": lambda tokens: tokens.subgraph(torch.arange(N).flip(0)),
    "repeated": T.FixedPoints(N, replace=True),
    "more": T.FixedPoints(N + 5, replace=False, allow_duplicates=True),
    "with a virtual node": T.VirtualNode(),
    "edges as nodes": T.LineGraph(),
    "a loader's": lambda tokens: next(iter(RandomNodeLoader(tokens, num_parts=3))),
    "snapshot": times_then_snapshot,
    "fewer positions": lambda tokens: with_fewer(tokens, "pos"),
    "fewer vectors": lambda tokens: with_fewer(tokens, "x"),
    "fewer of everything": fewer_of_everything,
}
#: What leaves nodes as they are.
SAME = {
    "subgraph of all": lambda tokens: tokens.subgraph(torch.arange(N)),
    "component": T.LargestConnectedComponents(),
    "not isolated": T.RemoveIsolatedNodes(),
    "undirected": T.ToUndirected(),
    "self-loops": T.AddSelfLoops(),
    "split": T.RandomNodeSplit(num_val=2, num_test=2),
    "encoding": T.AddRandomWalkPE(3),
    "clone": TokenData.clone,
    "again": lambda tokens: TokenData(**tokens.to_dict()),
}


@pytest.mark.parametrize("change", OTHERS.values(), ids=OTHERS)
def test_other_nodes_have_no_pixel_map(whole, change):
    torch.manual_seed(0)
    changed = change(copy.copy(whole))
    assert_gone(changed)
    assert_gone(Batch.from_data_list([changed, changed]))
    if set(whole.keys()) <= set(changed.keys()):  # else PyG puts them into no batch
        assert_gone(Batch.from_data_list([whole, changed]))
    assert_usable(whole)


@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_the_same_nodes_keep_it(whole, change):
    same = change(copy.copy(whole))
    assert torch.equal(same.cluster, whole.cluster)
    assert torch.equal(EXTRACT(same).x, whole.x)
    assert_usable(Batch.from_data_list([same, same]))


@given(st.data())
def test_no_choice_of_nodes_but_all_in_order_keeps_it(data):
    tokens = VoronoiTokenizer(5, generator=seeded(1))(noise(4, 5))
    count = tokens.num_nodes
    chosen = data.draw(st.lists(st.integers(0, count - 1), max_size=count + 1))
    changed = copy.copy(tokens)
    for name, value in tokens:
        if tokens.is_node_attr(name):
            changed[name] = value[chosen]
    if chosen == list(range(count)):
        assert_usable(changed.update({"x": torch.rand(count, 2)}))
    else:
        assert_gone(changed)


def test_what_belongs_to_nodes_goes_with_them(whole):
    torch.manual_seed(0)
    drawn = T.FixedPoints(N, replace=False)(copy.copy(whole))
    for name in ("x", "pos", "size", "color"):
        assert torch.equal(drawn[name], whole[name][drawn.token])


def test_graphs_of_pixels_notice_as_well():
    # as many nodes as pixels: PyG takes the map itself for something of the nodes
    pixels = SuperpixelTokenizer(1)(noise(3, 4)).to_level(0)
    torch.manual_seed(0)
    with pytest.raises(ValueError, match=GONE):
        mean_colors(T.FixedPoints(12, replace=False)(copy.copy(pixels)))


def test_images_of_a_batch_of_parts_come_back_as_they_were(whole, assert_same):
    part = whole.subgraph(torch.tensor([3, 0, 7]))
    batch = Batch.from_data_list([whole, part, whole])
    assert_same(batch[0], whole)
    assert_same(batch[1], part)
    assert_usable(batch[2])
    assert_gone(batch[1])


def test_nodes_of_a_batch_can_be_dropped_and_moved(whole):
    batch = Batch.from_data_list([whole, whole])
    assert_gone(batch.subgraph(torch.arange(2 * N) != 3))
    assert_gone(batch.subgraph(torch.arange(N)))
    assert_gone(batch.subgraph(torch.arange(2 * N).flip(0)))
    assert_usable(batch.subgraph(torch.arange(2 * N)))


def test_a_batch_of_other_nodes_is_not_indexed(whole):
    batch = Batch.from_data_list([whole, whole])
    for nodes in (torch.arange(2 * N) != 3, torch.arange(2 * N).flip(0), torch.arange(N)):
        changed = batch.subgraph(nodes)
        for take in (Batch.to_data_list, lambda some: some[0], lambda some: some[:1]):
            with pytest.raises(ValueError, match="cannot be indexed|batch must be of images"):
                take(changed)


def test_samplers_that_count_tokens_give_whole_images(whole):
    sampler = DynamicBatchSampler([whole] * 5, max_num=2 * N, num_steps=3)
    batches = list(DataLoader([whole] * 5, batch_sampler=sampler))
    assert [batch.num_graphs for batch in batches] == [2, 2, 1]
    for batch in batches:
        assert_usable(batch)


def test_without_numbers_sizes_tell(whole):
    known = Batch.from_data_list([whole, whole], exclude_keys=["token"])
    assert torch.equal(known.cluster[:99], whole.cluster)
    part = whole.subgraph(torch.arange(5))
    assert_gone(Batch.from_data_list([part, whole], exclude_keys=["token"]))


def test_without_sizes_one_image_can_be_told_but_not_a_batch(whole):
    without = copy.copy(whole)
    del without["size"]
    assert torch.equal(without.cluster, whole.cluster)
    with pytest.raises(ValueError, match=GONE):
        _ = without.subgraph(torch.arange(5)).cluster
    with pytest.raises(ValueError, match="the tokens have no size"):
        _ = Batch.from_data_list([without, without]).cluster


def test_graphs_from_before_tokens_were_numbered_are_numbered(whole, assert_same):
    for tokens in (whole, Batch.from_data_list([whole, whole])):
        old = copy.copy(tokens)
        del old["token"]
        for private in ("_slice_dict", "_inc_dict"):
            if private in old._store.__dict__:
                kept = old._store.__dict__[private].items()
                old._store.__dict__[private] = {k: v for k, v in kept if k != "token"}
        new = copy.copy(old)
        new.__setstate__(old.__dict__)
        assert_same(new, tokens)
        assert_gone(new.subgraph(torch.arange(tokens.num_nodes).flip(0)))
        if isinstance(tokens, Batch):
            assert_same(new[1], whole)


def test_the_error_is_of_both_kinds(whole):
    part = whole.subgraph(torch.arange(3))
    assert getattr(part, "cluster", None) is None
    with pytest.raises(NotHeldError):
        _ = part.seg
