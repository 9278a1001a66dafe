"""Label maps kept on disk, for pictures that are tokenised again and again as they are."""

import hashlib
import logging
import zlib
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Shaped
from safetensors.numpy import load, save
from torch import Tensor

from spitgraph.beside import written_beside
from spitgraph.checks import file_path
from spitgraph.hierarchy import Hierarchy
from spitgraph.tokenizers import SuperpixelTokenizer
from spitgraph.tokenizers.base import Tokenizer

_log = logging.getLogger("spitgraph")


class LabelMapCache(Tokenizer):
    """A tokenizer that finds on disk what another has made of the same pixels.

    Its tokens are the other's, bit for bit. An entry is a picture's hierarchy, in as few bytes a
    number as hold it, under a hash of the pixels and the tokenizer's settings; it is written beside
    its place and then renamed. Entries that are damaged are made again, and where none can be
    written, tokens are made all the same.

    It pays where pictures come again as they are (evaluation, probes, nearest neighbours), the more
    so the larger they are, and most with `quality="fine"`. It saves contraction alone, not what
    comes after: pictures of 32×32 pixels are contracted by the fast rule in the time that an entry
    takes to be read, and filling it costs several times that. Augmented pictures never come twice.

    Args:
        folder: Where entries are kept; it is made.
        tokenizer: A `SuperpixelTokenizer` without features or a similarity of its own.

    Raises:
        TypeError: The tokenizer is another: it is faster than any disk, or its settings do not tell
            what it makes.
    """

    def __init__(self, folder: Any, tokenizer: Tokenizer) -> None:
        super().__init__()
        if not self.serves(tokenizer):
            raise TypeError(
                "a cache keeps what a SuperpixelTokenizer without functions of its own makes, "
                f"got {tokenizer!r}"
            )
        self.folder = Path(file_path(folder, "folder"))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.tokenizer = tokenizer
        self._is_writable = True

    @staticmethod
    def serves(tokenizer: Tokenizer | None) -> bool:
        """Whether there is something to gain for a tokenizer."""
        return isinstance(tokenizer, SuperpixelTokenizer) and tokenizer.settings.is_told

    def hierarchy(self, images: list[Shaped[Tensor, "3 _H _W"]]) -> Hierarchy:
        """Nested partitions of a batch, from disk where they are there; see `Tokenizer`."""
        device = images[0].device
        places = [self.place(image) for image in images]
        found = [entry(place, image) for place, image in zip(places, images, strict=True)]
        absent = [index for index, held in enumerate(found) if held is None]
        if absent:
            made = self.tokenizer.hierarchy([images[index] for index in absent])
            for index, held in zip(absent, divided(made), strict=True):
                found[index] = held
                self._keep(places[index], held)
            if len(absent) == len(images):
                return made
        return joined([held for held in found if held is not None], device)

    def place(self, image: Shaped[Tensor, "3 H W"]) -> Path:
        """File of a picture's entry."""
        pixels = image.detach().cpu().contiguous().numpy()
        about = f"{type(self.tokenizer).__name__}({self.tokenizer.extra_repr()}) "
        digest = hashlib.blake2b(digest_size=16)
        digest.update(f"{about}{pixels.dtype} {pixels.shape}".encode())
        digest.update(pixels.data)
        name = digest.hexdigest()
        return self.folder / name[:2] / name[2:]

    def _keep(self, place: Path, levels: "Levels") -> None:
        if not self._is_writable:
            return
        try:
            place.parent.mkdir(exist_ok=True)
            with written_beside(place) as unfinished:
                unfinished.write_bytes(packed(levels))
        except OSError as error:
            self._is_writable = False
            _log.warning("label maps are kept no longer: %s", error)

    def extra_repr(self) -> str:
        """What `repr` shows between the brackets."""
        return f"folder={str(self.folder)!r}"


#: Parent maps of one picture, one after the other, and how many regions each level has.
Levels = tuple[np.ndarray, list[int]]


def divided(hierarchy: Hierarchy) -> list[Levels]:
    """The levels of each picture of a batch."""
    counts = hierarchy.image_counts
    lengths = [sum(levels[:-1]) for levels in counts]
    ends = list(accumulate(lengths))
    parents = np.split(hierarchy.parent.cpu().numpy(), ends[:-1])
    return list(zip(parents, counts, strict=True))


def joined(pictures: list[Levels], device: torch.device) -> Hierarchy:
    """The hierarchy of a batch, from the levels of its pictures."""
    maps = [
        torch.from_numpy(parent.astype(np.int64)).to(device).split(counts[:-1])
        for parent, counts in pictures
    ]
    return Hierarchy.from_parents(maps, [counts for _, counts in pictures], device=device)


def packed(levels: Levels) -> bytes:
    """An entry's bytes."""
    parent, counts = levels
    parent = parent.astype(np.min_scalar_type(max(counts[1:], default=0)))
    check = zlib.crc32(parent.tobytes())
    return save({"parent": parent, "counts": np.array([*counts, check], dtype=np.int64)})


def entry(place: Path, image: Shaped[Tensor, "3 H W"]) -> Levels | None:
    """The levels that a file holds of a picture; None if there is none, or it is damaged."""
    try:
        held = load(place.read_bytes())
        parent, (*counts, check) = held["parent"], held["counts"].tolist()
        sound = zlib.crc32(parent.tobytes()) == check and sum(counts[:-1]) == len(parent)
    except FileNotFoundError:
        return None
    except Exception:  # damaged bytes raise nearly anything; it is made again
        return None
    return (parent, counts) if sound and counts[0] == image[0].numel() else None
