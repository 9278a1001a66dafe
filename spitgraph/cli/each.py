"""What commands do with many images, one after the other; some may fail."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from spitgraph.cli.errors import (
    DONE,
    NOTHING_DONE,
    SOME_FAILED,
    CommandError,
    FileError,
    cause,
)
from spitgraph.cli.inputs import check_ordinary, is_same_file
from spitgraph.cli.outputs import FolderError
from spitgraph.cli.streams import complain, is_terminal, report

if TYPE_CHECKING:
    import spitgraph

#: Drawings of images up to this side are enlarged twice, for thinner lines.
SMALL = 1024


def each_image(
    paths: list[Path],
    errors: list[FileError],
    write: Callable[[Path], None],
    done_what: str,
    args: argparse.Namespace,
) -> int:
    """Write what is made of every image, and say at the end how many there are.

    Args:
        paths: Of images.
        errors: What failed already.
        write: Raises `FileError` where an image fails, `FolderError` where nothing can be written.
        done_what: What is then done to images, as in "tokenized".
        args: With `out`, `quiet` and `interrupts`.

    Returns:
        The exit status.

    Raises:
        CommandError: The only one failed.
    """
    from tqdm import tqdm

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
                with file_errors(image, args):
                    write(image)
            except FileError as error:
                reported(error, total)
            except FolderError as error:
                reported(error, total)
                break
            else:
                done += 1
    if not args.quiet:
        report(f"{done} of {total} image{'s' * (total > 1)} {done_what} into {args.out}")
    return DONE if done == total else SOME_FAILED if done else NOTHING_DONE


@contextmanager
def file_errors(path: Path, args: argparse.Namespace) -> Iterator[None]:
    """Within it, what goes wrong with an image file is a `FileError` that names it."""
    from spitgraph import UnreadableImageError

    check_ordinary(path)
    try:
        yield
    except UnreadableImageError as error:  # names the path
        args.interrupts.check()
        raise FileError(str(error)) from error
    except (ArithmeticError, ImportError, MemoryError, OSError, RuntimeError, ValueError) as error:
        args.interrupts.check()
        raise FileError(f"{path}: {cause(error)}") from error


def reported(error: CommandError, total: int) -> None:
    """Say what is wrong with one of many; with the only one, the command fails."""
    from tqdm import tqdm

    if total == 1:
        raise error
    with tqdm.external_write_mode():
        complain(str(error))


def distinct(paths: list[Path], out: Path, end: str) -> list[Path]:
    """The files, each once.

    Args:
        paths: Of images.
        out: Folder that is written to.
        end: Of the names of files there, after that of the image.

    Raises:
        CommandError: Two of them have the same name.
    """
    by_name: dict[str, Path] = {}
    for path in paths:
        other = by_name.setdefault(os.path.normcase(path.stem), path)
        if not is_same_file(other, path):
            raise CommandError(f"{other} and {path} would both become {out / path.stem}{end}")
    return list(by_name.values())


def read_model(args: argparse.Namespace) -> "spitgraph.SPiT":
    """The model of the file of weights that `--model` names.

    Raises:
        CommandError: It cannot be read.
    """
    from spitgraph import model_from_weights

    check_ordinary(args.model)
    try:
        return model_from_weights(args.model).eval()
    except (ImportError, MemoryError, OSError, RuntimeError, TypeError, ValueError) as error:
        args.interrupts.check()
        raise CommandError(f"{args.model}: no model: {cause(error)}") from error
