"""`spitgraph train`: a folder of labelled pictures → a model that tells their classes."""

import argparse
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spitgraph.cli import arguments
from spitgraph.cli.errors import OTHER_STATUSES, CommandError, cause
from spitgraph.cli.streams import complain, report
from spitgraph.train.runs.options import RECIPES, TrainingOptions, recipe_options

NAME, HELP = "train", "labelled pictures → a model that tells their classes"
DESCRIPTION = """\
Train a model, from scratch or from weights, on one device or many. DATA is a folder with train and
val (or test), each with a folder of pictures a class; or a folder with train.npz and val.npz (or
test.npz), or hf:NAME, a data set of the Hugging Face Hub.

RUN becomes a folder with the options, numbers by steps and by epochs, curves, weights as
safetensors (of the last epoch, and of the best), and a checkpoint. After an interruption of any
kind, --resume goes on as if there had been none.

Under torchrun, or with --devices and --nodes, several processes share every step's pictures.
"""
EPILOG = f"""\
exit status: 0 trained, 2 refused or failed;
{OTHER_STATUSES}

examples:
  spitgraph train pictures/ -o run --num-tokens 196 --precision bf16
  spitgraph train pictures/ -o run --vit clip.safetensors --extractor windows --learn head
  spitgraph train --resume run
"""
#: How flags are read, and what stands for their values, by annotations.
TYPES: dict[str, dict[str, Any]] = {
    "int": {"type": arguments.whole, "metavar": "N"},
    "float": {"type": float, "metavar": "X"},
    "str": {"type": str, "metavar": "NAME"},
    "tuple[float, ...]": {"type": float, "nargs": 3, "metavar": ("R", "G", "B")},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    add = parser.add_argument
    add("data", nargs="?", metavar="DATA", help="labelled pictures")
    add("-o", "--out", type=arguments.path, metavar="RUN", help="folder of the run, a new one")
    add("--resume", type=arguments.path, metavar="RUN", help="go on with a run that was cut off")
    add("--recipe", choices=RECIPES, help="values for the flags below that are not given")
    for name, options in TrainingOptions.tables().items():
        group = parser.add_argument_group(name)
        for option in options:
            group.add_argument(*flag(option.name), **details(option))


def flag(name: str) -> tuple[str, ...]:
    """How an option is told."""
    return (f"--{name.replace('_', '-')}",)


def details(option: Any) -> dict[str, Any]:
    """How an option is read; what was not told is left out of the result."""
    kind = getattr(option.type, "__name__", str(option.type).removesuffix(" | None"))
    text, default = option.metadata["help"], option.default
    told: dict[str, Any] = {"default": argparse.SUPPRESS, "dest": option.name}
    if kind == "bool" and default:
        said = f"{text} (default)"
        return told | {"action": argparse.BooleanOptionalAction, "help": said}
    if kind == "bool":
        return told | {"action": "store_true", "help": text}
    if default is not None and "default" not in text:
        text = f"{text}, default: {default}"
    choices = option.metadata["choices"]
    return told | ({"choices": choices} if choices else TYPES[kind]) | {"help": text}


def run(args: argparse.Namespace) -> int:
    """Train; see `main` for what is returned."""
    known = {option.name for group in TrainingOptions.tables().values() for option in group}
    told = {name: value for name, value in vars(args).items() if name in known}
    if (args.resume is None) == (args.data is None):
        raise CommandError("expected DATA and -o RUN, or --resume RUN")
    if args.data is not None and args.out is None:
        raise CommandError("where to? -o RUN is missing")
    with args.interrupts.importing():
        try:
            from spitgraph.train.runs.run import resume, train
        except ImportError as error:
            raise CommandError(str(error)) from error
    try:
        with complaining():
            if args.resume is not None:
                records = resume(Path(args.resume), **told)
            else:
                told = recipe_options(args.recipe, told)
                records = train(TrainingOptions(args.data, str(args.out), **told))
    except (ImportError, MemoryError, OSError, RuntimeError, TypeError, ValueError) as error:
        args.interrupts.check()
        raise CommandError(cause(error)) from error
    if records.epochs:
        last = records.epochs[-1]
        report(
            f"accuracy {last['val_accuracy']:.4f} after epoch {last['epoch'] + 1:.0f}, "
            f"at best {records.best:.4f}; {records.folder}"
        )
        if last["unreadable"]:
            report(f"{last['unreadable']:.0f} pictures could not be read")
    return 0


@contextmanager
def complaining() -> Iterator[None]:
    """Within it, what the package logs are complaints of the command."""
    logger, handler = logging.getLogger("spitgraph"), logging.Handler()
    handler.emit = lambda record: complain(record.getMessage())  # type: ignore[method-assign]
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
