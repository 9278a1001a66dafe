"""What is not installed, and how to get it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager


@contextmanager
def needs_extra(name: str) -> Iterator[None]:
    """Imports made inside need an extra of this package; where they fail, the error says so."""
    try:
        yield
    except ImportError as error:
        raise ImportError(
            f'{error.name} is missing: pip install "spitgraph[{name}]"', name=error.name
        ) from error


def plot_extra() -> AbstractContextManager[None]:
    """Imports made inside need the extra `plot`; where they fail, the error says so."""
    return needs_extra("plot")
