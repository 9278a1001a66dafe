"""Per-pixel features that the contraction compares (METHOD 3), and image gradients (METHOD 4.3)."""

import math
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Float32, Float64, Shaped
from torch import Tensor
from torch.nn.functional import pad

from spitgraph.colour import STEPS_PER_UNIT, quantised_lab
from spitgraph.images import unit_rgb
from spitgraph.modes import exact_device, without_autocast
from spitgraph.tensors import plain, unshared

FeatureMap = Float[Tensor, "C H W"]

#: Channel statistics (m, a) of the contrast adjustment, red, green, blue (METHOD 3.1.1).
CONTRAST = ((0.485, 0.539), (0.456, 0.507), (0.406, 0.404))
#: Scale of the asinh contrast of gradients (METHOD 4.3).
GRADIENT_CONTRAST = 27.8


def lab(image: Shaped[Tensor, "3 H W"]) -> Float32[Tensor, "3 H W"]:
    """CIE Lab (D65) over 100, chroma weighted by 1.5: a space for distances (METHOD 3.2).

    Whole steps, which float32 holds exactly. No gradients flow.
    """
    return quantised_lab(image).float().div_(STEPS_PER_UNIT)


def lab_direction(image: Shaped[Tensor, "3 H W"]) -> Float32[Tensor, "4 H W"]:
    """(L/50 − 1, a/50, b/50, 1): Lab as directions, for comparison by cosine, in whole steps.

    The constant keeps mid-grey, the origin of the other three, from having no direction at all.
    """
    lightness, *chroma = quantised_lab(image)
    steps = [2 * lightness - STEPS_PER_UNIT]
    # the nearest steps to 4/3 of (1.5a, 1.5b)/100
    steps += [(4 * c + 1).div(3, rounding_mode="floor") for c in chroma]
    steps += [torch.full_like(lightness, STEPS_PER_UNIT)]
    return torch.stack(steps).float().div_(STEPS_PER_UNIT)


def spit(image: Float[Tensor, "3 H W"]) -> Float[Tensor, "4 H W"]:
    """The authors' pipeline: saturated, diffused YCbCr and gradient magnitude (METHOD 3.1)."""
    import kornia.color
    import kornia.enhance

    image = image.double()
    unit = (adjust_contrast(image) + 1) / 2
    saturated = kornia.enhance.adjust_saturation_with_gray_subtraction(unit, 2.718)
    ycbcr = 2 * kornia.color.rgb_to_ycbcr(saturated) - 1
    colour = diffuse(asinh_contrast(ycbcr, 10.0)).clamp(-1, 1)
    # the largest joint response of the two Scharr filters is 13/16 each
    largest = math.sqrt(2) * math.asinh(GRADIENT_CONTRAST * 13 / 16) / math.asinh(GRADIENT_CONTRAST)
    dy, dx = gradients(image)
    texture = 2 * (dy * dy + dx * dx).sqrt() / largest - 1
    return torch.cat([colour, texture[None]])


#: The presets by name.
FEATURES: dict[str, Callable[[Tensor], Tensor]] = {"lab": lab, "spit": spit}


def adjust_contrast(image: Float[Tensor, "3 *S"]) -> Float[Tensor, "3 *S"]:
    """Kumaraswamy contrast of each channel, from [0, 1] to [−1, 1] (METHOD 3.1.1).

    k(x) = 1 − (1 − xᵃ)ᵇ with b = −ln 2 / ln(1 − mᵃ), so that k(m) = ½; the result is 2k − 1.
    """
    channels = []
    for x, (m, a) in zip(image, CONTRAST, strict=True):
        channels.append(_Kumaraswamy.apply(x, a, -math.log(2) / math.log1p(-(m**a))))
    return torch.stack(channels)


class _Kumaraswamy(torch.autograd.Function):
    """2k(x) − 1, with a derivative that stays finite at black and white.

    k is infinitely steep at 0 and 1, which pixels often are. There the slope is taken half an 8-bit
    step inside.
    """

    generate_vmap_rule = True  # for the transforms of torch.func

    @staticmethod
    def forward(x: Tensor, a: float, b: float) -> Tensor:
        wide = x.float() if x.dtype == torch.float16 else x
        # 0 has no logarithm; of the least positive number, xᵃ is 0 beside 1
        wide = wide.clamp(min=torch.finfo(wide.dtype).tiny)
        rest = -torch.expm1(a * wide.log())  # 1 − xᵃ, exact near x = 1 too
        return (1 - 2 * rest**b).to(x.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float, float], output: Tensor) -> None:
        x, ctx.a, ctx.b = inputs
        ctx.save_for_backward(x)
        ctx.save_for_forward(x)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None, None]:
        (x,) = ctx.saved_tensors
        return grad_outputs[0] * _slope(x, ctx.a, ctx.b), None, None

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Tensor:
        (x,) = ctx.saved_tensors
        return grad_inputs[0] * _slope(x, ctx.a, ctx.b)


def _slope(x: Float[Tensor, "*S"], a: float, b: float) -> Float[Tensor, "*S"]:
    x = x.clamp(1 / 510, 1 - 1 / 510)
    rest = -torch.expm1(a * x.log())
    return 2 * a * b * x ** (a - 1) * rest ** (b - 1)


