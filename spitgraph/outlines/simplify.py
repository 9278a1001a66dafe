"""Arcs with fewer points, between the same regions."""

from typing import Any

import torch

from spitgraph.checks import finite
from spitgraph.extras import needs_extra
from spitgraph.outlines.arcs import Arcs, starts
from spitgraph.outlines.pieces import outer_rings
from spitgraph.outlines.rings import points_of_rings, rings_of


def simplify(arcs: Arcs, tolerance: Any) -> Arcs:
    """The arcs with points left out where the border hardly turns.

    Of each arc, the point that spans the smallest triangle with its neighbours goes first, as long
    as that triangle is smaller than tolerance² pixels and no other point lies in it (Visvalingam
    and Whyatt, Line generalisation by repeated elimination of points, 1993). No point moves, ends
    and the frame stay, and a ring keeps at least a triangle; so arcs neither cross nor touch where
    they did not, and every region keeps its neighbours, its pieces and its holes. This is GEOS's
    simplification of coverages, which needs Shapely.

    Args:
        arcs: As traced, of all regions of a picture.
        tolerance: In pixels; 0 leaves the arcs as they are. Corners of stairs of one pixel are
            left out above √½.

    Raises:
        ValueError: The tolerance is negative or not finite.
        ImportError: Shapely is missing.
    """
    tolerance = checked_tolerance(tolerance)
    if not tolerance:
        return arcs
    with needs_extra("vector"):
        import shapely
    rings = rings_of(arcs)
    where, ring = points_of_rings(arcs, rings)
    piece = outer_rings(arcs, rings)[ring]
    order = torch.argsort(piece, stable=True)  # outer rings come first
    where, ring, piece = where[order], ring[order], piece[order]
    new_ring = torch.ones_like(ring)
    new_ring[1:] = ring[1:] != ring[:-1]
    new_ring[0] = 0
    coordinates = arcs.points[where].double().cpu().numpy()
    lines = shapely.linearrings(coordinates, indices=new_ring.cumsum(0).cpu().numpy())
    first = torch.cat([new_ring.new_ones(1), new_ring[1:]]).bool()
    _, of_rings = piece[first].unique_consecutive(return_inverse=True)
    polygons = shapely.polygons(lines, indices=of_rings.cpu().numpy())
    simpler = shapely.coverage_simplify(polygons, tolerance, simplify_boundary=False)
    left = torch.from_numpy(shapely.get_coordinates(simpler)).to(arcs.points)
    there = torch.zeros((arcs.height + 1) * (arcs.width + 1), dtype=torch.bool, device=left.device)
    there[left[:, 1] * (arcs.width + 1) + left[:, 0]] = True
    # corners between the ends of arcs are of one arc each, so a point is left out of both sides
    return without_points(arcs, there[arcs.corners])


def checked_tolerance(tolerance: Any) -> float:
    """A tolerance in pixels, or an error that says what came instead."""
    tolerance = finite(tolerance, "tolerance")
    if tolerance < 0:
        raise ValueError(f"tolerance must be at least 0 pixels, got {tolerance}")
    return tolerance


def without_points(arcs: Arcs, keep: torch.Tensor) -> Arcs:
    """The arcs with those points only; a closed arc that lost its first one begins at the next."""
    begins = keep[arcs.heads]
    arc = arcs.of_points[keep]
    counts = torch.bincount(arc, minlength=len(arcs))
    points = arcs.points[keep]
    if not begins.all():
        first = (counts.cumsum(0) - counts)[~begins]
        again = torch.cat([torch.arange(len(points), device=points.device), first])
        owner = torch.cat([arc, arc[first]])
        order = torch.argsort(owner, stable=True)
        points, counts = points[again[order]], counts + (~begins).to(counts)
    return Arcs(points, starts(counts), arcs.left, arcs.right, arcs.height, arcs.width)
