"""Labelled pictures in memory and in folders, whose classes a colour tells."""

import torch
from PIL import Image

from spitgraph import UnreadableImageError
from spitgraph.train import Pictures

from .pictures import seeded

CLASSES = ("blue", "green", "red")


def coloured(label, seed, side=12):
    """A noisy picture in the colour of its class, [3, side, side] uint8."""
    picture = torch.randint(0, 60, (3, side, side), generator=seeded(seed), dtype=torch.uint8)
    picture[2 - label % 3] += 180
    return picture


class Held(Pictures):
    """Pictures in memory; some may be broken."""

    def __init__(self, labels, *, classes=CLASSES, first=0, sides=(12,), broken=()):
        self.classes = classes
        self.labels = torch.tensor(labels, dtype=torch.int64)
        self.first, self.sides, self.broken = first, sides, broken

    def picture(self, index):
        if index in self.broken:
            raise UnreadableImageError(f"cannot read {self.name(index)}: broken")
        side = self.sides[index % len(self.sides)]
        kind = CLASSES.index(self.classes[int(self.labels[index])])
        return coloured(kind, self.first + index, side)

    def name(self, index):
        return f"held[{index}]"


def write_pictures(folder, counts, first=0):
    """SPLIT/CLASS/*.png of so many pictures a class."""
    for label, (name, count) in enumerate(zip(CLASSES, counts, strict=True)):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = coloured(label, first + 100 * label + number).permute(1, 2, 0).numpy()
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder
