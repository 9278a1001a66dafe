"""How wide the Gaussian of a histogram is, where nobody says it (METHOD 4.2)."""

from spitgraph.checks import integer

#: σ in spacings of the bins' centres: the default for 16 bins, 0.05, over 2/16.
SPACINGS = 0.4


def sigma_of(bins: int) -> float:
    """σ = 0.4·2/β: the same share of the distance between bins, however many there are.

    Coordinates are in [−1, 1], where β bins lie 2/β apart, and no pixel is further than 1/β from
    the nearest bin, along an axis. There it weighs exp(−½(1/β)²/σ²), with this σ exp(−0.78) = 0.46,
    so that a histogram counts every pixel, wherever it lies. A σ that is kept while bins become
    fewer counts only those near a bin: with β = 8 and σ = 0.025, halfway between two bins a pixel
    weighs exp(−12.5) = 4·10⁻⁶, in a histogram that is to say where the region is.

    Args:
        bins: β, at least 2.

    Raises:
        ValueError, TypeError: β is no whole number of at least 2.
    """
    return SPACINGS * 2 / integer(bins, "bins", minimum=2)
