"""`spitgraph segment`: image files → masks of the object in each."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from spitgraph.cli import arguments
from spitgraph.cli.each import SMALL, distinct, each_image, read_model
from spitgraph.cli.errors import OTHER_STATUSES, CommandError, one_line
from spitgraph.cli.inputs import image_files
from spitgraph.cli.outputs import Outputs
from spitgraph.cli.streams import report

if TYPE_CHECKING:
    from torch import Tensor

    import spitgraph

NAME, HELP = "segment", "image files → masks of the object in each"
DESCRIPTION = """\
Find the object in image files by TokenCut: no labels, no decoder, but the features of a pretrained
model. For every IMAGE, DIR/<name>-mask.png is white where the object is and black elsewhere, at the
size of the image. A folder stands for the image files in it (not in its subfolders).

With a model of patches, such as spitgraph.from_vit makes, the features of its patches are averaged
over superpixels, whose borders are the mask's; --patches cuts the patches themselves. With other
models, the tokens are the model's own. Without a model, superpixels are told apart by mean colours:
that finds what stands out by its colour, which objects seldom do. Every token counts by its pixels.

A file that cannot be segmented is reported and skipped; nothing is written for it. What stands in
DIR is replaced, but never an IMAGE: where that would happen, the command refuses.
"""
EPILOG = f"""\
exit status: 0 all segmented, 1 some of many images failed, 2 nothing done (bad options, or every
image failed); {OTHER_STATUSES}

examples:
  spitgraph segment photo.jpg -o masks
  spitgraph segment photo.jpg -o masks --model vit.safetensors
  spitgraph segment photos/ -o masks --model vit.safetensors --refine bilateral --overlay
