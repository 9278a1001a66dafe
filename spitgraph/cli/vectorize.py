"""`spitgraph vectorize`: image files → their regions as vectors without gaps."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from spitgraph.cli import arguments, tokenize
from spitgraph.cli.each import distinct, each_image
from spitgraph.cli.errors import OTHER_STATUSES, CommandError, one_line
from spitgraph.cli.inputs import image_files
from spitgraph.cli.outputs import Outputs

if TYPE_CHECKING:
    import spitgraph

NAME, HELP = "vectorize", "image files → their regions as vectors without gaps"
DESCRIPTION = """\
Write the regions of every IMAGE as vectors: SVG, a path for each token in its mean colour, or
TopoJSON. A border is traced once and shared by both its regions, so that there are neither gaps nor
overlaps, simplified and smoothed as well. FILE ends in .svg, .topojson or .json; for several
images, or a folder of them, it is a folder, which gets <name without extension>.svg of each.

As it is, SVG gives the label map back to the pixel. With --simplify, borders have fewer corners;
with --smooth, they are curves.

A file that cannot be vectorized is reported and skipped; nothing is written for it. What stands
in the place of an output is replaced, but never an IMAGE: where that would happen, the command
refuses.
"""
EPILOG = f"""\
exit status: 0 all vectorized, 1 some of many images failed, 2 nothing done (bad options, or every
image failed); {OTHER_STATUSES}

examples:
  spitgraph vectorize photo.jpg -o photo.svg
  spitgraph vectorize photo.jpg -o photo.svg --num-tokens 500 --simplify 1.5 --smooth
  spitgraph vectorize photos/ -o vectors --format topojson --simplify 1
"""
#: Formats, and the ends of names that tell them; new files get the first.
FORMATS = {"svg": (".svg",), "topojson": (".topojson", ".json")}
#: What regions can be filled with.
FILLS = ("mean", "none", "size", "degree", "border")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    arguments.add_images(
        parser, "FILE", "file that ends in .svg, .topojson or .json, or folder to write to"
    )
    add = parser.add_argument
    add("--format", choices=FORMATS, help="default: what FILE ends in, and in a folder svg")
    add(
        "--simplify",
        type=float,
        default=0.0,
        metavar="PIXELS",
        help="leave out corners of less than so many pixels squared, default: 0, none",
    )
    add("--smooth", action="store_true", help="draw borders as curves (svg)")
    add("--fill", choices=FILLS, help="colour of regions (svg), default: mean")
    add(
        "--level",
        type=arguments.whole,
        metavar="t",
        help="lowest level that is drawn, those above being groups, default: the tokens'",
    )
    tokenize.add_tokenizer(parser)


def run(args: argparse.Namespace) -> int:
    """Vectorize the images one after the other; see `main` for what is returned."""
    found, errors = image_files(args.images)
    told = next((name for name, ends in FORMATS.items() if args.out.suffix.lower() in ends), None)
    is_file = told is not None and not args.out.is_dir()
    args.format = args.format or (told if is_file else None) or "svg"
    check_options(args)
    if is_file and len(found) + len(errors) > 1:
        raise CommandError(f"{args.out} is one file, but there are several images: name a folder")
    if is_file and args.format != told:
        raise CommandError(f"{args.out} is not what a file in --format {args.format} is called")
    end = FORMATS[args.format][0]
    paths = found if is_file else distinct(found, args.out, end)
    outputs = Outputs(args.out.parent if is_file else args.out, paths, args.interrupts)
    names = {image: args.out.name if is_file else image.stem + end for image in paths}
    for image, name in names.items():
        outputs.check(name, image)
    with args.interrupts.importing():
        from spitgraph import inspection, tokenizers  # noqa: F401
    check_extras(args)
    tokenizer = tokenize.make_tokenizer(args)

    def write_one(image: Path) -> None:
        text = vectorized(tokenizer(image), image, args)
        with outputs.new_files(image) as unfinished:
            (unfinished / names[image]).write_text(text, encoding="utf-8", newline="\n")

    return each_image(paths, errors, write_one, "vectorized", args)


def check_options(args: argparse.Namespace) -> None:
    """Refuse what does not go together.

    Raises:
        CommandError: It does not.
    """
    if not 0 <= args.simplify < float("inf"):
        raise CommandError(f"--simplify must be at least 0 pixels, got {args.simplify:g}")
    for name in ("smooth", "fill"):
        if args.format != "svg" and getattr(args, name):
            raise CommandError(f"--{name} goes with --format svg")


def check_extras(args: argparse.Namespace) -> None:
    """Refuse what needs a package that is missing.

    Raises:
        CommandError: It is missing.
    """
    from spitgraph.extras import needs_extra

    try:
        if args.simplify:
            with needs_extra("vector"):
                import shapely  # noqa: F401
        if args.fill not in (None, "mean", "none"):
            with needs_extra("plot"):
                import matplotlib  # noqa: F401
                import pandas  # noqa: F401
    except ImportError as error:
        raise CommandError(one_line(error)) from error


def vectorized(tokens: "spitgraph.TokenData", image: Path, args: argparse.Namespace) -> str:
    """The text of a file."""
    from spitgraph import inspection

    if args.format == "topojson":
        return inspection.topojson(tokens, level=args.level, simplify=args.simplify)
    return inspection.svg(
        tokens,
        level=args.level,
        simplify=args.simplify,
        smooth=args.smooth,
        fill=args.fill or "mean",
        title=image.name,
    )
