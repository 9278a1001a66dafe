"""Batches filled at once are those that PyG puts together from the images' graphs."""

import pytest
import torch
from torch_geometric.data import Batch

from helpers.pictures import noise, seeded
from spitgraph import PatchTokenizer, SuperpixelTokenizer, TokenData, VoronoiTokenizer
from spitgraph.attributes import ATTRIBUTES, COUNTS
from spitgraph.batching import with_node_attribute, without_attribute

IMAGES = [noise(8, 9), noise(1, 1, seed=1), noise(5, 12, seed=2), noise(1, 6, seed=3)]
TOKENIZERS = {
    "levels": SuperpixelTokenizer(levels=2),
    "a count": SuperpixelTokenizer(num_tokens=1),
    "patches": PatchTokenizer(4),
    "cells": VoronoiTokenizer(5, generator=seeded(0)),
}


@pytest.fixture(params=TOKENIZERS)
def batch(request):
    return TOKENIZERS[request.param](IMAGES)


def private(data):
    """What PyG keeps in private of a batch."""
    return {name: getattr(data, name) for name in ("_slice_dict", "_inc_dict", "_num_graphs")}


def assert_same_batch(one, other, assert_same):
    assert type(one) is type(other)
    assert_same(one, other)
    for name, value in private(other).items():
        ours = private(one)[name]
        if isinstance(value, dict):
            assert set(ours) == set(value), name
            for key, numbers in value.items():
                assert torch.equal(torch.as_tensor(ours[key]).view(-1),
                                   torch.as_tensor(numbers).view(-1)), (name, key)  # fmt: skip
        else:
            assert ours == value


def test_a_batch_is_what_pyg_makes_of_its_images(batch, assert_same):
    graphs = batch.to_data_list()
    assert len(graphs) == len(IMAGES)
    assert_same_batch(batch, Batch.from_data_list(graphs), assert_same)


def test_every_attribute_is_in_the_table_and_as_it_says(batch):
    for data in (batch, batch[0]):
        counts = {"N": data.num_nodes, "E": data.num_edges, "P": len(data.cluster)}
        counts |= {"B": len(data.image_size), "L": len(data.level_sizes), "M": len(data.hierarchy)}
        for name, value in data.to_dict().items():
            if name in ("batch", "ptr"):
                continue
            attribute = ATTRIBUTES[name]
            like = attribute.empty(counts, value)
            assert value.dtype == like.dtype and value.shape == like.shape, name
            assert attribute.dim == attribute.shape.split().index(attribute.counts)
    assert {attribute.counts for attribute in ATTRIBUTES.values()} == set(COUNTS)


def test_the_table_says_what_the_class_documents():
    for name in ATTRIBUTES:
        assert f"{name}:" in TokenData.__doc__ or f"{name}," in TokenData.__doc__


def test_attributes_are_set_and_dropped_as_if_images_had_them(batch, assert_same):
    value = torch.rand(batch.num_nodes, 3)
    images = batch.to_data_list()
    parts = value.split([image.num_nodes for image in images])
    set_ = Batch.from_data_list(
        [with_node_attribute(image, "x", x) for image, x in zip(images, parts, strict=True)]
    )
    assert_same_batch(with_node_attribute(batch, "x", value), set_, assert_same)
    dropped = Batch.from_data_list([without_attribute(image, "pixels") for image in images])
    assert_same_batch(without_attribute(batch, "pixels"), dropped, assert_same)
    assert "pixels" in batch and batch.x is None
