"""The command line: one module a subcommand, each with `add_parser` and `run`.

Modules here import PyTorch only where a command runs, so that `--help` does not wait for it.
"""

import argparse
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import NoReturn

from spitgraph import __version__
from spitgraph.cli import info, models, tokenize, warm_up
from spitgraph.cli.errors import CommandError

COMMANDS = (tokenize, info, models, warm_up)


class Parser(argparse.ArgumentParser):
    """An argument parser that complains in one line."""

    def error(self, message: str) -> NoReturn:
        """Exit with status 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = Parser(
        prog="spitgraph",
        description="Turn pictures into graphs of superpixel tokens, and look at them.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: Its arguments, those of the process by default.

    Returns:
        Exit status: 0 if all went well, 1 if some of many inputs failed, 2 if nothing could be
        done, 130 if interrupted.

    Raises:
        SystemExit: After `--help` and `--version`; with status 2 for arguments that do not parse.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # in a narrow encoding, write λ as \u03bb
            stream.reconfigure(errors="backslashreplace")
    args = build_parser().parse_args(argv)
    try:
        return args.run(args)
    except CommandError as error:
        print(f"spitgraph: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("spitgraph: interrupted", file=sys.stderr)
        return 130
