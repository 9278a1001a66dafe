"""The command line writes whole files or none, and says what went wrong in a line and a status."""

import errno
import inspect
import io
import pickle
import sys
import warnings
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from torch_geometric.data import Batch, Data

import spitgraph
from helpers.commands import is_one_line, written
from helpers.pictures import seeded
from spitgraph import (
    InterpolationExtractor,
    PatchTokenizer,
    SuperpixelTokenizer,
    VoronoiTokenizer,
    from_partition,
)
from spitgraph.cli import tokenize
from spitgraph.cli.errors import DONE, NOTHING_DONE, SOME_FAILED
from spitgraph.contraction import SIMILARITIES
from spitgraph.images import load_image
from spitgraph.inspection import overlay
from spitgraph.pixels import FEATURES

INTERRUPTED = 130


# ---- tokenize ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, make_tokenizer",
    [
        ("", SuperpixelTokenizer),
        ("--levels 2 --compactness 0.1", lambda: SuperpixelTokenizer(2, compactness=0.1)),
        (
            "--num-tokens 7 --similarity cosine --compare spit",
            lambda: SuperpixelTokenizer(num_tokens=7, similarity="cosine", features="spit"),
        ),
        ("--tokenizer patch", PatchTokenizer),
        ("--tokenizer patch --patch-size 4", lambda: PatchTokenizer(4)),
        ("--tokenizer voronoi", lambda: VoronoiTokenizer(generator=seeded(0))),
        (
            "--tokenizer voronoi --num-tokens 9 --seed 5",
            lambda: VoronoiTokenizer(9, generator=seeded(5)),
        ),
    ],
)
def test_files_hold_what_python_makes(run, pictures, out, assert_same, options, make_tokenizer):
    paths = [pictures / name for name in ("c.png", "b.png")]
    status, text, errors = run("tokenize", *paths, "-o", out, *options.split())
    assert (status, errors) == (DONE, "")
    assert text == f"2 of 2 images tokenized into {out}\n"
    assert written(out) == ["b.pt", "c.pt"]
    tokenizer = make_tokenizer()
    for path in paths:
        loaded = torch.load(out / f"{path.stem}.pt", weights_only=True)
        assert_same(loaded, tokenizer(path))


def test_a_folder_stands_for_the_images_in_it(run, pictures, out):
    assert run("tokenize", pictures, pictures / "c.png", "-o", out)[0] == DONE
    assert written(out) == ["a.pt", "b.pt", "c.pt"]


def test_pixels_can_be_left_out(run, pictures, out, assert_same):
    path = pictures / "b.png"
    assert run("tokenize", path, "-o", out, "--no-pixels")[0] == DONE
    loaded = torch.load(out / "b.pt", weights_only=True)
    assert_same(loaded, SuperpixelTokenizer()(path).without_pixels())


