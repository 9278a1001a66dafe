"""`spitgraph tokenize`: image files → token graphs."""

import argparse
import os
import sys
from dataclasses import Field, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from spitgraph.cli.errors import CommandError, one_line
from spitgraph.settings import Settings

if TYPE_CHECKING:
    import spitgraph.tokenizers

DESCRIPTION = """\
Tokenize image files. For every IMAGE, DIR/<name without extension>.pt holds its token graph, a
spitgraph.TokenData, which torch.load opens after `from spitgraph import TokenData`. A folder stands
for the image files in it (not in its subfolders). Two images of the same name would write the same
file, and are refused.

A file that cannot be tokenized is reported and skipped; nothing is written for it.
"""
EPILOG = """\
exit status: 0 all tokenized, 1 some of many images failed, 2 nothing done (bad options, or the only
image failed), 130 interrupted

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
#: What is taken for an image in a folder.
SUFFIXES = {
    ".avif",
    ".bmp",
    ".gif",
    ".jpeg",
    ".jpg",
    ".pgm",
    ".png",
    ".ppm",
    ".tif",
    ".tiff",
    ".webp",
}
#: Overlays of images up to this side are enlarged twice, for thinner lines.
SMALL = 1024


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to a parser's."""
    parser = commands.add_parser(
        "tokenize",
        help="image files → token graphs",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("images", nargs="+", type=Path, metavar="IMAGE", help="image file, or folder of such")
    add("-o", "--out", required=True, type=Path, metavar="DIR", help="folder to write to")
    add("--tokenizer", choices=OPTIONS, default="superpixel", help="default: superpixel")
    add("--features", action="store_true", help="also extract the token vectors x")
    add("--overlay", action="store_true", help="also draw the regions: DIR/<name>-overlay.png")
    add("--no-pixels", action="store_true", help="leave the pixels out: much smaller files")
    add("--quiet", action="store_true", help="only report errors")
    group = parser.add_argument_group("superpixels")
    add = group.add_argument
    for option in fields(Settings):
        shown = {"metavar": "NAME", **option.metadata}
        value = option.default
        shown_value = f"{value:g}" if isinstance(value, float) else value
        default = "" if value is None else f", default: {shown_value}"
        add(
            "--" + flag_of(option).replace("_", "-"),
            type=shown.get("type"),
            metavar=shown["metavar"],
            help=shown["help"] + default,
        )
    group = parser.add_argument_group("token vectors")
    add = group.add_argument
    add("--bins", type=int, metavar="β", help="bins a side, default: 16")
    add("--sigma", type=float, metavar="σ", help="width of the histograms' kernel, default: 0.05")
    add("--no-gradient", action="store_true", help="leave the gradient histogram out")
    group = parser.add_argument_group("patches")
    group.add_argument("--patch-size", type=int, metavar="PIXELS", help="side, default: 16")
    group = parser.add_argument_group("Voronoi cells", "--num-tokens as above, default: 196")
    group.add_argument("--seed", type=int, help="of their random centres, default: 0")


def run(args: argparse.Namespace) -> int:
    """Tokenize the images one after the other; see `main` for what is returned."""
    from tqdm import tqdm

    paths = image_files(args.images)
    check_names(paths, args.out, args.overlay)
    tokenizer, extractor = make_tokenizer(args), make_extractor(args)
    progress = tqdm(
        paths,
        unit="image",
        dynamic_ncols=True,
        leave=False,
        disable=True if args.quiet or len(paths) == 1 else None,  # None: unless on a terminal
    )
    failed = 0
    with progress:
        for path in progress:
            try:
                tokens = tokenized(path, tokenizer, extractor)
            except CommandError as error:
                if len(paths) == 1:
                    raise
                tqdm.write(f"spitgraph: {error}", file=sys.stderr)
                failed += 1
            else:
                write(tokens, args.out, path.stem, args.overlay, not args.no_pixels)
    if not args.quiet:
        done = len(paths) - failed
        print(f"{done} of {len(paths)} image{'s' * (len(paths) > 1)} tokenized into {args.out}")
    return 1 if failed else 0


def image_files(paths: list[Path]) -> list[Path]:
    """The files named, and those in the folders named, each once."""
    files: dict[Path, None] = {}
    for path in paths:
        if not path.is_dir():
            files[path] = None
            continue
        inside = sorted(
            file
            for file in path.iterdir()
            if file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file()
        )
        if not inside:
            raise CommandError(f"no image files in {path}")
        files |= dict.fromkeys(inside)
    return list(files)


def check_names(paths: list[Path], out: Path, overlay: bool) -> None:
    """Refuse images whose output would overwrite that of another image, or an image."""
    source: dict[str, Path] = {}
    for path in paths:
        other = source.setdefault(os.path.normcase(path.stem), path)
        if other is not path:
            raise CommandError(f"{other} and {path} would both become {out / path.stem}.pt")
    inputs = {os.path.abspath(path) for path in paths}
    for path in paths:
        for suffix in (".pt", "-overlay.png") if overlay else (".pt",):
            target = out / f"{path.stem}{suffix}"
            if os.path.abspath(target) in inputs:
                raise CommandError(f"{path} would overwrite the image {target}")


def make_tokenizer(args: argparse.Namespace) -> "spitgraph.tokenizers.Tokenizer":
    """The tokenizer that the options ask for; what they leave out has its default."""
    import torch

    from spitgraph.tokenizers import PatchTokenizer, SuperpixelTokenizer, VoronoiTokenizer

    known = dict.fromkeys(name for names in OPTIONS.values() for name in names)
    given = {name: getattr(args, name) for name in known if getattr(args, name) is not None}
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
        return VoronoiTokenizer(**given, generator=torch.Generator().manual_seed(seed))
    except (TypeError, ValueError) as error:
        raise CommandError(one_line(error)) from error


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
    from spitgraph import UnreadableImageError

    try:
        tokens = tokenizer(path)
        return extractor(tokens) if extractor else tokens
    except UnreadableImageError as error:  # names the path
        raise CommandError(one_line(error)) from error
    except (ValueError, RuntimeError, MemoryError) as error:
        raise CommandError(f"{path}: {one_line(error)}") from error


def write(
    tokens: "spitgraph.TokenData", out: Path, name: str, overlay: bool, with_pixels: bool
) -> None:
    """Write the output of one image: whole files or, when anything goes wrong, none."""
    import torch

    from spitgraph import inspection

    try:
        out.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=out, prefix=".spitgraph-") as unfinished:
            if overlay:
                scale = 2 if max(tokens.seg.shape) <= SMALL else 1
                picture = inspection.to_pil(inspection.overlay(tokens, scale=scale))
                picture.save(Path(unfinished, f"{name}-overlay.png"))
            kept = tokens if with_pixels else tokens.without_pixels()
            torch.save(kept, Path(unfinished, f"{name}.pt"))
            for file in sorted(Path(unfinished).iterdir()):
                os.replace(file, out / file.name)
    except (OSError, RuntimeError) as error:  # the latter: PyTorch, where the disk is full
        raise CommandError(f"cannot write to {out}: {one_line(error)}") from error
