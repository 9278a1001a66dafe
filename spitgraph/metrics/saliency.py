"""Quality of masks and saliency maps against true masks (METHOD 8).

A prediction is [H, W]: bool, or floats in [0, 1], taken as they are; a truth is [H, W]: bool or
integers, of which others than 0 are foreground. Every function takes a pair of them, or as many
predictions as truths (lists or generators, so that not all need be in memory), whose mean counts.
With `groups`, a name an image such as that of its video, it is the mean over groups of the mean
within each.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from itertools import repeat, zip_longest
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from spitgraph.checks import positive
from spitgraph.metrics.structure import structure

#: Maps and masks, one or several; wrong input meets the errors below, under a type checker too.
Maps = Any
Groups = Iterable[Hashable] | None
#: Thresholds of `f_beta_max`.
THRESHOLDS = 255
_END = object()


def f_beta_max(
    predictions: Maps, truths: Maps, *, beta2: float = 0.3, groups: Groups = None
) -> float:
    """The largest F_β that one threshold for the whole data set reaches.

        F(t) = mean over images of (1 + β²) P R / (β² P + R),  max over t of F(t)

    with P and R precision and recall of the pixels that are at least t, for 255 t from 0 to 1 in
    equal steps (the last a hair below 1). It is averaged before the maximum is taken: a mean of
    each image's own maximum would be larger. Of a mask, F is the same at every t but 0, where every
    pixel is foreground.

    Args:
        predictions: [H, W], or several, as above.
        truths: Of the same sizes.
        beta2: β², above 0; 0.3 puts precision first.
        groups: As above.

    Returns:
        Between 0 and 1, higher is better. Where nothing is found rightly F is 0; where there is
        nothing to find, 1 at thresholds that find nothing and otherwise 0.

    Raises:
        ValueError: Sizes differ, values are outside [0, 1], or there are not as many of each.
        TypeError: What was given is no map or no mask.

    Source: Achanta et al. (2009); as the evaluation of Wang et al. (2022), TokenCut, has it.
    """
    curve = f_beta_curve(predictions, truths, beta2=beta2, groups=groups)
    return float(curve.max())


def f_beta_curve(
    predictions: Maps, truths: Maps, *, beta2: float = 0.3, groups: Groups = None
) -> Float64[Tensor, "255"]:
    """F_β at each of the 255 thresholds, averaged over images; see `f_beta_max`."""
    beta2 = positive(beta2, "beta2")
    pairs = _pairs(predictions, truths)
    return _mean((_f_beta(*pair, beta2) for pair in pairs), groups)


def iou(predictions: Maps, truths: Maps, *, groups: Groups = None) -> float:
    """Intersection over union of what is above ½ with the truth; 1 where both are empty.

    Args:
        predictions: [H, W], or several, as above.
        truths: Of the same sizes.
        groups: As above.

    Returns:
        Between 0 and 1, higher is better.

    Raises:
        ValueError, TypeError: As `f_beta_max`.
    """
    return _mean_of(_iou, predictions, truths, groups)


def pixel_accuracy(predictions: Maps, truths: Maps, *, groups: Groups = None) -> float:
    """Share of pixels that are above ½ exactly where the truth is foreground; see `iou`."""
    return _mean_of(_accuracy, predictions, truths, groups)


def mean_absolute_error(predictions: Maps, truths: Maps, *, groups: Groups = None) -> float:
    """Mean over pixels of |prediction − truth|, lower is better; see `iou`."""
    return _mean_of(_absolute_error, predictions, truths, groups)


def s_measure(predictions: Maps, truths: Maps, *, groups: Groups = None) -> float:
    """The structure measure: are foreground, background and the four quarters alike?

        S = max(0, ½ S_object + ½ S_region)

    Where the truth has no foreground, 1 − the mean prediction; where it has no background, the mean
    prediction.

    Args:
        predictions: [H, W], or several, as above.
        truths: Of the same sizes.
        groups: As above.

    Returns:
        Between 0 and 1, higher is better.

    Raises:
        ValueError, TypeError: As `f_beta_max`.

    Source: Fan et al. (2017), Structure-measure, arXiv 1708.00786.
    """
    return _mean_of(structure, predictions, truths, groups)


# ---- of one image --------------------------------------------------------------------------------


def _f_beta(
    predicted: Float64[Tensor, "H W"], true: Bool[Tensor, "H W"], beta2: float
) -> Float64[Tensor, "255"]:
    thresholds = torch.linspace(0, 1 - 1e-10, THRESHOLDS, dtype=torch.float64)
    # how many thresholds a pixel reaches; from the top down, counts of pixels that reach each
    reached = torch.searchsorted(thresholds, predicted.flatten(), right=True)
    found, right = (
        torch.bincount(pixels, minlength=THRESHOLDS + 1).flip(0).cumsum(0).flip(0)[1:].double()
        for pixels in (reached, reached[true.flatten()])
    )
    total = int(true.sum())
    if total == 0:
        return (found == 0).double()
    # (1 + β²) P R / (β² P + R), with P = right / found and R = right / total
    return (right + beta2 * right) / (found + beta2 * total)  # never above 1


_Measure = Callable[[Float64[Tensor, "H W"], Bool[Tensor, "H W"]], float]


def _iou(predicted: Float64[Tensor, "H W"], true: Bool[Tensor, "H W"]) -> float:
    found = predicted > 0.5
    union = int((found | true).sum())
    return int((found & true).sum()) / union if union else 1.0


def _accuracy(predicted: Float64[Tensor, "H W"], true: Bool[Tensor, "H W"]) -> float:
    return int(((predicted > 0.5) == true).sum()) / true.numel()


def _absolute_error(predicted: Float64[Tensor, "H W"], true: Bool[Tensor, "H W"]) -> float:
    return float((predicted - true.double()).abs().mean())


# ---- of several ----------------------------------------------------------------------------------


def _mean_of(measure: _Measure, predictions: Maps, truths: Maps, groups: Groups) -> float:
    pairs = _pairs(predictions, truths)
    values = (torch.tensor(measure(*pair), dtype=torch.float64) for pair in pairs)
    return float(_mean(values, groups))


def _mean(values: Iterable[Tensor], groups: Groups) -> Tensor:
    """The mean; with groups, that of the groups' means."""
    sums: defaultdict[Hashable, Any] = defaultdict(float)
    counts: defaultdict[Hashable, int] = defaultdict(int)
    named: Iterator[tuple[Any, Any]]
    if groups is None:
        named = zip(values, repeat(None), strict=False)
    else:
        named = _matched(values, groups, "groups")
    for value, group in named:
        sums[group] = sums[group] + value
        counts[group] += 1
    if not counts:
        raise ValueError("expected at least one prediction, got none")
    means: Tensor = sum(sums[group] / counts[group] for group in counts) / len(counts)
    return means


