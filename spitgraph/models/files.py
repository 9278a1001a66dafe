"""Files of tensors: safetensors and PyTorch's own, read without running any code they may carry."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

#: How PyTorch's files begin: a zip archive, or, before version 1.6, a pickle.
TORCH_MAGIC = (b"PK\x03\x04", b"\x80\x02")
#: Under what training scripts keep a state dict among other things.
NESTS = ("model", "state_dict")
#: What wrappers for several GPUs put before every name.
PREFIX = "module."
#: Key of the configuration in the metadata of a safetensors file.
CONFIGURATION = "configuration"


@contextmanager
def safetensors_needed() -> Iterator[None]:
    """Imports made inside need safetensors; where they fail, the error says so."""
    try:
        yield
    except ImportError as error:
        raise ImportError("safetensors is missing: pip install safetensors") from error


def write_tensors(
    path: str | os.PathLike[str],
    tensors: Mapping[str, Tensor],
    configuration: Mapping[str, Any] | None,
) -> None:
    """Write a safetensors file, whole or not at all: beside its place first, then moved there."""
    with safetensors_needed():
        from safetensors.torch import save_file

    metadata = {"format": "pt"}
    if configuration is not None:
        metadata[CONFIGURATION] = json.dumps(configuration, sort_keys=True)
    contiguous = {key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}
    path = Path(path)
    with TemporaryDirectory(dir=path.parent, prefix=".spitgraph-") as unfinished:
        save_file(contiguous, Path(unfinished, path.name), metadata=metadata)
        os.replace(Path(unfinished, path.name), path)


def read_tensors(
    path: str | os.PathLike[str],
) -> tuple[dict[str, Tensor], dict[str, Any] | None]:
    """The tensors in a file, on the CPU, and the configuration beside them if there is one.

    Raises:
        ValueError: The file is truncated or something else; the path is named.
        OSError: It cannot be opened.
    """
    with open(path, "rb") as file:
        start = file.read(4)
    try:
        if start.startswith(TORCH_MAGIC):
            content = torch.load(path, map_location="cpu", weights_only=True)
            return state_dict(content), None
        return read_safetensors(path)
    except ImportError:
        raise
    except Exception as error:  # on broken bytes, unpicklers raise nearly anything
        reason = " ".join(str(error).split()) or type(error).__name__
        if start.startswith(TORCH_MAGIC) and not isinstance(error, ForeignContentError):
            reason = "truncated, or not only tensors"  # without PyTorch's page of advice
        raise ValueError(f"cannot read weights from '{os.fspath(path)}': {reason}") from error


def read_safetensors(
    path: str | os.PathLike[str],
) -> tuple[dict[str, Tensor], dict[str, Any] | None]:
    """Tensors and configuration of a safetensors file."""
    with safetensors_needed():
        from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118, no mapping
        configuration = (file.metadata() or {}).get(CONFIGURATION)
    configuration = None if configuration is None else json.loads(configuration)
    if configuration is not None and not isinstance(configuration, dict):
        raise ForeignContentError(f"its metadata {CONFIGURATION!r} is no configuration")
    return state_dict(tensors), configuration


class ForeignContentError(ValueError):
    """What was read well is no state dict."""


def state_dict(content: Any) -> dict[str, Tensor]:
    """Tensors by name, taken out of what training scripts wrap around them.

    Raises:
        ForeignContentError: There is something else.
    """
    for nest in NESTS:
        if isinstance(content, Mapping) and isinstance(content.get(nest), Mapping):
            content = content[nest]
    if not isinstance(content, Mapping):
        raise ForeignContentError(f"expected tensors by name, got a {type(content).__name__}")
    if not content:
        raise ForeignContentError("it holds no tensors")
    for key, value in content.items():
        if not (isinstance(key, str) and isinstance(value, Tensor)):
            raise ForeignContentError(f"{key!r} is a {type(value).__name__}, not a tensor")
    prefix = PREFIX if all(key.startswith(PREFIX) for key in content) else ""
    return {key.removeprefix(prefix): value for key, value in content.items()}
