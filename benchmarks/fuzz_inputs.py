"""What `fuzz.py` draws: images in every form that users bring, settings, and mistakes.

A `Case` says what may come of it: tokens, or a refusal, or either where that is left open.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spitgraph import PatchTokenizer, SuperpixelTokenizer, VoronoiTokenizer, from_partition
from spitgraph.contraction import SIMILARITIES

#: What a case ends in.
TOKENS, REFUSAL, EITHER = "tokens", "refusal", "either"
#: A wrong value among a call's arguments, so often.
MISTAKES = 0.12


@dataclass
class Case:
    """One input.

    Attributes:
        seed: Draws it again.
        images: As they are handed over: one, a list, or a batch.
        expected: What each is in the end, [3, H, W] float32; empty where images are refused.
        tokenize: images → tokens; it makes the tokenizer first, which may refuse its settings.
        kind: Name of the tokenizer.
        ends: `TOKENS`, `REFUSAL` or `EITHER`.
        count: Exact count of tokens that is asked for.
    """

    seed: int
    images: Any
    expected: list[Tensor]
    tokenize: Callable[[Any], Any] = field(default=lambda images: None)
    kind: str = ""
    ends: str = TOKENS
    count: int | None = None

    @property
    def is_batch(self) -> bool:
        return isinstance(self.images, list) or getattr(self.images, "ndim", 0) == 4

    def singles(self) -> list[Any]:
        """The images, one by one, as they are handed over."""
        return list(self.images) if self.is_batch else [self.images]


def draw_case(seed: int) -> Case:
    rng = Random(seed)
    case = draw_images(rng, seed)
    draw = rng.choices((superpixels, patches, cells, label_maps), (6, 1, 1, 2))[0]
    draw(rng, case)
    return case


def wrong(rng: Random, case: Case, *values: Any) -> Any:
    """One of some values that are to be refused."""
    case.ends = REFUSAL
    return rng.choice(values)


# ---- images --------------------------------------------------------------------------------------


def draw_images(rng: Random, seed: int) -> Case:
    form = rng.choices(("one", "list", "batch", "mistake"), (10, 5, 3, 1))[0]
    if form == "mistake":
        return Case(seed, draw_no_image(rng), [], ends=REFUSAL)
    if form == "one":
        image, expected = draw_image(rng, draw_size(rng))
        return with_bad_values(rng, Case(seed, image, [expected]))
    if form == "list":
        drawn = [draw_image(rng, draw_size(rng)) for _ in range(rng.randint(1, 4))]
        return with_bad_values(rng, Case(seed, [a for a, _ in drawn], [b for _, b in drawn]))
    size, count = draw_size(rng), rng.randint(1, 3)
    values = torch.stack([draw_values(rng, size) for _ in range(count)])
    if rng.random() < 0.2:
        values = values[:, :1]
    values = draw_dtype(rng, values)
    expected = [unit(image).expand(3, -1, -1) for image in values]
    return with_bad_values(rng, Case(seed, draw_strides(rng, values), expected))


def draw_size(rng: Random) -> tuple[int, int]:
    kind = rng.random()
    if kind < 0.1:
        return 1, 1
    if kind < 0.25:
        sides = (1, rng.randint(1, 40))
    elif kind < 0.35:
        sides = (rng.randint(2, 3), rng.randint(10, 40))
    elif kind < 0.99:
        sides = (rng.randint(1, 12), rng.randint(1, 12))
    else:
        sides = (rng.randint(20, 70), rng.randint(20, 70))
    return sides if rng.random() < 0.5 else sides[::-1]


def draw_values(rng: Random, size: tuple[int, int]) -> Tensor:
    """[3, H, W] float32 in [0, 1], of which many are multiples of 1/255."""
    height, width = size
    generator = torch.Generator().manual_seed(rng.getrandbits(32))
    bytes8 = torch.randint(256, (3, height, width), generator=generator)
    kind = rng.choice(("bytes", "floats", "flat", "checks", "ramp", "shades", "tiny", "zeros"))
    if kind == "floats":
        return torch.rand(3, height, width, generator=generator)
    if kind == "flat":
        return (bytes8[:, :1, :1] / 255).expand(3, height, width).clone()
    if kind == "checks":
        squares = (torch.arange(height)[:, None] + torch.arange(width)) % 2
        return squares.float().expand(3, -1, -1).clone()
    if kind == "ramp":
        ramp = torch.linspace(0, 1, height * width).view(height, width)
        return torch.stack([ramp, ramp.flip(0), ramp.flip(1)])
    if kind == "shades":
        return (bytes8 % 3) / 2
    if kind == "tiny":  # subnormal numbers
        return bytes8 * 1e-42
    if kind == "zeros":
        return torch.where(bytes8 % 2 == 0, 0.0, -0.0)
    return bytes8 / 255


def draw_dtype(rng: Random, values: Tensor) -> Tensor:
    dtype = rng.choice(("uint8", "uint8", "float32", "float32", "float16", "bfloat16", "float64"))
    if dtype == "uint8":
        return (values * 255).round().byte()
    return values.to(getattr(torch, dtype))


def unit(values: Tensor) -> Tensor:
    """What an image's values are, as float32."""
    return values.float() / 255 if values.dtype == torch.uint8 else values.float()