"""
#: Superpixels, where the model has patches.
NUM_TOKENS = 256
#: θ, for a model's own tokens and for features averaged over superpixels.
OWN, AVERAGED = 0.2, 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    arguments.add_images(parser)
    add = parser.add_argument
    add(
        "--model",
        type=arguments.path,
        metavar="WEIGHTS",
        help="file of weights, as spitgraph.save_weights writes it; by default, colours decide",
    )
    add(
        "--features",
        choices=("tokens", "keys", "queries", "values"),
        help="of the last block: final tokens (default), or what its attention reads",
    )
    add(
        "--threshold",
        type=float,
        metavar="θ",
        help="cosine above which tokens are alike, default: 0.2, and 0.5 of averaged features",
    )
    add("--refine", choices=("bilateral", "guided"), help="draw the mask to the image's edges")
    add("--overlay", action="store_true", help="also draw the mask: DIR/<name>-mask-overlay.png")
    group = parser.add_argument_group("models of patches, or none")
    group.add_argument(
        "--num-tokens",
        type=arguments.whole,
        metavar="K",
        help="superpixels, default: 256, or all pixels of smaller images",
    )
    group = parser.add_argument_group("models of patches")
    add = group.add_argument
    add("--patches", action="store_true", help="cut the patches, without superpixels")
    add(
        "--long-side",
        type=arguments.whole,
        metavar="PIXELS",
        help="to which images are resized for the model, default: what it is meant for",
    )


def run(args: argparse.Namespace) -> int:
    """Segment the images one after the other; see `main` for what is returned."""
    found, errors = image_files(args.images)
    paths = distinct(found, args.out, "-mask.png")
    weights = [] if args.model is None else [args.model]
    outputs = Outputs(args.out, [*paths, *weights], args.interrupts)
    for image in paths:
        for name in names(image, args.overlay):
            outputs.check(name, image)
    with args.interrupts.importing():
        from spitgraph import inspection, models, segment, tokenizers  # noqa: F401
    segmenter = Segmenter(args)
    if args.model is None and not args.quiet:
        report("without --model, colours alone decide: objects are found rarely")

    def write_one(image: Path) -> None:
        write(*segmenter(image), image, outputs, args)

    return each_image(paths, errors, write_one, "segmented", args)


def names(path: Path, overlay: bool) -> list[str]:
    """What the files made from an image are called."""
    ends = ("-mask.png", "-mask-overlay.png") if overlay else ("-mask.png",)
    return [f"{path.stem}{end}" for end in ends]


class Segmenter:
    """Finds masks, with the model and the options that the command was given.

    Raises:
        CommandError: There is no such model, or options do not go together.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        from spitgraph import PatchTokenizer, SuperpixelTokenizer

        if args.threshold is not None and not -1 <= args.threshold <= 1:
            raise CommandError(f"--threshold {args.threshold:g} is not in -1 … 1")
        self.args = args
        self.model = None if args.model is None else read_model(args)
        tokenizer = None if self.model is None else self.model.tokenizer
        self.has_patches = isinstance(tokenizer, PatchTokenizer)
        for name, fits, of in (
            ("features", self.model is not None, "a model"),
            ("patches", self.has_patches, "models of patches"),
            ("long_side", self.has_patches, "models of patches"),
            ("num_tokens", self.has_patches or self.model is None, "models of patches, or none"),
        ):
            if not fits and getattr(args, name) not in (None, False):
                raise CommandError(f"--{name.replace('_', '-')} goes with {of}")
        if args.patches and args.num_tokens is not None:
            raise CommandError("--patches and --num-tokens exclude each other")
        if args.long_side is not None and args.long_side < 1:
            raise CommandError(f"--long-side must be at least 1, got {args.long_side}")
        try:
            SuperpixelTokenizer(num_tokens=args.num_tokens)
        except (TypeError, ValueError) as error:
            raise CommandError(one_line(error)) from error

    def __call__(self, path: Path) -> tuple["spitgraph.TokenData", "Tensor"]:
        """The tokens of an image file, and the mask [H, W]."""
        import torch

        from spitgraph import segment

        with torch.inference_mode():
            tokens, features = self._features(path)
        threshold = self.args.threshold
        if threshold is None:
            threshold = AVERAGED if self.has_patches and not self.args.patches else OWN
        mask = segment.token_cut(
            features, tokens, threshold=threshold, by_size=True, refine=self.args.refine
        )
        assert isinstance(mask, torch.Tensor)  # of one image
        return tokens, mask

    def _features(self, path: Path) -> tuple["spitgraph.TokenData", "Tensor"]:
        from spitgraph import segment
        from spitgraph.images import load_image

        kind = self.args.features or "tokens"
        if self.model is not None and not self.has_patches:
            tokens = self.model.tokenize(path)
            return tokens, segment.token_features(self.model, tokens, kind)
        image = load_image(path)
        if self.model is None:
            tokens = self._superpixels(image)
            return tokens, segment.colour_features(tokens)
        grid = segment.grid_features(self.model, image, long_side=self.args.long_side, kind=kind)
        if self.args.patches:
            return segment.grid_tokens(grid, image), grid.flatten(1).T
        tokens = self._superpixels(image)
        return tokens, segment.pool_grid(grid, tokens)

    def _superpixels(self, image: "Tensor") -> "spitgraph.TokenData":
        from spitgraph import SuperpixelTokenizer

        count = self.args.num_tokens or min(NUM_TOKENS, image.shape[1] * image.shape[2])
        return SuperpixelTokenizer(num_tokens=count, quality="fine")(image)


def write(
    tokens: "spitgraph.TokenData",
    mask: "Tensor",
    path: Path,
    outputs: Outputs,
    args: argparse.Namespace,
) -> None:
    """Write the mask of one image: whole files or, when anything goes wrong, none."""
    from PIL import Image

    from spitgraph import inspection

    with outputs.new_files(path) as unfinished:
        place, *drawing = (unfinished / name for name in names(path, args.overlay))
        Image.fromarray(mask.byte().mul(255).cpu().numpy()).save(place)
        for other in drawing:
            scale = 2 if max(mask.shape) <= SMALL else 1
            inspection.to_pil(inspection.highlight(tokens, mask, scale=scale)).save(other)
