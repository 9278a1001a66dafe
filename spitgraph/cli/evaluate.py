"""`spitgraph evaluate`: labelled pictures, a model → how much it knows, and what it costs."""

import argparse
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from spitgraph.cli import arguments
from spitgraph.cli.errors import DONE, OTHER_STATUSES, CommandError, cause
from spitgraph.cli.evaluated import ACTIVATIONS, EXTRACTORS, TOKENIZERS, evaluated_model
from spitgraph.cli.streams import complain, is_terminal, report

if TYPE_CHECKING:
    from spitgraph.train import Evaluation

NAME, HELP = "evaluate", "labelled pictures, a model → accuracy, speed and size"
DESCRIPTION = """\
Measure a model on labelled pictures: top-1 and top-5 accuracy of its own head, k-NN and a linear
probe on its frozen class tokens, tokens a picture, pictures a second, FLOPs and parameters.

DATA has pictures to try, `val` (or valid, validation, test), and for --knn and --probe pictures to
learn from, `train`: a folder of SPLIT/CLASS/*.jpg, a folder of SPLIT.npz, or hf:NAME. A picture
that cannot be read is named on stderr, counted and left out.

The model is a file of weights that spitgraph.save_weights wrote, or with --vit a pretrained plain
ViT's by the names of timm or Hugging Face, which reads its own patches unless --tokenizer says
otherwise. --tokenizer lets the same weights read other regions.
"""
EPILOG = f"""\
exit status: 0 measured (pictures may have been left out), 2 nothing done;
{OTHER_STATUSES}

examples:
  spitgraph evaluate pictures/ --model weights.safetensors
  spitgraph evaluate pictures/ --model weights.safetensors --knn --probe --append results.csv
  spitgraph evaluate pictures/ --vit clip.safetensors --no-head --knn --probe \\
    --activation quick_gelu --mean 0.4815 0.4578 0.4082 --std 0.2686 0.2613 0.2758 \\
    --tokenizer superpixel --num-tokens 196
"""
#: Columns that say what was measured.
OF_THE_RUN = (
    *("data", "model", "tokenizer", "extractor", "image_size", "limit", "seed", "precision"),
    *("batch_size", "device", "threads"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    add = parser.add_argument
    add("data", metavar="DATA", help="folder of pictures or arrays, or hf:NAME")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--model",
        type=arguments.path,
        metavar="WEIGHTS",
        help="file of weights, as spitgraph.save_weights writes it",
    )
    source.add_argument(
        "--vit",
        type=arguments.path,
        metavar="WEIGHTS",
        help="a pretrained plain ViT's .safetensors, by names of timm or Hugging Face",
    )
    add("--tokenizer", choices=TOKENIZERS, help="what pictures are cut into, default: as trained")
    add(
        "--num-tokens",
        type=arguments.whole,
        metavar="K",
        help="superpixels or Voronoi cells a picture",
    )
    add(
        "--image-size",
        type=arguments.whole,
        metavar="PIXELS",
        help="resize pictures, and take the middle square; default: as they are",
    )
    add("--no-head", action="store_true", help="leave the model's own head out")
    add("--knn", action="store_true", help="classes of 5 and 20 nearest training pictures")
    add("--probe", action="store_true", help="fit a linear layer to training pictures")
    add(
        "--limit",
        type=arguments.whole,
        metavar="N",
        help="pictures a split, of every class about the same share; default: all",
    )
    add("--append", type=arguments.path, metavar="CSV", help="add a row to this table")
    add("--batch-size", type=arguments.whole, default=64, metavar="N", help="default: 64")
    add("--repeats", type=arguments.whole, default=5, metavar="N", help=REPEATS)
    add("--bf16", action="store_true", help="compute the transformer in bfloat16")
    add("--device", default="cpu", help="such as cuda, default: cpu")
    add(
        "--seed",
        type=arguments.whole,
        default=0,
        help="of random cells and of --limit, default: 0",
    )
    add("--quiet", action="store_true", help="no progress bars")
    group = parser.add_argument_group("of --vit")
    add = group.add_argument
    add("--activation", choices=ACTIVATIONS, help="quick_gelu of OpenAI's CLIP; default: gelu")
    for name, help in (("--mean", "what it centred pictures by"), ("--std", "and divided by")):
        add(name, nargs=3, type=float, metavar=("R", "G", "B"), help=help)
    add("--num-heads", type=arguments.whole, metavar="N", help="where they are not 64 wide")
    add("--extractor", choices=EXTRACTORS, help="how it sees a region, default: windows")


#: What `--repeats` says.
REPEATS = "passes that speed is the median of, 0 for no speed; default: 5"


def run(args: argparse.Namespace) -> int:
    """Evaluate a model; see `main` for what is returned."""
    with args.interrupts.importing():
        from spitgraph import models, train  # noqa: F401
    from spitgraph.train import Evaluation, append_row, check_table, evaluate, open_pictures

    try:
        if args.append is not None:
            check_table(args.append, (*OF_THE_RUN, *Evaluation.columns()))
        learns = args.knn or args.probe
        if learns and args.data.lower().endswith(".npz"):
            raise CommandError(
                f"--knn and --probe learn from train.npz beside it: name the folder of {args.data}"
            )
        pictures = open_pictures(args.data, "val")
        try:  # also for the numbers of classes, of which some may have no picture to try
            train_pictures = open_pictures(args.data, "train")
        except FileNotFoundError:
            if learns:
                raise
            train_pictures = None
        model = evaluated_model(args)
        came = evaluate(
            model,
            pictures,
            train=train_pictures,
            topk=() if args.no_head else (1, 5),
            neighbours=(5, 20) if args.knn else (),
            probe=args.probe,
            batch_size=args.batch_size,
            image_size=args.image_size,
            limit=args.limit,
            repeats=args.repeats,
            bf16=args.bf16,
            seed=args.seed,
            progress=not args.quiet and is_terminal(sys.stderr),
            complain=complain,
        )
        report(*table(came))
        if args.append is not None:
            with args.interrupts.allowed(False):
                append_row(args.append, of_the_run(model, args) | came.row())
    except (ImportError, MemoryError, OSError, RuntimeError, TypeError, ValueError) as error:
        args.interrupts.check()
        place = error.filename if isinstance(error, OSError) else None
        named = f"{place}: " if place else ""
        raise CommandError(named + cause(error).replace("topk=()", "--no-head")) from error
    return DONE


def of_the_run(model: Any, args: argparse.Namespace) -> dict[str, Any]:
    """The cells that say what was measured."""
    import torch

    from spitgraph.models.extraction import EXTRACTORS

    extractors = {kind: name for name, kind in EXTRACTORS.items()}
    return dict(
        zip(
            OF_THE_RUN,
            (
                args.data,
                args.model or args.vit,
                type(model.tokenizer).__name__.removesuffix("Tokenizer").lower(),
                extractors[type(model.extractor)],
                args.image_size,
                args.limit,
                args.seed,
                "bf16" if args.bf16 else "fp32",
                args.batch_size,
                args.device,
                torch.get_num_threads(),
            ),
            strict=True,
        )
    )


def table(came: "Evaluation") -> list[str]:
    """What was measured, a line each."""
    lines = [("pictures", f"{came.pictures} of {came.classes} classes")]
    if came.train_pictures is not None:
        lines.append(("learned from", f"{came.train_pictures} pictures"))
    if came.unreadable:
        lines.append(("left out", f"{len(came.unreadable)} that cannot be read"))
    shares = {f"top-{k}": share for k, share in came.top.items()}
    shares |= {f"{k}-NN": share for k, share in came.neighbours.items()}
    shares["linear probe"] = came.probe
    lines += [(name, str(share)) for name, share in shares.items() if share is not None]
    mean, least, most = came.tokens
    lines.append(("tokens", f"{mean:.1f} ({least}–{most})"))
    if came.speed is not None:
        speeds = zip(came.speed._fields, came.speed, strict=True)
        lines += [(name, f"{speed:.1f} pictures/s") for name, speed in speeds]
    lines.append(("FLOPs", f"{came.flops / 1e9:.2f} G at {came.flops_tokens} tokens"))
    lines.append(("parameters", f"{came.parameters / 1e6:.2f} M"))
    return aligned(lines)


def aligned(lines: Iterable[tuple[str, str]]) -> list[str]:
    """Names and values in two columns."""
    lines = list(lines)
    width = max(len(name) for name, _ in lines)
    return [f"{name:<{width}}  {value}" for name, value in lines]
