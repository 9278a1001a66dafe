"""The command line: one module a subcommand, each with `NAME`, `HELP`, `add_arguments` and `run`.

What this module imports is light, and `main` imports the rest once signals are looked after.
Modules here import PyTorch only where a command runs, so that `--help` does not wait for it.
"""

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from spitgraph.cli.errors import NOTHING_DONE, READER_GONE, CommandError
from spitgraph.cli.interrupts import Interrupts
from spitgraph.cli.streams import ReaderGoneError, StdoutError, complain, discard_what_is_unwritten


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    While it runs, SIGINT, SIGTERM and SIGHUP end it tidily, unless the process ignores them or has
    handlers of its own, and where this is the main thread.

    Args:
        argv: Its arguments, those of the process by default.

    Returns:
        Exit status: 0 if all went well, 1 if some of many inputs failed, 2 if nothing could be done
        or stdout cannot be written to, 141 if whoever read stdout went away, and if interrupted 130
        (Ctrl-C), 143 (SIGTERM) or 129 (SIGHUP).

    Raises:
        SystemExit: After `--help` and `--version`; with status 2 for arguments that do not parse.
    """
    with Interrupts() as interrupts:
        return _run(argv, interrupts)


def program() -> NoReturn:
    """`main` as a process, which ends with the command: signals are looked after until then."""
    _open_standard_streams()
    interrupts = Interrupts(ends_process=True)
    interrupts.take_over()  # for good: the process ends with the command
    status: int | str | None
    try:
        status = _run(None, interrupts)
    except SystemExit as end:
        status = end.code
    interrupts.ignore_others()
    discard_what_is_unwritten()
    if interrupts.number is not None and status == interrupts.status:
        os._exit(interrupts.status)  # waits for no thread, and for nothing half imported
    sys.exit(status)


def _run(argv: Sequence[str] | None, interrupts: Interrupts) -> int:
    """Run one command; whatever it was doing when interrupted, it ends here."""
    try:
        with interrupts.allowed(True):
            return _attempt(argv, interrupts)
    except BaseException as error:
        if interrupts.number is None and not isinstance(error, KeyboardInterrupt):
            raise
        complain(interrupts.message)
        return interrupts.status


def _attempt(argv: Sequence[str] | None, interrupts: Interrupts) -> int:
    from argparse import Namespace

    from spitgraph.cli.parser import build_parser

    try:
        args = build_parser().parse_args(argv, Namespace(interrupts=interrupts))
        return args.run(args)
    except (CommandError, StdoutError) as error:
        interrupts.check()
        complain(str(error))
        return NOTHING_DONE
    except ReaderGoneError:
        return READER_GONE


def _open_standard_streams() -> None:
    """Lead what is closed of stdin, stdout and stderr nowhere.

    The next file opened would take its place, and get what libraries write there on their own.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
