"""What commands print: neither odd names, nor narrow encodings, nor lost streams get in the way."""

import os
import sys
from contextlib import suppress
from typing import Any


class StdoutError(Exception):
    """What a command has to say cannot be written."""


class ReaderGoneError(Exception):
    """Whoever read stdout has gone, as `head` does once it has its lines."""


def printable(text: str) -> str:
    """The text, with escapes for what would end the line, move a terminal's cursor or worse.

    Among that are the stand-ins for bytes of a file's name that are no text.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def say(*lines: str) -> None:
    """Print lines to stdout, as `show` does; whatever they quote, they stay lines."""
    show("".join(f"{printable(line)}\n" for line in lines))


def show(text: str) -> None:
    """Print text to stdout at once; to nobody if that is closed.

    Raises:
        ReaderGoneError, StdoutError: It could not be written.
    """
    try:
        _write(sys.stdout, text)
    except BrokenPipeError as error:
        raise ReaderGoneError from error
    except OSError as error:
        raise StdoutError(f"cannot write to stdout: {error.strerror or error}") from error


def report(*lines: str) -> None:
    """Say what was done, even if whoever read it has gone: that takes nothing from the work."""
    with suppress(ReaderGoneError):
        say(*lines)


def complain(message: str) -> None:
    """Print one line to stderr, if that is there and can be written to."""
    with suppress(OSError):
        _write(sys.stderr, f"spitgraph: {printable(message)}\n")


def is_terminal(stream: Any) -> bool:
    """Whether somebody watches what is written there."""
    return not _is_lost(stream) and hasattr(stream, "isatty") and stream.isatty()


def discard_what_is_unwritten() -> None:
    """Lead streams that cannot be written to nowhere, or the interpreter would try at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if not _is_lost(stream):
                stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def _is_lost(stream: Any) -> bool:
    """Whether there is no stream: none was open as the process started, or it was closed since."""
    return stream is None or getattr(stream, "closed", False)


def _write(stream: Any, text: str) -> None:
    if _is_lost(stream):
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))  # λ as \u03bb
    stream.flush()