def draw_image(rng: Random, size: tuple[int, int]) -> tuple[Any, Tensor]:
    """A tensor or an array, and what it is as float32 [3, H, W]."""
    values = draw_dtype(rng, draw_values(rng, size))
    if rng.random() < 0.15:
        values = values[:1]
    expected = unit(values).expand(3, -1, -1)
    if rng.random() < 0.5 or values.dtype == torch.bfloat16:
        tensor = draw_strides(rng, values)
        if tensor.is_floating_point() and tensor.is_leaf and rng.random() < 0.1:
            tensor = tensor.detach().requires_grad_()
        return tensor, expected
    array = values.permute(1, 2, 0).numpy()
    return draw_array(rng, array[..., 0] if array.shape[2] == 1 else array), expected


def draw_strides(rng: Random, values: Tensor) -> Tensor:
    """The same values, differently in memory."""
    kind = rng.choice(("as is", "transposed", "stepped", "last", "offset", "expanded", "flipped"))
    if kind == "transposed":
        return values.mT.contiguous().mT
    if kind == "stepped":
        wide = values.repeat_interleave(2, dim=-1)
        return wide[..., ::2]
    if kind == "last":
        return values.movedim(-3, -1).contiguous().movedim(-1, -3)
    if kind == "offset":
        wide = torch.nn.functional.pad(values, (3, 1, 2, 0))
        return wide[..., 2:, 3:-1]
    if kind == "expanded" and (values == values[..., :1, :]).all():
        return values[..., :1, :].expand(values.shape)
    if kind == "flipped":
        return values.flip(-1).flip(-1)
    return values


def draw_array(rng: Random, array: np.ndarray) -> np.ndarray:
    kind = rng.choice(("as is", "copy", "flipped", "locked", "fortran", "offset", "swapped"))
    if kind == "copy":
        return array.copy()
    if kind == "flipped":
        return array[::-1, ::-1].copy()[::-1, ::-1]
    if kind == "locked":
        array = array.copy()
        array.flags.writeable = False
    if kind == "fortran":
        return np.asfortranarray(array)
    if kind == "offset":
        raw = np.empty(array.nbytes + 1, np.uint8)  # not aligned
        shifted = np.ndarray(array.shape, array.dtype, raw, offset=1)
        shifted[...] = array
        return shifted
    if kind == "swapped":
        return array.astype(array.dtype.newbyteorder(">"))
    return array


