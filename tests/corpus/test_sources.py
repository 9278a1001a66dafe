"""What a corpus is made from: found in one order, and the same bytes as in the files."""

from io import BytesIO

import pytest

from helpers.corpora import folder_of_pictures, picture, tar_of
from spitgraph.corpus.manifest import NAME, OtherSettingsError, manifest_of, read
from spitgraph.corpus.places import Place
from spitgraph.corpus.sources import Entry, Source, SourceError, fetch

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def found(*source, **options):
    entries = list(Source(*source, **options))
    column = options.get("column")
    return [(entry.name, entry.label, fetch(entry, column)) for entry in entries]


def test_folders_are_walked_in_order(tmp_path):
    folder_of_pictures(tmp_path, 4)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "x.png").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("no picture")
    names = ["a/000.png", "a/002.png", "b/001.png", "b/003.png"]
    expected = [(f"{tmp_path}/{name}", name[0], (tmp_path / name).read_bytes()) for name in names]
    assert found(tmp_path, "folder") == expected
    assert [label for _, label, _ in found(tmp_path)] == [None] * 4


def test_members_of_shards(tmp_path):
    members = {
        "000.png": picture(0),
        "000.cls": b"dog\n",
        "000.json": b"{}",
        "001.cls": b"cat",
        "001.seg.png": picture(1),
        "deep/002.png": picture(2),
    }
    path = tar_of(tmp_path / "shard-0.tar", members)
    assert found(path, "cls") == [
        (f"{path}/000.png", "dog", picture(0)),
        (f"{path}/001.seg.png", "cat", picture(1)),
        (f"{path}/deep/002.png", None, picture(2)),
    ]
    assert found(tmp_path, "folder")[2][1] == "deep"


@pytest.mark.parametrize("kind", ["bytes", "both", "paths"])
def test_rows_of_parquet(kind, tmp_path):
    contents = [picture(number) for number in range(5)]
    for number, content in enumerate(contents):
        (tmp_path / f"{number}.file").write_bytes(content)
    columns = {
        "bytes": contents,
        "both": [
            {"bytes": c if n % 2 else None, "path": f"{n}.file"} for n, c in enumerate(contents)
        ],
        "paths": [f"{n}.file" for n in range(5)],
    }
    table = pa.table({"number": range(5), "image": columns[kind], "class": [3, 1, 3, 1, None]})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=2)
    expected = [
        (f"{tmp_path}/t.parquet#{number}", None if number == 4 else "31313"[number], content)
        for number, content in enumerate(contents)
    ]
    assert found(tmp_path / "t.parquet", "class", column="image") == expected
    assert found(tmp_path, "class") == expected
    with pytest.raises(SourceError, match="no column 'none'"):
        found(tmp_path, "none")
    with pytest.raises(SourceError, match="no column 'number' of bytes"):
        found(tmp_path, column="number")


def test_lists(tmp_path):
    folder_of_pictures(tmp_path, 2)
    path = tmp_path / "list.txt"
    path.write_text(f"b/001.png\tcow\n\n{tmp_path}/a/000.png\n")
    one, other = (tmp_path / name for name in ("b/001.png", "a/000.png"))
    assert found(path) == [
        (str(one), "cow", one.read_bytes()),
        (str(other), None, other.read_bytes()),
    ]


def test_urls(tmp_path):
    fsspec = pytest.importorskip("fsspec")
    system = fsspec.filesystem("memory")
    system.pipe("/pictures/a/x.png", picture(0))
    assert found("memory://pictures", "folder") == [("memory:///pictures/a/x.png", "a", picture(0))]
    tar = tar_of(tmp_path / "s.tar", {"0.png": picture(0), "1.png": picture(1)})
    system.pipe("/shards/s.tar", tar.read_bytes())
    assert [content for *_, content in found("memory://shards")] == [picture(0), picture(1)]


def test_what_is_not_there_or_no_source_is_refused(tmp_path):
    with pytest.raises(SourceError, match="there is no"):
        list(Source(tmp_path / "none"))
    (tmp_path / "a.zip").write_bytes(b"")
    with pytest.raises(SourceError, match="is no folder"):
        list(Source(tmp_path / "a.zip"))
    (tmp_path / "a.parquet").write_bytes(b"no")
    with pytest.raises(SourceError, match="no Parquet file"):
        list(Source(tmp_path))


