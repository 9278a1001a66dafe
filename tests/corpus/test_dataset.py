"""TokenDataset: what was written, by index, in any process, from any place."""

import multiprocessing
import os
import pickle
from collections import Counter

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader
from torch_geometric.data import Batch, InMemoryDataset
from torch_geometric.loader import DataLoader as GraphLoader

from helpers.corpora import assert_same_graph
from helpers.places import REPOSITORY
from spitgraph import TokenDataset
from spitgraph.corpus import TokenWriter
from spitgraph.corpus.places import Place
from spitgraph.train import TokenBudgetSampler


@pytest.fixture(scope="module")
def dataset(corpus):
    return TokenDataset(corpus)


@pytest.fixture(scope="module")
def labelled(graphs):
    copies = [tokens.clone() for tokens in graphs]
    for number, tokens in enumerate(copies):
        tokens.y = torch.tensor([number % 3])
    return copies


def test_every_graph_by_index(dataset, labelled):
    assert len(dataset) == 30
    for number, tokens in enumerate(labelled):
        assert_same_graph(tokens, dataset[number])
        assert_same_graph(tokens, dataset[number - 30])
    with pytest.raises(IndexError):
        dataset[30]


def test_parts_of_it(dataset, labelled):
    for part, expected in [
        (dataset[3:20:4], range(3, 20, 4)),
        (dataset[[5, -1]], [5, 29]),
        (dataset[torch.tensor([2, 2])], [2, 2]),
        (dataset[:10][np.array([1, 7])], [1, 7]),
        (dataset.with_label("b"), range(1, 30, 3)),
        (dataset[:9].with_label(0, "c"), [0, 2, 3, 5, 6, 8]),
    ]:
        assert len(part) == len(expected)
        assert part.column("path").tolist() == [f"{number}.png" for number in expected]
        for tokens, number in zip(part, expected, strict=True):
            assert_same_graph(labelled[number], tokens)


def test_what_it_tells_without_graphs(dataset, graphs):
    assert dataset.num_tokens.tolist() == [len(tokens.size) for tokens in graphs]
    assert dataset.labels.tolist() == [number % 3 for number in range(30)]
    assert dataset.num_classes == 3 and dataset.layout.classes == ("a", "b", "c")
    assert dataset.column("height").tolist() == [int(t.image_size[0, 0]) for t in graphs]
    assert dataset.column("label_name")[4] == "b" and len(set(dataset.column("key"))) == 30
    with pytest.raises(ValueError, match="name must be one of"):
        dataset.column("levels")
    with pytest.raises(ValueError, match="no class 'd'"):
        dataset.with_label("d")


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "start"), [(2, "fork"), (4, "fork"), (1, "spawn")])
def test_workers_read_the_same(dataset, labelled, workers, start):
    if start not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {start} on this system")
    assert dataset[0] is not None  # files are open before it forks
    loader = DataLoader(
        dataset,
        batch_size=4,
        num_workers=workers,
        collate_fn=Batch.from_data_list,
        multiprocessing_context=start,
    )
    found = [tokens for batch in loader for tokens in batch.to_data_list()]
    assert len(found) == 30
    for tokens, other in zip(labelled, found, strict=True):
        assert_same_graph(tokens, other)


def test_loaders_and_samplers(dataset, labelled):
    sampler = TokenBudgetSampler(dataset.num_tokens, 120)
    loader = DataLoader(dataset, batch_sampler=sampler, collate_fn=Batch.from_data_list)
    seen = 0
    for batch, keys in zip(loader, sampler, strict=True):
        assert batch.num_nodes <= 120
        for tokens, (_, index) in zip(batch.to_data_list(), keys, strict=True):
            assert_same_graph(labelled[index], tokens)
        seen += len(keys)
    assert seen == 30
    (batch,) = GraphLoader(dataset[:5], batch_size=5)
    assert batch.num_graphs == 5 and batch.y.tolist() == [0, 1, 2, 0, 1]


def test_shuffling_draws_every_row_once_and_reads_every_group_once(dataset, monkeypatch):
    part = dataset.shuffled(torch.Generator().manual_seed(1), together=2)
    assert sorted(part.indices()) == list(range(30)) != list(part.indices())
    again = dataset.shuffled(torch.Generator().manual_seed(1), together=2)
    assert list(again.indices()) == list(part.indices())
    read = Counter()
    inner = part.rows._read
    monkeypatch.setattr(part.rows, "_read", lambda group: read.update([group]) or inner(group))
    part.rows.cached_groups = 2
    for _ in part:
        pass
    assert set(read.values()) == {1} and len(read) == len(part.rows.groups)
    few = dataset[[3, 4, 25]].shuffled(torch.Generator().manual_seed(0))
    assert sorted(few.indices()) == [3, 4, 25]


