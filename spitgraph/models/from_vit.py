"""A pretrained plain vision transformer as a model: its own features on its own patches."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import torch

from spitgraph.checks import channel_statistics, integer, one_of
from spitgraph.extractors import Extractor
from spitgraph.extractors.interpolation.colour import Statistics
from spitgraph.extractors.interpolation.layout import VectorLayout
from spitgraph.models.configurations import Configuration, configure
from spitgraph.models.extraction import EXTRACTORS
from spitgraph.models.factory import build
from spitgraph.models.families import FAMILIES
from spitgraph.models.infer import inferred_arguments
from spitgraph.models.patch_embedding import colour_rows
from spitgraph.models.vit import UNCHANGED, PlainViT, assign_vit, read_vit, with_grid
from spitgraph.models.vit_names import SOURCE
from spitgraph.nn import SPiT
from spitgraph.settings import Settings

#: Families of models by what images are cut into.
TOKENIZERS = {"patch": "vit", "superpixel": "spit", "voronoi": "rvit"}
#: Arguments of `create_model` that no weights tell.
FREE = (
    *("token_budget", "drop_path", "graph_bias", "size_bias"),
    *("pool", "num_heads", "norm_eps", "sigma"),
)


@torch.no_grad()
def from_vit(
    vit_state_dict: Mapping[str, Any],
    *,
    tokenizer: str = "patch",
    mean: Any = None,
    std: Any = None,
    activation: str = "gelu",
    image_size: int | tuple[int, int] | None = None,
    extractor: Extractor | str = "windows",
    **settings: Any,
) -> SPiT:
    """The model that a pretrained plain ViT's state dict describes, with its weights.

    Width, depth, patch size, biases, LayerScale, a norm before the blocks, registers, class token,
    pooling and head are read off names and shapes. On square patches it gives the ViT's own
    features and logits, up to rounding:

    * Colour is (RGB − mean)/std, of the pixels of the patch (`WindowExtractor`), and γ the patch
      projection.
    * Positions are read from the ViT's own table where a token's centroid lies
      (`TokenEmbedder`): a patch of the grid gets its own entry. For another `image_size` the table
      is resized, bicubic with antialiasing, as timm does.
    * Positions of class token and registers, where they have some, are added to these.

    What is no part of the ViT is left out: text towers, decoders (MAE), poolers (`ViTModel`), and
    heads beside that of the class token (DeiT's for distillation, DINO's projection). Models with
    rotary or relative positions, gated perceptrons, windows or stages, and convolutional stems are
    refused.

    With another tokenizer the weights are the same: of a region, the ViT reads the window of a
    patch's size round its centroid, and that place's position. `extractor="interpolation"` gives it
    all of the region and nothing else, stretched to the size of a patch (METHOD 4.1), which a ViT
    that was not trained so reads as foreign. docs/pretrained.md compares.

    Args:
        vit_state_dict: Tensors by name, those of timm, Hugging Face (ViT, DeiT, Dinov2, CLIP,
            SigLIP), DINO, DINOv2, MAE or OpenAI's CLIP, alone or in a larger model, and under what
            training scripts call them (see `load_weights`).
        tokenizer: `"patch"`, `"superpixel"` or `"voronoi"`.
        mean: What the ViT's input was centred by, of red, green and blue in [0, 1]. Without it and
            `std`, it reads RGB in [0, 1] as it is.
        std: What it was then divided by.
        activation: `"gelu"`, `"quick_gelu"` (OpenAI's CLIP) or `"gelu_tanh"` (SigLIP).
        image_size: Side in pixels of the square images that the model is meant for, or (H, W); by
            default that of the table of positions. It reads others just as well, with positions
            interpolated in the table.
        extractor: `"windows"` or `"interpolation"`; or what makes vectors, whose `layout` must have
            `red`, `green` and `blue`, each of a square number of samples, and which is the one to
            know of mean and std.
        settings: Options of the tokenizer, such as `num_tokens` (by default, as many as patches) or
            `patch_size` (by default the ViT's; patches of another side are read as regions are);
            what weights do not tell, `num_heads` (by default heads of 64), `norm_eps` (by default
            1e-5 with a norm before the blocks, as in CLIP, 1e-12 by Hugging Face's names of ViT and
            DeiT, and 1e-6 otherwise) and `pool` (see `Backbone`); and `token_budget`, `drop_path`,
            `graph_bias`, `size_bias` and `sigma` of `create_model`.

    Raises:
        ValueError: A key is missing or left over, a tensor has another shape (it is named), or a
            value is outside its range.
        TypeError: There is no such setting, or an argument is of another type.
    """
    family = TOKENIZERS[one_of(tokenizer, TOKENIZERS, "tokenizer")]
    statistics = channel_statistics(mean, std)
    if isinstance(extractor, Extractor) and statistics is not None:
        check_statistics(extractor, statistics)
    mean, std = statistics or UNCHANGED
    size = None if image_size is None else sides(image_size)
    vit = read_vit(vit_state_dict, size)
    if size is not None:
        vit = with_grid(vit, *(number_of_patches(side, vit.patch_size) for side in size))
    told = {
        **tokenizer_defaults(family, vit, settings),
        **checked_settings(family, settings),
        "mean": mean,
        "std": std,
        "activation": activation,
        "image_size": square_size(vit),
    }
    own = extractor if isinstance(extractor, Extractor) else None
    if own is None:
        told["extractor"] = one_of(extractor, EXTRACTORS, "extractor")
    model = build(configuration_for(vit, family, told), own)
    assign_vit(model, vit, colour_rows(vit.kernels, model.extractor), vit.bias)
    return model.eval()


def configuration_for(vit: PlainViT, family: str, told: Mapping[str, Any]) -> Configuration:
    """The configuration that names and shapes tell, with what else is told."""
    shapes = {key: tuple(value.shape) for key, value in vit.tensors.items()}
    bins = vit.patch_size
    is_interpolation = told.get("extractor") == "interpolation"
    length = VectorLayout(bins, gradient=False).length if is_interpolation else 3 * bins**2
    shapes |= {
        "embedder.linear.weight": (len(vit.kernels), length),
        "embedder.position_table": (1, *vit.grid.shape),
    }
    if vit.class_token is not None:
        shapes["embedder.cls_token"] = (1, 1, len(vit.kernels))
    if len(vit.registers):
        shapes["embedder.reg_token"] = (1, *vit.registers.shape)
    try:
        read = inferred_arguments(shapes, family, told.get("num_heads"))
    except ValueError as error:
        raise ValueError(f"{SOURCE}: {error}") from None
    return configure(**{**read, "norm_eps": vit.norm_eps, **told})


def check_statistics(extractor: Extractor, statistics: Statistics) -> None:
    """Refuse mean and std that an extractor does not normalise by."""
    own = getattr(extractor, "mean", None), getattr(extractor, "std", None)
    if own != statistics:
        raise ValueError(f"mean and std must be those of the extractor, which is {extractor}")


def sides(image_size: Any) -> tuple[int, int]:
    """(H, W), of one number or two."""
    if not isinstance(image_size, str) and hasattr(image_size, "__len__") and len(image_size) == 2:
        height, width = image_size
        return integer(height, "image_size"), integer(width, "image_size")
    side = integer(image_size, "image_size")
    return side, side


def number_of_patches(side: int, patch_size: int) -> int:
    """Patches along a side of an image."""
    if side % patch_size:
        raise ValueError(f"image_size must be a multiple of {patch_size}, got {side}")
    return side // patch_size


def square_size(vit: PlainViT) -> int | None:
    """Side in pixels of the images that the positions are for, if these are square."""
    rows, columns, _ = vit.grid.shape
    return rows * vit.patch_size if rows == columns else None


def checked_settings(family: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What may be told, as it is.

    Raises:
        TypeError: Something else is told.
    """
    known = (*FAMILIES[family].options, *FREE)
    for key in settings:
        if key not in known:
            tokens = FAMILIES[family].tokens
            raise TypeError(f"{key!r} is no setting; of {tokens}, there are {', '.join(known)}")
    return dict(settings)


def tokenizer_defaults(family: str, vit: PlainViT, told: Mapping[str, Any]) -> dict[str, Any]:
    """The tokenizer's own defaults, and as many tokens as there are patches."""
    defaults: dict[str, Any] = {}
    if family == TOKENIZERS["superpixel"]:
        defaults |= {option.name: option.default for option in fields(Settings)}
    if "num_tokens" in FAMILIES[family].options and "levels" not in told:
        defaults["num_tokens"] = vit.grid.shape[0] * vit.grid.shape[1]
    return defaults
