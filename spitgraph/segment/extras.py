"""What is not installed, and how to get it."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def segment_extra() -> Iterator[None]:
    """Imports made inside need the extra `segment`; where they fail, the error says so."""
    try:
        yield
    except ImportError as error:
        raise ImportError(
            f'{error.name} is missing: pip install "spitgraph[segment]"', name=error.name
        ) from error