def _pairs(predictions: Maps, truths: Maps) -> Iterator[tuple[Tensor, Tensor]]:
    """Predictions with their truths, checked; what is wrong with one of several names its place."""
    if _is_map(predictions) and _is_map(truths):
        yield _checked(predictions, truths)
        return
    for name, maps in (("predictions", predictions), ("truths", truths)):
        if _is_map(maps) or not isinstance(maps, Iterable):
            raise TypeError(
                f"expected {name} as a map [H, W] or several, the same as of the other, "
                f"got {type(maps).__name__}"
            )
    for place, pair in enumerate(_matched(predictions, truths, "truths")):
        try:
            yield _checked(*pair)
        except (TypeError, ValueError) as error:
            raise type(error)(f"image {place}: {error}") from error


def _matched(first: Iterable[Any], second: Iterable[Any], name: str) -> Iterator[tuple[Any, Any]]:
    """Pairs of both; an error if there are not as many of each."""
    for place, pair in enumerate(zip_longest(first, second, fillvalue=_END)):
        if pair[0] is _END:
            raise ValueError(f"expected as many {name} as predictions, got more than {place}")
        if pair[1] is _END:
            raise ValueError(f"expected as many {name} as predictions, got only {place}")
        yield pair


def _is_map(value: Any) -> bool:
    return isinstance(value, Tensor | np.ndarray) and value.ndim == 2


def _checked(prediction: Any, truth: Any) -> tuple[Float64[Tensor, "H W"], Bool[Tensor, "H W"]]:
    """A prediction as float64 and its truth as bool, on the CPU.

    Raises:
        ValueError: Sizes differ or are 0, or the prediction is not in [0, 1].
        TypeError: One is no map, or its values are of another kind.
    """
    predicted, true = (
        torch.from_numpy(value) if isinstance(value, np.ndarray) else value
        for value in (prediction, truth)
    )
    kinds = {"a prediction": predicted, "a truth": true}
    for name, value in kinds.items():
        if not isinstance(value, Tensor):
            raise TypeError(f"expected {name} as a tensor or array, got {type(value).__name__}")
        if value.ndim != 2 or value.numel() == 0:
            raise ValueError(
                f"expected {name} [H, W] of at least one pixel, got {list(value.shape)}"
            )
    if predicted.shape != true.shape:
        raise ValueError(
            f"expected a prediction and a truth of one size, got {list(predicted.shape)} and "
            f"{list(true.shape)}"
        )
    if not (predicted.dtype == torch.bool or predicted.is_floating_point()):
        raise TypeError(
            f"expected a prediction of bools or of floats in [0, 1], got {predicted.dtype}"
        )
    if true.is_floating_point() or true.is_complex():
        raise TypeError(f"expected a truth of bools or integers, got {true.dtype}")
    values = predicted.detach().cpu().double()
    if not bool(((values >= 0) & (values <= 1)).all()):  # nor NaN
        low, high = (float(bound) for bound in values.aminmax())
        raise ValueError(f"expected predictions in [0, 1], got {low:g} … {high:g}")
    return values, true.detach().cpu() != 0
