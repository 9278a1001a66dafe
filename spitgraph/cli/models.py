"""`spitgraph models`: the named configurations, in numbers."""

import argparse

from spitgraph.cli import arguments
from spitgraph.cli.errors import OTHER_STATUSES, CommandError, one_line
from spitgraph.cli.streams import say

NAME, HELP = "models", "named models, with parameters and multiply-adds"
DESCRIPTION = """\
List the models that spitgraph.create_model makes: what they cut images into, how large they are,
and the multiply-adds of one image, from its token vectors to logits.
"""
EPILOG = f"""\
example:
  spitgraph models --tokens 576

exit status: 0 listed, 2 bad options;
{OTHER_STATUSES}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument(
        "--tokens",
        type=arguments.whole,
        default=196,
        metavar="N",
        help="tokens of the image, default: 196, as 224×224 pixels have 16×16 patches",
    )


def run(args: argparse.Namespace) -> int:
    """Print the table; see `main` for what is returned."""
    with args.interrupts.importing():
        from spitgraph.models import model_table

    try:
        rows = model_table(args.tokens)
    except ValueError as error:
        raise CommandError(one_line(error)) from error
    head = f"{'name':<14} {'tokens':<20} {'width':>5} {'depth':>5} {'heads':>5}"
    lines = [f"{head} {'parameters':>11} {'multiply-adds':>14}"]
    for row in rows:
        sizes = f"{row.embed_dim:>5} {row.depth:>5} {row.num_heads:>5}"
        counts = f"{row.parameters / 1e6:>9.1f} M {row.multiply_adds / 1e9:>12.1f} G"
        lines.append(f"{row.name:<14} {row.tokens:<20} {sizes} {counts}")
    say(*lines)
    return 0
