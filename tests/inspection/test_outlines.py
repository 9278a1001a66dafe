"""`write_svg` and `write_topojson` say of an image's regions what its graph does."""

import json
import re
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch

from helpers.outlines import SVG, coverage, paths_of
from helpers.pictures import mixed, noise_of_bytes
from spitgraph import PatchTokenizer, SuperpixelTokenizer, from_partition, inspection


def fills(text):
    root = ElementTree.fromstring(text.encode())
    return [path.attrib.get("fill") for path in root.iter(f"{SVG}path")]


def bytes_of(color):
    return [int(color[place : place + 2], 16) for place in (1, 3, 5)]


def test_regions_are_the_tokens(awkward_image):
    tokens = SuperpixelTokenizer(2)(awkward_image)
    text = inspection.svg(tokens)
    count, found = coverage(text)
    assert (count == 1).all() and np.array_equal(found, tokens.seg[0].numpy())
    colours = torch.tensor([bytes_of(fill) for fill in fills(text)])
    assert (colours - tokens.color * 255).abs().max() <= 0.5 + 1e-3


@pytest.mark.parametrize("level", [1, 2, 3])
def test_regions_of_a_level_with_groups_of_those_above(level):
    tokens = SuperpixelTokenizer(3)(mixed())
    text = inspection.svg(tokens, level=level)
    assert np.array_equal(coverage(text)[1].ravel(), tokens.partition(level).numpy())
    root = ElementTree.fromstring(text.encode())
    parent = {child: element for element in root.iter() for child in element}
    for path in root.iter(f"{SVG}path"):
        element, region = path, int(path.attrib["data-region"])
        for above in range(level, 3):
            element, region = parent[element], int(tokens.parents[above][region])
            assert element.attrib["data-level"] == str(above + 1)
            assert element.attrib["data-region"] == str(region)
        assert parent[element].attrib["id"] == "regions"


def test_other_partitions_too():
    image = noise_of_bytes(12, 15)
    scattered = torch.randint(4, (12, 15), generator=torch.Generator().manual_seed(0))
    for tokens in (from_partition(image, scattered), PatchTokenizer(4)(image)):
        assert np.array_equal(coverage(inspection.svg(tokens))[1], tokens.seg[0].numpy())


@pytest.mark.parametrize("smooth", [False, True])
def test_simplified_every_pixel_is_of_one_region(smooth):
    pytest.importorskip("shapely")
    tokens = SuperpixelTokenizer(num_tokens=9)(mixed(60, 50))
    text = inspection.svg(tokens, simplify=2.0, smooth=smooth)
    count, found = coverage(text)
    assert (count == 1).all() and len(paths_of(text)) == 9
    assert 0 < (found != tokens.seg[0].numpy()).mean() < 0.2
    assert len(text) < len(inspection.svg(tokens, smooth=smooth))


def test_fills():
    tokens = SuperpixelTokenizer(num_tokens=4)(mixed())
    assert fills(inspection.svg(tokens, fill="none")) == [None] * 4
    given = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0.2, 0.4, 0.6]])
    named = ["#ff0000", "#00ff00", "#0000ff", "#336699"]
    for colours in (given, given.numpy(), given.tolist()):
        assert fills(inspection.svg(tokens, fill=colours)) == named
    by_number = fills(inspection.svg(tokens, fill=[5, 1, float("nan"), 1]))
    assert by_number[1] == by_number[3] == "#440154" and by_number[0] == "#fde725"
    assert by_number[2] == "#d9d9d9"
    sizes = tokens.size.tolist()
    by_size = fills(inspection.svg(tokens, fill="size"))
    assert by_size == fills(inspection.svg(tokens, fill=sizes))


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"level": 0}, ValueError, "level must be in 1 … 2, got 0"),
        ({"level": 3}, ValueError, "level must be in 1 … 2, got 3"),
        ({"level": 1.5}, TypeError, "level must be an integer"),
        ({"simplify": -1.0}, ValueError, "tolerance must be at least 0"),
        ({"smooth": 1}, TypeError, "smooth must be True or False"),
        ({"fill": "pink"}, ValueError, "fill must be one of 'mean', 'none', 'x'"),
        ({"fill": [1, 2]}, ValueError, "numbers or"),
        ({"fill": object()}, TypeError, "fill must be a name, numbers [N] or colours"),
        ({"fill": np.full((4, 3), 2.0)}, ValueError, "colours must be in [0, 1]"),
        ({"title": b"a"}, TypeError, "title must be a string"),
    ],
)
def test_bad_arguments_are_refused(unchecked, arguments, error, message):
    image = torch.zeros(3, 2, 8)
    image[:, :, 4:] = 1
    tokens = from_partition(image, (torch.arange(8) // 2).expand(2, 8))
    tokens.parents = [tokens.cluster, torch.tensor([0, 0, 1, 1])]
    tokens = tokens.to_level(1) if "fill" in arguments else SuperpixelTokenizer(2)(mixed())
    with pytest.raises(error, match=re.escape(message)):
        inspection.svg(tokens, **arguments)


def test_what_is_no_single_graph_is_refused(unchecked, tmp_path):
    tokens = PatchTokenizer(4)(mixed())
    for write in (inspection.write_svg, inspection.write_topojson):
        with pytest.raises(ValueError, match="one image"):
            write(Batch.from_data_list([tokens, tokens]), tmp_path / "a")
        with pytest.raises(TypeError, match="expected the TokenData"):
            write(3, tmp_path / "a")
        with pytest.raises(ValueError, match="no longer belongs"):
            write(tokens.subgraph(torch.tensor([0, 1])), tmp_path / "a")
        with pytest.raises(TypeError, match="path must be"):
            write(tokens, 3)
        with pytest.raises(OSError):
            write(tokens, tmp_path / "no" / "a")
    assert not list(tmp_path.iterdir())


def test_files_hold_the_text(tmp_path):
    tokens = SuperpixelTokenizer(2)(mixed())
    inspection.write_svg(tokens, tmp_path / "a.svg", smooth=True, title="a & b")
    assert (tmp_path / "a.svg").read_text("utf8") == inspection.svg(
        tokens, smooth=True, title="a & b"
    )
    inspection.write_topojson(tokens, tmp_path / "a.json", level=1)
    assert (tmp_path / "a.json").read_text("utf8") == inspection.topojson(tokens, level=1)


def test_topojson_has_every_level_with_its_attributes():
    tokens = SuperpixelTokenizer(3)(mixed())
    content = json.loads(inspection.topojson(tokens, level=2))
    assert list(content["objects"]) == ["level-2", "level-3"]
    for level in (2, 3):
        at_level = tokens.to_level(level)
        shapes = content["objects"][f"level-{level}"]["geometries"]
        assert [shape["id"] for shape in shapes] == list(range(len(at_level.size)))
        told = [shape["properties"] for shape in shapes]
        assert list(told[0]) == ["pos", "size", "bbox", "color"]
        assert [one["size"] for one in told] == at_level.size.tolist()
        assert [one["bbox"] for one in told] == at_level.bbox.tolist()
        for name in ("pos", "color"):
            values = torch.tensor([one[name] for one in told])
            assert torch.allclose(values, at_level[name], rtol=1e-5)


def test_pixels_are_not_needed_for_the_tokens_themselves():
    tokens = SuperpixelTokenizer(2)(mixed())
    light = tokens.without_pixels()
    assert inspection.svg(light) == inspection.svg(tokens)
    assert inspection.topojson(light) == inspection.topojson(tokens)
