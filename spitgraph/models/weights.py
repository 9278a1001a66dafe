"""Weights of models: out to safetensors; in from there, and from the authors' files."""

import os
import warnings
from collections.abc import Mapping
from typing import Any, TypeVar

from torch import Tensor, nn

from spitgraph.checks import file_path, one_of
from spitgraph.models.assign import assign
from spitgraph.models.describe import NoConfigurationError, configuration_of
from spitgraph.models.factory import create_model
from spitgraph.models.families import FAMILIES
from spitgraph.models.files import read_tensors, write_tensors
from spitgraph.models.infer import inferred_arguments
from spitgraph.models.names import AUTHORS, AUTHORS_KEY, renamed
from spitgraph.models.wrappers import plain_state, spit_inside, unwrapped
from spitgraph.nn import SPiT
from spitgraph.tokenizers import SuperpixelTokenizer

#: Comparison features and similarity that the authors' superpixels are made with (METHOD 3.1).
AUTHORS_SUPERPIXELS = ("spit", "cosine")

PathLike = str | os.PathLike[str]
Model = TypeVar("Model", bound=nn.Module)


def save_weights(model: nn.Module, path: PathLike) -> None:
    """Write a model's parameters to a safetensors file, and its configuration with them.

    The file appears whole or not at all; names are those of the model without wrappers, and shared
    parameters are there under each of their names. Of a model that `create_model` does not make,
    there is no configuration: `load_weights` reads the file, `model_from_weights` infers what it
    can.

    Args:
        model: Any `SPiT`, alone or wrapped: compiled, parallel, sharded or averaged.
        path: The file, usually `*.safetensors`. One that exists is replaced and keeps its
            permissions; of a link, it is the file that it leads to.

    Raises:
        TypeError: There is no `SPiT` inside the model, or the path is none.
        ValueError: Layers are quantised, on the meta device, or have no shape yet.
        OSError: The file cannot be written.
    """
    spit_inside(model)
    path = file_path(path, "path")
    write_tensors(path, plain_state(model), arguments_of(model))


def arguments_of(model: nn.Module) -> dict[str, Any] | None:
    """Arguments of `create_model` for a model, as files hold them; None where it does not make it.

    Features and similarities of one's own have no name that a file could hold.
    """
    try:
        arguments = configuration_of(model).arguments()
    except NoConfigurationError:
        return None
    for name in ("features", "similarity"):
        if callable(arguments.get(name)):
            arguments[name] = None
    return arguments


def load_weights(model: Model, path: PathLike) -> Model:
    """Read weights into a model: a spitgraph file, or one that SPiT's authors released.

    Every parameter must be in the file with its shape, and nothing else. Only what plain models
    lack may be missing, a hop bias or the projection of positional encodings: it becomes zero. The
    tokenizer stays what it is; the authors' weights expect their superpixels, which a model that is
    created with `features="spit"` makes.

    The tensors may lie under what training scripts call them (`"model"`, `"state_dict"`,
    `"model_state_dict"`, `"module"`, or else `"model_ema"`, `"state_dict_ema"`, `"teacher"`,
    `"student"`: the first of these that is there), and their names may have a common beginning, as
    `model.`, and the names of wrappers in them, as `module.` and `_orig_mod.`.

    Args:
        model: A `SPiT`, alone or wrapped: compiled, parallel, sharded or averaged. Changed in
            place, but left exactly as it was if anything does not fit. What it holds on the meta
            device gets memory on the CPU.
        path: A safetensors file or one of PyTorch's (`.pth`), which is opened without running any
            code that it may carry.

    Returns:
        The model.

    Raises:
        ValueError: The file is truncated or something else, a key is missing or left over, a
            tensor has another shape, or the model's layers are quantised. The file and the key are
            named.
        TypeError: There is no `SPiT` inside the model, or the path is none.
        OSError: The file cannot be opened.
    """
    spit_inside(model)
    tensors, configuration = read_tensors(file_path(path, "path"))
    fill(model, tensors, configuration, named(path))
    return model


def model_from_weights(path: PathLike, *, family: str = "spit", **told: Any) -> SPiT:
    """A model made to fit a file of weights, and with them.

    A file that `save_weights` wrote holds the configuration. That of others is inferred from the
    tensors: width, depth, bins, gradients, classes and biases; heads are taken to be 64 wide. What
    shapes do not say has to be told, where it is not the default: `mean` and `std`, `activation`,
    `norm_eps`, the tokenizer's options. The authors' files do not say how images are cut: they are
    taken for superpixels, made the authors' way, unless `family` says otherwise.

    Args:
        path: See `load_weights`.
        family: `"spit"` for superpixels, `"vit"` for patches, `"rvit"` for Voronoi cells, where the
            file does not say it.
        told: Arguments of `create_model` that are to be other than the file's.

    Raises:
        ValueError: As by `load_weights`, or the configuration cannot be inferred.
        TypeError: The path is none, or `create_model` takes no such argument.
        OSError: The file cannot be opened.
    """
    one_of(family, FAMILIES, "family")
    tensors, configuration = read_tensors(file_path(path, "path"))
    source = named(path)
    if configuration is None:
        ours = by_our_names(tensors, our_names(tensors, source))
        shapes = {key: tuple(tensor.shape) for key, tensor in ours.items()}
        try:
            configuration = inferred_arguments(shapes, family, told.get("num_heads"))
        except ValueError as error:
            raise ValueError(f"cannot tell the configuration of {source}: {error}") from error
        if AUTHORS_KEY in tensors and family == "spit":
            configuration["features"] = AUTHORS_SUPERPIXELS[0]
    arguments = configuration | told
    for name in ("features", "similarity"):
        if name in arguments and arguments[name] is None:
            raise ValueError(f"{source} was saved with a function for {name}: pass it as {name}=")
    try:
        model = create_model(**arguments)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{source}: {error}") from error
    fill(model, tensors, configuration, source)
    return model


def fill(
    model: nn.Module,
    tensors: Mapping[str, Tensor],
    configuration: Mapping[str, Any] | None,
    source: str,
) -> None:
    """What `load_weights` does, with a file that has been read."""
    spit = spit_inside(model)
    own_heads = getattr(unwrapped(spit.backbone), "num_heads", None)
    heads = (configuration or {}).get("num_heads", own_heads)
    if heads != own_heads:  # shapes do not tell
        raise ValueError(f"{source} is of num_heads={heads}, and the model of {own_heads}")
    names = our_names(tensors, source)
    assign(model, by_our_names(tensors, names), names, source)
    tokenizer = unwrapped(spit.tokenizer)
    if (
        AUTHORS_KEY in tensors
        and isinstance(tokenizer, SuperpixelTokenizer)
        and (tokenizer.features, tokenizer.similarity) != AUTHORS_SUPERPIXELS
    ):
        warnings.warn(
            f"{source} was trained on the authors' superpixels: create the model with "
            "features='spit' to make them",
            stacklevel=3,
        )


def named(path: PathLike) -> str:
    """The file, for errors."""
    return f"'{os.fspath(path)}'"


def our_names(tensors: Mapping[str, Tensor], source: str) -> dict[str, str]:
    """Names in a file by our names: the authors', or ours already."""
    try:
        return renamed(tensors, AUTHORS if AUTHORS_KEY in tensors else ())
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error


def by_our_names(tensors: Mapping[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor]:
    """Tensors of a file by our names; the authors' class token is a plain vector."""
    named = {ours: tensors[theirs] for ours, theirs in names.items()}
    token = named.get("embedder.cls_token")
    if token is not None and token.dim() == 1:
        named["embedder.cls_token"] = token[None, None]
    return named
