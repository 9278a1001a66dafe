"""`spitgraph evaluate` measures what Python measures, a row a run, and refuses at the door."""

import csv
import runpy
import shutil

import pytest
from safetensors.torch import save_file

from helpers.coloured import write_pictures
from helpers.commands import is_one_line
from helpers.models import TINY, randomised
from helpers.places import REPOSITORY
from helpers.vits import HEADS, random_vit
from spitgraph import create_model, model_from_weights, save_weights
from spitgraph.cli.errors import DONE, NOTHING_DONE
from spitgraph.train import evaluate, open_pictures


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "weights.safetensors"
    options = TINY | {"num_classes": 3, "num_tokens": 7}
    save_weights(randomised(create_model("spit_tiny_16", **options)), path)
    return path


@pytest.fixture
def data(tmp_path):
    write_pictures(tmp_path / "data" / "train", (5, 4, 3))
    write_pictures(tmp_path / "data" / "val", (2, 3, 2), first=1000)
    return tmp_path / "data"


EXAMPLE = REPOSITORY / "examples" / "evaluate.py"
QUICK = ("--quiet", "--repeats", 0)


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_rows_are_what_python_measures(run, data, weights, tmp_path):
    table = tmp_path / "results.csv"
    options = ["--model", weights, "--append", table, *QUICK]
    status, text, errors = run("evaluate", data, *options, "--knn", "--probe")
    assert (status, errors) == (DONE, "")
    came = evaluate(
        model_from_weights(weights),
        open_pictures(str(data), "val"),
        train=open_pictures(str(data), "train"),
        neighbours=(5, 20),
        probe=True,
        repeats=0,
        progress=False,
    )
    assert f"top-1         {came.top[1]}\n" in text and f"linear probe  {came.probe}\n" in text
    run("evaluate", data, *options, "--limit", 3)
    first, second = rows(table)
    expected = {name: "" if cell is None else str(cell) for name, cell in came.row().items()}
    assert first | expected == first
    assert (first["tokenizer"], first["extractor"]) == ("superpixel", "interpolation")
    assert (second["pictures"], second["probe"], second["limit"]) == ("3", "", "3")


def test_other_columns_are_refused_before_anything(run, data, weights, tmp_path):
    table = tmp_path / "results.csv"
    table.write_text("a,b\n1,2\n")
    (data / "val" / "red" / "0.png").write_bytes(b"broken")
    status, text, errors = run("evaluate", data, "--model", weights, "--append", table, *QUICK)
    assert (status, text) == (NOTHING_DONE, "") and is_one_line(errors)
    assert "has other columns" in errors and "left out" not in errors
    assert table.read_text() == "a,b\n1,2\n"


@pytest.mark.parametrize(("tokenizer", "tokens"), [("patch", 9), ("superpixel", 5), ("voronoi", 5)])
def test_the_same_weights_on_other_regions(run, data, weights, tmp_path, tokenizer, tokens):
    table = tmp_path / "results.csv"
    count = () if tokenizer == "patch" else ("--num-tokens", tokens)
    chosen = ["--tokenizer", tokenizer, *count, "--append", table]
    status, _, errors = run("evaluate", data, "--model", weights, *QUICK, *chosen)
    assert (status, errors) == (DONE, "")
    (row,) = rows(table)
    assert row["tokenizer"] == tokenizer and int(row["tokens_max"]) == tokens


@pytest.mark.parametrize("tokenizer", ["patch", "superpixel"])
def test_a_plain_vit(run, data, tmp_path, tokenizer):
    path = tmp_path / "vit.safetensors"
    save_file(random_vit(), path)
    options = [
        "--no-head",
        "--probe",
        "--num-heads",
        HEADS,
        "--mean",
        0.5,
        0.5,
        0.5,
        "--std",
        0.2,
        0.2,
        0.2,
    ]
    chosen = ["--tokenizer", tokenizer, "--activation", "quick_gelu"]
    status, text, errors = run("evaluate", data, "--vit", path, *options, *chosen, *QUICK)
    assert (status, errors) == (DONE, "")
    assert "linear probe" in text and "top-1" not in text


def test_a_broken_picture_is_named_once(run, data, weights):
    broken = data / "val" / "red" / "1.png"
    broken.write_bytes(b"broken")
    shutil.rmtree(data / "train")  # which nothing needs that learns from nothing
    status, text, errors = run("evaluate", data, "--model", weights, *QUICK)
    assert status == DONE and is_one_line(errors) and str(broken) in errors
    assert "left out    1 that cannot be read\n" in text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--activation", "gelu"], "--activation goes with --vit"),
        (["--tokenizer", "patch", "--num-tokens", 4], "is not about patches"),
        (["--limit", 0], "limit must be at least 1"),
        (["--device", "nowhere"], "--device nowhere"),
        (["--append", "."], "directory"),
    ],
)
def test_what_does_not_fit_is_one_line(run, data, weights, options, said):
    status, text, errors = run("evaluate", data, "--model", weights, *QUICK, *options)
    assert (status, text) == (NOTHING_DONE, "") and is_one_line(errors) and said in errors


def test_sources_that_are_none(run, data, weights, tmp_path):
    other = tmp_path / "other.safetensors"
    save_weights(create_model("vit_tiny_16", **TINY), other)
    for source, model, options, said in (
        (tmp_path / "nowhere", weights, [], "nowhere"),
        (data, tmp_path / "none.safetensors", [], "none.safetensors"),
        (data, other, [], "leave it out with --no-head"),
        (tmp_path / "val.npz", weights, ["--knn"], "name the folder"),
    ):
        status, _, errors = run("evaluate", source, "--model", model, *options, *QUICK)
        assert status == NOTHING_DONE and is_one_line(errors) and said in errors


def test_the_example_adds_the_same_row(data, weights, tmp_path, monkeypatch, capsys):
    table = tmp_path / "results.csv"
    words = [str(EXAMPLE), str(data), str(weights), "--append", str(table)]
    monkeypatch.setattr("sys.argv", words)
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    (row,) = rows(table)
    assert row["tokenizer"].startswith("SuperpixelTokenizer(") and row["classes"] == "3"
    assert f"probe                {float(row['probe']):.4g}\n" in capsys.readouterr().out
