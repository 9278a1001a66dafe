"""No output takes the place of an input, however the paths to both are written."""

import os

import pytest

from helpers.commands import contents, is_one_line, written
from spitgraph.cli.errors import DONE, NOTHING_DONE, SOME_FAILED
from spitgraph.cli.interrupts import Interrupts
from spitgraph.cli.outputs import KnownFiles, Outputs, folded

COMPOSED, DECOMPOSED = "\u00e9", "e\u0301"


@pytest.fixture
def photos(draw):
    """x, and a picture in whose place the drawing of its regions would go."""
    return [draw("photos/x.png"), draw("photos/x-overlay.png")]


@pytest.fixture
def fold_case(monkeypatch):
    """As on a file system for which upper and lower case are the same below a folder."""

    def fold_case(folder):
        def there(path):
            path = os.fspath(path)
            inside = path.startswith(f"{folder}{os.sep}") and not path.startswith(".spitgraph")
            return str(folder) + path[len(str(folder)) :].lower() if inside else path

        for name in ("stat", "lstat"):
            look = getattr(os, name)
            monkeypatch.setattr(os, name, lambda path, look=look, **how: look(there(path), **how))
        replace = os.replace
        monkeypatch.setattr(os, "replace", lambda file, place: replace(file, there(place)))

    return fold_case


# ---- inputs --------------------------------------------------------------------------------------


def linked(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    return tmp_path / "link"


def linked_twice(folder, tmp_path):
    (tmp_path / "second").symlink_to(linked(folder, tmp_path).name)
    return tmp_path / "second"


OTHER_PATHS = {
    "the same": lambda folder, _: folder,
    "a link": linked,
    "a link to a link": linked_twice,
    "dots": lambda folder, tmp_path: f"{tmp_path}/./photos/../photos//",
    "relative": lambda folder, _: os.path.relpath(folder),
    "of the process": lambda folder, _: f"/proc/self/root{folder}",
}


@pytest.mark.parametrize("other", OTHER_PATHS)
def test_an_input_stays_whatever_the_folder_is_called(run, tmp_path, photos, other):
    if other == "of the process" and not os.path.isdir("/proc/self/root"):
        pytest.skip("no /proc")
    before = contents(tmp_path / "photos")
    out = OTHER_PATHS[other](tmp_path / "photos", tmp_path)
    status, _, errors = run("tokenize", *photos, "-o", out, "--overlay")
    assert status == NOTHING_DONE and is_one_line(errors) and "x-overlay.png" in errors
    assert contents(tmp_path / "photos") == before


@pytest.mark.parametrize("how", ["symlink", "hard link", "link to a link"])
def test_an_input_stays_where_an_output_is_a_link_to_it(run, tmp_path, draw, how):
    x, other = draw("photos/x.png"), draw("photos/other.png")
    place = tmp_path / "out" / "x-overlay.png"
    place.parent.mkdir()
    if how == "hard link":
        os.link(other, place)
    else:
        (tmp_path / "link.png").symlink_to(other)
        place.symlink_to(other if how == "symlink" else tmp_path / "link.png")
    before = contents(tmp_path)
    status, _, errors = run("tokenize", x, other, "-o", place.parent, "--overlay")
    assert status == NOTHING_DONE and is_one_line(errors) and str(other) in errors
    assert contents(tmp_path) == before


def test_an_input_that_is_a_link_stays_one(run, tmp_path, draw):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "x.pt").symlink_to(draw("photos/x.png"))
    status, _, errors = run("tokenize", tmp_path / "out" / "x.pt", "-o", tmp_path / "out")
    assert status == NOTHING_DONE and is_one_line(errors)
    assert (tmp_path / "out" / "x.pt").is_symlink()


def test_an_input_named_like_its_output_stays(run, draw):
    path = draw("x.pt")
    before = path.read_bytes()
    status, _, errors = run("tokenize", path, "-o", path.parent)
    assert status == NOTHING_DONE and is_one_line(errors) and str(path) in errors
    assert path.read_bytes() == before


def test_an_input_that_comes_into_the_way_later_stays(tmp_path, draw):
    x, other = draw("photos/x.png"), draw("photos/y.pt")
    (tmp_path / "out").symlink_to("elsewhere")
    (tmp_path / "elsewhere").mkdir()
    outputs = Outputs(tmp_path / "out", [x, other], Interrupts())
    (tmp_path / "out").unlink()
    (tmp_path / "out").symlink_to("photos")
    before = contents(tmp_path / "photos")
    with pytest.raises(Exception, match="would overwrite"), outputs.new_files(x) as unfinished:
        (unfinished / "y.pt").write_text("new")
        (unfinished / "z.pt").write_text("new")
    assert contents(tmp_path / "photos") == before


def test_an_input_written_anew_since_is_still_known(tmp_path, draw):
    path = draw("x.png")
    known = KnownFiles([path])
    draw("new.png").replace(path)  # as editors do
    assert known.find(path.parent / "." / "x.png") == path