def with_bad_values(rng: Random, case: Case) -> Case:
    """Now and then, one value that no picture has."""
    image = case.images[0] if isinstance(case.images, list) else case.images
    is_float = image.is_floating_point() if isinstance(image, Tensor) else image.dtype.kind == "f"
    if rng.random() > 0.06 or not is_float:
        return case
    bad = wrong(rng, case, float("nan"), float("inf"), -float("inf"), 1.1, -0.25, 255.0, 300.0)
    if isinstance(image, Tensor):
        copy = image.detach().clone(memory_format=torch.contiguous_format)
        copy.view(-1)[rng.randrange(copy.numel())] = bad
    else:
        copy = image.copy(order="C")
        copy.reshape(-1)[rng.randrange(copy.size)] = bad
    case.images = [copy, *case.images[1:]] if isinstance(case.images, list) else copy
    return case


def draw_no_image(rng: Random) -> Any:
    return rng.choice(
        (
            lambda: torch.zeros(3, 0, 4),
            lambda: torch.zeros(3, 4, 0, dtype=torch.uint8),
            lambda: torch.zeros(0, 3, 4, 4),
            lambda: torch.zeros(2, 4, 4),
            lambda: torch.zeros(4, 4, 4),
            lambda: torch.zeros(4, 4),
            lambda: torch.zeros(()),
            lambda: torch.zeros(1, 1, 3, 4, 4),
            lambda: torch.zeros(3, 4, 4, dtype=torch.int64),
            lambda: torch.zeros(3, 4, 4, dtype=torch.bool),
            lambda: torch.zeros(3, 4, 4, dtype=torch.complex64),
            lambda: torch.zeros(3, 4, 4).to_sparse(),
            lambda: np.zeros((3, 4, 4)),
            lambda: np.zeros((4, 4, 4), np.uint8),
            lambda: np.zeros((4, 0, 3)),
            lambda: np.zeros(4),
            lambda: np.zeros((2, 4, 4, 3)),
            lambda: np.zeros((4, 4, 3), np.int32),
            lambda: np.zeros((4, 4, 3), bool),
            lambda: np.zeros((4, 4, 3), object),
            lambda: np.zeros((4, 4, 3), "U1"),
            lambda: np.zeros((4, 4, 3), np.complex64),
            lambda: [],
            lambda: [torch.zeros(3, 4, 4), None],
            lambda: [[torch.zeros(3, 4, 4)]],
            lambda: [torch.zeros(2, 3, 4, 4)],
            lambda: None,
            lambda: 7,
            lambda: {"image": torch.zeros(3, 4, 4)},
            lambda: "no such file.png",
            lambda: "",
            lambda: "nul\0byte.png",
            lambda: b"bytes",
            lambda: [torch.zeros(3, 4, 4), torch.full((3, 2, 2), float("nan"))],
        )
    )()


# ---- tokenizers ----------------------------------------------------------------------------------


def superpixels(rng: Random, case: Case) -> None:
    case.kind = "superpixels"
    areas = [image.shape[1] * image.shape[2] for image in case.expected] or [1]
    options: dict[str, Any] = {}
    if rng.random() < 0.5:
        options["levels"] = rng.choice((1, 2, 3, 4, 5, 8, 30))
    else:
        options["num_tokens"] = case.count = rng.randint(1, min(areas))
    if rng.random() < 0.7:
        options["similarity"] = rng.choice(sorted(SIMILARITIES))
    if rng.random() < 0.5:
        options["compactness"] = rng.choice((0, 0.0, 1e-9, 0.1, 0.5, 1, 1.0, rng.random()))
    if rng.random() < 0.4:
        options["features"] = rng.choice(("lab", "spit", *OWN_FEATURES))
    if case.count and rng.random() < 0.4:
        options["quality"] = "fine"
        options.pop("similarity", None)
        options.pop("compactness", None)
        if options.get("features") is _large:  # too large, unless the image is dark
            case.ends = EITHER
    if rng.random() < MISTAKES:
        name = rng.choice(sorted(WRONG_OPTIONS))
        options[name] = wrong(rng, case, *WRONG_OPTIONS[name])
        if options[name] == "too many":
            options[name] = min(areas) + rng.choice((1, 7, 2**40))
    case.tokenize = lambda images: SuperpixelTokenizer(**options)(images)


