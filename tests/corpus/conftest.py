"""Corpora to read, and what rows are compared by."""

import pytest

pytest.importorskip("pyarrow")

from helpers.pictures import noise_of_bytes  # noqa: E402
from spitgraph import SuperpixelTokenizer  # noqa: E402
from spitgraph.corpus import TokenWriter  # noqa: E402


@pytest.fixture(scope="session")
def graphs():
    """Token graphs of 30 small pictures of different sizes."""
    tokenizer = SuperpixelTokenizer(3)
    return [tokenizer(noise_of_bytes(9 + i % 5, 12 + i % 3, seed=i)) for i in range(30)]


@pytest.fixture(scope="session")
def corpus(graphs, tmp_path_factory):
    """A corpus of these in three files, of row groups of 4; labels 0, 1, 2, 0, …"""
    folder = tmp_path_factory.mktemp("corpus")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("spitgraph.corpus.writer.GROUP_ROWS", 4)
        with TokenWriter(folder, pixels=True, rows_per_file=11, classes="abc") as writer:
            for number, tokens in enumerate(graphs):
                writer.write(tokens, path=f"{number}.png", label=number % 3)
    return folder
