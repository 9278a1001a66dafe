"""COCO's pictures with the classes of their objects, from its annotations."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw

from spitgraph.data import TokenData
from spitgraph.datasets.samples import FileSamples
from spitgraph.images import UnreadableImageError
from spitgraph.labels import with_pixel_labels
from spitgraph.tokenizers.mask_lists import painted


class CocoSamples(FileSamples):
    """COCO's pictures, `y` [N] the class of the tokens: 0 for none, then 1 … 80 by their ids.

    Where objects overlap, the smallest lies on top; crowds lie beneath.

    Args:
        root: Of `annotations/instances_SPLIT2017.json` and `SPLIT2017/` (or `images/SPLIT2017/`).
        split: `"train"` or `"val"`.

    Raises:
        FileNotFoundError: They are not there.
        ValueError: The annotations are damaged.
    """

    def __init__(self, root: str, split: str) -> None:
        path = Path(root, "annotations", f"instances_{split}2017.json")
        folders = [Path(root, *parts, f"{split}2017") for parts in ((), ("images",))]
        folder = next((folder for folder in folders if folder.is_dir()), None)
        if folder is None or not path.is_file():
            raise FileNotFoundError(f"expected {path} and {folders[0]}/")
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
            categories = sorted(held["categories"], key=lambda category: category["id"])
            files = {image["id"]: image["file_name"] for image in held["images"]}
            objects: dict[int, list[dict[str, Any]]] = {image: [] for image in sorted(files)}
            for one in held["annotations"]:
                objects[one["image_id"]].append(one)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"cannot read {path}: {error!r}") from error
        super().__init__([os.path.join(folder, files[image]) for image in objects])
        self.classes = ("background", *(category["name"] for category in categories))
        self.class_of = {category["id"]: 1 + n for n, category in enumerate(categories)}
        self.objects = list(objects.values())

    def stamp(self, index: int) -> bytes:
        """See `Samples`."""
        return super().stamp(index) + repr([one["id"] for one in self.objects[index]]).encode()

    def labelled(self, tokens: TokenData, index: int) -> TokenData:
        """See `Samples`."""
        height, width = tokens.image_size[0].tolist()
        try:
            classes = class_map(self.objects[index], self.class_of, height, width)
        except (ValueError, KeyError, TypeError) as error:
            name = self.name(index)
            raise UnreadableImageError(f"cannot use the objects of {name}: {error}") from error
        return with_pixel_labels(tokens, classes, ignore_index=None)


def class_map(
    objects: list[dict[str, Any]], class_of: dict[int, int], height: int, width: int
) -> np.ndarray:
    """The class of each pixel, 0 for none."""
    objects = sorted(objects, key=lambda one: one.get("iscrowd", 0))
    masks, classes = [], []
    crowds: list[tuple[np.ndarray, int]] = []
    for one in objects:
        mask, number = mask_of(one["segmentation"], height, width), class_of[one["category_id"]]
        if not mask.any():
            continue
        if one.get("iscrowd", 0):
            crowds.append((mask, number))
        else:
            masks.append(torch.from_numpy(mask))
            classes.append(number)
    label = np.zeros((height, width), np.int64)
    for mask, number in reversed(crowds):
        label[mask] = number
    if masks:
        top = painted(masks, "smallest").numpy()
        label = np.where(top < 0, label, np.array(classes)[top])
    return label


def mask_of(segmentation: Any, height: int, width: int) -> np.ndarray:
    """The pixels [H, W] of an object: polygons, or run lengths down the columns."""
    if isinstance(segmentation, dict):
        counts = segmentation["counts"]
        if not isinstance(counts, list):
            raise TypeError("compressed run lengths are not read: decode them by pycocotools")
        if list(segmentation["size"]) != [height, width] or sum(counts) != height * width:
            raise ValueError(f"run lengths are not of {height}×{width} pixels")
        inside = np.arange(len(counts)) % 2 == 1
        return np.repeat(inside, counts).reshape(width, height).T
    image = Image.new("1", (width, height))
    draw = ImageDraw.Draw(image)
    for polygon in segmentation:
        corners = np.asarray(polygon, float).reshape(-1, 2) - 0.5  # pixel x covers [x, x + 1]
        draw.polygon([tuple(corner) for corner in corners], fill=1)
    return np.array(image)