def _rgb(image: Tensor) -> Tensor:
    return image


def _rows(image: Tensor) -> Tensor:
    return image.flatten(1).t()[:, :1] * 5


def _large(image: Tensor) -> Tensor:
    return image * 4e3  # beyond 32 bits once quantised


def _double(image: Tensor) -> Tensor:
    return image[:2].double() - 0.5


def _nan(image: Tensor) -> Tensor:
    return image * float("nan")


def _short(image: Tensor) -> Tensor:
    return image.flatten()[:1]


def _nothing(image: Tensor) -> None:
    return None


OWN_FEATURES = (_rgb, _large, _double, _rows)
WRONG_OPTIONS: dict[str, tuple[Any, ...]] = {
    "levels": (0, -1, 1.5, "4", None, float("nan"), [4], True),
    "num_tokens": (0, -3, 2.5, "9", float("inf"), "too many"),
    "compactness": (-0.1, 1.01, float("nan"), float("inf"), "no", None, [0.1]),
    "similarity": ("l2", None, 3, "", ["ward"]),
    "quality": ("finest", None, 2, True),
    "features": ("rgb", None, 5, "", ["lab"], _nan, _short, _nothing),
    "no_such_option": (1,),
}


def patches(rng: Random, case: Case) -> None:
    case.kind = "patches"
    side: Any = rng.choice((1, 2, 3, 5, 16, 1000))
    if rng.random() < MISTAKES:
        side = wrong(rng, case, 0, -1, 2.5, "3", None, float("nan"), [4])
    case.tokenize = lambda images: PatchTokenizer(side)(images)


def cells(rng: Random, case: Case) -> None:
    case.kind = "cells"
    count: Any = rng.choice((1, 2, 5, 40, 196))
    if rng.random() < MISTAKES:
        count = wrong(rng, case, 0, -1, 2.5, "3", None, float("nan"), [4])

    def tokenize(images: Any) -> Any:
        generator = torch.Generator().manual_seed(case.seed)
        return VoronoiTokenizer(count, generator=generator)(images)

    case.tokenize = tokenize


def label_maps(rng: Random, case: Case) -> None:
    """Labels of one's own, one map an image."""
    case.kind = "label maps"
    maps = [draw_labels(rng, tuple(image.shape[1:])) for image in case.expected]
    if not maps:
        maps = [torch.zeros(4, 4, dtype=torch.int64)]
    if rng.random() < MISTAKES:
        index = rng.randrange(len(maps))
        height, width = maps[index].shape
        maps[index] = wrong(
            rng,
            case,
            torch.zeros(height, width + 1, dtype=torch.int64),
            torch.zeros(height, width),
            torch.zeros(height * width * 2, dtype=torch.int64),
            np.zeros((height, width), np.float32),
            np.zeros((height, width), "U1"),
            torch.zeros(height, width, dtype=torch.complex64),
            None,
            "labels",
            5,
        )
    given = maps if case.is_batch or not case.expected else maps[0]
    case.tokenize = lambda images: from_partition(images, given)


def draw_labels(rng: Random, size: tuple[int, ...]) -> Any:
    generator = torch.Generator().manual_seed(rng.getrandbits(32))
    most = rng.choice((1, 2, 4, 30))
    labels = torch.randint(most, size, generator=generator)
    kind = rng.choice(("as is", "gaps", "negative", "uint8", "int32", "array", "bool", "strides"))
    if kind == "gaps":
        return labels * 10**12
    if kind == "negative":
        return -labels - 2**40
    if kind == "uint8":
        return labels.byte()
    if kind == "int32":
        return labels.int()
    if kind == "bool":
        return labels > 0
    if kind == "array":
        return np.asfortranarray(labels.numpy().astype(rng.choice(("int16", "uint32", "int64"))))
    if kind == "strides":
        return labels.mT.contiguous().mT
    return labels
