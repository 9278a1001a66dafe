"""The numbers of the fine rule (METHOD 10): what all its bodies compute with.

Features are whole steps, so that sums of them, of their squares and of the evidence are exact.
"""

#: Features in the steps of `contract` (2⁻²⁰) lose so many bits: Lab is compared in
#: (L, 1.5a, 1.5b)/100, whose 8-bit shades of grey are then about 16 steps apart.
COARSER = 8
#: Features of the caller's own may not be larger, in units: an image's sums of squares then stay
#: within 63 bits up to 2²⁹ pixels × channels.
LARGEST = 16.0

#: What each channel of Lab counts, in quarters: where regions merge, and where pixels change sides.
MERGE_WEIGHTS = (4, 3, 3)
REFINE_WEIGHTS = (4, 2, 1)
#: The same for features of the caller's own.
EVEN_WEIGHT = 4

#: Added to squared distances, and to the variance within regions; in quarters of squared steps.
DISTANCE_FLOOR = 4 * 168
VARIANCE_FLOOR = 2**16
#: Added to the squared evidence a pixel side, which is of sums over 3 × 3 pixels.
EVIDENCE_FLOOR = 81 * 168

#: Regions of fewer pixels on average all merge; then only pairs that are each other's cheapest.
LEAST_MEAN_SIZE = 10
#: Up to so many times the regions wanted, of those pairs only some: whose cost is among this share
#: of the regions' cheapest, 2/5.
FEW = 2
SHARE = (2, 5)

#: The smoothed picture: 3 × 3 pixels are averaged, of which the middle one counts as three.
MIDDLE_EXTRA = 2

#: On the way to K regions: how many halves of K as many, and how many passes of refinement then,
#: first of the smoothed picture, then of the picture.
SCHEDULE = ((5, 0, 3), (3, 1, 2), (2, 1, 8))
#: A pixel's neighbours in order, from above clockwise, as (y, x).
RING = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))


def channel_weights(channels: int, lab: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What each channel counts: where regions merge, and where pixels change sides."""
    even = (EVEN_WEIGHT,) * channels
    return (MERGE_WEIGHTS, REFINE_WEIGHTS) if lab else (even, even)


def is_simple(own: int) -> bool:
    """Whether a region stays connected without a pixel.

    It does where those of the pixel's neighbours across a side that are of the region hang together
    around the pixel, and there are some.

    Args:
        own: Bit k is set where neighbour k of `RING` is of the region.
    """
    arcs = 0
    for k in (0, 2, 4, 6):
        is_own, corner, before = (own >> j & 1 for j in (k, (k - 1) % 8, (k - 2) % 8))
        arcs += is_own and not (corner and before)
    return arcs == 1


#: By which of its neighbours are of a pixel's region: whether that stays connected without it.
SIMPLE = tuple(is_simple(own) for own in range(256))
