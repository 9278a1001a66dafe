"""`spitgraph tokenize-corpus`: any number of pictures → token graphs in Parquet, by Ray."""

import argparse
import sys

from spitgraph.cli import arguments
from spitgraph.cli.errors import (
    DONE,
    NOTHING_DONE,
    OTHER_STATUSES,
    SOME_FAILED,
    CommandError,
    cause,
    one_line,
)
from spitgraph.cli.streams import is_terminal, report
from spitgraph.cli.tokenize import (
    add_extractor,
    add_tokenizer,
    make_extractor,
    make_tokenizer,
)
from spitgraph.extras import needs_extra

NAME, HELP = "tokenize-corpus", "any number of pictures → token graphs in Parquet files"
DESCRIPTION = """\
Tokenize all pictures of SRC into OUT/part-00000.parquet and so on, a row a picture, which
spitgraph.TokenDataset reads. SRC is a folder (with all folders in it), a Parquet file, a WebDataset
shard (.tar) or a list of paths (.txt: one a line, a label after a tab); folders may hold Parquet
files and shards too. SRC and OUT may be URLs, such as s3://bucket/folder.

SRC is listed once, into OUT; each part is made from a stretch of the list. Broken off, however, and
started again, the command goes on where it was, and ends with the same rows, bit for bit, as with
any other number of workers or machines. Settings that differ from those of OUT are refused.

Pictures that cannot be read have no row: OUT/unreadable.parquet names them, and why.
"""
EPILOG = f"""\
exit status: 0 all tokenized, 1 some pictures could not be read, 2 not done (bad options, no
pictures, or OUT cannot be written to); {OTHER_STATUSES}

examples:
  spitgraph tokenize-corpus photos OUT
  spitgraph tokenize-corpus imagenet/train OUT --labels folder --pixels --num-tokens 196
  spitgraph tokenize-corpus shards OUT --labels cls --address auto
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    add = parser.add_argument
    add("source", metavar="SRC", help="folder, .parquet, .tar, list (.txt), or a URL of one")
    add("out", metavar="OUT", help="folder to write to, or a URL")
    add("--quiet", action="store_true", help="only report errors")
    add_tokenizer(parser)
    add_extractor(parser)
    group = parser.add_argument_group("rows")
    add = group.add_argument
    add("--pixels", action="store_true", help="keep the pictures: the files' own bytes")
    add("--no-hierarchy", action="store_true", help="keep the map of the tokens, not all levels")
    add("--graph", action="store_true", help="the region graph as columns too, for other readers")
    add("--float32", action="store_true", help="token vectors as they are, not as float16")
    add(
        "--labels",
        metavar="BY",
        help='of pictures: "folder" for the names of their folders, else a column (Parquet), or '
        "the ending of a sample's label file (.tar), such as cls",
    )
    add("--column", metavar="NAME", help="of the pictures in Parquet files, default: the first")
    add(
        "--per-file",
        type=arguments.whole,
        default=512,
        metavar="N",
        help="pictures of a part, which is what is lost at most; default: 512",
    )
    group = parser.add_argument_group("machines")
    add = group.add_argument
    add("--workers", type=arguments.whole, metavar="N", help="default: one a processor")
    add("--address", metavar="HOST:PORT", help="of a Ray cluster; default: Ray is started here")


def run(args: argparse.Namespace) -> int:
    """Tokenize the pictures; see `main` for what is returned."""
    with args.interrupts.importing():
        import spitgraph.extractors
        import spitgraph.tokenizers  # noqa: F401
    tokenizer, extractor = make_tokenizer(args), make_extractor(args)
    if args.float32 and extractor is None:
        raise CommandError("--float32 goes with --features")
    try:
        with args.interrupts.importing(), needs_extra("cluster"):  # which brings what corpus does
            from spitgraph.corpus.cluster import tokenize_corpus
            from spitgraph.corpus.schema import Layout
        done = tokenize_corpus(
            args.source,
            args.out,
            tokenizer,
            extractor,
            layout=Layout(
                pixels=args.pixels,
                vectors=None if extractor is None else "float32" if args.float32 else "float16",
                hierarchy=not args.no_hierarchy,
                graph=args.graph,
            ),
            labels=args.labels,
            column=args.column,
            per_file=args.per_file,
            seed=args.seed or 0,
            workers=args.workers,
            address=args.address,
            progress=not args.quiet and is_terminal(sys.stderr),
        )
    except (ImportError, RuntimeError, TypeError, ValueError) as error:
        args.interrupts.check()
        raise CommandError(one_line(error)) from error
    except OSError as error:
        args.interrupts.check()
        name = f" '{error.filename}'" if isinstance(error.filename, str) else ""
        raise CommandError(f"broken off at{name or ' a file'}: {cause(error)}") from error
    rows = done.images - done.unreadable
    if not args.quiet:
        before = f", {done.images - done.new} done before" if done.new < done.images else ""
        report(f"{rows} of {done.images} pictures tokenized into {args.out}{before}")
    return DONE if not done.unreadable else SOME_FAILED if rows else NOTHING_DONE
