"""`spitgraph info`: what token files hold."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

from spitgraph.cli import arguments
from spitgraph.cli.errors import DONE, NO_MEMORY, NOTHING_DONE, OTHER_STATUSES, FileError, cause
from spitgraph.cli.inputs import check_ordinary
from spitgraph.cli.streams import complain, say

if TYPE_CHECKING:
    import spitgraph

NAME, HELP = "info", "what token files hold"
DESCRIPTION = """\
Say what files of token graphs hold: image size, tokens, edges, levels, sizes. Files are opened
without running any code that they may carry.
"""
EPILOG = f"""\
exit status: 0 all files read, 2 one or more are no token graphs;
{OTHER_STATUSES}
"""
#: How files that `torch.save` writes begin: they are zip archives.
MAGIC = b"PK\x03\x04"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument(
        "files", nargs="+", type=arguments.path, metavar="TOKENS.pt", help="token graph"
    )


def run(args: argparse.Namespace) -> int:
    """Describe the files one after the other; see `main` for what is returned."""
    with args.interrupts.importing():
        from spitgraph import inspection  # noqa: F401
    failed = False
    for path in args.files:
        args.interrupts.check()
        try:
            graphs = load(path)
            lines = [line for graph in graphs for line in ["", *describe(graph)]]
        except Exception as error:  # on foreign bytes, unpicklers raise nearly anything
            args.interrupts.check()
            complain(reason(error, path))
            failed = True
            continue
        title = f"{path}" if len(graphs) == 1 else f"{path}: a batch of {len(graphs)} images"
        say(title, *lines[1:], "")
    return NOTHING_DONE if failed else DONE


class ForeignFileError(ValueError):
    """The file can be read, but holds no token graph."""


def load(path: Path) -> list["spitgraph.TokenData"]:
    """The token graphs in a file, one an image."""
    check_ordinary(path)
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:  # before PyTorch reads on, however large it is
            raise ForeignFileError("not a file that torch.save writes")
    import torch
    from torch_geometric.data import Batch

    from spitgraph import TokenData

    check_container(path)
    tokens = torch.load(path, weights_only=True, map_location="cpu")
    if not isinstance(tokens, TokenData):
        raise ForeignFileError(f"it holds a {type(tokens).__name__}")
    return tokens.to_data_list() if isinstance(tokens, Batch) else [tokens]


def check_container(path: Path) -> None:
    """Refuse, without its warning, what PyTorch would warn of and then refuse."""
    with ZipFile(path) as archive:
        if any(name.endswith("/constants.pkl") for name in archive.namelist()):
            raise ForeignFileError("it holds a TorchScript program")


def describe(tokens: "spitgraph.TokenData") -> list[str]:
    """Lines that say what the graph of one image holds."""
    from torch import Tensor

    from spitgraph.inspection import count_parts

    height, width = tokens.image_size[0].tolist()
    counts = [len(parent) for parent in tokens.parents] + [len(tokens.size)]
    scattered = int((count_parts(tokens) > 1).sum())
    values = tokens.to_dict().values()
    memory = sum(value.nbytes for value in values if isinstance(value, Tensor))
    pixels = "with" if "pixels" in tokens else "without"
    features = "none" if tokens.x is None else f"{tokens.x.shape[1]} numbers a token"
    rows = {
        "image": f"{width} × {height} pixels",
        "tokens": f"{len(tokens.size):,}",
        "edges": f"{tokens.num_edges // 2:,} pairs of regions touch",
        "levels": " → ".join(f"{count:,}" for count in counts),
        "sizes": f"{tokens.size.min():,} … {tokens.size.max():,} pixels, "
        f"median {tokens.size.median():,}",
        "connected": f"all but {scattered:,} regions" if scattered else "every region",
        "x": features,
        "memory": f"{memory / 2**20:.1f} MiB, {pixels} pixels",
    }
    lines = [f"  {name:<10} {value}" for name, value in rows.items()]
    return [*lines, "  attributes", *attribute_lines(tokens)]


def attribute_lines(tokens: "spitgraph.TokenData") -> list[str]:
    """Lines that list what it holds, by name: type, shape and meaning."""
    from torch import Tensor

    from spitgraph.attributes import ATTRIBUTES

    lines = []
    for name, value in tokens.to_dict().items():
        if isinstance(value, Tensor):
            kind = f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}"
            meaning = ATTRIBUTES[name].meaning if name in ATTRIBUTES else ""
            lines.append(f"    {name:<12} {kind:<21} {meaning}".rstrip())
    return lines


def reason(error: Exception, path: Path) -> str:
    """Why a file could not be described, without PyTorch's page of advice."""
    if isinstance(error, FileError):
        return str(error)
    if isinstance(error, OSError):
        return f"cannot read '{path}': {cause(error)}"
    why = cause(error)
    if why == NO_MEMORY:
        return f"{path}: {why}"
    if isinstance(error, ForeignFileError):
        return f"{path}: no token graph: {why}"
    return f"{path}: no token graph: truncated, or with parts missing, or one that would run code"
