"""What commands tell their user when something is wrong, and with which status they end."""

from pathlib import Path

#: Exit statuses, those of signals aside.
DONE, SOME_FAILED, NOTHING_DONE, READER_GONE = 0, 1, 2, 141
#: What follows a command's own statuses in its help.
OTHER_STATUSES = (
    "and of every command: 2 stdout cannot be written to, 141 its reader went away,\n"
    "130, 143 and 129 ended by Ctrl-C, SIGTERM and SIGHUP"
)

NO_MEMORY = "there is not enough memory"


class CommandError(Exception):
    """What was asked for cannot be done; `main` prints the message, one line, and returns 2."""


class FileError(CommandError):
    """One of the files cannot be read, used or written; others may."""


def one_line(error: BaseException) -> str:
    """What the error says, without line breaks, and without the path that the system adds."""
    message = error.strerror if isinstance(error, OSError) else None
    return " ".join((message or str(error)).split()) or type(error).__name__


def cause(error: BaseException) -> str:
    """The same, but PyTorch's and NumPy's words for too little memory are replaced."""
    if isinstance(error, MemoryError) or "allocate memory" in str(error):
        return NO_MEMORY
    return one_line(error)


def unreadable(path: Path, why: str) -> FileError:
    """The error that a file cannot be read."""
    return FileError(f"cannot read '{path}': {why}")


def unwritable(path: Path, why: str) -> FileError:
    """The error that a file cannot be written."""
    return FileError(f"cannot write '{path}': {why}")