def asinh_contrast(x: Float[Tensor, "*S"], scale: float) -> Float[Tensor, "*S"]:
    """asinh(scale·x) / asinh(scale): stretches small values, keeps −1, 0 and 1 (METHOD 3.1.4)."""
    return torch.asinh(scale * x) / math.asinh(scale)


def diffuse(
    image: Float[Tensor, "C H W"], rounds: int = 4, kappa: float = 0.1, gamma: float = 0.5
) -> Float[Tensor, "C H W"]:
    """Perona–Malik diffusion, first kind: flux exp(−(∇/κ)²)·∇ over pixel sides (METHOD 3.1.5).

    Forward differences, no flux through the image border.
    """
    for _ in range(rounds):
        down = image[:, 1:] - image[:, :-1]
        right = image[:, :, 1:] - image[:, :, :-1]
        down = pad(down * torch.exp(-((down / kappa) ** 2)), (0, 0, 1, 1))
        right = pad(right * torch.exp(-((right / kappa) ** 2)), (1, 1, 0, 0))
        divergence = (down[:, 1:] - down[:, :-1]) + (right[:, :, 1:] - right[:, :, :-1])
        image = image + gamma * divergence
    return image


def gradients(
    image: Float[Tensor, "3 H W"],
) -> tuple[Float[Tensor, "H W"], Float[Tensor, "H W"]]:
    """Scharr gradients (∇y, ∇x) of the mean channel, asinh contrast applied (METHOD 4.3).

    Cross-correlation with ([−3, −10, −3], [0, 0, 0], [3, 10, 3])/16 and its transpose, borders
    replicated. Written as shifted sums: a library convolution may add up in another order on
    another device.
    """
    padded = pad(image.mean(0)[None, None], (1, 1, 1, 1), mode="replicate")[0, 0]

    def smooth(before: Tensor, centre: Tensor, after: Tensor) -> Tensor:
        return 3 * before + 10 * centre + 3 * after

    across = smooth(padded[:, :-2], padded[:, 1:-1], padded[:, 2:])  # smoothed along x
    along = smooth(padded[:-2], padded[1:-1], padded[2:])  # smoothed along y
    dy = (across[2:] - across[:-2]) / 16
    dx = (along[:, 2:] - along[:, :-2]) / 16
    return asinh_contrast(dy, GRADIENT_CONTRAST), asinh_contrast(dx, GRADIENT_CONTRAST)


def comparison_features(
    image: Shaped[Tensor, "3 H W"],
    features: str | Callable[[Tensor], Tensor],
    similarity: str | Callable[..., Tensor] = "distance",
) -> Float[Tensor, "C HW"]:
    """Float64 features of every pixel, by preset or by the user's own function.

    Under `similarity="cosine"`, which sees directions only, `"lab"` means `lab_direction`. Autocast
    is off within: features are the same with it and without. Of a device without float64, they are
    on the CPU.

    Args:
        image: RGB, uint8 or float32 in [0, 1].
        features: `"lab"`, `"spit"`, or a callable image [3, H, W] → [C, H, W] or [H·W, C] float. It
            is given float32 in memory of its own, to change as it likes.
        similarity: The edge weight that the features are for: its name, or the function.

    Raises:
        ValueError: The callable's result has another shape, is not finite, or exceeds ±4096.
        TypeError: The callable's result is not a floating-point tensor.
    """
    if features == "lab":  # of bytes as they are
        preset = lab_direction if similarity == "cosine" else lab
        return preset(image.to(exact_device(image.device))).flatten(1).double()
    rgb = unit_rgb(image)
    if isinstance(features, str):
        return FEATURES[features](rgb.to(exact_device(rgb.device))).flatten(1).double()
    with without_autocast(image.device):
        result = features(unshared(rgb, image))
    return checked_features(result, image)


def checked_features(result: Any, image: Shaped[Tensor, "3 H W"]) -> Float64[Tensor, "C HW"]:
    """A caller's features of an image in float64, if they are what `comparison_features` says."""
    height, width = image.shape[-2:]
    host = exact_device(image.device)
    if not isinstance(result, Tensor) or not result.is_floating_point():
        came = result.dtype if isinstance(result, Tensor) else type(result).__name__
        raise TypeError(f"features must return a floating-point tensor, got {came}")
    result = plain(result)
    if result.dim() == 3 and result.shape[0] > 0 and result.shape[1:] == (height, width):
        flat = result.flatten(1)
    elif result.dim() == 2 and result.shape[0] == height * width and result.shape[1] > 0:
        flat = result.t()
    else:
        raise ValueError(
            f"features must return [C, {height}, {width}] or [{height * width}, C] for an image of "
            f"{height}×{width} pixels, got {list(result.shape)}"
        )
    return checked_magnitude(flat.to(host).double())


def checked_magnitude(features: Float[Tensor, "*S"]) -> Float[Tensor, "*S"]:
    """The features, if they are finite and small enough for exact integer sums (METHOD 2.8)."""
    low, high = features.aminmax()
    if not (low >= -4096 and high <= 4096):  # NaN fails both
        raise ValueError(
            f"features must be finite and within ±4096, got values from {low:g} to {high:g}"
        )
    return features
