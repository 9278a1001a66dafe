"""`spitgraph explain`: image files → which tokens a model's answer depends on."""

import argparse
import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spitgraph.cli import arguments
from spitgraph.cli.each import distinct, each_image, read_model
from spitgraph.cli.errors import OTHER_STATUSES, CommandError, one_line
from spitgraph.cli.inputs import image_files
from spitgraph.cli.outputs import Outputs, save
from spitgraph.cli.streams import is_terminal

if TYPE_CHECKING:
    import spitgraph
    from spitgraph.explain import Attribution

NAME, HELP = "explain", "image files → which tokens a model's answer depends on"
DESCRIPTION = """\
Explain a model's answers to image files: which tokens they depend on. For every IMAGE,
DIR/<name without extension>-METHOD.png shows the scores as heat over the image, and
DIR/<name>-METHOD.pt holds them, a spitgraph.explain.Attribution, which torch.load opens after
`import spitgraph.explain`. A folder stands for the image files in it (not in its subfolders). Two
images of the same name would write the same file, and are refused.

A file that cannot be explained is reported and skipped; nothing is written for it. What stands in
DIR is replaced, but never an IMAGE or the model: where that would happen, the command refuses.
"""
EPILOG = f"""\
exit status: 0 all explained, 1 some of many images failed, 2 nothing done (bad options, or every
image failed); {OTHER_STATUSES}

examples:
  spitgraph explain photo.jpg --model weights.safetensors -o explained
  spitgraph explain photos/ --model weights.safetensors -o explained --method lime --samples 1024
"""

#: Methods, and which options are theirs.
METHODS: dict[str, tuple[str, ...]] = {
    "rollout": ("head_fusion", "residual"),
    "attention-flow": ("head_fusion", "residual"),
    "attention": ("head_fusion",),
    "prototype-pca": (),
    "input-gradient": ("explained",),
    "integrated-gradients": ("explained",),
    "token-relevance": ("explained",),
    "lime": ("regions", "samples", "explained"),
    "kernel-shap": ("regions", "samples", "explained"),
}
#: What functions call the options that are named otherwise here.
ARGUMENTS = {"samples": "n_samples", "explained": "output"}
#: Methods that draw at random, and take long.
SAMPLING = ("lime", "kernel-shap")


def method(text: str) -> str:
    """The name of a method, as Python has it or as commands do."""
    return text.replace("_", "-")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    arguments.add_images(parser)
    add = parser.add_argument
    add(
        "--model",
        required=True,
        type=arguments.path,
        metavar="WEIGHTS",
        help="file of weights, as spitgraph.save_weights writes it",
    )
    add("--method", type=method, choices=METHODS, default="rollout", help="default: rollout")
    add(
        "--target",
        type=arguments.whole,
        metavar="CLASS",
        help="number of the class to explain, default: the predicted one",
    )
    add(
        "--size",
        type=arguments.whole,
        metavar="PIXELS",
        help="resize the shorter side of images first, default: as they are",
    )
    add("--csv", action="store_true", help="write the scores as a table, .csv in place of .pt")
    add("--seed", type=arguments.whole, default=0, help="of all that is drawn, default: 0")
    group = parser.add_argument_group("rollout, attention-flow and attention")
    add = group.add_argument
    add("--head-fusion", choices=("mean", "max"), help="how heads become one, default: mean")
    add("--residual", type=float, metavar="R", help="share of the residual, default: 0.1")
    group = parser.add_argument_group("gradients, lime and kernel-shap")
    add = group.add_argument
    add("--explained", choices=("logit", "probability"), help="what is explained of the class")
    add("--regions", choices=("tokens", "slic"), help="what is left out, default: tokens")
    add("--samples", type=arguments.whole, metavar="N", help="versions of the image, default: 512")


def run(args: argparse.Namespace) -> int:
    """Explain the images one after the other; see `main` for what is returned."""
    found, errors = image_files(args.images)
    paths = distinct(found, args.out, f"-{args.method}.png")
    outputs = Outputs(args.out, [*paths, args.model], args.interrupts)
    for image in paths:
        for name in names(image, args):
            outputs.check(name, image)
    options = checked_options(args)
    with args.interrupts.importing():
        from spitgraph import explain, inspection, tokenizers  # noqa: F401
    check_extras(args)
    model = model_of(args)
    if args.method in SAMPLING:
        shown = not args.quiet and is_terminal(sys.stderr)
        options["progress"] = shown and len(paths) == 1

    def write_one(image: Path) -> None:
        write(explained(image, model, options, args), image, outputs, args)

    return each_image(paths, errors, write_one, "explained", args)