def test_a_few_groups_are_kept(corpus):
    dataset = TokenDataset(corpus, cached_groups=2)
    for tokens in dataset:
        assert tokens is not None
    assert len(dataset.rows._tables) == 2


def test_it_can_be_pickled_and_opens_files_anew(dataset, labelled):
    other = pickle.loads(pickle.dumps(dataset[2:]))
    assert not other.rows._files and not other.rows._tables
    assert_same_graph(labelled[4], other[2])


def test_transforms_are_called(corpus):
    assert TokenDataset(corpus, transform=lambda tokens: tokens.num_nodes)[3] > 0


def test_in_memory(dataset, labelled):
    held = dataset[:7].in_memory()
    assert isinstance(held, InMemoryDataset) and len(held) == 7 and held.num_classes == 3
    for number in range(7):
        assert_same_graph(labelled[number], held[number])


def test_one_file_and_other_places(corpus, graphs):
    assert len(TokenDataset(corpus / "part-00001.parquet")) == 11
    assert len(TokenDataset(f"file://{corpus}")) == 30
    pytest.importorskip("fsspec")
    with TokenWriter("memory://there/corpus", rows_per_file=2) as writer:
        for tokens in graphs[:5]:
            writer.write(tokens)
    dataset = TokenDataset("memory://there/corpus")
    assert len(dataset) == 5 and len(dataset.rows.places) == 3
    assert_same_graph(graphs[4], dataset[4], without=("pixels",))
    with pytest.raises(FileExistsError, match="holds a corpus already"):
        TokenWriter("memory://there/corpus")


def test_what_is_no_corpus_is_refused(tmp_path, graphs):
    with pytest.raises(FileNotFoundError, match="there is no"):
        TokenDataset(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="no part-"):
        TokenDataset(tmp_path)
    (tmp_path / "part-00000.parquet").write_bytes(b"PAR1 and more")
    with pytest.raises(ValueError, match="no Parquet file"):
        TokenDataset(tmp_path)
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pytest.importorskip("pyarrow").table({"a": [1]})
    parquet.write_table(table, tmp_path / "part-00000.parquet")
    with pytest.raises(ValueError, match="not a file of spitgraph's"):
        TokenDataset(tmp_path)


def test_damage_to_a_file_is_noticed(corpus, tmp_path):
    content = bytearray((corpus / "part-00000.parquet").read_bytes())
    content[len(content) // 3] ^= 255
    (tmp_path / "part-00000.parquet").write_bytes(content)
    dataset = TokenDataset(tmp_path)
    with pytest.raises((OSError, ValueError)):
        for _ in dataset:
            pass


def test_a_writer_that_fails_leaves_no_file(tmp_path, graphs, monkeypatch):
    with pytest.raises(KeyError), TokenWriter(tmp_path, rows_per_file=2) as writer:
        for tokens in graphs[:3]:
            writer.write(tokens)
        raise KeyError
    assert os.listdir(tmp_path) == ["part-00000.parquet"]
    assert len(TokenDataset(tmp_path)) == 2


def test_a_place_is_a_path_or_a_url():
    assert Place("a/b").is_local and Place("file:///a").path == "/a"
    assert not Place("s3://bucket/a").is_local and str(Place("s3://a/") / "b") == "s3://a/b"
    with pytest.raises(ValueError, match="empty"):
        Place("")


@pytest.mark.parametrize("reader", ["duckdb", "polars"])
def test_other_readers_open_it(reader, graphs, tmp_path):
    module = pytest.importorskip(reader)
    with TokenWriter(tmp_path, graph=True, classes=["cat"]) as writer:
        for tokens in graphs[:3]:
            writer.write(tokens, label=0)
    files = f"{tmp_path}/*.parquet"
    if reader == "duckdb":
        for query in queries("docs/scale.md"):
            module.connect().execute(query.replace("OUT", str(tmp_path))).fetchall()
        query = f"select num_tokens, label_name, size, edge_length from '{files}'"
        rows = module.connect().execute(query).fetchall()
    else:
        rows = module.read_parquet(
            files, columns=["num_tokens", "label_name", "size", "edge_length"]
        )
        rows = rows.select("num_tokens", "label_name", "size", "edge_length").rows()
    for (count, name, size, length), tokens in zip(rows, graphs[:3], strict=True):
        assert (count, name) == (len(tokens.size), "cat")
        assert list(size) == tokens.size.tolist() and 2 * sum(length) == tokens.edge_attr.sum()


def queries(page):
    """What a page shows in SQL, statement by statement."""
    blocks = (REPOSITORY / page).read_text(encoding="utf-8").split("```sql\n")[1:]
    return [f"{one};" for block in blocks for one in block.split("```")[0].split(";")[:-1]]
