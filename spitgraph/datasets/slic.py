"""SLIC's superpixels as tokens, for comparison."""

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

from spitgraph.checks import integer, positive
from spitgraph.extras import needs_extra
from spitgraph.hierarchy import Hierarchy
from spitgraph.images import unit_rgb
from spitgraph.tokenizers import Tokenizer


class SLICTokenizer(Tokenizer):
    """SLIC (Achanta et al. 2012) of scikit-image: about so many superpixels, not exactly.

    Args:
        num_tokens: About how many.
        compactness: What place counts beside colour.

    Raises:
        ValueError, TypeError: An argument is outside its range or of another type.
    """

    def __init__(self, num_tokens: int = 150, *, compactness: float = 10.0) -> None:
        super().__init__()
        self.num_tokens = integer(num_tokens, "num_tokens")
        self.compactness = positive(compactness, "compactness")

    def hierarchy(self, images: list[Shaped[Tensor, "3 _H _W"]]) -> Hierarchy:
        """Superpixel of each pixel of every image, as a hierarchy of one level.

        Raises:
            ImportError: scikit-image is not installed.
        """
        with needs_extra("explain"):
            from skimage.segmentation import slic

        clusters, counts = [], []
        for image in images:
            array = unit_rgb(image).permute(1, 2, 0).cpu().numpy()
            labels = slic(array, self.num_tokens, self.compactness, start_label=0)
            found, cluster = np.unique(labels, return_inverse=True)
            clusters.append(torch.from_numpy(cluster.reshape(-1)).to(image.device))
            counts.append(len(found))
        return Hierarchy.from_partition(clusters, counts)

    def extra_repr(self) -> str:
        """What `repr` shows between the brackets."""
        return f"num_tokens={self.num_tokens}, compactness={self.compactness:g}"
