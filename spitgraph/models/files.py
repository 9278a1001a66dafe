"""Files of tensors: safetensors and PyTorch's own, read without running any code they may carry."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import takewhile
from typing import Any

import torch
from torch import Tensor

from spitgraph.beside import written_beside
from spitgraph.models.wrappers import gathered, is_packed, plain_names

#: How PyTorch's files begin: a zip archive, or, before version 1.6, a pickle.
TORCH_MAGIC = (b"PK\x03\x04", b"\x80\x02")
#: Under what training scripts keep a state dict among other things. The first that is there counts:
#: averages and teachers only where the trained model itself is not.
NESTS = (
    "model",
    "state_dict",
    "model_state_dict",
    "module",
    "model_ema",
    "state_dict_ema",
    "teacher",
    "student",
)
#: With what our names begin, where `backbone.` may also stand before a whole model.
PARTS = ("embedder", "head")
#: How deep nests may lie in each other.
DEPTH = 4
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
    """Write a safetensors file, whole or not at all.

    Raises:
        ValueError: A tensor has no numbers of its own: it is quantised, or on the meta device.
        OSError: The file cannot be written.
    """
    with safetensors_needed():
        from safetensors.torch import save_file

    metadata = {"format": "pt"}
    if configuration is not None:
        metadata[CONFIGURATION] = json.dumps(configuration, sort_keys=True)
    separate = memory_of_their_own(tensors)
    with written_beside(path) as unfinished:
        save_file(separate, unfinished, metadata=metadata)


def memory_of_their_own(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors on the CPU, contiguous, no two in the same memory: shared ones are copied."""
    separate: dict[str, Tensor] = {}
    taken: set[int] = set()
    for key, tensor in tensors.items():
        if tensor.is_meta:
            raise ValueError(f"{key} has no values: it is on the meta device")
        if is_packed(tensor):
            kind = type(tensor).__name__
            raise ValueError(f"{key} is a {kind}: save weights before layers are quantised")
        plain = gathered(tensor).detach().cpu().contiguous()
        if plain.untyped_storage().data_ptr() in taken:
            plain = plain.clone()
        taken.add(plain.untyped_storage().data_ptr())
        separate[key] = plain
    return separate


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
            reason = refusal(reason)  # without PyTorch's page of advice
        raise ValueError(f"cannot read weights from '{os.fspath(path)}': {reason}") from error


def read_state(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The tensors in a file, in single precision; see `read_tensors`."""
    return {name: value.float() for name, value in read_tensors(path)[0].items()}


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


def refusal(reason: str) -> str:
    """Why PyTorch took a file for more than tensors, and what to do if it is trusted."""
    foreign = re.search(r"GLOBAL ([\w.]+)", reason)
    if foreign is None:
        return "truncated, or not only tensors"
    return (
        f"not only tensors: it holds {foreign[1]}, and to read that could run code. If you trust "
        "it, write its tensors to a file of their own: "
        "torch.save(torch.load(path, weights_only=False)[...], other_path)"
    )


class ForeignContentError(ValueError):
    """What was read well is no state dict."""


def state_dict(content: Any) -> dict[str, Tensor]:
    """Tensors by name, taken out of what training scripts wrap around them.

    Names of wrappers go (`module.`, `_orig_mod.` and the like, wherever they stand), and so does
    what all names begin with (`model.`, `net.`).

    Raises:
        ForeignContentError: There is something else.
    """
    for _ in range(DEPTH):
        nests = content if isinstance(content, Mapping) else {}
        nest = next((nest for nest in NESTS if isinstance(nests.get(nest), Mapping)), None)
        content = content if nest is None else content[nest]
    if not isinstance(content, Mapping):
        raise ForeignContentError(f"expected tensors by name, got a {type(content).__name__}")
    if not content:
        raise ForeignContentError("it holds no tensors")
    for key, value in content.items():
        if not (isinstance(key, str) and isinstance(value, Tensor)):
            raise ForeignContentError(f"{key!r} is a {type(value).__name__}, not a tensor")
    tensors = {plain: content[name] for name, plain in plain_names(content).items()}
    prefix = shared_prefix([*tensors])
    return {key.removeprefix(prefix): value for key, value in tensors.items()}


def shared_prefix(names: list[str]) -> str:
    """The parts that all names begin with, as `"model."`; but not parts of a model themselves."""
    parts = os.path.commonprefix([name.split(".")[:-1] for name in names])
    outside = takewhile(lambda part: part not in PARTS, parts if len(names) > 1 else [])
    return "".join(f"{part}." for part in outside)