def test_a_file_that_is_no_input_is_replaced_and_a_link_is_not_followed(run, tmp_path, draw, out):
    x, kept = draw("photos/x.png"), tmp_path / "kept"
    kept.write_text("kept")
    out.mkdir(parents=True)
    (out / "x.pt").symlink_to(kept)
    assert run("tokenize", x, "-o", out)[0] == DONE
    assert kept.read_text() == "kept" and not (out / "x.pt").is_symlink()
    assert run("tokenize", x, "-o", out)[0] == DONE


# ---- outputs of one run --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "one, other", [("A.jpg", "a.png"), (f"{COMPOSED}.png", f"{COMPOSED.upper()}.png")]
)
def test_names_that_are_one_on_disk_are_not_written_twice(run, draw, out, fold_case, one, other):
    first, second = draw(f"p/{one}"), draw(f"q/{other}")
    fold_case(out)
    status, text, errors = run("tokenize", first, second, "-o", out)
    assert status == SOME_FAILED and is_one_line(errors) and str(second) in errors
    assert text.startswith("1 of 2") and len(written(out)) == 1


def test_names_that_differ_in_case_are_two_files_elsewhere(run, draw, out):
    first, second = draw("p/A.jpg"), draw("q/a.png")
    assert run("tokenize", first, second, "-o", out)[0] == DONE
    assert written(out) == ["A.pt", "a.pt"]


def test_an_input_stays_where_case_does_not_matter(run, tmp_path, draw, fold_case):
    x, other = draw("photos/X.png"), draw("photos/x-overlay.png")
    fold_case(tmp_path / "photos")
    before = other.read_bytes()
    x = x.rename(x.with_name("x.png")).with_name("X.png")
    status, _, errors = run("tokenize", x, other, "-o", tmp_path / "photos", "--overlay")
    assert status == NOTHING_DONE and is_one_line(errors)
    assert other.read_bytes() == before


@pytest.mark.parametrize("one, other", [("A", "a"), (COMPOSED, DECOMPOSED), ("STRASSE", "straße")])
def test_what_some_file_system_takes_for_one_name_is_compared(one, other):
    assert folded(one) == folded(other)


def test_a_file_named_twice_is_tokenized_once(run, tmp_path, draw, out):
    path = draw("photos/x.png")
    (tmp_path / "link").symlink_to("photos")
    spelled = [path, os.path.relpath(path), tmp_path / "link" / "x.png", path.parent]
    status, text, _ = run("tokenize", *spelled, "-o", out)
    assert status == DONE and text.startswith("1 of 1 image ")


def test_drawings_of_an_earlier_run_are_pictures_like_others(run, draw):
    path = draw("photos/x.png")
    assert run("tokenize", path.parent, "-o", path.parent, "--overlay")[0] == DONE
    assert run("tokenize", path.parent, "-o", path.parent)[0] == DONE
    assert "x-overlay.pt" in written(path.parent)


# ---- where nothing can be written ----------------------------------------------------------------


@pytest.fixture
def little_room():
    """Files of more than two thousand bytes cannot be written."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("options", ["", "--overlay"])
def test_a_file_without_room_is_skipped_in_the_words_of_the_system(
    run, draw, out, little_room, options
):
    path = draw("x.bmp", "BMP", side=20)
    status, text, errors = run("tokenize", path, "-o", out, *options.split())
    assert (status, text) == (NOTHING_DONE, "")
    assert is_one_line(errors) and str(out) in errors and "File too large" in errors
    assert not out.parent.exists()


def test_a_name_too_long_for_an_output_is_a_bad_file(run, draw, out):
    good, long = draw("good.png"), draw("n" * 250 + ".png")
    status, text, errors = run("tokenize", long, good, "-o", out, "--overlay")
    assert status == SOME_FAILED and text.startswith("1 of 2")
    assert is_one_line(errors) and "name too long" in errors and "n" * 250 in errors
    assert written(out) == ["good-overlay.png", "good.pt"]


def test_a_folder_in_the_place_of_an_output_stays(run, draw, out):
    (out / "x.pt").mkdir(parents=True)
    status, _, errors = run("tokenize", draw("x.png"), draw("y.png"), "-o", out, "--overlay")
    assert status == SOME_FAILED and is_one_line(errors) and str(out / "x.pt") in errors
    assert written(out) == ["x.pt", "y-overlay.png", "y.pt"]


def dangling(path):
    path.symlink_to("nowhere")


def looping(path):
    path.symlink_to(path.name)


@pytest.mark.parametrize("make", [dangling, looping, lambda path: path.write_text("a file")])
def test_something_else_in_the_place_of_the_folder_is_refused(run, draw, out, make):
    out.parent.mkdir()
    make(out)
    status, text, errors = run("tokenize", draw("x.png"), draw("y.png"), "-o", out)
    assert (status, text) == (NOTHING_DONE, "")
    assert is_one_line(errors) and str(out) in errors
    assert os.listdir(out.parent) == [out.name]


@pytest.mark.parametrize("name", ["n" * 300, "nul\0"])
def test_a_folder_that_cannot_be_made_ends_the_run(run, draw, out, name):
    status, text, errors = run("tokenize", draw("x.png"), draw("y.png"), "-o", out / name)
    assert status == NOTHING_DONE and text.startswith("0 of 2") and is_one_line(errors)
    assert not out.parent.exists()
