"""Borders traced by loops, and what a file of vectors says, read by itself."""

import io
import re
from collections import defaultdict
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from spitgraph.outlines import OUTSIDE

SVG = "{http://www.w3.org/2000/svg}"
#: In what readers here count, to a pixel: coordinates in eighths and points between them are whole.
FINE = 64
STEPS = {"h": 1, "v": 1, "l": 2, "q": 4, "t": 2}


# ---- tracing: the specification ------------------------------------------------------------------


def naive_arcs(labels):
    """(left, right, points) of every arc of a label map, in any order.

    A side of a pixel is walked with the larger number on the right hand. Sides are joined where two
    meet; where more do, arcs end.
    """
    height, width = labels.shape
    at = defaultdict(lambda: OUTSIDE)
    at |= {(x, y): int(labels[y, x]) for y in range(height) for x in range(width)}
    leaving = defaultdict(list)  # corner → (corner ahead, left, right)
    meeting = defaultdict(int)
    for y in range(height + 1):
        for x in range(width + 1):
            for here, there, one, other in (
                ((x, y), (x + 1, y), at[x, y - 1], at[x, y]),  # eastwards: left is above
                ((x, y), (x, y + 1), at[x, y], at[x - 1, y]),  # southwards: left is east
            ):
                if one == other:
                    continue
                begin, end = (here, there) if one < other else (there, here)
                leaving[begin].append((end, min(one, other), max(one, other)))
                meeting[here] += 1
                meeting[there] += 1
    arcs, done = [], set()
    junctions = [corner for corner in leaving if meeting[corner] > 2]
    circles = sorted((c for c in leaving if meeting[c] == 2), key=lambda c: (c[1], c[0]))
    for corner in junctions + circles:  # circles begin at the leftmost of their topmost corners
        for end, left, right in leaving[corner]:
            if (corner, end) in done:
                continue
            path = [corner, end]
            while meeting[path[-1]] == 2 and path[-1] != corner:
                path.append(leaving[path[-1]][0][0])
            done |= set(zip(path, path[1:], strict=False))
            arcs.append((left, right, tuple(without_straight(path))))
    return arcs


def without_straight(path):
    """A path without the points at which it goes straight on."""
    inner = [
        here
        for before, here, after in zip(path, path[1:], path[2:], strict=False)
        if before[0] != after[0] and before[1] != after[1]
    ]
    return [path[0], *inner, path[-1]]


def listed(arcs):
    """The same of `Arcs`."""
    ends = arcs.start.tolist()
    points = [tuple(point) for point in arcs.points.tolist()]
    sides = zip(arcs.left.tolist(), arcs.right.tolist(), strict=True)
    return [
        (left, right, tuple(points[start:end]))
        for (left, right), start, end in zip(sides, ends, ends[1:], strict=False)
    ]


# ---- reading SVG ---------------------------------------------------------------------------------


def paths_of(text):
    """{region: rings} of an SVG file's paths, a ring being (start, segments), in 64ths of a pixel.

    A segment is (end,) or (control, end).
    """
    root = ElementTree.fromstring(text.encode())
    scale = FINE
    group = root.find(f".//{SVG}g[@id='regions']")
    if "transform" in group.attrib:
        scale *= float(re.fullmatch(r"scale\(([\d.]+)\)", group.attrib["transform"])[1])
    assert scale == int(scale)
    return {
        int(path.attrib["data-region"]): rings_in(path.attrib["d"], int(scale))
        for path in group.iter(f"{SVG}path")
    }


