"""A TopoJSON file says what it means to readers of the format."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given

from helpers.outlines import windings
from helpers.strategies import label_maps
from spitgraph.outlines import topojson_text, topology, trace

PARENT = torch.tensor([0, 1, 1, 0, 2, 2])


def written(labels, parent=None):
    arcs = trace(labels)
    counts = [int(labels.max()) + 1, int(PARENT.max()) + 1]
    objects = {"fine": (None, [{"n": n} for n in range(counts[0])])}
    if parent is not None:
        objects["coarse"] = (parent, [{}] * (int(parent[labels].max()) + 1))
    return json.loads(topojson_text(topology(arcs, arcs, objects)))


def rings_of_geometry(geometry, content):
    """Rings of absolute coordinates, by the specification: arcs of steps, shared ends."""
    arcs = [np.cumsum(arc, 0) for arc in content["arcs"]]
    polygons = geometry["arcs"] if geometry["type"] == "MultiPolygon" else [geometry["arcs"]]
    for polygon in polygons:
        for numbers in polygon:
            parts = [arcs[n] if n >= 0 else arcs[~n][::-1] for n in numbers]
            for part, following in zip(parts, parts[1:] + parts[:1], strict=True):
                assert (part[-1] == following[0]).all()
            yield [point for part in parts for point in part[:-1]]


def regions_read(name, content):
    width, height = content["bbox"][2:]
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    centres = np.stack([2 * x + 1, 2 * y + 1], -1).reshape(-1, 2)
    found = np.full(len(centres), -1)
    for geometry in content["objects"][name]["geometries"]:
        rings = []
        for points in rings_of_geometry(geometry, content):
            ends = [(2 * point,) for point in points[1:] + points[:1]]
            rings.append((2 * points[0], ends))
        around = windings(rings, centres)
        assert (found[around > 0] == -1).all() and set(around) <= {0, 1}
        found[around > 0] = geometry["id"]
    return found.reshape(height, width)


@given(label_maps())
def test_polygons_are_the_regions_at_every_level(labels):
    labels = labels.unique(return_inverse=True)[1]
    parent = PARENT[PARENT < 3][: int(labels.max()) + 1].unique(return_inverse=True)[1]
    content = written(labels, parent)
    assert np.array_equal(regions_read("fine", content), labels.numpy())
    assert np.array_equal(regions_read("coarse", content), parent[labels].numpy())


def test_every_border_is_there_once():
    content = written(torch.tensor([[0, 1], [0, 1]]))
    assert len(content["arcs"]) == 3
    used = sorted(n for g in content["objects"]["fine"]["geometries"] for n in g["arcs"][0])
    shared = [n for n in used if ~n in used]
    assert len(used) == 4 and len(shared) == 2


def test_the_package_topojson_reads_it():
    pytest.importorskip("topojson")
    from shapely.geometry import shape
    from topojson.utils import serialize_as_geojson

    labels = torch.zeros(9, 9, dtype=torch.int64)
    labels[2:7, 2:7] = 1
    labels[4, 4] = 0
    content = written(labels)
    read = serialize_as_geojson(content, objectname="fine")
    shapes = [shape(feature["geometry"]) for feature in read["features"]]
    assert [shape.area for shape in shapes] == [57, 24]
    assert [shape.geom_type for shape in shapes] == ["MultiPolygon", "Polygon"]
