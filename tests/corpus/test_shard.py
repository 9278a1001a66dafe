"""A file of a corpus follows from the manifest: whoever writes it, whatever went wrong before."""

import errno
import os

import pytest
import torch

from helpers.commands import contents
from helpers.corpora import assert_same_graph, folder_of_pictures
from spitgraph import (
    InterpolationExtractor,
    SuperpixelTokenizer,
    TokenDataset,
    VoronoiTokenizer,
)
from spitgraph.corpus.manifest import manifest_of
from spitgraph.corpus.places import Place
from spitgraph.corpus.schema import Layout
from spitgraph.corpus.shard import ShardWriter
from spitgraph.corpus.sources import Source

pq = pytest.importorskip("pyarrow.parquet")
TOKENIZER = SuperpixelTokenizer(3)


@pytest.fixture
def writer(tmp_path):
    """Writes ten pictures, one of them broken, in files of three."""
    folder = folder_of_pictures(tmp_path / "pictures", 10, broken=[4])

    def make(out="out", tokenizer=TOKENIZER, layout=None, **options):
        source = Source(folder, "folder")
        manifest = manifest_of(Place(tmp_path / out), source, 3, {})
        layout = layout or Layout(pixels=True, classes=manifest.classes)
        return ShardWriter(manifest, layout, tokenizer, **options)

    return make


def write_all(writer, shards=range(4)):
    return [writer.write(shard) for shard in shards]


def test_every_picture_that_can_be_read_has_a_row(writer, tmp_path):
    assert write_all(writer()) == [(2, 1), (3, 0), (3, 0), (1, 0)]
    dataset = TokenDataset(tmp_path / "out")
    paths = dataset.column("path")
    for path, tokens, label in zip(paths, dataset, dataset.labels, strict=True):
        expected = TOKENIZER(path)
        expected.y = torch.tensor([label])
        assert_same_graph(expected, tokens)
        assert dataset.layout.classes[label] == path.split("/")[-2]
    assert len(dataset) == 9 and f"{tmp_path}/pictures/a/004.png" not in paths


def test_what_cannot_be_read_is_told_by_the_file(writer):
    from spitgraph.corpus.cluster import unreadable_of

    write_all(writer())
    ((path, reason),) = unreadable_of(writer().manifest.part(0))
    assert path.endswith("a/004.png") and "truncated" in reason


def test_the_bytes_do_not_depend_on_the_order(writer, tmp_path):
    write_all(writer("one"))
    write_all(writer("other"), [2, 0, 3, 1])
    one, other = contents(tmp_path / "one"), contents(tmp_path / "other")
    assert list(one.values()) == list(other.values()) and len(one) == 6


def test_cells_are_drawn_by_a_pictures_place_in_the_list(writer, tmp_path):
    cells = VoronoiTokenizer(4)
    for out, order in [("one", range(4)), ("other", [3, 1, 0, 2])]:
        write_all(writer(out, cells, seed=5), order)
    assert list(contents(tmp_path / "one").values()) == list(contents(tmp_path / "other").values())
    first, second = TokenDataset(tmp_path / "one")[:2]
    assert not torch.equal(first.pos, second.pos)


def test_pictures_that_have_too_few_pixels_are_told(writer, tmp_path):
    many = SuperpixelTokenizer(num_tokens=9 * 12 + 1)
    assert sum(rows for rows, _ in write_all(writer(tokenizer=many))) == 7
    reasons = pq.read_metadata(tmp_path / "out" / "part-00000.parquet").metadata
    assert b"more than the 108 pixels" in reasons[b"spitgraph.unreadable"]


def test_vectors(writer, tmp_path):
    extractor = InterpolationExtractor(4)
    write_all(writer(layout=Layout(vectors="float32"), extractor=extractor))
    dataset = TokenDataset(tmp_path / "out")
    for path, tokens in zip(dataset.column("path"), dataset, strict=True):
        assert torch.equal(tokens.x, extractor(TOKENIZER(path)).x)


def test_a_full_disk_leaves_no_half_file(writer, tmp_path, monkeypatch):
    write_all(writer("whole"))
    write_table, calls = pq.ParquetWriter.write_table, []

    def fill(self, *given):
        calls.append(1)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write_table(self, *given)

    one = writer()
    with monkeypatch.context() as patch:
        patch.setattr(pq.ParquetWriter, "write_table", fill)
        with pytest.raises(OSError, match="No space left"):
            write_all(one)
    assert sorted(os.listdir(tmp_path / "out")) == ["corpus.json", "manifest", "part-00000.parquet"]
    assert len(TokenDataset(tmp_path / "out")) == 2
    write_all(one, one.manifest.missing())
    assert list(contents(tmp_path / "out").values()) == list(contents(tmp_path / "whole").values())


def test_a_source_that_is_not_reached_is_no_unreadable_picture(writer, monkeypatch):
    def fails(*given):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    one = writer()
    monkeypatch.setattr("spitgraph.corpus.shard.fetch", fails)
    with pytest.raises(OSError, match="Input/output"):
        one.write(0)
    assert one.manifest.missing() == [0, 1, 2, 3]
