"""Several threads in one compiled call each, working on the same image phase by phase.

One thread leads: it opens a phase of so many chunks of work, takes chunks itself, and goes on when
all are done. Others, as soon as they come along, take chunks too. None is ever waited for that has
not begun, so the work gets done with any number of threads.

`board` [≥ 2] int64 is what they share: the ticket of the next chunk (phase · 2³² + chunk), and how
many chunks of the phase are done.
"""

from threading import Lock
from typing import Any

import numpy as np
from numba.core import cgutils, types

from spitgraph.kernels.cpu.jit import kernel, llvm

TICKET, DONE = 0, 1
#: The phase in which everyone goes home.
HOME = 2**30
#: More chunks than there ever are: so many are done where one never will be, since a thread failed.
FAILED = 2**40
_SHIFT = 2**32
#: Ticket of that phase.
GO_HOME = HOME * _SHIFT
#: Ticket before the first phase: there are no such chunks.
CLOSED = _SHIFT - 1


#: What makes the operations below atomic where nothing is compiled.
_one_at_a_time = Lock()


def _address(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    array = context.make_array(signature.args[0])(context, builder, args[0])
    return cgutils.get_item_pointer(context, builder, signature.args[0], array, [args[1]])


def _fetch_add(typing_context, board, index, amount):  # type: ignore[no-untyped-def]
    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        where = _address(context, builder, signature, args)
        return builder.atomic_rmw("add", where, args[2], "seq_cst")

    return types.int64(board, types.intp, types.int64), generate


def _store(typing_context, board, index, value):  # type: ignore[no-untyped-def]
    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        where = _address(context, builder, signature, args)
        return builder.atomic_rmw("xchg", where, args[2], "seq_cst")

    return types.int64(board, types.intp, types.int64), generate


def _load(typing_context, board, index):  # type: ignore[no-untyped-def]
    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        where = _address(context, builder, signature, args)
        return builder.load_atomic(where, "seq_cst", 8)

    return types.int64(board, types.intp), generate


@llvm(_fetch_add)
def fetch_add(board: np.ndarray, index: int, amount: int) -> int:
    """Atomically `board[index] += amount`; what it was before."""
    with _one_at_a_time:
        before = board[index]
        board[index] += amount
    return before


@llvm(_store)
def store(board: np.ndarray, index: int, value: int) -> int:
    """Atomically `board[index] = value`; what it was before."""
    with _one_at_a_time:
        before = board[index]
        board[index] = value
    return before


@llvm(_load)
def load(board: np.ndarray, index: int) -> int:
    """Atomically `board[index]`."""
    return board[index]


@kernel
def open_phase(board: np.ndarray, phase: int) -> None:
    """The leader: offer the chunks of a phase."""
    store(board, DONE, 0)
    store(board, TICKET, np.int64(phase) * _SHIFT)


def send_home(board: np.ndarray) -> None:
    """Everyone, whatever happened to the leader: nobody waits for more.

    Nothing is called here: an interrupt cannot come in between.
    """
    board[DONE] = FAILED
    board[TICKET] = GO_HOME


@kernel
def next_chunk(board: np.ndarray, num_chunks: int) -> tuple[int, int]:
    """Phase and number of a chunk to work on; the number is −1 when there is none at present."""
    ticket = load(board, TICKET)
    if ticket % _SHIFT < num_chunks:
        ticket = fetch_add(board, TICKET, 1)
    phase, chunk = ticket // _SHIFT, ticket % _SHIFT
    return phase, chunk if chunk < num_chunks else -1


@kernel
def finish_chunk(board: np.ndarray) -> None:
    """Say that a chunk is done."""
    fetch_add(board, DONE, 1)


@kernel
def await_all(board: np.ndarray, num_chunks: int) -> None:
    """The leader: wait until every chunk of the phase is done; an error if one never will be."""
    done = load(board, DONE)
    while done < num_chunks:
        done = load(board, DONE)
    if done >= FAILED:
        raise RuntimeError("another thread of the team failed")
