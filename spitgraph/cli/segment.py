"""`spitgraph segment`: image files → masks of the object in each."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from spitgraph.cli import arguments
from spitgraph.cli.errors import (
    DONE,
    NOTHING_DONE,
    OTHER_STATUSES,
    SOME_FAILED,
    CommandError,
    FileError,
    cause,
    one_line,
)
from spitgraph.cli.inputs import check_ordinary, image_files
from spitgraph.cli.outputs import FolderError, Outputs
from spitgraph.cli.streams import is_terminal, report
from spitgraph.cli.tokenize import SMALL, distinct, reported

if TYPE_CHECKING:
    from torch import Tensor

    import spitgraph

DESCRIPTION = """\
Find the object in image files by TokenCut: no labels, no decoder, but the features of a pretrained
model (colours alone do not tell what an object is). For every IMAGE, DIR/<name>-mask.png is white
where the object is and black elsewhere, at the size of the image. A folder stands for the image
files in it (not in its subfolders).

With a model of patches, such as spitgraph.from_vit makes, the features of its patches are averaged
over superpixels, whose borders are the mask's; --patches cuts the patches themselves. With other
models, the tokens are the model's own. Every token counts by its pixels.

A file that cannot be segmented is reported and skipped; nothing is written for it. What stands in
DIR is replaced, but never an IMAGE: where that would happen, the command refuses.
"""
EPILOG = f"""\
exit status: 0 all segmented, 1 some of many images failed, 2 nothing done (bad options, or every
image failed); {OTHER_STATUSES}

examples:
  spitgraph segment photo.jpg -o masks --model vit.safetensors
  spitgraph segment photos/ -o masks --model vit.safetensors --refine bilateral --overlay
"""
#: Superpixels, where the model has patches.
NUM_TOKENS = 256
#: θ, for a model's own tokens and for features averaged over superpixels.
OWN, AVERAGED = 0.2, 0.5


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to a parser's."""
    parser = commands.add_parser(
        "segment",
        help="image files → masks of the object in each",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)
    add = parser.add_argument
    add(
        "images",
        nargs="+",
        type=arguments.path,
        metavar="IMAGE",
        help="image file, or folder of such",
    )
    add("-o", "--out", required=True, type=arguments.path, metavar="DIR", help="folder to write to")
    add(
        "--model",
        required=True,
        type=arguments.path,
        metavar="WEIGHTS",
        help="file of weights, as spitgraph.save_weights writes it",
    )
    add(
        "--features",
        choices=("tokens", "keys", "queries", "values"),
        default="tokens",
        help="of the last block: final tokens (default), or what its attention reads",
    )
    add(
        "--threshold",
        type=float,
        metavar="θ",
        help="cosine above which tokens are alike, default: 0.2, and 0.5 of averaged features",
    )
    add("--refine", choices=("bilateral", "guided"), help="draw the mask to the image's edges")
    add("--overlay", action="store_true", help="also draw the mask: DIR/<name>-overlay.png")
    add("--quiet", action="store_true", help="only report errors")
    group = parser.add_argument_group("models of patches")
    add = group.add_argument
    add(
        "--num-tokens",
        type=arguments.whole,
        metavar="K",
        help="superpixels, default: 256, or all pixels of smaller images",
    )
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
    outputs = Outputs(args.out, [*paths, args.model], args.interrupts)
    for image in paths:
        for name in names(image, args.overlay):
            outputs.check(name, image)
    with args.interrupts.importing():
        from tqdm import tqdm

        from spitgraph import inspection, models, segment, tokenizers  # noqa: F401
    segmenter = Segmenter(args)
    total = len(paths) + len(errors)
    progress = tqdm(
        paths,
        unit="image",
        dynamic_ncols=True,
        leave=False,
        disable=args.quiet or len(paths) == 1 or not is_terminal(sys.stderr),
    )
    done = 0
    with progress:
        for error in errors:
            reported(error, total)
        for image in progress:
            try:
                write_masks(image, segmenter, outputs, args)
            except FileError as error:
                reported(error, total)
            except FolderError as error:
                reported(error, total)
                break
            else:
                done += 1
    if not args.quiet:
        report(f"{done} of {total} image{'s' * (total > 1)} segmented into {args.out}")
    return DONE if done == total else SOME_FAILED if done else NOTHING_DONE


def names(path: Path, overlay: bool) -> list[str]:
    """What the files made from an image are called."""
    ends = ("-mask.png", "-overlay.png") if overlay else ("-mask.png",)
    return [f"{path.stem}{end}" for end in ends]


class Segmenter:
    """Finds masks, with the model and the options that the command was given.

    Raises:
        CommandError: There is no such model, or options do not go together.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        from spitgraph import PatchTokenizer, SuperpixelTokenizer, model_from_weights

        if args.threshold is not None and not -1 <= args.threshold <= 1:
            raise CommandError(f"--threshold {args.threshold:g} is not in -1 … 1")
        check_ordinary(args.model)
        try:
            self.model = model_from_weights(args.model).eval()
        except (MemoryError, OSError, RuntimeError, TypeError, ValueError) as error:
            args.interrupts.check()
            raise CommandError(f"{args.model}: no model: {cause(error)}") from error
        self.args = args
        self.has_patches = isinstance(self.model.tokenizer, PatchTokenizer)
        for name in ("num_tokens", "patches", "long_side"):
            if not self.has_patches and getattr(args, name) not in (None, False):
                raise CommandError(f"--{name.replace('_', '-')} goes with models of patches")
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
        from spitgraph import SuperpixelTokenizer, segment
        from spitgraph.images import load_image

        kind = self.args.features
        if not self.has_patches:
            tokens = self.model.tokenize(path)
            return tokens, segment.token_features(self.model, tokens, kind)
        image = load_image(path)
        grid = segment.grid_features(self.model, image, long_side=self.args.long_side, kind=kind)
        if self.args.patches:
            return segment.grid_tokens(grid, image), grid.flatten(1).T
        count = self.args.num_tokens or min(NUM_TOKENS, image.shape[1] * image.shape[2])
        tokens = SuperpixelTokenizer(num_tokens=count, quality="fine")(image)
        return tokens, segment.pool_grid(grid, tokens)


def write_masks(
    path: Path, segmenter: Segmenter, outputs: Outputs, args: argparse.Namespace
) -> None:
    """Read an image file and write its mask: whole files or, when anything goes wrong, none.

    Raises:
        FileError: That is not possible.
        FolderError: Nothing can be written.
    """
    from PIL import Image

    from spitgraph import UnreadableImageError, inspection

    check_ordinary(path)
    try:
        tokens, mask = segmenter(path)
        with outputs.new_files(path) as unfinished:
            place, *drawing = (unfinished / name for name in names(path, args.overlay))
            Image.fromarray(mask.byte().mul(255).cpu().numpy()).save(place)
            for other in drawing:
                scale = 2 if max(mask.shape) <= SMALL else 1
                inspection.to_pil(inspection.highlight(tokens, mask, scale=scale)).save(other)
    except UnreadableImageError as error:  # names the path
        args.interrupts.check()
        raise FileError(str(error)) from error
    except (ArithmeticError, ImportError, MemoryError, OSError, RuntimeError, ValueError) as error:
        args.interrupts.check()
        raise FileError(f"{path}: {cause(error)}") from error
