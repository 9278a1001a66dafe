"""What is not installed, and how to get it."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def needs_extra(name: str) -> Iterator[None]:
    """Imports made inside need an extra of this package; where they fail, the error says so."""
    try:
        yield
    except ImportError as error:
        raise ImportError(
            f'{error.name} is missing: pip install "spitgraph[{name}]"', name=error.name
        ) from error
