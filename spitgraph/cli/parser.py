"""The parser of all commands, which complains in one line."""

import argparse
from typing import Any, NoReturn

from spitgraph import __version__
from spitgraph.cli import (
    evaluate,
    explain,
    info,
    inspect,
    models,
    segment,
    tokenize,
    tokenize_corpus,
    train,
    vectorize,
    warm_up,
)
from spitgraph.cli.errors import NOTHING_DONE
from spitgraph.cli.streams import complain, show

COMMANDS = (
    tokenize,
    inspect,
    vectorize,
    segment,
    explain,
    train,
    evaluate,
    tokenize_corpus,
    info,
    models,
    warm_up,
)


class Parser(argparse.ArgumentParser):
    """An argument parser that prints as commands do, and complains in one line."""

    def error(self, message: str) -> NoReturn:
        """Exit with status 2."""
        complain(f"{message} (see {self.prog} --help)")
        self.exit(NOTHING_DONE)

    def _print_message(self, message: str, file: Any = None) -> None:
        show(message)  # help and version


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
        parts = commands.add_parser(
            command.NAME,
            help=command.HELP,
            description=command.DESCRIPTION,
            epilog=command.EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.add_arguments(parts)
        parts.set_defaults(run=command.run)
    return parser
