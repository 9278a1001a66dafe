"""The Triton kernels of the fine rule against the plain path; run by test_triton.py."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spitgraph.contraction import select as fast_select
from spitgraph.contraction.cuda.level import level_zero
from spitgraph.contraction.cuda.reduce import pooled
from spitgraph.contraction.cuda.rows import NO_PRIORITY
from spitgraph.contraction.cuda.select import keep_strongest
from spitgraph.contraction.cuda.trees import clusters
from spitgraph.contraction.fine import contract_fine, graph, nest, refine, rule, select
from spitgraph.contraction.fine.cuda import borders, costs, pixels
from spitgraph.contraction.fine.cuda import nest as cuda_nest
from spitgraph.contraction.fine.cuda import refine as cuda_refine
from spitgraph.contraction.fine.cuda import select as cuda_select
from spitgraph.contraction.fine.cuda.hierarchy import contract
from spitgraph.contraction.fine.cuda.reduce import pooled_pixels
from spitgraph.contraction.fine.hierarchy import channel_weights
from spitgraph.contraction.graph import quantise
from spitgraph.grid import connected_parts
from spitgraph.kernels.cuda import jit
from spitgraph.kernels.cuda.programs import image_table
from spitgraph.pixels import comparison_features
from spitgraph.settings import Settings

GPU = torch.cuda.is_available()
DEVICE = torch.device("cuda" if GPU else "cpu")
#: The interpreter takes milliseconds a program: few examples there, and few passes.
EXAMPLES = 100 if GPU else 2
SCHEDULE = rule.SCHEDULE if GPU else ((6, 0, 1), (3, 0, 0), (2, 1, 1))


def steps_of(image):
    """Lab in the steps of `contract`."""
    return quantise(comparison_features(image, "lab"))


def sizes_of(images):
    return [tuple(image.shape[1:]) for image in images]


def table_of(counts, sizes):
    heights, widths = zip(*sizes, strict=True)
    return image_table(counts, heights, widths, device=DEVICE)


def starts_of(counts):
    return [sum(counts[:image]) for image in range(len(counts))]


def level_of(features_q, sizes):
    """The pixels of a batch as the kernels take them."""
    areas = [height * width for height, width in sizes]
    together = torch.cat(features_q, dim=1).int().to(DEVICE)
    return level_zero(together, areas, table_of(areas, sizes), 0.0)


def batched(parts, counts):
    """Numbers within images as numbers within the batch."""
    numbers = [part.flatten() + s for part, s in zip(parts, starts_of(counts), strict=True)]
    return torch.cat(numbers).int().to(DEVICE)


# ---- steps ---------------------------------------------------------------------------------------


class Rounds:
    """A batch both ways: `graphs` one image at a time, `level` and `border` all at once."""

    def __init__(self, images):
        self.sizes = sizes_of(images)
        features_q = [graph.coarsened(steps_of(image)) for image in images]
        self.weights, _ = channel_weights(features_q[0], lab=True)
        self.graphs = [
            graph.pixel_graph(f, self.weights, *size)
            for f, size in zip(features_q, self.sizes, strict=True)
        ]
        self.pixels = self.level = level_of(features_q, self.sizes)
        self.evidence = pixels.find_evidence(self.pixels, pixels.patch_sums(self.pixels))
        self.label = torch.arange(self.level.num_regions, dtype=torch.int32, device=DEVICE)
        self.border = None

    @property
    def areas(self):
        return self.pixels.counts

    def round(self, all_merge, at_most):
        """One round both ways, of which each step must be the same."""
        given = self.weights.to(DEVICE)
        if self.border is None:
            best, priority = pixels.cheapest_of_pixels(self.pixels, self.evidence, given)
        else:
            best, priority = cuda_select.cheapest_of_regions(self.level, self.border, given)
        cost = [select.merge_costs(g, self.weights) for g in self.graphs]
        nearest = [select.cheapest(g, c) for g, c in zip(self.graphs, cost, strict=True)]
        assert priority.tolist() == priorities(nearest)
        assert best.cpu()[priority.cpu() != NO_PRIORITY.value].tolist() == strengths(
            self.graphs, cost
        )
        chosen = [
            select.choose(
                g, c, g.num_regions if everywhere else 1000 * g.num_regions, g.num_regions - most
            )
            if most
            else torch.arange(g.num_regions)
            for g, c, everywhere, most in zip(self.graphs, cost, all_merge, at_most, strict=True)
        ]
        choice = cuda_select.choose(self.level, best, priority, all_merge, at_most)
        assert choice.priority.tolist() == priorities(chosen)
        counted, num_edges = self.level.report()
        if any(map(int.__gt__, counted, at_most)):
            keep_strongest(self.level, choice, at_most)
        kept = [
            select.keep_cheapest(g, c, neighbour, most)
            for g, c, neighbour, most in zip(self.graphs, cost, chosen, at_most, strict=True)
        ]
        found = [fast_select.number_by_first(fast_select.tree_roots(k)) for k in kept]
        counts = [count for _, count in found]
        table = table_of(counts, self.sizes)
        cluster, _ = clusters(self.level, choice, table)
        assert torch.equal(cluster, batched([number for number, _ in found], counts))
        self.pool(found, cluster, counts, table, num_edges)

    def pool(self, found, cluster, counts, table, num_edges):
        given, old = self.weights.to(DEVICE), self.level
        self.graphs = [
            graph.pool(g, graph.SelectOutput(torch.arange(len(number)), len(number), number, count))
            for g, (number, count) in zip(self.graphs, found, strict=True)
        ]
        self.label = cluster.index_select(0, self.label)
        if self.border is None:
            self.level = pooled_pixels(self.pixels, self.label, counts, table, given)
            listed = self.level, self.pixels, self.label, self.evidence
            self.border = borders.list_borders(*listed)
        else:
            self.level = pooled(old, cluster, counts, table)
            merged = self.level, old, self.border, cluster, num_edges
            self.border = borders.merge_borders(*merged)
        self.check()

    def check(self):
        """What the regions hold, and who touches whom."""
        sums = torch.cat([torch.cat([g.sums, g.squares[None]]) for g in self.graphs], dim=1)
        assert torch.equal(self.level.sums.cpu(), sums)
        assert torch.equal(self.level.size.cpu().long(), torch.cat([g.size for g in self.graphs]))
        first = starts_of([g.num_regions for g in self.graphs])
        edges = torch.cat([g.edge_index + s for g, s in zip(self.graphs, first, strict=True)], 1)
        border = torch.cat([g.border for g in self.graphs])
        count = int(self.level.num_edges)
        assert torch.equal(self.level.edges[:, :count].cpu().long(), edges)
        assert torch.equal(self.border[:, :count].cpu(), border.t())


def priorities(neighbours):
    """Of what regions choose."""
    told = []
    for neighbour in neighbours:
        own = torch.arange(len(neighbour))
        u, v = torch.minimum(own, neighbour), torch.maximum(own, neighbour)
        rank = fast_select.edge_priority(u, v)
        told += torch.where(u == v, NO_PRIORITY.value, rank).tolist()
    return told


def strengths(graphs, cost):
    """Of the cheapest edge of each region that has one."""
    told = []
    for g, c in zip(graphs, cost, strict=True):
        best = torch.full((g.num_regions,), torch.inf, dtype=torch.float64)
        for end in g.edge_index:
            best.scatter_reduce_(0, end, c, "amin")
        told += (costs.INFINITE.value - best[best < torch.inf].view(torch.int64)).tolist()
    return told


def test_rounds(small_images):
    """All merge in some images, cheap pairs in others, nothing in those that are done."""

    @settings(max_examples=2 * EXAMPLES)
    @given(images=st.lists(small_images, min_size=1, max_size=3), data=st.data())
    def check(images, data):
        both = Rounds(images)
        for _ in range(3):
            flags = st.lists(st.booleans(), min_size=len(images), max_size=len(images))
            most = [data.draw(st.integers(0, g.num_regions - 1)) for g in both.graphs]
            both.round(data.draw(flags), most)

    check()


def test_evidence_and_smoothed_picture(awkward_images):
    sizes = sizes_of(awkward_images)
    features_q = [graph.coarsened(steps_of(image)) for image in awkward_images]
    assert min(int(f.min()) for f in features_q) < 0
    level = level_of(features_q, sizes)
    patch = pixels.patch_sums(level)
    found = pixels.find_evidence(level, patch).cpu().long().split(level.counts, 1)
    smooth = pixels.smoothed(level, patch).sums.cpu().long().split(level.counts, 1)
    for own, means, f, size in zip(found, smooth, features_q, sizes, strict=True):
        right, below = own.view(2, *size)
        sides = torch.cat([right[:, :-1].flatten(), below[:-1].flatten()])
        assert torch.equal(sides, graph.differences(f.view(-1, *size)))
        assert torch.equal(means.view(-1, *size), graph.smoothed(f.view(-1, *size)))


def test_meets(label_maps):
    @settings(max_examples=2 * EXAMPLES)
    @given(maps=st.lists(label_maps, min_size=1, max_size=3), data=st.data())
    def check(maps, data):
        sizes = [tuple(own.shape) for own in maps]
        others = [data.draw(st.integers(0, 3)) * torch.ones_like(own) for own in maps]
        for own, other in zip(maps, others, strict=True):
            other[::2] += 1
            other[:, own.shape[1] // 2 :] += 1
        level = level_of([own.view(1, -1) for own in maps], sizes)
        first_of, so_far = cuda_nest.parts_of(
            batched(maps, [0] * len(maps)), batched(others, [0] * len(maps)), level
        )
        expected = [nest.meet(own, other) for own, other in zip(maps, others, strict=True)]
        counts = [count for _, count in expected]
        number = so_far.index_select(0, first_of) - 1
        assert torch.equal(number, batched([part for part, _ in expected], counts))

    check()


def test_a_long_way_round():
    """A region that winds through several programs is one part."""
    height, width = 41, 39
    label = torch.zeros(height, width, dtype=torch.int64)
    label[1::2] = 1
    label[1::4, -1] = label[3::4, 0] = 0
    assert label.numel() > 3 * jit.BLOCK
    assert_parts(label)


def test_two_parts_that_join_a_third_at_once():
    """Above, on the left and on the right: either has to learn of what the other did."""
    assert_parts(torch.tensor([[1, 1, 1, 0, 1], [0, 0, 1, 1, 1]]))


def assert_parts(label):
    level = level_of([label.view(1, -1)], [tuple(label.shape)])
    flat = batched([label], [2])
    first_of, _ = cuda_nest.parts_of(flat, torch.zeros_like(flat), level)
    assert torch.equal(first_of.cpu().long(), connected_parts(label))


def blocks(height, width, side):
    """Squares as regions."""
    y, x = torch.arange(height)[:, None] // side, torch.arange(width) // side
    return (y * -(-width // side) + x).expand(height, width).contiguous()


def test_refinement(small_images):
    """Of squares, in a batch of mixed sizes; those of one pixel stay."""

    @settings(max_examples=EXAMPLES)
    @given(
        images=st.lists(small_images, min_size=2, max_size=2),
        side=st.integers(1, 5),
        passes=st.integers(1, 3),
    )
    def check(images, side, passes):
        assert_refined_as_plain(images, side, passes)

    check()


def test_refinement_over_several_programs():
    image = torch.rand(3, 47, 53, generator=torch.Generator().manual_seed(0))
    assert jit.BLOCK < (47 // 2) * (53 // 2)
    assert_refined_as_plain([image], 6, 2)


def test_refinement_ends_when_nothing_moves(monkeypatch):
    """However many passes are allowed."""
    monkeypatch.setattr(cuda_refine, "PASSES_AT_A_TIME", 1)
    image = torch.rand(3, 5, 6, generator=torch.Generator().manual_seed(4)).to(DEVICE)
    label = blocks(5, 6, 2).to(DEVICE)
    count = int(label.max()) + 1
    (moved,) = cuda_refine.refine_labels([image], [label], [count], 10**9)
    features_q = graph.coarsened(steps_of(image.cpu())).view(3, 5, 6)
    _, weights = channel_weights(features_q, lab=True)
    assert torch.equal(moved.cpu(), refine.refine(label.cpu(), features_q, weights, 50))


def assert_refined_as_plain(images, side, passes):
    labels = [blocks(*size, side) for size in sizes_of(images)]
    counts = [int(label.max()) + 1 for label in labels]
    came = cuda_refine.refine_labels(
        [image.to(DEVICE) for image in images],
        [label.to(DEVICE) for label in labels],
        counts,
        passes,
    )
    for image, label, moved in zip(images, labels, came, strict=True):
        features_q = graph.coarsened(steps_of(image)).view(-1, *label.shape)
        _, weights = channel_weights(features_q, lab=True)
        assert torch.equal(moved.cpu(), refine.refine(label, features_q, weights, passes))


# ---- whole hierarchies ---------------------------------------------------------------------------


def assert_as_plain(images, num_regions, features=None):
    """With features of the caller's own, or Lab."""
    lab = features is None
    steps = [steps_of(image) for image in images] if lab else features
    given = None if lab else torch.cat(steps, dim=1).int().to(DEVICE)
    wanted = Settings(num_tokens=num_regions, quality="fine")
    came = contract([image.to(DEVICE) for image in images], given, wanted)
    assert came.counts.is_cpu and came.num_levels.is_cpu
    expected = contract_fine(steps, sizes_of(images), num_regions, lab=lab)
    for one, other in zip(came, expected, strict=True):
        assert torch.equal(one.cpu(), other)


