"""`spitgraph warm-up`: compile the kernels before anybody asks for them."""

import argparse

from spitgraph.cli.errors import OTHER_STATUSES, CommandError
from spitgraph.cli.streams import report

NAME, HELP = "warm-up", "compile the fused kernels, once for this machine"
DESCRIPTION = """\
Compile the fused kernels for this machine's processor, and keep them on disk. Without it, the first
call has that done in the background, and plain operations serve in the meantime.
"""
EPILOG = f"""\
exit status: 0 the kernels serve, 2 they cannot;
{OTHER_STATUSES}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""


def run(args: argparse.Namespace) -> int:
    """Compile, and say what; see `main` for what is returned."""
    with args.interrupts.importing():
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
    except (OSError, RuntimeError) as error:
        args.interrupts.check()
        raise CommandError(gist(str(error))) from error
    lines = []
    for name in PIPELINES:
        done = f"compiled in {seconds[name]:.0f} s" if name in seconds else "compiled before"
        lines.append(f"{name:<14} {done}")
    report(*lines, f"kept in {cache.folder()}")
    return 0


def gist(complaint: str) -> str:
    """The last line of a traceback, and what stands before it."""
    first, *others = complaint.strip().splitlines() or [complaint]
    before = first.partition("Traceback")[0].rstrip()
    return f"{before} {others[-1].strip()}" if others else first
