"""`SuperpixelGraphs`: a PyG data set of the graphs of labelled pictures."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor
from torch_geometric.data import InMemoryDataset

from spitgraph.checks import boolean, file_path, integer, one_of
from spitgraph.data import TokenData
from spitgraph.datasets.nearest import NearestCentroids
from spitgraph.datasets.node_features import ColourAndPlace, ColourStatistics
from spitgraph.datasets.parts import digest, join_parts, make_parts
from spitgraph.datasets.samples import Samples, open_samples
from spitgraph.datasets.slic import SLICTokenizer
from spitgraph.extractors import Extractor, InterpolationExtractor
from spitgraph.tokenizers import SuperpixelTokenizer, Tokenizer

#: Node features by name.
FEATURES: dict[str, Callable[[], Extractor | None]] = {
    "colour": ColourAndPlace,
    "statistics": ColourStatistics,
    "vectors": lambda: InterpolationExtractor(8),
    "none": lambda: None,
}
#: Edges by name.
GRAPHS = {"regions": "regions that touch", "knn": "the nearest centroids"}
#: Partitions by name.
PARTITIONS: dict[str, Callable[..., Tokenizer]] = {
    "superpixel": SuperpixelTokenizer,
    "slic": SLICTokenizer,
}


class SuperpixelGraphs(InMemoryDataset):
    """The token graphs of labelled pictures as a PyG data set in memory.

    Graphs are made once, in parts, so that what was interrupted goes on where it was, and kept in a
    folder that is called by the settings and the files; another setting is another folder. Every
    graph keeps its pixel map (`cluster`, `seg`) and hierarchy, and the number of its picture
    (`picture` [1]). Pictures that cannot be read are left out and listed in `unreadable`.

    Args:
        source: Where the pictures are: with `labels="classes"`, what `spitgraph.train.
            open_pictures` takes for a split, or a folder of `CLASS/*.jpg`, or an `.npz`; else a
            folder of pictures; or `Samples`.
        root: Where graphs are kept; by default, a folder `.spitgraph` in the source's.
        labels: `"classes"` (`y` [1], of the image); a folder of masks that are called as the
            pictures are (`y` [N], of the tokens by majority, and `y_share`); or None.
        split: With classes, `"train"` or `"val"`; None if the source is no more than one.
        partition: `"superpixel"`, `"slic"` (of scikit-image), or any `Tokenizer`.
        num_tokens: Count of tokens an image; exact, but for SLIC. None for four levels.
        features: `x` of the nodes: `"colour"` (mean RGB and centroid), `"statistics"` (with
            deviation, maximum and minimum too), `"vectors"` (φ of 8 × 8 bins), an `Extractor`, or
            `"none"`.
        graph: `"regions"`, those that touch, with the length of their border; or `"knn"`, edges to
            the nearest centroids (see `NearestCentroids`).
        k: How many of these.
        pixels: Whether graphs keep their pictures, at 12 bytes a pixel.
        ignore_index: Class of a mask that does not count.
        transform: Of a graph, whenever it is asked for.
        pre_transform: Of a graph, before it is kept. A function is told by its name alone.
        pre_filter: Whether a graph is kept.
        force_reload: Make the graphs anew.
        progress: Show how far it is.

    Attributes:
        classes: Names of the classes, if they have any.
        unreadable: (picture, reason) of those that were left out.

    Raises:
        FileNotFoundError: Pictures, or the mask of one, are not there.
        ValueError, TypeError: An argument is outside its range or of another type, or there are no
            graphs.
    """

    def __init__(
        self,
        source: Any,
        root: Any = None,
        *,
        labels: Any = "classes",
        split: str | None = None,
        partition: Any = "superpixel",
        num_tokens: int | None = None,
        features: Any = "colour",
        graph: str = "regions",
        k: int = 8,
        pixels: bool = False,
        ignore_index: int | None = 255,
        transform: Callable[[TokenData], Any] | None = None,
        pre_transform: Callable[[TokenData], TokenData] | None = None,
        pre_filter: Callable[[TokenData], bool] | None = None,
        force_reload: bool = False,
        progress: bool = False,
    ) -> None:
        self.tokenizer = tokenizer_of(partition, num_tokens)
        self.extractor = extractor_of(features)
        self.edges = NearestCentroids(k) if one_of(graph, GRAPHS, "graph") == "knn" else None
        self.keeps_pixels, self._progress = boolean(pixels, "pixels"), progress
        self.samples = open_samples(source, labels, split, ignore_index)
        self.classes = self.samples.classes
        self.ignore_index = ignore_index
        self._settings = settings_text(
            tokenizer=repr(self.tokenizer),
            features=repr(self.extractor) if self.extractor is not None else "none",
            graph=repr(self.edges) if self.edges is not None else "regions",
            pixels=str(pixels),
            ignore_index=str(ignore_index),
            pre_transform=repr(pre_transform),
            pre_filter=repr(pre_filter),
        )
        self._digest = digest(self.samples, self._settings)
        kept = root_of(source, root)
        if force_reload:
            shutil.rmtree(kept / self._digest, ignore_errors=True)
        super().__init__(str(kept), transform, pre_transform, pre_filter, log=False)
        self.load(self.processed_paths[0], data_cls=TokenData)
        about = json.loads(Path(self.processed_paths[1]).read_text(encoding="utf-8"))
        self.unreadable = [(name, reason) for name, reason in about["unreadable"]]

    @property
    def processed_dir(self) -> str:
        """The folder of these settings and files."""
        return os.path.join(self.root, self._digest)

    @property
    def processed_file_names(self) -> list[str]:
        """The graphs, and what is about them."""
        return ["graphs.pt", "graphs.json"]

    @property
    def num_classes(self) -> int:
        """Named classes, or one more than the largest label that counts."""
        if self.classes:
            return len(self.classes)
        y = self._data.get("y")
        y = y if y is None or self.ignore_index is None else y[y != self.ignore_index]
        return 0 if y is None or not len(y) else int(y.max()) + 1

    def process(self) -> None:
        """Make the graphs that are not there; PyG calls it where they are not."""
        folder = Path(self.processed_dir)
        parts = folder / "parts"
        make_parts(self.samples, self.make, parts, progress=self._progress)
        about = {"spitgraph": json.loads(self._settings), "pictures": len(self.samples)}
        join_parts(self.samples, parts, folder / "graphs.pt", about)

    @torch.no_grad()
    def make(self, index: int) -> TokenData | None:
        """The graph of a picture, None if it is not kept."""
        picture = self.samples.picture(index)
        try:
            graph = self.tokenizer(picture)
        except ValueError as error:  # as of fewer pixels than tokens
            raise ValueError(f"{self.samples.name(index)}: {error}") from error
        graph = self.samples.labelled(graph, index)
        if self.extractor is not None:
            graph = self.extractor(graph)
        if self.edges is not None:
            graph = self.edges(graph)
        if not self.keeps_pixels:
            graph = graph.without_pixels()
        if self.pre_filter is not None and not self.pre_filter(graph):
            return None
        return graph if self.pre_transform is None else self.pre_transform(graph)

    def picture(self, index: int) -> UInt8[Tensor, "3 H W"]:
        """The pixels of a graph's picture, from where it lies."""
        return self.samples.picture(int(self.get(self.indices()[index]).picture))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)}, {self.tokenizer!r})"


