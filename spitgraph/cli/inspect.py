"""`spitgraph inspect`: image files → pages that show their tokens in the browser."""

import argparse
import shlex
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from spitgraph.cli import arguments, explain, tokenize
from spitgraph.cli.each import distinct, each_image
from spitgraph.cli.errors import OTHER_STATUSES, CommandError
from spitgraph.cli.inputs import image_files
from spitgraph.cli.outputs import Outputs

if TYPE_CHECKING:
    import spitgraph
    from spitgraph.cli.segment import Segmenter

NAME, HELP = "inspect", "image files → pages that show their tokens in the browser"
DESCRIPTION = """\
Write a page for every IMAGE: one HTML file, which opens from disk and needs no network. Pointing at
a region shows its token, a slider walks the levels, and layers show the photograph, mean colours,
borders, the graph, scores and masks. PAGE is a file that ends in .html; for several images, or a
folder of them, it is a folder, which gets <name without extension>.html of each.

With --beside, other tokenizers of the same image stand beside the first, linked. With --model, the
tokens are the model's own, and --explain shows which of them its answer depends on.

A file that cannot be shown is reported and skipped; nothing is written for it. What stands in the
place of a page is replaced, but never an IMAGE or the model.
"""
EPILOG = f"""\
exit status: 0 all written, 1 some of many images failed, 2 nothing done (bad options, or every
image failed); {OTHER_STATUSES}

examples:
  spitgraph inspect photo.jpg -o page.html
  spitgraph inspect photos/ -o pages --num-tokens 256 --quality fine
  spitgraph inspect photo.jpg -o page.html --num-tokens 196 --beside "voronoi" --beside "patch"
  spitgraph inspect photo.jpg -o page.html --model weights.safetensors --explain rollout --mask
"""
#: What makes a place that of one page.
SUFFIXES = (".html", ".htm")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    arguments.add_images(parser, "PAGE", "file that ends in .html, or folder to write to")
    add = parser.add_argument
    add("--title", help="of the page, default: the image's name")
    add("--no-vectors", action="store_true", help="leave the tokens' vectors out")
    add(
        "--beside",
        action="append",
        default=[],
        metavar="TOKENIZER",
        help='another tokenizer and its options in quotes, as "voronoi --num-tokens 196"; '
        "may be given three times",
    )
    tokenize.add_tokenizer(parser)
    group = parser.add_argument_group("models")
    add = group.add_argument
    add(
        "--model",
        type=arguments.path,
        metavar="WEIGHTS",
        help="file of weights, whose own tokens are shown",
    )
    add(
        "--explain",
        action="append",
        default=[],
        type=explain.method,
        choices=explain.METHODS,
        metavar="METHOD",
        help="scores of the model's tokens, by a method of spitgraph explain; may be repeated",
    )
    add(
        "--target", type=arguments.whole, metavar="CLASS", help="to explain, default: the predicted"
    )
    add("--mask", action="store_true", help="the mask that spitgraph segment finds")


def run(args: argparse.Namespace) -> int:
    """Write the pages one after the other; see `main` for what is returned."""
    found, errors = image_files(args.images)
    is_file = args.out.suffix.lower() in SUFFIXES and not args.out.is_dir()
    if is_file and len(found) + len(errors) > 1:
        raise CommandError(f"{args.out} is one page, but there are several images: name a folder")
    paths = found if is_file else distinct(found, args.out, ".html")
    folder = args.out.parent if is_file else args.out
    models = [] if args.model is None else [args.model]
    outputs = Outputs(folder, [*paths, *models], args.interrupts)
    names = {image: args.out.name if is_file else f"{image.stem}.html" for image in paths}
    for image, name in names.items():
        outputs.check(name, image)
    check_options(args)
    others = [tokenizer_arguments(text) for text in args.beside]
    with args.interrupts.importing():
        from spitgraph import extractors, inspection, tokenizers  # noqa: F401
        from spitgraph.inspection import page  # noqa: F401
    maker = Maker(args, others)

    def write_one(image: Path) -> None:
        text = maker.page(image)
        with outputs.new_files(image) as unfinished:
            (unfinished / names[image]).write_text(text, encoding="utf-8", newline="\n")

    return each_image(paths, errors, write_one, "shown", args)


