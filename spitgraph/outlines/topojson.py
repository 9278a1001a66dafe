"""A TopoJSON file: the arcs once, and the regions of every level as rings of them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor

from spitgraph.outlines.arcs import Arcs
from spitgraph.outlines.pieces import outer_rings
from spitgraph.outlines.rings import rings_of


def topology(
    traced: Arcs,
    arcs: Arcs,
    objects: Mapping[str, tuple[Int64[Tensor, " N"] | None, Sequence[Mapping[str, Any]]]],
) -> dict[str, Any]:
    """What a TopoJSON file of regions holds, ready for `json`.

    Coordinates are whole numbers of pixels, x to the right and y downwards, stored as steps from
    point to point (`transform` is the identity). Polygons refer to arcs by number, with −1 − a for
    arc a the other way round (The TopoJSON Format Specification, 2.1.4).

    Args:
        traced: The arcs as traced.
        arcs: The same, simplified or not.
        objects: By name: what each region becomes part of, None for itself; and the properties of
            what there then is, which are a geometry each.
    """
    x, y = arcs.points.unbind(1)
    steps = torch.stack([x.diff(prepend=x[:1]), y.diff(prepend=y[:1])], dim=1)
    steps[arcs.heads] = arcs.points[arcs.heads]
    ends, points = arcs.start.tolist(), steps.tolist()
    return {
        "type": "Topology",
        "bbox": [0, 0, arcs.width, arcs.height],
        "transform": {"scale": [1, 1], "translate": [0, 0]},
        "objects": {
            name: {
                "type": "GeometryCollection",
                "geometries": [
                    {**shape, "id": number, "properties": dict(told)}
                    for number, (shape, told) in enumerate(
                        zip(_shapes(traced, parent), properties, strict=True)
                    )
                ],
            }
            for name, (parent, properties) in objects.items()
        },
        "arcs": [points[start:end] for start, end in zip(ends, ends[1:], strict=False)],
    }


def topojson_text(content: Mapping[str, Any]) -> str:
    """A topology as the text of a file: as short as JSON gets, numbers that are none as null."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def _shapes(traced: Arcs, parent: Int64[Tensor, " N"] | None) -> list[dict[str, Any]]:
    """A polygon for each region, or several for what is in pieces, as TopoJSON has them."""
    rings = rings_of(traced, parent)
    outer = outer_rings(traced, rings).tolist()
    ends, arc = rings.start.tolist(), rings.arc.tolist()
    regions = rings.region.tolist()
    pieces: list[dict[int, list[list[int]]]] = [{} for _ in range(max(regions) + 1)]
    for ring, (region, owner) in enumerate(zip(regions, outer, strict=True)):
        around = pieces[region].setdefault(owner, [])
        around.append(arc[ends[ring] : ends[ring + 1]])
    return [
        {"type": "Polygon", "arcs": next(iter(parts.values()))}
        if len(parts) == 1
        else {"type": "MultiPolygon", "arcs": list(parts.values())}
        for parts in pieces
    ]
