"""An SVG file gives the label map back, in two renderers, and shows nothing between regions."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

from helpers.labels import random_labels
from helpers.outlines import SVG, numbered, numbers_in, paths_of, rendered
from spitgraph.outlines import path_data, rings_of, simplify, smooth, svg_text, trace
from spitgraph.outlines.svg import hex_colors


def has(renderer):
    pytest.importorskip({"resvg": "resvg_py", "cairo": "cairosvg"}[renderer])


def colours(labels):
    return hex_colors(torch.from_numpy(numbered(int(labels.max()) + 1)))


def blobs(seed=0):
    """Regions of some pixels, with long borders between them."""
    coarse = random_labels(6, 7, 9, seed)
    labels = coarse.repeat_interleave(6, 0).repeat_interleave(6, 1)
    labels[20:24, 3:9] = 8
    labels[::5, ::7] = 3  # and single pixels
    return labels


def without_what_is_beneath(text):
    bare, count = re.subn("<use [^>]*/>", "", text)
    assert count == 1
    return bare


MAPS = {
    "pixel": torch.zeros(1, 1, dtype=torch.int64),
    "row": torch.arange(9)[None],
    "column": torch.arange(9)[:, None],
    "checkerboard": (torch.arange(8)[:, None] + torch.arange(9)) % 2,
    "noise": random_labels(17, 23, 5),
    "many": torch.arange(600).view(20, 30),
    "blobs": blobs(),
}


@pytest.mark.parametrize("renderer", ["resvg", "cairo"])
@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("scale", [1, 3])
def test_the_label_map_comes_back_to_the_pixel(name, renderer, scale):
    has(renderer)
    labels = MAPS[name]
    arcs = trace(labels)
    picture = rendered(svg_text(arcs, rings_of(arcs), colours(labels)), renderer, scale)
    expected = labels.repeat_interleave(scale, 0).repeat_interleave(scale, 1).numpy()
    assert np.array_equal(numbers_in(picture), expected)


@pytest.mark.parametrize("renderer", ["resvg", "cairo"])
@pytest.mark.parametrize("is_smooth", [False, True])
def test_regions_drawn_one_by_one_cover_every_pixel_once(renderer, is_smooth):
    has(renderer)
    pytest.importorskip("shapely")
    labels = blobs()
    arcs = trace(labels)
    simpler = simplify(arcs, 1.5)
    shares = smooth(simpler, 1.5) if is_smooth else None
    rings = rings_of(arcs)
    total = np.zeros(labels.shape)
    for region in labels.unique().tolist():
        fills = ["none"] * region + ["#fff"] + ["none"] * (int(labels.max()) - region)
        alone = without_what_is_beneath(svg_text(simpler, rings, fills, shares=shares))
        total += rendered(alone, renderer)[..., 0] / 255.0
    # renderers tell shares of a pixel in steps, cairo of about 1/16 by 1/15
    assert abs(total - 1).max() < 0.05


@pytest.mark.parametrize("renderer", ["resvg", "cairo"])
@pytest.mark.parametrize("scale", [1, 1.7])
def test_nothing_shines_through_between_regions(renderer, scale):
    has(renderer)
    pytest.importorskip("shapely")
    labels = blobs()
    arcs = trace(labels)
    simpler = simplify(arcs, 1.5)
    white = ["#ffffff"] * (int(labels.max()) + 1)
    text = svg_text(simpler, rings_of(arcs), white, shares=smooth(simpler, 1.5))
    inner = (slice(4, -4),) * 2
    assert rendered(text, renderer, scale)[inner].min() >= 240  # over black
    bare = without_what_is_beneath(text)
    assert rendered(bare, renderer, scale)[inner].min() < 200


def test_both_sides_of_a_border_have_the_same_numbers():
    labels = blobs()
    arcs = trace(labels)
    text = svg_text(arcs, rings_of(arcs), None, shares=smooth(arcs, 0.5))
    seen = {}
    for region, rings in paths_of(text).items():
        for start, segments in rings:
            here = tuple(start)
            for *control, end in segments:
                end = tuple(end)
                bend = tuple(map(tuple, control))
                seen.setdefault((min(here, end), max(here, end), bend), []).append(region)
                here = end
    frame = [key for key, regions in seen.items() if len(regions) == 1]
    assert max(map(len, seen.values())) == 2
    sides = [{0}, {64 * labels.shape[1]}, {64 * labels.shape[0]}]
    for begin, end, _ in frame:  # of one region only: on the frame
        assert any({begin[axis], end[axis]} in sides for axis in (0, 1))


def test_path_data_by_hand():
    arcs = trace(torch.tensor([[0, 1]]))
    assert sorted(path_data(arcs, rings_of(arcs))) == ["M1 0h1v1h-1v-1z", "M1 1h-1v-1h1v1z"]
    arcs = trace(torch.tensor([[0, 0, 0], [0, 1, 0], [0, 0, 0]]))
    data = path_data(arcs, rings_of(arcs), smooth(arcs, 0.5))
    assert data[2] == "M12 8q4 0 4 4t-4 4t-4-4t4-4z"  # a circle of four curves, in eighths


def test_levels_are_groups():
    labels = torch.tensor([[0, 1, 2, 3]])
    parents = [torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0])]
    arcs = trace(labels)
    text = svg_text(arcs, rings_of(arcs), colours(labels), parents=parents, level=2)
    root = ElementTree.fromstring(text.encode())

    def inside(element):
        return [child for child in element if child.tag in (f"{SVG}g", f"{SVG}path")]

    (top,) = inside(root.find(f".//{SVG}g[@id='regions']"))
    assert top.attrib["id"] == "r4-0"
    groups = inside(top)
    assert [group.attrib["data-level"] for group in groups] == ["3", "3"]
    paths = [[path.attrib["data-region"] for path in inside(group)] for group in groups]
    assert paths == [["0", "1"], ["2", "3"]]
    ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    "title", ["a<b>&\"'.jpg", "]]>", "é\u202e😀", "bell\x07 and \x00", "\udcff lone", "￾￿", "a\nb"]
)
def test_any_title_makes_valid_xml(title):
    arcs = trace(torch.zeros(1, 1, dtype=torch.int64))
    text = svg_text(arcs, rings_of(arcs), ["#000000"], title=title)
    read = ElementTree.fromstring(text.encode()).find(f"{SVG}title").text
    assert len(read) == len(title)
    kept = [(a, b) for a, b in zip(read, title, strict=True) if b != a]
    assert all(a == "\ufffd" for a, _ in kept)
    assert title.isprintable() <= (read == title)