def check_options(args: argparse.Namespace) -> None:
    """Refuse what does not go together.

    Raises:
        CommandError: It does not.
    """
    if args.model is None:
        for name in ("explain", "target"):
            if getattr(args, name) not in (None, []):
                raise CommandError(f"--{name} goes with --model")
    elif tokenize.given_options(args) or args.tokenizer != "superpixel":
        raise CommandError("with --model, the tokens are its own: others go to --beside")
    if len(args.beside) > 3:
        raise CommandError(f"--beside may be given three times, got {len(args.beside)}")


class Quoted(argparse.ArgumentParser):
    """Parses the options that an argument has in quotes."""

    def error(self, message: str) -> NoReturn:
        """Complain as commands do."""
        raise CommandError(f"--beside: {message}")


def tokenizer_arguments(text: str) -> Namespace:
    """The tokenizer that `--beside` names, and its options.

    Raises:
        CommandError: It cannot be read, or is none.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise CommandError(f"--beside: {error}") from error
    if words and not words[0].startswith("-"):
        words = ["--tokenizer", *words]
    parser = Quoted(prog="--beside", add_help=False, allow_abbrev=False)
    tokenize.add_tokenizer(parser)
    return parser.parse_args(words)


class Maker:
    """Makes the page of an image, with the tokenizers and the model that were asked for.

    Raises:
        CommandError: There are no such, or options do not go together.
    """

    def __init__(self, args: Namespace, others: list[Namespace]) -> None:
        self.args = args
        self.model = None if args.model is None else explain.model_of(args)
        self.tokenizers = [] if self.model is not None else [tokenize.make_tokenizer(args)]
        self.tokenizers += [tokenize.make_tokenizer(other) for other in others]
        self.names = [called(other) for other in ([args] if self.model is None else []) + others]
        self.segmenter = segmenter_of(args) if args.mask else None

    def page(self, path: Path) -> str:
        """The page of an image file."""
        from spitgraph.inspection.page import page_of

        scores: dict[str, Any] = {}
        views, names = [tokenizer(path) for tokenizer in self.tokenizers], list(self.names)
        if self.model is not None:
            tokens, scores = self._of_model(path)
            views, names = [tokens, *views], [self.args.model.stem, *names]
        masks = {} if self.segmenter is None else {"mask": self.segmenter(path)[1].cpu()}
        return page_of(
            views,
            image=path,
            title=self.args.title,
            names=names,
            attributions=scores,
            masks=masks,
            vectors=not self.args.no_vectors,
        )

    def _of_model(self, path: Path) -> tuple["spitgraph.TokenData", dict[str, Any]]:
        """The model's tokens, and the scores of each method that was asked for."""
        import torch

        from spitgraph import VoronoiTokenizer

        assert self.model is not None
        scores = {
            name: explain.explained(path, self.model, {}, explain_arguments(self.args, name))
            for name in dict.fromkeys(self.args.explain)
        }
        if scores:
            return next(iter(scores.values())).token_data, scores
        if isinstance(self.model.tokenizer, VoronoiTokenizer):
            self.model.tokenizer.generator = torch.Generator().manual_seed(self.args.seed or 0)
        with torch.inference_mode():
            return self.model.tokenize(path), scores


def called(args: Namespace) -> str:
    """What a partition is called: its tokenizer and the options that were given, as they were."""
    given = tokenize.given_options(args)
    options = [f"--{name.replace('_', '-')} {value}" for name, value in given.items()]
    return " ".join([args.tokenizer, *options])


def explain_arguments(args: Namespace, method: str) -> Namespace:
    """What `spitgraph explain` would have been given."""
    return Namespace(method=method, target=args.target, seed=args.seed or 0, size=None)


def segmenter_of(args: Namespace) -> "Segmenter":
    """What finds masks, as `spitgraph segment` does by default."""
    from spitgraph.cli.segment import Segmenter

    options = dict.fromkeys(("threshold", "features", "long_side", "num_tokens", "refine"))
    return Segmenter(
        Namespace(model=args.model, patches=False, interrupts=args.interrupts, **options)
    )
