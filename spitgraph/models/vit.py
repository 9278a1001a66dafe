"""A plain vision transformer's state dict, read, and put into a model."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor, nn

from spitgraph.models.assign import assign
from spitgraph.models.names import VIT, renamed
from spitgraph.models.patch_embedding import resized_grid
from spitgraph.models.vit_names import SOURCE, named_vit
from spitgraph.models.wrappers import plain_state

#: What only the embedding of a plain ViT has.
CLASS, POSITIONS = "cls_token", "pos_embed"
KERNELS, BIAS = "patch_embed.proj.weight", "patch_embed.proj.bias"
#: The parts of γ and what timm calls them.
EMBEDDER = {
    "embedder.linear.weight": KERNELS,
    "embedder.linear.bias": BIAS,
    "embedder.cls_token": CLASS,
    "embedder.reg_token": "reg_token",
    "embedder.position_table": POSITIONS,
}
#: Tokens beside the class token, in the order in which they follow it.
EXTRA_TOKENS = ("dist_token", "reg_token")
#: Mean and deviation by which nothing is normalised.
UNCHANGED = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)


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
        names: What the state dict calls these, and the parts of γ.
        norm_eps: ε of the LayerNorms in the code that such names come from; no file says it.
    """

    kernels: Float64[Tensor, "D C P P"]
    bias: Float64[Tensor, " D"]
    grid: Float64[Tensor, "rows columns D"]
    class_token: Float64[Tensor, " D"] | None
    registers: Float64[Tensor, "R D"]
    tensors: dict[str, Tensor] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    norm_eps: float = 1e-6

    @property
    def patch_size(self) -> int:
        """P."""
        return self.kernels.shape[-1]


def read_vit(content: Mapping[str, Any], size: tuple[int, int] | None = None) -> PlainViT:
    """Take a state dict apart.

    Args:
        content: Tensors by name; see `named_vit`.
        size: (H, W) of the images that positions may be for, should these not be square.

    Raises:
        ValueError: It is no plain ViT, a key of the embedding is missing or misshapen, or two mean
            the same.
    """
    vit, their_names, norm_eps = named_vit(content)
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
    names = renamed(sorted(vit.keys() - {CLASS, POSITIONS, KERNELS, BIAS, *EXTRA_TOKENS}), VIT)
    of_embedder = {ours: their_names[key] for ours, key in EMBEDDER.items() if key in their_names}
    return PlainViT(
        kernels=kernels,
        bias=float64(vit[BIAS]) if BIAS in vit else kernels.new_zeros(len(kernels)),
        grid=table[before:].unflatten(0, (rows, columns)),
        class_token=class_token,
        registers=registers,
        tensors={ours: vit[theirs] for ours, theirs in names.items()},
        names=of_embedder | {ours: their_names[theirs] for ours, theirs in names.items()},
        norm_eps=norm_eps,
    )


def with_grid(vit: PlainViT, rows: int, columns: int) -> PlainViT:
    """The same ViT with positions of another number of patches."""
    return replace(vit, grid=resized_grid(vit.grid, rows, columns))


def assign_vit(model: nn.Module, vit: PlainViT, rows: Tensor, bias: Tensor) -> None:
    """Give a model the weights of a ViT, all of them or, if any does not fit, none.

    Args:
        model: Alone or wrapped. What it has of a table of positions and of registers is filled;
            otherwise these are left out.
        vit: What it is to become.
        rows: [D, length], the weight of γ.
        bias: [D], its bias.
    """
    own = plain_state(model)
    weights = {**vit.tensors, "embedder.linear.weight": rows, "embedder.linear.bias": bias}
    if vit.class_token is not None:
        weights["embedder.cls_token"] = vit.class_token[None, None]
    if "embedder.reg_token" in own:
        weights["embedder.reg_token"] = vit.registers[None]
    if "embedder.position_table" in own:
        weights["embedder.position_table"] = vit.grid[None]
    assign(model, neutral_parts(own, weights) | weights, vit.names, SOURCE)


def neutral_parts(own: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Values for what plain ViTs may lack, that leave them what they are; and the model's head."""
    with_head = any(key.startswith("head.") for key in weights)
    parts = {}
    for key, value in own.items():
        if key.endswith((".ls1.gamma", ".ls2.gamma")):
            parts[key] = torch.ones(value.shape, device="cpu")
        elif key.endswith(".attn.qkv.bias"):
            parts[key] = torch.zeros(value.shape, device="cpu")
        elif key.startswith("head.") and not with_head:
            if value.is_meta:
                raise ValueError(f"{SOURCE} has no head, and the model's is on the meta device")
            parts[key] = value.detach()
    return parts


def check_embedding(vit: Mapping[str, Tensor]) -> None:
    """Refuse an embedding that is not of square kernels, positions and tokens of one width."""
    if KERNELS not in vit:
        raise ValueError(f"{SOURCE} lacks {KERNELS}")
    if POSITIONS not in vit:
        raise ValueError(
            f"{SOURCE} lacks {POSITIONS}: a table of positions, which is read where a region lies. "
            "Rotary and relative positions are of patches in a grid alone"
        )
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
        lacks = "" if CLASS in vit else f" lacks {CLASS}"
        raise ValueError(f"{SOURCE}{lacks}: {POSITIONS} has {length} rows, for {which} square grid")
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
