"""Which object a token is of, by boxes."""

from typing import Any

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from spitgraph.data import TokenData
from spitgraph.labels.instances import object_classes, with_vote
from spitgraph.labels.maps import Vote, per_image
from spitgraph.modes import exact_device
from spitgraph.pixel_map import map_counts


def with_boxes(
    tokens: TokenData, boxes: Any, *, classes: Any = None, background: int = 0
) -> TokenData:
    """A copy of a graph whose tokens know the box that they lie in.

    A token is of the smallest box that holds more than half of its pixels, of equally small ones
    the first; what counts is a box's area in the image. The token's centroid would not do: that of
    a bent region lies outside of it.

    Args:
        tokens: One image or a batch, with its pixel map.
        boxes: Of one image, [K, 4] numbers x_min, y_min, x_max, y_max in pixels, max exclusive;
            pixel (x, y) lies in a box that holds its middle (x + ½, y + ½). There may be none, and
            they may reach over the image's border. Of a batch, a list.
        classes: Of one image, the classes of its boxes [K]; of a batch, a list.
        background: Class of what is in no box.

    Returns:
        The graph with `instance` [N] int64, 1 for the first box and 0 for none, and
        `instance_share` [N] float32, the share of the token's pixels that are in its box, or in
        none. With classes, `y` [N] int64 too, and `y_share`, which is the same.

    Raises:
        ValueError: Boxes or classes do not fit, or the nodes are no longer their tokens.
        TypeError: Boxes are no numbers.
    """
    given = per_image(tokens, boxes, "boxes")
    known = per_image(tokens, classes, "classes") if classes is not None else [None] * len(given)
    counts, sizes = map_counts(tokens), tokens.image_size.tolist()
    host = exact_device(tokens.cluster.device)
    clusters = tokens.cluster.to(host).split([height * width for height, width in sizes])
    first, found = 0, []
    for index, (cluster, size, count) in enumerate(zip(clusters, sizes, counts, strict=True)):
        corners = checked_boxes(given[index], f"boxes of image {index}")
        box, share = boxes_of(cluster.view(size) - first, corners.to(host), count)
        y = box
        if known[index] is not None:
            table = object_classes(known[index], background, f"image {index}")
            if len(table) != len(corners) + 1:
                raise ValueError(
                    f"got {len(corners)} boxes of image {index}, and {len(table) - 1} classes"
                )
            y = table.to(host)[box]
        found.append((box, share, y))
        first += count
    device = tokens.cluster.device
    box, share, y = (torch.cat(parts) for parts in zip(*found, strict=True))
    vote = Vote(box.to(device), share.float().to(device))
    tokens = with_vote(tokens, "instance", vote)
    return tokens if classes is None else with_vote(tokens, "y", Vote(y.to(device), vote.share))


def checked_boxes(given: Any, name: str) -> Float64[Tensor, "K 4"]:
    """The boxes of one image."""
    try:
        boxes = torch.as_tensor(given, device="cpu")
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"{name} must be numbers [K, 4], got {given!r}") from error
    if not boxes.numel() and boxes.ndim <= 2:
        return torch.empty(0, 4, dtype=torch.float64, device="cpu")
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"{name} must be [K, 4], got {list(boxes.shape)}")
    boxes = boxes.double()
    wrong = ~(boxes.isfinite().all(1) & (boxes[:, :2] < boxes[:, 2:]).all(1))
    if bool(wrong.any()):
        where = int(wrong.int().argmax())
        raise ValueError(
            f"{name} must be finite, x_min < x_max and y_min < y_max, got {boxes[where].tolist()} "
            f"at {where}"
        )
    return boxes


def boxes_of(
    label: Int64[Tensor, "H W"], boxes: Float64[Tensor, "K 4"], count: int
) -> tuple[Int64[Tensor, " N"], Float64[Tensor, " N"]]:
    """The box of each token, from 1 on or 0 for none, and the share of its pixels that are there.

    The share of what is in no box is that of its pixels that no box holds.
    """
    height, width = label.shape
    size = label.flatten().bincount(minlength=count).double()
    outside = torch.ones_like(label, dtype=torch.bool)
    box, share = label.new_zeros(count), torch.zeros_like(size)
    inside = boxes.clamp(min=0).minimum(boxes.new_tensor([width, height, width, height]))
    area = (inside[:, 2:] - inside[:, :2]).prod(1)
    for index in reversed(area.argsort(stable=True).tolist()):  # the smallest last
        left, top, right, bottom = (boxes[index] - 0.5).ceil().long().tolist()
        rows = slice(min(max(top, 0), height), min(max(bottom, 0), height))
        columns = slice(min(max(left, 0), width), min(max(right, 0), width))
        outside[rows, columns] = False
        held = label[rows, columns].flatten().bincount(minlength=count) / size
        box[held > 0.5], share[held > 0.5] = index + 1, held[held > 0.5]
    rest = label[outside].bincount(minlength=count) / size
    return box, torch.where(box == 0, rest, share)
