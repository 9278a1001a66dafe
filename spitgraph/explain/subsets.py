"""What a model says of an image of which only some tokens are there."""

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from tqdm import tqdm

from spitgraph.checks import boolean, instance, integer
from spitgraph.data import TokenData
from spitgraph.explain.images import in_evaluation, tokens_of
from spitgraph.models.wrappers import spit_inside
from spitgraph.nn import SPiT
from spitgraph.nn.sequences import TokenSequences
from spitgraph.nn.subsets import subset_edges, subset_sequences

#: Rows that go through the backbone at once, unless a single subset has more: what bounds memory.
MAX_ROWS = 4096
#: Seconds after which a progress bar is shown.
PATIENCE = 0.5


@torch.no_grad()
def subset_logits(
    model: nn.Module,
    tokens: TokenData,
    keep: Tensor,
    *,
    max_rows: int = MAX_ROWS,
    progress: bool = False,
) -> Float[Tensor, "M classes"]:
    """Logits of M subsets of one image's tokens, exactly as if the others were not there.

    Row m is `model.forward_tokens(tokens, keep=keep[m])`. Tokens are embedded once, subsets that
    occur several times are evaluated once, and subsets of unequal counts are packed one after the
    other, so that what is left out costs nothing. No gradients. (On CPUs the rows are the same bit
    for bit, but for subsets of a token or two, whose products another routine makes.)

    Args:
        model: A `SPiT`; it is in evaluation mode meanwhile.
        tokens: One image's tokens, with `x` set.
        keep: [M, N] boolean, which tokens each subset holds; none have to be.
        max_rows: Rows that the backbone reads at once, class tokens and registers included.
        progress: Whether a progress bar is shown when it takes long.

    Raises:
        ValueError: The tokens are of several images; `keep` is not of N booleans a subset; `x`, or
            what an option of the model reads, is missing.
        TypeError: No `SPiT`, tokens or mask.
    """
    spit, tokens = spit_inside(model), instance(tokens, TokenData, "tokens", "TokenData")
    max_rows, hidden = integer(max_rows, "max_rows"), not boolean(progress, "progress")
    tokens = tokens_of(spit, tokens)
    with in_evaluation(spit):
        sequences = spit.embedder(tokens)
        if sequences.num_images != 1:
            raise ValueError(
                f"expected the tokens of one image, got a batch of {sequences.num_images}: index it"
            )
        keep = checked_subsets(keep, sequences.num_nodes).to(sequences.x.device)
        different, which = keep.unique(dim=0, return_inverse=True)
        different, which = _largest_first(different, which)
        logits: list[Tensor] = []
        with tqdm(total=len(different), unit="subset", delay=PATIENCE, disable=hidden) as bar:
            for part in _chunks(different, sequences.num_prefix, max_rows):
                features = _features(spit, tokens, sequences, part)
                # one by one, as of one image: a product of several rows is rounded otherwise
                logits += [spit.head(vector) for vector in features.split(1)]
                bar.update(len(part))
    return torch.cat(logits).index_select(0, which)


def _features(
    model: SPiT, tokens: TokenData, sequences: TokenSequences, keep: Tensor
) -> Float[Tensor, "M D"]:
    """What the head reads of some subsets."""
    edges = None
    if model.backbone.graph_bias is not None and tokens.edge_index is not None:
        edges = subset_edges(tokens.edge_index, keep)
    return model.forward_sequences(subset_sequences(sequences, keep), edges).class_token


def checked_subsets(keep: Tensor, num_tokens: int) -> Bool[Tensor, "M N"]:
    """The masks, if they are at least one, of a boolean a token each.

    Raises:
        ValueError: They are not.
        TypeError: They are no tensor.
    """
    instance(keep, Tensor, "keep", "a boolean tensor")
    if keep.dtype != torch.bool or keep.dim() != 2 or keep.shape[1] != num_tokens or not len(keep):
        raise ValueError(
            f"expected keep of [M, {num_tokens}] booleans, M ≥ 1, "
            f"got {list(keep.shape)} of {keep.dtype}"
        )
    return keep


def _largest_first(keep: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:
    """Masks in descending order of their counts, so that what goes together is of like size."""
    order = keep.sum(1).argsort(descending=True, stable=True)
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order), device=order.device)
    return keep[order], place[which]


def _chunks(keep: Tensor, other_rows: int, max_rows: int) -> Iterator[Tensor]:
    """Consecutive masks whose rows fit, at least one at a time."""
    start = rows = 0
    for end, count in enumerate((keep.sum(1) + other_rows).tolist()):
        if end > start and rows + count > max_rows:
            yield keep[start:end]
            start, rows = end, 0
        rows += count
    yield keep[start:]