def tokenizer_of(partition: Any, num_tokens: int | None) -> Tokenizer:
    """The tokenizer that a partition names, or is."""
    if isinstance(partition, Tokenizer):
        if num_tokens is not None:
            raise ValueError(f"num_tokens is for partitions by name, got one and {partition!r}")
        if isinstance(partition, SuperpixelTokenizer) and not partition.settings.is_told:
            raise ValueError(
                "a function for features or similarity does not tell what it makes, and kept "
                "graphs could be of another: derive a Tokenizer whose repr does"
            )
        return partition
    kind = PARTITIONS[one_of(partition, PARTITIONS, "partition")]
    if num_tokens is None:
        return kind()
    return kind(num_tokens=integer(num_tokens, "num_tokens"))


def extractor_of(features: Any) -> Extractor | None:
    """The extractor that node features name, or are."""
    if isinstance(features, Extractor):
        return features
    return FEATURES[one_of(features, FEATURES, "features")]()


def settings_text(**settings: str) -> str:
    """Settings as text, without the addresses of functions."""
    plain = {name: re.sub(r" at 0x[0-9a-f]+", "", text) for name, text in settings.items()}
    return json.dumps(plain, sort_keys=True, ensure_ascii=False)


def root_of(source: Any, root: Any) -> Path:
    """Where graphs are kept."""
    if root is not None:
        return Path(file_path(root, "root"))
    if isinstance(source, Samples) or not isinstance(source, str | os.PathLike):
        raise ValueError("root is needed: say where the graphs are to be kept")
    place = Path(source)
    return (place if place.is_dir() else place.parent) / ".spitgraph"
