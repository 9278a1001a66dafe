"""A plain vision transformer's state dict, read: patch projection, positions, and the rest."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float64
from torch import Tensor

from spitgraph.models.names import VIT, renamed

#: What errors call it.
SOURCE = "the ViT's state dict"
#: What only the embedding of a plain ViT has.
CLASS, POSITIONS = "cls_token", "pos_embed"
KERNELS, BIAS = "patch_embed.proj.weight", "patch_embed.proj.bias"
#: Tokens beside the class token, in the order in which they follow it.
EXTRA_TOKENS = ("dist_token", "reg_token", "register_tokens")
#: What serves only the way a ViT was trained.
DROPPED = ("mask_token", "head_dist.weight", "head_dist.bias")


@dataclass
class PlainViT:
    """What a state dict holds, by our names, the embedding taken apart.

    Attributes:
        kernels: [D, 3, P, P] float64, the patch projection.
        bias: [D] float64, zero where there is none.
        grid: [rows, columns, D] float64, positions of the patches.
        class_token: [D] float64, with its position; None without one.
        registers: [R, D] float64, with their positions; R may be 0.
        tensors: Blocks, norms and head by our names.
        names: What the state dict calls these.
    """

    kernels: Float64[Tensor, "D C P P"]
    bias: Float64[Tensor, " D"]
    grid: Float64[Tensor, "rows columns D"]
    class_token: Float64[Tensor, " D"] | None
    registers: Float64[Tensor, "R D"]
    tensors: dict[str, Tensor] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    @property
    def patch_size(self) -> int:
        """P."""
        return self.kernels.shape[-1]


def read_vit(vit: Mapping[str, Tensor], size: tuple[int, int] | None = None) -> PlainViT:
    """Take a state dict with timm's names apart.

    Args:
        vit: Tensors by name.
        size: (H, W) of the images that positions may be for, should these not be square.

    Raises:
        ValueError: A key of the embedding is missing or misshapen, or two mean the same.
    """
    check_embedding(vit)
    kernels = float64(vit[KERNELS])
    grid = None if size is None else (size[0] // kernels.shape[2], size[1] // kernels.shape[2])
    extra = [float64(vit[key])[0] for key in EXTRA_TOKENS if key in vit]
    registers = torch.cat(extra) if extra else kernels.new_zeros(0, len(kernels))
    table, before = float64(vit[POSITIONS])[0], rows_before_patches(vit, grid)
    class_token = float64(vit[CLASS])[0, 0] if CLASS in vit else None
    ahead = table[:before]
    if class_token is not None and before:
        class_token, ahead = class_token + ahead[0], ahead[1:]
    if len(ahead):
        registers = registers + ahead
    rows, columns = grid_shape(len(table) - before, grid)
    rest = vit.keys() - {CLASS, POSITIONS, KERNELS, BIAS, *EXTRA_TOKENS, *DROPPED}
    names = renamed(sorted(rest), VIT)
    return PlainViT(
        kernels=kernels,
        bias=float64(vit[BIAS]) if BIAS in vit else kernels.new_zeros(len(kernels)),
        grid=table[before:].unflatten(0, (rows, columns)),
        class_token=class_token,
        registers=registers,
        tensors={ours: vit[theirs] for ours, theirs in names.items()},
        names=names,
    )


def check_embedding(vit: Mapping[str, Tensor]) -> None:
    """Refuse an embedding that is not of square kernels, positions and tokens of one width."""
    if KERNELS not in vit:
        raise ValueError(f"{SOURCE} lacks {KERNELS}")
    if POSITIONS not in vit:
        raise ValueError(f"{SOURCE} lacks {POSITIONS}")
    width = vit[KERNELS].shape[0]
    for key, expected in (
        (KERNELS, (width, 3, None, None)),
        (BIAS, (width,)),
        (POSITIONS, (1, None, width)),
        (CLASS, (1, 1, width)),
        *((key, (1, None, width)) for key in EXTRA_TOKENS),
    ):
        shape = tuple(vit[key].shape) if key in vit else expected
        fits = len(shape) == len(expected) and all(
            wanted in (None, side) for side, wanted in zip(shape, expected, strict=True)
        )
        if not fits or (key == KERNELS and shape[2] != shape[3]):
            wanted_shape = ", ".join("n" if side is None else str(side) for side in expected)
            raise ValueError(f"{SOURCE}: {key} is {list(shape)}, and not [{wanted_shape}]")


def rows_before_patches(vit: Mapping[str, Tensor], grid: tuple[int, int] | None = None) -> int:
    """How many rows of the table of positions come before the patches'.

    They are those of the class and distillation tokens (DeiT), of registers too, or none (both in
    timm); registers of DINOv2 have no position.

    Raises:
        ValueError: No such number leaves a square grid (or the one that is told), or several do.
    """
    length = vit[POSITIONS].shape[1]
    extra = {key: vit[key].shape[1] for key in EXTRA_TOKENS if key in vit}
    own = int(CLASS in vit)
    possible = {0, own + extra.get("dist_token", 0), own + sum(extra.values())}
    fitting = [before for before in possible if is_grid(length - before, grid)]
    if len(fitting) != 1:
        which = "more than one" if fitting else "no"
        raise ValueError(f"{SOURCE}: {POSITIONS} has {length} rows, for {which} square grid")
    return fitting[0]


def is_grid(number: int, grid: tuple[int, int] | None) -> bool:
    """Whether so many patches are of the grid that is told, or else of a square."""
    if grid is not None and number == math.prod(grid):
        return True
    return number > 0 and math.isqrt(number) ** 2 == number


def grid_shape(number: int, grid: tuple[int, int] | None) -> tuple[int, int]:
    """Rows and columns of so many patches: of the grid that is told, or else of a square."""
    if grid is not None and number == math.prod(grid):
        return grid
    return math.isqrt(number), math.isqrt(number)


def float64(tensor: Tensor) -> Tensor:
    """The tensor on the CPU, in the precision that equations are solved in."""
    return tensor.detach().cpu().double()
