"""What commands tell their user when something is wrong."""


class CommandError(Exception):
    """What was asked for cannot be done; `main` prints the message, one line, and returns 2."""


def one_line(error: BaseException) -> str:
    """What the error says, without line breaks, and without the path that the system adds."""
    message = error.strerror if isinstance(error, OSError) else None
    return " ".join((message or str(error)).split()) or type(error).__name__
