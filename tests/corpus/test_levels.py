"""Levels of a hierarchy as bytes: exact, small, and damage is noticed."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers.corpora import nested
from helpers.effort import examples
from helpers.pictures import AWKWARD, mixed
from spitgraph import PatchTokenizer, SuperpixelTokenizer, VoronoiTokenizer, kernels
from spitgraph.corpus.maps import plain
from spitgraph.corpus.maps.code import DamagedLevelsError, levels_of_bytes, levels_to_bytes


def both(implement):
    """What compiled and plain bodies make, which is the same."""
    found = implement()
    with kernels.plain():
        slow = implement()
    return found, slow


def check(parents, counts, width):
    content, slowly = both(lambda: levels_to_bytes(parents, counts, width))
    assert content == slowly
    cluster = np.arange(counts[0])
    for parent in parents:
        cluster = parent[cluster]
    for levels in both(lambda: levels_of_bytes(content)):
        assert levels.counts == counts
        assert np.array_equal(levels.cluster, cluster) and levels.cluster.dtype == np.int64
        assert all(map(np.array_equal, levels.parents, parents))
    return content


def parts_of(tokens):
    height, width = tokens.image_size[0].tolist()
    return [parent.numpy() for parent in tokens.parents], tokens.tree.image_counts[0], width


@examples(60)
@given(st.integers(0, 2**32), st.integers(1, 9), st.integers(1, 9), st.integers(0, 4))
def test_any_nested_partition_comes_back(seed, height, width, levels):
    parents, counts = nested(np.random.default_rng(seed), height * width, levels)
    check(parents, counts, width)


TOKENIZERS = {
    "levels": SuperpixelTokenizer(),
    "count": SuperpixelTokenizer(num_tokens=1),
    "fine": SuperpixelTokenizer(num_tokens=1, quality="fine"),
    "patches": PatchTokenizer(4),
    "cells": VoronoiTokenizer(5, generator=torch.Generator().manual_seed(0)),
}


@pytest.mark.parametrize("name", TOKENIZERS)
def test_what_tokenizers_make_comes_back(name, awkward_images):
    for image in awkward_images:
        check(*parts_of(TOKENIZERS[name](image)))


def test_the_symbols_of_a_small_map():
    # 0 0 1      NEW LEFT NEW
    # 0 1 1       UP  FAR  LEFT    (the pixel above and one aside)
    # 2 2 1       NEW LEFT UP
    label = np.array([0, 0, 1, 0, 1, 1, 2, 2, 1])
    symbol, code, told, first = plain.encode(label, np.arange(9), None, 3, 3)
    new, left, up, far = plain.NEW, plain.LEFT, plain.UP, plain.FAR
    assert symbol.tolist() == [new, left, new, up, far, left, new, left, up]
    assert code.tolist() == [0] and told.tolist() == [] and first.tolist() == [0, 2, 6]


def test_a_region_that_no_neighbour_tells_is_told_by_its_number():
    label = np.array([0, *[1] * 60, 0])  # a column: nothing beside it
    symbol, code, told, _ = plain.encode(label, np.arange(62), None, 1, 2)
    assert symbol[-1] == plain.FAR and code.tolist() == [plain.TOLD] and told.tolist() == [0]


def test_all_levels_take_little_more_than_the_finest():
    tokens = SuperpixelTokenizer()(mixed(96, 128))
    parents, counts, width = parts_of(tokens)
    every = len(levels_to_bytes(parents, counts, width))
    finest = len(levels_to_bytes(parents[:1], counts[:2], width))
    assert every < 2 * finest and every < counts[0] * 4 / 8


def test_numbers_that_are_not_in_order_cost_nothing_where_they_are():
    image = AWKWARD["flat grey"]
    parents, counts, width = parts_of(SuperpixelTokenizer(2)(image))
    in_order = levels_to_bytes(parents, counts, width)
    order = np.random.default_rng(0).permutation(counts[-1])
    turned = check([parents[0], order[parents[1]]], counts, width)
    assert len(in_order) < len(turned) < len(in_order) + 8 * counts[-1] + 40


def test_damaged_bytes_are_refused_or_lead_nowhere_else():
    parents, counts, width = parts_of(SuperpixelTokenizer(3)(mixed()))
    content = levels_to_bytes(parents, counts, width)
    random, refused = np.random.default_rng(0), 0
    for _ in range(300):
        damaged = bytearray(content)
        for place in random.integers(0, len(content), 3):
            damaged[place] = random.integers(256)
        for plainly in (False, True):
            try:
                if plainly:
                    with kernels.plain():
                        levels = levels_of_bytes(bytes(damaged))
                else:
                    levels = levels_of_bytes(bytes(damaged))
            except DamagedLevelsError:
                refused += 1
            else:
                assert levels.counts[-1] == 0 or levels.cluster.max() < levels.counts[-1]
                assert levels.cluster.min(initial=0) >= 0
    assert refused > 300
    for cut in (0, 3, 20, len(content) // 2, len(content) - 1):
        with pytest.raises(DamagedLevelsError):
            levels_of_bytes(content[:cut])


def test_a_number_of_a_region_that_has_not_begun_leads_nowhere():
    compiled = pytest.importorskip("spitgraph.corpus.maps.compiled", exc_type=ImportError)
    none, parents, cluster = np.empty(0, np.uint8), np.empty(3, np.int64), np.empty(3, np.int64)

    def is_whole(symbols, number):
        told = plain.pack(np.array(symbols, np.uint8)), np.array([plain.TOLD], np.uint8)
        streams = (*told, np.array([number], np.uint32), none, none, none.astype(np.uint32))
        return compiled.decode(*streams, np.array([3, 2]), 3, parents, cluster)

    assert is_whole([plain.NEW, plain.NEW, plain.FAR], 1) and cluster.tolist() == [0, 1, 1]
    assert not is_whole([plain.NEW, plain.FAR, plain.NEW], 1)


@pytest.mark.parametrize(
    ("parents", "counts"),
    [([np.array([0, 0, 2])], [3, 3]), ([np.array([0, 3, 1])], [3, 3])],
)
def test_empty_and_unknown_regions_are_refused(parents, counts):
    for refuse in (lambda: levels_to_bytes(parents, counts, 3),):
        with pytest.raises(ValueError, match="empty|expected regions"):
            refuse()
        with kernels.plain(), pytest.raises(ValueError, match="empty|expected regions"):
            refuse()
