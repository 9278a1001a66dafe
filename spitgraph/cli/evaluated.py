"""The model that `spitgraph evaluate` measures: from its own weights, or a plain ViT's."""

import argparse
from typing import TYPE_CHECKING

from spitgraph.cli.each import read_model
from spitgraph.cli.errors import CommandError, cause
from spitgraph.cli.inputs import check_ordinary

if TYPE_CHECKING:
    import spitgraph

TOKENIZERS = ("superpixel", "patch", "voronoi")
ACTIVATIONS = ("gelu", "quick_gelu", "gelu_tanh")
EXTRACTORS = ("windows", "interpolation")
#: What only a plain ViT has to be told.
OF_VITS = ("activation", "mean", "std", "num_heads", "extractor")


def evaluated_model(args: argparse.Namespace) -> "spitgraph.SPiT":
    """The model, on its device.

    Raises:
        CommandError: It cannot be read, or options do not go together.
    """
    for name in OF_VITS:
        if args.vit is None and getattr(args, name) is not None:
            raise CommandError(f"--{name.replace('_', '-')} goes with --vit")
    model = plain_vit(args) if args.vit else on_other_regions(read_model(args), args)
    try:
        return model.to(args.device)
    except (AssertionError, RuntimeError) as error:
        raise CommandError(f"--device {args.device}: {cause(error)}") from error


def plain_vit(args: argparse.Namespace) -> "spitgraph.SPiT":
    """A pretrained plain ViT's weights, on the regions that are asked for."""
    from spitgraph import from_vit
    from spitgraph.models.files import read_state

    told = {name: getattr(args, name) for name in OF_VITS if getattr(args, name) is not None}
    if args.num_tokens is not None:
        told["num_tokens"] = args.num_tokens
    check_ordinary(args.vit)
    try:
        return from_vit(read_state(args.vit), tokenizer=args.tokenizer or "patch", **told)
    except (OSError, TypeError, ValueError) as error:
        raise CommandError(f"{args.vit}: no model: {cause(error)}") from error


def on_other_regions(model: "spitgraph.SPiT", args: argparse.Namespace) -> "spitgraph.SPiT":
    """A model's weights, on the regions that are asked for; its own, if none are."""
    if args.tokenizer is None and args.num_tokens is None:
        return model
    from spitgraph.models.retokenize import retokenized

    told = {} if args.num_tokens is None else {"num_tokens": args.num_tokens}
    try:
        return retokenized(model, args.tokenizer, **told)
    except (TypeError, ValueError) as error:
        raise CommandError(f"{args.model}: {cause(error)}") from error
