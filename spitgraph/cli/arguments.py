"""Types of arguments, for `argparse`, and arguments that commands share."""

from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path

#: What PyTorch and the kernels count in.
LARGEST = 2**63 - 1


def path(text: str) -> Path:
    """A path; an empty one would be the current folder, and is most often an unset variable."""
    if not text:
        raise ArgumentTypeError("expected a path, got an empty one")
    return Path(text)


def whole(text: str) -> int:
    """A whole number of 64 bits."""
    try:
        number = int(text)
    except ValueError:  # no number, or thousands of digits
        number = None
    if number is None or abs(number) > LARGEST:
        shown = text if len(text) < 50 else f"{text[:20]}… of {len(text)} characters"
        raise ArgumentTypeError(f"expected a whole number of 64 bits, got '{shown}'")
    return number


def add_images(
    parser: ArgumentParser, place: str = "DIR", place_help: str = "folder to write to"
) -> None:
    """Add what commands take that make files of images, one after the other."""
    add = parser.add_argument
    add("images", nargs="+", type=path, metavar="IMAGE", help="image file, or folder of such")
    add("-o", "--out", required=True, type=path, metavar=place, help=place_help)
    add("--quiet", action="store_true", help="only report errors")
