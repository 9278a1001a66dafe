"""Pictures of a data set of Hugging Face."""

from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor

from spitgraph.extras import needs_extra
from spitgraph.images import UnreadableImageError
from spitgraph.train.pictures.base import Pictures, check_classes, pixels_of


class HuggingFacePictures(Pictures):
    """The pictures of a data set, in the columns whose types are `Image` and `ClassLabel`.

    Args:
        name: As on the hub, or a path; `NAME:CONFIGURATION` where it has several.
        splits: Names that the split may have.

    Raises:
        ImportError: The extra `datasets` is not installed.
        FileNotFoundError: There is no such split.
        ValueError: There is not one column of pictures and one of classes, or a class is empty.
    """

    def __init__(self, name: str, splits: tuple[str, ...]) -> None:
        with needs_extra("datasets"):
            import datasets

        place, _, configuration = name.partition(":")
        options = [configuration] if configuration else []
        there = datasets.get_dataset_split_names(place, *options)
        split = next((split for split in splits if split in there), None)
        if split is None:
            raise FileNotFoundError(
                f"expected {' or '.join(splits)} in hf:{name}, found {', '.join(there)}"
            )
        self.place = f"hf:{name}/{split}"
        self._rows = datasets.load_dataset(place, *options, split=split)
        self._column = self._column_of("Image", "pictures")
        label = self._column_of("ClassLabel", "classes")
        self.classes = tuple(self._rows.features[label].names)
        self.labels = torch.tensor(self._rows[label][:], dtype=torch.int64)
        self._check_labels()
        check_classes(self.classes, self.labels, self.place)

    def _column_of(self, kind: str, what: str) -> str:
        """The column of a type; of several classes, the one that is called label."""
        features = self._rows.features
        found = [name for name, feature in features.items() if type(feature).__name__ == kind]
        if len(found) != 1 and "label" in found:
            return "label"
        if len(found) != 1:
            raise ValueError(
                f"expected one column of {what} ({kind}) in {self.place}, "
                f"found {', '.join(found) or 'none'} of {', '.join(features)}"
            )
        return found[0]

    def _check_labels(self) -> None:
        outside = (self.labels < 0) | (self.labels >= len(self.classes))
        if outside.any():  # -1 is what is not labelled
            where = int(outside.int().argmax())
            raise ValueError(
                f"labels must be in 0 … {len(self.classes) - 1}, "
                f"got {int(self.labels[where])} of {self.name(where)}"
            )

    def name(self, index: int) -> str:
        """As `hf:NAME/train[17]`."""
        return f"{self.place}[{index}]"

    def stamp(self, index: int) -> bytes:
        """See `Pictures`."""
        return str(getattr(self._rows, "_fingerprint", "")).encode()

    def picture(self, index: int) -> UInt8[Tensor, "3 H W"]:
        """See `Pictures`."""
        try:
            image: Any = self._rows[int(index)][self._column]
            return pixels_of(image)
        except Exception as error:  # on broken bytes, decoders raise nearly anything
            raise UnreadableImageError(f"cannot read {self.name(index)}: {error}") from error