@pytest.mark.parametrize("num_regions", [1, 7] if GPU else [5])
def test_hierarchies_of_awkward_images(awkward_images, num_regions, monkeypatch):
    """In one batch: some are merged from the first round on, some late or never."""
    monkeypatch.setattr(rule, "SCHEDULE", SCHEDULE)
    images = [image for image in awkward_images if num_regions <= image[0].numel()]
    assert_as_plain(images if GPU else images[-1:-6:-4] + images[:1], num_regions)


def test_hierarchies_of_drawn_batches(small_images, monkeypatch):
    monkeypatch.setattr(rule, "SCHEDULE", SCHEDULE)

    @settings(max_examples=EXAMPLES)
    @given(images=st.lists(small_images, min_size=1, max_size=2), data=st.data())
    def check(images, data):
        smallest = min(image[0].numel() for image in images)
        assert_as_plain(images, data.draw(st.integers(1, smallest)))

    check()


def test_hierarchy_over_several_programs():
    """The whole rule: more pixels, regions and edges than one program handles."""
    image = torch.rand(3, 18, 31, generator=torch.Generator().manual_seed(2))
    assert_as_plain([image], 12)


def test_hierarchy_by_features_of_the_callers_own(monkeypatch):
    monkeypatch.setattr(rule, "SCHEDULE", SCHEDULE)
    features = torch.randn(5, 9 * 11, generator=torch.Generator().manual_seed(3)).double()
    assert_as_plain([torch.empty(3, 9, 11)], 4, [quantise(features.clamp(-16, 16))])