@pytest.mark.parametrize("height, scale", [(20, 2), (1025, 1)])
def test_the_overlay_is_that_of_inspection(run, tmp_path, out, height, scale):
    path = tmp_path / "picture.png"
    noise = np.random.default_rng(0).integers(0, 256, (height, 3, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    assert run("tokenize", path, "-o", out, "--overlay", "--no-pixels", "--quiet")[0] == DONE
    assert written(out) == ["picture-overlay.png", "picture.pt"]
    drawn = overlay(SuperpixelTokenizer()(path), scale=scale)
    assert torch.equal(load_image(out / "picture-overlay.png"), (drawn * 255).round() / 255)


def test_quiet_says_nothing(run, pictures, out):
    assert run("tokenize", pictures, "-o", out, "--quiet") == (DONE, "", "")


def test_many_images_show_progress_on_a_terminal(run, pictures, out, monkeypatch):
    monkeypatch.setattr(type(sys.stderr), "isatty", lambda self: True)
    assert "/3 [" in run("tokenize", pictures, "-o", out)[2]
    assert run("tokenize", pictures / "b.png", "-o", out)[2] == ""
    assert run("tokenize", pictures, "-o", out, "--quiet")[2] == ""


def test_one_bad_file_among_many_is_reported_and_skipped(run, pictures, broken, out):
    status, text, errors = run("tokenize", broken, pictures, "-o", out, "--overlay")
    assert status == SOME_FAILED
    assert is_one_line(errors) and errors.count(str(broken)) == 1
    assert text == f"3 of 4 images tokenized into {out}\n"
    assert written(out) == [f"{name}{end}" for name in "abc" for end in ("-overlay.png", ".pt")]


def test_an_image_with_too_few_pixels_is_a_bad_file(run, pictures, out):
    status, _, errors = run("tokenize", pictures, "-o", out, "--num-tokens", 11 * 12)
    assert status == SOME_FAILED
    assert [line.split(":")[1].strip() for line in errors.splitlines()] == [
        str(pictures / "a.PNG"),
        str(pictures / "b.png"),
    ]
    assert written(out) == ["c.pt"]


@pytest.mark.parametrize("name", ["broken.png", "missing.png", "no\nsuch.png"])
def test_the_only_file_being_bad_is_an_error(run, broken, out, name):
    status, text, errors = run("tokenize", broken.with_name(name), "-o", out)
    assert (status, text) == (NOTHING_DONE, "")
    assert is_one_line(errors) and name.split("\n")[-1] in errors
    assert not out.exists()


@pytest.mark.parametrize(
    "options, message",
    [
        ("--levels 0", "levels must be at least 1, got 0"),
        ("--levels two", "expected a whole number of 64 bits, got 'two'"),
        ("--num-tokens -1", "num_tokens must be at least 1, got -1"),
        ("--levels 2 --num-tokens 3", "exclude each other"),
        ("--compactness 2", "compactness must be in [0, 1], got 2"),
        ("--similarity nearest", "'distance', 'ward', 'cosine', got 'nearest'"),
        ("--compare rgb", "features must be one of 'lab', 'spit', got 'rgb'"),
        ("--patch-size 8", "--patch-size does not go with --tokenizer superpixel"),
        ("--tokenizer patch --levels 2", "--levels does not go with --tokenizer patch"),
        ("--tokenizer patch --patch-size 0", "patch_size must be at least 1, got 0"),
        ("--levels 1001", "levels must be at most 1000, got 1001"),
        ("--num-tokens 9223372036854775808", "64 bits, got '9223372036854775808'"),
        ("--tokenizer voronoi --seed -1", "--seed -1 is not in 0"),
        ("--tokenizer voronoi --num-tokens 1000000000000", "1000000000000 is more than"),
        ("--features --bins 1", "bins must be at least 2, got 1"),
        ("--features --sigma -1", "sigma must be positive, got -1"),
        ("--bins 8", "--bins, --sigma and --no-gradient go with --features"),
        ("--tokenizer slic", "invalid choice: 'slic'"),
        ("--level 2", "unrecognized arguments: --level 2"),
    ],
)
def test_bad_options_are_refused_up_front(run, pictures, out, unchecked, options, message):
    status, text, errors = run("tokenize", pictures, "-o", out, *options.split())
    assert (status, text) == (NOTHING_DONE, "")
    assert is_one_line(errors) and message in errors
    assert not out.exists()


def test_an_empty_folder_is_an_error(run, tmp_path, pictures, out):
    empty = tmp_path / "empty"
    empty.mkdir()
    status, _, errors = run("tokenize", pictures, empty, "-o", out)
    assert status == NOTHING_DONE and is_one_line(errors) and str(empty) in errors
    assert not out.exists()


def test_images_of_one_name_are_refused(run, pictures, out):
    twin = pictures / "inner" / "b.jpg"
    Image.open(pictures / "b.png").save(twin)
    status, _, errors = run("tokenize", pictures, twin, "-o", out)
    assert status == NOTHING_DONE and is_one_line(errors)
    assert str(pictures / "b.png") in errors and str(twin) in errors
    assert not out.exists()


def test_inputs_are_never_overwritten(run, pictures):
    assert run("tokenize", pictures, "-o", pictures, "--overlay")[0] == DONE
    before = {path: path.read_bytes() for path in pictures.iterdir() if path.is_file()}
    status, _, errors = run("tokenize", pictures, "-o", pictures / ".", "--overlay")
    assert status == NOTHING_DONE and is_one_line(errors) and "a-overlay.png" in errors
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize(
    "failure, status, finished",
    [
        (OSError(errno.ENOSPC, "No space left on device"), SOME_FAILED, "ac"),
        (RuntimeError("PytorchStreamWriter failed\nwriting"), SOME_FAILED, "ac"),
        (KeyboardInterrupt(), INTERRUPTED, "a"),
    ],
)
def test_nothing_half_written_is_left(run, pictures, out, monkeypatch, failure, status, finished):
    save, calls = torch.save, []

    def failing_save(tokens, file):
        calls.append(file)
        if len(calls) == 2:
            file.write(b"begun")
            raise failure
        save(tokens, file)

    monkeypatch.setattr(torch, "save", failing_save)
    (out / "b.pt").parent.mkdir(parents=True)
    (out / "b.pt").write_text("of an earlier run")
    ended, _, errors = run("tokenize", pictures, "-o", out, "--overlay")
    assert ended == status and is_one_line(errors)
    made = [f"{name}{end}" for name in finished for end in ("-overlay.png", ".pt")]
    assert written(out) == sorted([*made, "b.pt"])
    assert (out / "b.pt").read_text() == "of an earlier run"


def test_a_folder_that_cannot_be_written_to_is_an_error(run, pictures, out):
    out.parent.mkdir()
    out.write_text("a file")
    status, _, errors = run("tokenize", pictures, "-o", out)
    assert status == NOTHING_DONE and is_one_line(errors) and str(out) in errors
    assert out.read_text() == "a file"


# ---- info ----------------------------------------------------------------------------------------


@pytest.fixture
def save(tmp_path):
    def save(thing, name="tokens.pt"):
        torch.save(thing, tmp_path / name)
        return tmp_path / name

    return save


def facts(text):
    """What `info` prints about one graph, by row."""
    rows = [
        line.split(maxsplit=1)
        for line in text.split("  attributes")[0].splitlines()
        if line.startswith("  ")
    ]
    return {name: value for name, value in rows}


def test_info_says_what_a_file_holds(run, save):
    labels = torch.tensor([[0, 0, 1], [2, 0, 1]])
    tokens = from_partition(torch.rand(3, 2, 3), labels)
    tokens.x = torch.zeros(3, 7)
    status, text, errors = run("info", save(tokens))
    assert (status, errors) == (DONE, "")
    assert facts(text) == {
        "image": "3 × 2 pixels",
        "tokens": "3",
        "edges": "2 pairs of regions touch",
        "levels": "6 → 3",
        "sizes": "1 … 3 pixels, median 2",
        "connected": "every region",
        "x": "7 numbers a token",
        "memory": "0.0 MiB, with pixels",
    }


def test_info_lists_every_attribute(run, save):
    tokens = PatchTokenizer(4)(torch.rand(3, 8, 8))
    tokens.weight = torch.zeros(4, 2, dtype=torch.bool)  # the caller's own
    _, text, _ = run("info", save(tokens))
    lines = text.split("attributes\n")[1].splitlines()
    listed = {line.split()[0]: " ".join(line.split()[1:]) for line in lines if line}
    assert list(listed) == list(tokens.to_dict())
    assert listed["bbox"] == "int64 [4, 4] (x_min, y_min, x_max, y_max), max exclusive"
    assert listed["weight"] == "bool [4, 2]"


def test_info_counts_levels_memory_and_scattered_regions(run, save):
    tokens = SuperpixelTokenizer(3)(torch.rand(3, 200, 300))
    counts = [len(parent) for parent in tokens.parents] + [tokens.num_nodes]
    full = facts(run("info", save(tokens))[1])
    assert full["levels"].replace(",", "") == " → ".join(map(str, counts))
    light = facts(run("info", save(tokens.without_pixels()))[1])
    assert light["memory"].endswith("without pixels")
    saved = float(full["memory"].split()[0]) - float(light["memory"].split()[0])
    assert saved == pytest.approx(200 * 300 * 12 / 2**20, abs=0.1)
    checkered = from_partition(torch.rand(3, 2, 2), torch.tensor([[0, 1], [1, 0]]))
    assert facts(run("info", save(checkered))[1])["connected"] == "all but 2 regions"


def test_info_describes_every_image_of_a_batch(run, save):
    path = save(PatchTokenizer(2)([torch.rand(3, 4, 4), torch.rand(3, 2, 6)]))
    status, text, _ = run("info", path)
    assert status == DONE and text.startswith(f"{path}: a batch of 2 images\n")
    assert text.count("4 × 4 pixels") == text.count("6 × 2 pixels") == 1


class RunsCode:
    def __reduce__(self):
        return (exec, ("raise SystemExit('this must never run')",))


def zipped():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", "text")
    return file.getvalue()


def saved(thing):
    file = io.BytesIO()
    torch.save(thing, file)
    return file.getvalue()


FOREIGN = {
    "empty": b"",
    "text": b"no tokens\n",
    "png": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "zip": zipped(),
    "pickle": pickle.dumps({"a": 1}),
    "code": saved(RunsCode()),
    "old pickle with code": pickle.dumps(RunsCode()),
    "tensor": saved(torch.zeros(3)),
    "state dict": saved({"weight": torch.zeros(3)}),
    "data": saved(Data(x=torch.zeros(3, 1))),
    "batch of data": saved(Batch.from_data_list([Data(x=torch.zeros(3, 1))])),
    "empty tokens": saved(spitgraph.TokenData()),
    "truncated": saved(PatchTokenizer(2)(torch.rand(3, 8, 8)))[:-500],
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_info_names_files_that_are_no_token_graphs(run, tmp_path, kind):
    path = tmp_path / f"{kind}.pt"
    path.write_bytes(FOREIGN[kind])
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # they would be more lines
        status, text, errors = run("info", path)
    assert (status, text) == (NOTHING_DONE, "")
    assert is_one_line(errors) and errors.count(str(path)) == 1 and len(errors) < 250


def test_info_goes_on_after_a_bad_file(run, tmp_path, save):
    good = save(PatchTokenizer(2)(torch.rand(3, 4, 4)))
    status, text, errors = run("info", tmp_path / "missing.pt", good)
    assert status == NOTHING_DONE
    assert is_one_line(errors) and "missing.pt': No such file" in errors
    assert text.startswith(str(good))


# ---- both ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [[], ["tokenize"], ["info"]])
def test_help_describes_every_command(run, command):
    status, text, errors = run(*command, "--help")
    assert (status, errors) == (DONE, "")
    assert len(text) > 300


@pytest.mark.parametrize(
    "options, extractor",
    [
        ("", InterpolationExtractor()),
        (
            "--bins 4 --sigma 0.1 --no-gradient",
            InterpolationExtractor(4, sigma=0.1, gradient=False),
        ),
    ],
)
def test_token_vectors_are_written(run, pictures, out, options, extractor):
    path = pictures / "c.png"
    assert run("tokenize", path, "-o", out, "--features", *options.split())[0] == DONE
    expected = extractor(SuperpixelTokenizer()(path)).x
    assert torch.equal(torch.load(out / "c.pt").x, expected)


def test_help_states_the_choices_and_defaults_of_the_library(run):
    text = " ".join(run("tokenize", "--help")[1].split())
    for choices in (SIMILARITIES, FEATURES):
        assert all(name in text for name in choices)
    defaults = {
        name: parameter.default
        for tokenizer in (SuperpixelTokenizer, PatchTokenizer)
        for name, parameter in inspect.signature(tokenizer).parameters.items()
    }
    assert f"contraction steps, default: {defaults['levels']}" in text
    assert f"preference for squares, default: {defaults['compactness']:g}" in text
    assert f"ward or cosine, default: {defaults['similarity']}" in text
    assert f"lab or spit, default: {defaults['features']}" in text
    assert f"side, default: {defaults['patch_size']}" in text
    cells = inspect.signature(VoronoiTokenizer).parameters["num_tokens"].default
    assert f"--num-tokens as above, default: {cells}" in text


#: Options that are called otherwise in Python.
OTHER_NAMES = {"seed": "generator", "compare": "features"}


def test_every_option_belongs_to_a_tokenizer():
    classes = {
        "superpixel": SuperpixelTokenizer,
        "patch": PatchTokenizer,
        "voronoi": VoronoiTokenizer,
    }
    for name, options in tokenize.OPTIONS.items():
        parameters = set(inspect.signature(classes[name]).parameters)
        assert {OTHER_NAMES.get(option, option) for option in options} == parameters


@pytest.mark.parametrize("arguments", [[], ["paint"], ["tokenize"], ["info"]])
def test_incomplete_commands_are_refused_in_one_line(run, arguments):
    status, text, errors = run(*arguments)
    assert (status, text) == (NOTHING_DONE, "")
    assert is_one_line(errors)


def test_version(run):
    assert run("--version") == (DONE, f"spitgraph {spitgraph.__version__}\n", "")
