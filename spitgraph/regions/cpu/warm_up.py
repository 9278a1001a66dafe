"""Every kernel that describes regions, with every type that images can bring to it."""

import torch

from spitgraph.regions.cpu.batch import describe_regions


def warm_up() -> None:
    """Describe the halves of small images of all kinds."""
    bytes8 = (torch.arange(3 * 4 * 6) * 37 % 256).to(torch.uint8).view(3, 4, 6)
    images = [bytes8, bytes8 / 255]
    images += [image.permute(1, 2, 0).contiguous().permute(2, 0, 1) for image in images]
    halves = (torch.arange(24) % 6 >= 3).long()
    cluster = torch.cat([halves + 2 * image for image in range(len(images))])
    describe_regions(images, cluster, [2] * len(images))