def test_a_file_that_came_after_its_folder_was_listed_is_found():
    fsspec = pytest.importorskip("fsspec")

    class Listing(fsspec.AbstractFileSystem):
        """As of object stores: what a folder held is remembered."""

        protocol = "listed"
        held = {"bucket/a": b"a"}
        cachable = False
        known = None

        def ls(self, path, detail=True, **kwargs):
            Listing.known = dict(self.held) if self.known is None else self.known
            entries = [{"name": n, "size": 1, "type": "file"} for n in self.known]
            return entries if detail else [entry["name"] for entry in entries]

        def isdir(self, path):
            return path == "bucket"

        def _open(self, path, *args, **kwargs):
            self.ls("bucket")
            if path not in self.known:
                raise FileNotFoundError(path)
            return BytesIO(self.held[path])

        def invalidate_cache(self, path=None):
            Listing.known = None

    fsspec.register_implementation("listed", Listing, clobber=True)
    folder = Place("listed://bucket")
    assert folder.names() == ["a"]
    Listing.held["bucket/b"] = b"b"
    assert (folder / "b").open().read() == b"b"
    with pytest.raises(FileNotFoundError):
        (folder / "c").open()


# ---- the list ------------------------------------------------------------------------------------


def entries(count):
    return [Entry(f"{n}.png", label="ba"[n % 2]) for n in range(count)]


def test_a_manifest_is_divided_into_shards(tmp_path, monkeypatch):
    monkeypatch.setattr("spitgraph.corpus.manifest.SHARDS", 2)
    manifest = manifest_of(Place(tmp_path / "out"), entries(13), 3, {"a": 1})
    assert (manifest.images, manifest.shards, manifest.classes) == (13, 5, ("a", "b"))
    assert [manifest.size(shard) for shard in range(5)] == [3, 3, 3, 3, 1]
    assert [e for shard in range(5) for e in manifest.entries(shard)] == entries(13)
    assert [manifest.label(entry) for entry in manifest.entries(0)] == [1, 0, 1]
    manifest.part(3).make_folder()
    assert manifest.missing() == [0, 1, 2, 4]
    assert read(Place(tmp_path / "out")) == manifest


def test_the_source_is_listed_once(tmp_path):
    place = Place(tmp_path)
    manifest = manifest_of(place, entries(5), 3, {"a": 1})
    assert manifest_of(place, iter([]), 3, {"a": 1}) == manifest
    for settings, per_shard in [({"a": 2}, 3), ({"a": 1}, 4), ({"a": 1, "b": 0}, 3)]:
        with pytest.raises(OtherSettingsError, match="was begun with"):
            manifest_of(place, entries(5), per_shard, settings)


def test_a_list_that_was_broken_off_is_made_anew(tmp_path):
    def breaks():
        yield from entries(4)
        raise KeyError

    with pytest.raises(KeyError):
        manifest_of(Place(tmp_path), breaks(), 3, {})
    assert not (tmp_path / NAME).exists()
    assert manifest_of(Place(tmp_path), entries(7), 3, {}).images == 7


def test_numbers_are_labels_as_they_are_and_names_of_files_may_be_no_text(tmp_path):
    held = [Entry("\udcff.png", "\udcfe", 3, 4, "12"), Entry("b.png", label="3")]
    manifest = manifest_of(Place(tmp_path), held, 3, {})
    assert manifest.entries(0) == held and manifest.classes == ()
    assert [manifest.label(entry) for entry in held] == [12, 3]


def test_nothing_and_other_corpora_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no pictures"):
        manifest_of(Place(tmp_path / "a"), [], 3, {})
    (tmp_path / "part-00000.parquet").write_bytes(b"")
    with pytest.raises(OtherSettingsError, match="made otherwise"):
        manifest_of(Place(tmp_path), entries(1), 3, {})


@pytest.mark.parametrize("kept", [0, 700, 20_000])
def test_damaged_tar_files_are_named(tmp_path, kept):
    path = tar_of(tmp_path / "s.tar", {f"{index}.png": picture(index) for index in range(40)})
    path.write_bytes(path.read_bytes()[:kept] if kept else b"no tar file" * 99)
    with pytest.raises(SourceError, match=r"s\.tar' is no tar file, or not all of one"):
        list(Source(path))
