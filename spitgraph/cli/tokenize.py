"""`spitgraph tokenize`: image files → token graphs."""

import argparse
from dataclasses import Field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spitgraph.cli import arguments
from spitgraph.cli.ahead import Ahead
from spitgraph.cli.each import SMALL, distinct, each_image
from spitgraph.cli.errors import OTHER_STATUSES, CommandError, one_line
from spitgraph.cli.inputs import image_files
from spitgraph.cli.outputs import Outputs, save
from spitgraph.settings import Settings

if TYPE_CHECKING:
    import spitgraph.tokenizers

NAME, HELP = "tokenize", "image files → token graphs"
DESCRIPTION = """\
Tokenize image files. For every IMAGE, DIR/<name without extension>.pt holds its token graph, a
spitgraph.TokenData, which torch.load opens after `from spitgraph import TokenData`. A folder stands
for the image files in it (not in its subfolders). Two images of the same name would write the same
file, and are refused.

A file that cannot be tokenized is reported and skipped; nothing is written for it. What stands in
DIR is replaced, but never an IMAGE: where that would happen, the command refuses.
"""
EPILOG = f"""\
exit status: 0 all tokenized, 1 some of many images failed, 2 nothing done (bad options, or every
image failed); {OTHER_STATUSES}

examples:
  spitgraph tokenize photo.jpg -o tokens
  spitgraph tokenize photos/ -o tokens --num-tokens 256 --overlay
  spitgraph tokenize photos/ -o tokens --tokenizer patch --patch-size 16
"""


def flag_of(option: Field[Any]) -> str:
    """What a setting is called here."""
    return option.metadata.get("flag", option.name)


#: Options of each tokenizer; others are refused with it.
OPTIONS = {
    "superpixel": tuple(flag_of(option) for option in fields(Settings)),
    "patch": ("patch_size",),
    "voronoi": ("num_tokens", "seed"),
}
#: More random centres than any image needs, and than fit into memory.
MOST_CENTRES = 2**20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    arguments.add_images(parser)
    add = parser.add_argument
    add("--overlay", action="store_true", help="also draw the regions: DIR/<name>-overlay.png")
    add("--no-pixels", action="store_true", help="leave the pixels out: much smaller files")
    add(
        *("-j", "--jobs"),
        type=arguments.whole,
        default=1,
        metavar="N",
        help="images at a time, default: 1; what is written and said is the same "
        "(Voronoi cells follow from those before: one at a time)",
    )
    add_tokenizer(parser)
    add_extractor(parser)


def add_tokenizer(parser: argparse.ArgumentParser) -> None:
    """Add the options that `make_tokenizer` reads."""
    group = parser.add_argument_group("tokenizer")
    group.add_argument(
        "--tokenizer", choices=OPTIONS, default="superpixel", help="default: superpixel"
    )
    group = parser.add_argument_group("superpixels")
    add = group.add_argument
    for option in fields(Settings):
        shown = {"metavar": "NAME", **option.metadata}
        value = option.default
        shown_value = f"{value:g}" if isinstance(value, float) else value
        default = "" if value is None else f", default: {shown_value}"
        add(
            "--" + flag_of(option).replace("_", "-"),
            type=arguments.whole if shown.get("type") is int else shown.get("type", str),
            metavar=shown["metavar"],
            help=shown["help"] + default,
        )
    group = parser.add_argument_group("patches")
    group.add_argument(
        "--patch-size", type=arguments.whole, metavar="PIXELS", help="side, default: 16"
    )
    group = parser.add_argument_group("Voronoi cells", "--num-tokens as above, default: 196")
    group.add_argument("--seed", type=arguments.whole, help="of their random centres, default: 0")


def add_extractor(parser: argparse.ArgumentParser) -> None:
    """Add the options that `make_extractor` reads."""
    group = parser.add_argument_group("token vectors")
    add = group.add_argument
    add("--features", action="store_true", help="also extract the token vectors x")
    add("--bins", type=arguments.whole, metavar="β", help="bins a side, default: 16")
    add("--sigma", type=float, metavar="σ", help="width of the histograms' kernel, default: 0.8/β")
    add("--no-gradient", action="store_true", help="leave the gradient histogram out")


