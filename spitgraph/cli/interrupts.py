"""Ctrl-C and other signals that end a command: it stops wherever it is, and tidies up."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import Any

from spitgraph.cli.streams import complain

#: Signals by name, and what a command says when one ends it. Not every system has SIGHUP.
ENDINGS = {"SIGINT": "interrupted", "SIGTERM": "terminated", "SIGHUP": "hung up"}


class Interrupted(KeyboardInterrupt):
    """A signal ends the command; libraries let it pass as they do Ctrl-C."""


class Interrupts:
    """Handlers for signals that end a command, as long as `with` lasts.

    The first signal raises `Interrupted` wherever the main thread is, if that is allowed there, and
    otherwise as soon as it is. Later ones change nothing, so that tidying up is not interrupted.

    Signals that the process ignores (as under nohup) or has its own handlers for are left alone,
    and so are all where this is not the main thread.

    Args:
        ends_process: Whether nothing else goes on in this process.

    Attributes:
        number: The signal that came, if one did.
    """

    def __init__(self, ends_process: bool = False) -> None:
        self.number: int | None = None
        self._ends_process = ends_process
        self._allowed = self._importing = False
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> "Interrupts":
        self.take_over()
        return self

    def take_over(self) -> None:
        """Put the handlers in their place."""
        for name in ENDINGS:
            number = getattr(signal, name, None)
            if number is None:
                continue
            before = signal.getsignal(number)
            if before in (signal.SIG_DFL, signal.default_int_handler):
                with suppress(ValueError):  # not in the main thread
                    signal.signal(number, self._handle)
                    self._handlers[number] = before
        if self._handlers:
            self._unraisable, sys.unraisablehook = sys.unraisablehook, self._ignore

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, before in self._handlers.items():
            signal.signal(number, before)
        if self._handlers:
            sys.unraisablehook = self._unraisable

    def ignore_others(self) -> None:
        """Let further signals change nothing, while the interpreter takes itself apart too."""
        for number in self._handlers:
            signal.signal(number, signal.SIG_IGN)

    @contextmanager
    def allowed(self, allowed: bool) -> Iterator[None]:
        """Whether signals may raise within; one that came while they might not does at the end."""
        before, self._allowed = self._allowed, allowed
        try:
            if allowed:
                self.check()
            yield
            if allowed or before:
                self.check()
        finally:
            self._allowed = before

    @contextmanager
    def importing(self) -> Iterator[None]:
        """Nothing is raised within, where PyTorch would abort, but the process may be left."""
        with self.allowed(False):
            self._importing = True
            try:
                yield
            finally:
                self._importing = False

    def check(self) -> None:
        """Raise if a signal came: others may have swallowed what it raised.

        Raises:
            Interrupted: One did.
        """
        if self.number is not None:
            raise Interrupted

    @property
    def message(self) -> str:
        """What ended the command."""
        return ENDINGS[signal.Signals(self._signal).name]

    @property
    def status(self) -> int:
        """The status to end with, as a shell says it."""
        return 128 + self._signal

    @property
    def _signal(self) -> int:
        return signal.SIGINT if self.number is None else self.number

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.number is None:
            self.number = number
            if self._allowed:
                raise Interrupted
            if self._importing and self._ends_process:
                complain(self.message)
                os._exit(self.status)

    def _ignore(self, unraisable: "sys.UnraisableHookArgs") -> None:
        if self.number is None:  # what is raised for a signal is not lost: see `check`
            self._unraisable(unraisable)
