"""Tables grow by whole rows, under one header."""

import csv
from pathlib import Path

import pytest

from spitgraph.train import append_row, check_table


def read(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_two_rows_one_header(tmp_path):
    path = tmp_path / "new" / "results.csv"
    append_row(path, {"a": 1, "b": "x, y"})
    append_row(path, {"a": None, "b": 0.5})
    assert read(path) == [["a", "b"], ["1", "x, y"], ["", "0.5"]]
    assert [entry.name for entry in path.parent.iterdir()] == ["results.csv"]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (["a"], "it has 'b'"),
        (["a", "b", "c"], "it lacks 'c'"),
        (["a", "c"], "it has 'b'; it lacks 'c'"),
        (["b", "a"], "another order"),
    ],
)
def test_other_columns_are_refused(tmp_path, columns, said):
    path = tmp_path / "results.csv"
    append_row(path, {"a": 1, "b": 2})
    before = path.read_bytes()
    with pytest.raises(ValueError, match=f"results.csv has other columns: .*{said}"):
        append_row(path, dict.fromkeys(columns))
    assert path.read_bytes() == before


def test_what_is_there_stays_as_it_is(tmp_path):
    path, link = tmp_path / "results.csv", tmp_path / "link.csv"
    path.write_bytes(b"a,b\r\n1,2")  # of a spreadsheet, its last line unended
    path.chmod(0o640)
    link.symlink_to(path)
    append_row(link, {"a": 3, "b": 4})
    assert link.is_symlink() and path.read_bytes() == b"a,b\r\n1,2\n3,4\n"
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_row_that_cannot_be_written_changes_nothing(tmp_path, monkeypatch):
    path = tmp_path / "results.csv"
    append_row(path, {"a": 1})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        append_row(path, {"a": 2})
    assert read(path) == [["a"], ["1"]] and len(list(tmp_path.iterdir())) == 1


def test_what_is_no_table(tmp_path):
    path = tmp_path / "results.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"results\.csv is no table of CSV"):
        check_table(path, ["a"])
    with pytest.raises(IsADirectoryError):
        check_table(tmp_path, ["a"])
    path.write_bytes(b"")
    check_table(path, ["a"])
    check_table(tmp_path / "none" / "yet.csv", ["a"])
