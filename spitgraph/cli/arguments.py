"""Types of arguments, for `argparse`."""

from argparse import ArgumentTypeError
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