def rings_in(data, scale):
    rings = []
    for letter, numbers in re.findall(r"([a-zA-Z])([-\d ]*)", data):
        values = [scale * int(number) for number in re.findall(r"-?\d+", numbers)]
        if letter == "M":
            here, control = np.array(values), None
            rings.append((here, []))
        elif letter == "z":
            assert (here == rings[-1][0]).all()  # nothing is left to be closed
        else:
            assert len(values) == STEPS[letter]
            if letter == "h":
                values = [*values, 0]
            elif letter == "v":
                values = [0, *values]
            end = here + values[-2:]
            if letter == "q":
                control = here + values[:2]
            elif letter == "t":
                control = 2 * here - control
            else:
                control = None
            rings[-1][1].append((end,) if control is None else (control, end))
            here = end
    return rings


def windings(rings, points):
    """How often rings go around points [n, 2], exactly; both in 64ths of a pixel.

    A point on a border counts as right of it.
    """
    lines, curves = [], []
    for start, segments in rings:
        here = start
        for *control, end in segments:
            lines.append((here, end))
            curves += [(here, bend, end) for bend in control]
            here = end
    total = crossings(*np.array(lines).transpose(1, 2, 0)[..., None], *points.T)
    if curves:
        total = total + beyond_chords(np.array(curves), points)
    return total


def crossings(here, end, x, y):
    """How many lines [m] pass on the left of points [n] upwards, less those downwards."""
    sign = np.sign(end[1] - here[1])
    (x0, y0), (x1, y1) = (np.where(sign > 0, p, q) for p, q in ((here, end), (end, here)))
    passes = (y0 <= y) & (y < y1) & ((x - x0) * (y1 - y0) >= (y - y0) * (x1 - x0))
    return -(sign * passes).sum(0)


def beyond_chords(curves, points):
    """What curves [m, 3, 2] add for points between them and their chords."""
    p, c, q = (curves[:, corner, None] - points for corner in range(3))  # [m, n, 2]
    u, v, w = (
        one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0]
        for one, other in ((c, q), (q, p), (p, c))
    )
    sign = np.sign(u + v + w)
    u, v, w = (sign * part for part in (u, v, w))
    between = (u >= 0) & (w >= 0) & (v > 0) & (v * v < 4 * u * w)
    return (sign * between).sum(0)


def coverage(text, step=FINE, offset=FINE // 2):
    """Regions that each point of a grid is in: how many [h, w], and the largest of them.

    Args:
        text: SVG.
        step: Between the points, in 64ths of a pixel.
        offset: Of the first.
    """
    root = ElementTree.fromstring(text.encode())
    width, height = int(root.attrib["width"]), int(root.attrib["height"])
    x, y = np.arange(offset, FINE * width, step), np.arange(offset, FINE * height, step)
    points = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)
    count, found = np.zeros(len(points), int), np.full(len(points), -1)
    for region, rings in paths_of(text).items():
        around = windings(rings, points)
        assert set(np.unique(around)) <= {0, 1}  # no ring runs the wrong way, or twice
        count += around
        found[around > 0] = region
    return count.reshape(len(y), len(x)), found.reshape(len(y), len(x))


def numbered(regions):
    """Colours [N, 3] in [0, 1] that tell regions apart, none of them black."""
    number = np.arange(1, regions + 1)
    return np.stack([number % 256, number // 256, np.full(regions, 128)], 1) / 255


def numbers_in(picture):
    """The regions that `numbered` colours of a picture [H, W, 3] stand for."""
    return picture[..., 0].astype(int) + 256 * picture[..., 1].astype(int) - 1


def rendered(text, renderer, scale=1):
    """An SVG file as a picture [H, W, 3] of bytes, over black."""
    width = float(ElementTree.fromstring(text.encode()).attrib["width"])
    if renderer == "resvg":
        import resvg_py

        data = bytes(resvg_py.svg_to_bytes(svg_string=text, width=round(width * scale)))
    else:
        import cairosvg

        data = cairosvg.svg2png(bytestring=text.encode(), scale=scale)
    picture = Image.open(io.BytesIO(data)).convert("RGBA")
    black = Image.new("RGBA", picture.size, "black")
    return np.array(Image.alpha_composite(black, picture).convert("RGB"))
