"""`spitgraph warm-up`: compile the kernels before anybody asks for them."""

import argparse

from spitgraph.cli.errors import CommandError

DESCRIPTION = """\
Compile the fused kernels for this machine's processor, and keep them on disk. Without it, the first
call has that done in the background, and plain operations serve in the meantime.
"""
EPILOG = "exit status: 0 the kernels serve, 2 they cannot"


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to a parser's."""
    parser = commands.add_parser(
        "warm-up",
        help="compile the fused kernels, once for this machine",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Compile, and say what; see `main` for what is returned."""
    import torch

    from spitgraph import kernels

    if not kernels.available(torch.device("cpu")):
        raise CommandError('there is no Numba that serves: pip install "spitgraph[fast]"')
    from spitgraph.kernels.cpu import cache, jit
    from spitgraph.kernels.pipelines import PIPELINES

    if not jit.IS_COMPILED:
        raise CommandError("Numba is told to compile nothing: NUMBA_DISABLE_JIT is set")
    if cache.folder() is None:
        raise CommandError(
            "there is no folder to keep kernels in: NUMBA_CACHE_DIR names one that may be written"
        )
    try:
        seconds = kernels.warm_up()
    except RuntimeError as error:
        raise CommandError(str(error)) from error
    for name in PIPELINES:
        done = f"compiled in {seconds[name]:.0f} s" if name in seconds else "compiled before"
        print(f"{name:<14} {done}")
    print(f"kept in {cache.folder()}")
    return 0