def names(path: Path, args: argparse.Namespace) -> tuple[str, str]:
    """What the files made from an image are called: the drawing, and the scores."""
    stem = f"{path.stem}-{args.method}"
    return f"{stem}.png", f"{stem}.csv" if args.csv else f"{stem}.pt"


def checked_options(args: argparse.Namespace) -> dict[str, Any]:
    """The method's own options, by the names of its function's arguments.

    Raises:
        CommandError: One is not the method's, or outside its range.
    """
    known = dict.fromkeys(name for theirs in METHODS.values() for name in theirs)
    given = {name: getattr(args, name) for name in known if getattr(args, name) is not None}
    for name in given:
        if name not in METHODS[args.method]:
            option = "--" + name.replace("_", "-")
            raise CommandError(f"{option} does not go with --method {args.method}")
    for name, least in (("samples", 2), ("size", 1)):
        value = getattr(args, name)
        if value is not None and value < least:
            raise CommandError(f"--{name} must be at least {least}, got {value}")
    if args.residual is not None and not 0 <= args.residual <= 1:
        raise CommandError(f"--residual {args.residual:g} is not in 0 … 1")
    if not 0 <= args.seed < 2**63:
        raise CommandError(f"--seed {args.seed} is not in 0 … 2^63 - 1")
    return {ARGUMENTS.get(name, name): value for name, value in given.items()}


def check_extras(args: argparse.Namespace) -> None:
    """Complain before anything is done where what draws is missing."""
    from spitgraph.extras import needs_extra

    try:
        with args.interrupts.importing(), needs_extra("plot"):
            import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise CommandError(one_line(error)) from error


def model_of(args: argparse.Namespace) -> "spitgraph.SPiT":
    """The model of the file of weights; a target has to be one of its classes.

    Raises:
        CommandError: It cannot be read, or has no such class.
    """
    from torch import nn

    model = read_model(args)
    classes = model.head.out_features if isinstance(model.head, nn.Linear) else None
    if args.target is not None and classes is not None and not 0 <= args.target < classes:
        raise CommandError(f"--target {args.target} is not in 0 … {classes - 1}")
    return model


def explained(
    path: Path, model: "spitgraph.SPiT", options: dict[str, Any], args: argparse.Namespace
) -> "Attribution":
    """The attribution of an image file; what is drawn is drawn anew from the seed."""
    import torch

    from spitgraph import VoronoiTokenizer, explain
    from spitgraph.images import load_image

    generator = torch.Generator().manual_seed(args.seed)
    if isinstance(model.tokenizer, VoronoiTokenizer):
        model.tokenizer.generator = generator
    if args.method in SAMPLING:
        options = {**options, "generator": torch.Generator().manual_seed(args.seed)}
    image = load_image(path)
    if args.size is not None:
        image = resized(image, args.size)
    function = getattr(explain, args.method.replace("-", "_"))
    attribution: Attribution = function(model, image, args.target, **options)
    return attribution


def resized(image: Any, shorter: int) -> Any:
    """The image [3, H, W], its shorter side of so many pixels, its proportions kept."""
    from torch.nn.functional import interpolate

    factor = shorter / min(image.shape[1:])
    sides = [max(1, round(side * factor)) for side in image.shape[1:]]
    return interpolate(image[None], sides, mode="bilinear", antialias=True)[0].clamp(0, 1)


def write(
    attribution: "Attribution", path: Path, outputs: Outputs, args: argparse.Namespace
) -> None:
    """Write the output of one image: whole files or, when anything goes wrong, none."""
    with outputs.new_files(path) as unfinished:
        drawing, scores = (unfinished / name for name in names(path, args))
        attribution.plot().savefig(drawing)
        if args.csv:
            write_table(attribution, scores)
        else:
            save(attribution, scores, args.interrupts)


def write_table(attribution: "Attribution", place: Path) -> None:
    """A row a token: its number, centroid, size in pixels, and score."""
    tokens = attribution.token_data
    columns = (*tokens.pos.t().tolist(), tokens.size.tolist(), attribution.tokens.tolist())
    with place.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("token", "x", "y", "size", "score"))
        for number, row in enumerate(zip(*columns, strict=True)):
            table.writerow((number, *row))
