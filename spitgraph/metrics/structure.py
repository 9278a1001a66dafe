"""The structure measure of one saliency map (Fan et al. 2017, equations 1–12)."""

import math

from jaxtyping import Bool, Float64
from torch import Tensor

#: Share of the object-aware part.
ALPHA = 0.5


def structure(predicted: Float64[Tensor, "H W"], true: Bool[Tensor, "H W"]) -> float:
    """S = max(0, α S_object + (1 − α) S_region), α = ½; the limits where one side is empty."""
    share = float(true.double().mean())
    if share in (0, 1):
        mean = float(predicted.mean())
        return mean if share else 1 - mean
    similarity = ALPHA * objects(predicted, true) + (1 - ALPHA) * quarters(predicted, true)
    return max(0.0, similarity)


def objects(predicted: Float64[Tensor, "H W"], true: Bool[Tensor, "H W"]) -> float:
    """S_object: how high and how even values are on the foreground, and 1 − values elsewhere."""
    share = float(true.double().mean())
    return share * evenness(predicted[true]) + (1 - share) * evenness(1 - predicted[~true])


def evenness(values: Float64[Tensor, " n"]) -> float:
    """2 x̄ / (x̄² + 1 + σ), with σ the sample's standard deviation."""
    mean = float(values.mean())
    deviation = float(values.std()) if len(values) > 1 else 0.0
    return 2 * mean / (mean**2 + 1 + deviation)


def quarters(predicted: Float64[Tensor, "H W"], true: Bool[Tensor, "H W"]) -> float:
    """S_region: similarity of the four parts around the centroid of the truth, by their areas."""
    row, column = (
        math.floor(float(places.double().mean()) + 1.5)  # counted from 1, a half rounded up
        for places in true.nonzero().unbind(dim=1)
    )
    total = 0.0
    for rows in (slice(0, row), slice(row, None)):
        for columns in (slice(0, column), slice(column, None)):
            part = predicted[rows, columns]
            if part.numel():
                total += part.numel() * similarity(part, true[rows, columns].double())
    return total / predicted.numel()


def similarity(x: Float64[Tensor, "h w"], y: Float64[Tensor, "h w"]) -> float:
    """SSIM of two parts as wholes: 4 x̄ ȳ σ_xy / ((x̄² + ȳ²)(σ_x² + σ_y²)).

    Where numerator and denominator are 0 it is 1, where only the numerator is, 0.
    """
    mean_x, mean_y = float(x.mean()), float(y.mean())
    degrees = max(x.numel() - 1, 1)
    from_x, from_y = x - x.mean(), y - y.mean()
    variances = float((from_x.square() + from_y.square()).sum()) / degrees
    above = 4 * mean_x * mean_y * float((from_x * from_y).sum()) / degrees
    below = (mean_x**2 + mean_y**2) * variances
    if above:
        return above / below
    return 0.0 if below else 1.0