def run(args: argparse.Namespace) -> int:
    """Tokenize the images one after the other; see `main` for what is returned."""
    found, errors = image_files(args.images)
    paths = distinct(found, args.out, ".pt")
    outputs = Outputs(args.out, paths, args.interrupts)
    for image in paths:
        for name in names(image, args.overlay):
            outputs.check(name, image)
    with args.interrupts.importing():
        from spitgraph import extractors, inspection, tokenizers  # noqa: F401
    tokenizer, extractor = make_tokenizer(args), make_extractor(args)
    if args.jobs < 1:
        raise CommandError(f"--jobs {args.jobs} is less than 1")

    def write_one(image: Path, own: argparse.Namespace = args) -> None:
        write(tokenized(image, tokenizer, extractor), image, outputs.within(own.interrupts), own)

    jobs = 1 if args.tokenizer == "voronoi" else min(args.jobs, len(paths))
    if jobs <= 1:
        return each_image(paths, errors, write_one, "tokenized", args)
    with Ahead(paths, write_one, jobs, args) as ahead:
        return each_image(paths, errors, ahead.result, "tokenized", args)


def names(path: Path, overlay: bool) -> list[str]:
    """What the files made from an image are called."""
    return [f"{path.stem}{end}" for end in ((".pt", "-overlay.png") if overlay else (".pt",))]


def make_tokenizer(args: argparse.Namespace) -> "spitgraph.tokenizers.Tokenizer":
    """The tokenizer that the options ask for; what they leave out has its default."""
    import torch

    from spitgraph.tokenizers import PatchTokenizer, SuperpixelTokenizer, VoronoiTokenizer

    given = given_options(args)
    for name in given:
        if name not in OPTIONS[args.tokenizer]:
            option = "--" + name.replace("_", "-")
            raise CommandError(f"{option} does not go with --tokenizer {args.tokenizer}")
    if "levels" in given and "num_tokens" in given:
        raise CommandError("--levels and --num-tokens exclude each other")
    try:
        if args.tokenizer == "superpixel":
            names = {flag_of(option): option.name for option in fields(Settings)}
            return SuperpixelTokenizer(**{names[flag]: value for flag, value in given.items()})
        if args.tokenizer == "patch":
            return PatchTokenizer(**given)
        seed = given.pop("seed", 0)
        if not 0 <= seed < 2**63:
            raise CommandError(f"--seed {seed} is not in 0 … 2^63 - 1")
        if given.get("num_tokens", 0) > MOST_CENTRES:
            raise CommandError(f"--num-tokens {given['num_tokens']} is more than {MOST_CENTRES}")
        return VoronoiTokenizer(**given, generator=torch.Generator().manual_seed(seed))
    except (TypeError, ValueError) as error:
        raise CommandError(one_line(error)) from error


def given_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options of tokenizers that were given, by name."""
    known = dict.fromkeys(name for names in OPTIONS.values() for name in names)
    return {name: getattr(args, name) for name in known if getattr(args, name) is not None}


def make_extractor(args: argparse.Namespace) -> "spitgraph.InterpolationExtractor | None":
    """The extractor that the options ask for, if any."""
    from spitgraph import InterpolationExtractor

    given = {name: getattr(args, name) for name in ("bins", "sigma")}
    given = {name: value for name, value in given.items() if value is not None}
    if not args.features:
        if given or args.no_gradient:
            raise CommandError("--bins, --sigma and --no-gradient go with --features")
        return None
    try:
        return InterpolationExtractor(**given, gradient=not args.no_gradient)
    except (TypeError, ValueError) as error:
        raise CommandError(one_line(error)) from error


def tokenized(
    path: Path,
    tokenizer: "spitgraph.tokenizers.Tokenizer",
    extractor: "spitgraph.InterpolationExtractor | None",
) -> "spitgraph.TokenData":
    """The token graph of an image file, with token vectors if there is an extractor."""
    tokens = tokenizer(path)
    return extractor(tokens) if extractor else tokens


def write(
    tokens: "spitgraph.TokenData", path: Path, outputs: Outputs, args: argparse.Namespace
) -> None:
    """Write the output of one image: whole files or, when anything goes wrong, none."""
    from spitgraph import inspection

    with outputs.new_files(path) as unfinished:
        graph, *drawing = (unfinished / name for name in names(path, args.overlay))
        for place in drawing:
            scale = 2 if max(tokens.seg.shape) <= SMALL else 1
            inspection.to_pil(inspection.overlay(tokens, scale=scale)).save(place)
        save(tokens.without_pixels() if args.no_pixels else tokens, graph, args.interrupts)
