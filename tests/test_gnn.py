"""examples/gnn.py: PyG's layers and the transformer learn from the same superpixel graphs."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch_geometric.data import Batch, Data
from torch_geometric.transforms import AddRandomWalkPE
from torch_geometric.utils import get_laplacian, to_dense_adj

from helpers.pictures import noise
from spitgraph.corpus import TokenWriter

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "gnn.py"
example = runpy.run_path(str(EXAMPLE))
MODELS = ("gcn", "gin", "gps", "transformer")


def pictures(count, seed):
    shape = (count, 12, 12, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def arrays(tmp_path):
    """A folder of train.npz and test.npz: six and four pictures of noise, of two classes."""
    for split, count in (("train", 6), ("test", 4)):
        labels = np.arange(count) % 2
        np.savez(tmp_path / f"{split}.npz", images=pictures(count, seed=count), labels=labels)
    return tmp_path


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs the example for an epoch: exit status, printed lines, errors."""

    def run(folder, *args, num_tokens="12"):
        sizes = ["--epochs", "1", "--batch-size", "4"]
        sizes += ["--num-tokens", num_tokens] if num_tokens else []
        monkeypatch.setattr(sys, "argv", ["gnn.py", str(folder), *sizes, *args])
        status = 0
        try:
            runpy.run_path(str(EXAMPLE), run_name="__main__")
        except SystemExit as exit:
            status = exit.code
        captured = capsys.readouterr()
        return status, captured.out.splitlines(), captured.err

    return run


@pytest.mark.parametrize(
    ("model", "features", "encoding"),
    [
        ("gcn", "colour", "none"),
        ("gin", "vectors", "walk"),
        ("gps", "colour", "laplacian"),
        ("transformer", "vectors", "walk"),
    ],
)
def test_every_model_runs(run, arrays, model, features, encoding):
    options = ("--model", model, "--features", features, "--encoding", encoding, "--flip")
    status, lines, _ = run(arrays, *options)
    assert status == 0
    assert lines[0].startswith("epoch 1: loss ")
    assert lines[-1].startswith(f"{model}, {features}: test accuracy ")
    assert "6 pictures, 12 tokens" in lines[-1]


@pytest.mark.parametrize("model", ["gcn", "gps"])
def test_published_graphs_for_comparison(run, arrays, model):
    pytest.importorskip("skimage")
    status, lines, _ = run(arrays, "--model", model, "--partition", "slic", "--graph", "knn")
    assert status == 0
    assert lines[-1].startswith(f"{model}, colour, slic, knn: test accuracy ")


@torch.no_grad()
def test_messages_follow_edges_that_lead_one_way():
    graph = example["NearestCentroids"](3)(graphs()[0])
    x, layer = torch.rand(12, 110, generator=torch.Generator().manual_seed(0)), model_of("gcn", 5)
    conv = layer.layers[0].conv
    x = x[:, :1].expand(-1, conv.in_channels)
    along = conv(x, graph.edge_index, graph.edge_attr.flatten())
    layer.layers[0].norm = torch.nn.Identity()
    torch.testing.assert_close(layer.layers[0](x, graph), x + along.relu())
    other_way = conv(x, graph.edge_index.flip(0), graph.edge_attr.flatten())
    assert (along - other_way).abs().max() > 1e-3


def test_a_seed_says_everything(run, arrays):
    one, again, other = (
        [without_time(line) for line in run(arrays, "--flip", "--seed", seed)[1]]
        for seed in ("3", "3", "4")
    )
    assert one == again != other


def test_a_folder_of_classes_will_do(run, tmp_path):
    for split in ("train", "test"):
        for kind in ("cat", "dog"):
            (tmp_path / split / kind).mkdir(parents=True)
            for index, picture in enumerate(pictures(2, seed=0)):
                Image.fromarray(picture).save(tmp_path / split / kind / f"{index}.png")
    status, lines, _ = run(tmp_path, "--limit", "3")
    assert status == 0
    assert "3 pictures" in lines[-1]


@pytest.mark.parametrize("options", [("--model", "gcn"), ("--model", "gps", "--encoding", "walk")])
def test_corpora_teach_what_their_pictures_do(run, arrays, tmp_path, options):
    corpora = tmp_path / "corpora"
    for split, name in (("train", "train"), ("val", "test")):
        write_corpus(arrays / f"{name}.npz", corpora / split)
    of_pictures = run(arrays, *options)[1]
    for workers in ("0", "1"):
        told = ("--workers", workers, *options)
        status, of_corpora, _ = run(corpora, *told, num_tokens=None)
        assert status == 0
        assert [without_time(line) for line in of_corpora] == [
            without_time(line) for line in of_pictures
        ]


def write_corpus(arrays, folder):
    held = np.load(arrays)
    superpixels = example["graph_transform"]("superpixel", 12)
    with TokenWriter(folder, rows_per_file=3) as writer:
        for picture, label in zip(held["images"], held["labels"], strict=True):
            writer.write(superpixels(picture), label=int(label))


def without_time(line):
    return line.rsplit(",", 1)[0]


def test_corpora_stay_as_they_were_made(run, arrays, tmp_path):
    for split in ("train", "val"):
        write_corpus(arrays / "train.npz", tmp_path / split)
    for option in ("--flip", "--partition slic", "--num-tokens 9"):
        status, _, err = run(tmp_path, *option.split(), num_tokens=None)
        assert status == 2
        assert "graphs, as they were made" in err and err.count("\n") == 1


def test_what_is_missing_is_said_in_a_line(run, arrays, tmp_path):
    for folder, options, message in (
        (tmp_path / "none", (), "none"),
        (arrays, ("--encoding", "laplacian", "--num-tokens", "8"), "more than 8 tokens"),
        (arrays, ("--encoding", "laplacian", "--graph", "knn"), "edges both ways"),
    ):
        status, _, err = run(folder, *options)
        assert status == 2
        assert message in err and err.count("\n") == 1


def test_mirrored_pictures_are_other_graphs_of_the_same_class(arrays):
    train = example["open_pictures"](arrays, "train")
    transform = example["graph_transform"]("superpixel", 12)
    (mirrored,) = example["make_graphs"](train, [3], transform, mirrored=True)
    expected = transform(train.picture(3).flip(-1))
    assert (mirrored.cluster == expected.cluster).all()
    assert (mirrored.color != transform(train.picture(3)).color).any()
    assert mirrored.y.tolist() == [1]


def graphs(encoding="walk", count=3):
    superpixels = example["graph_transform"]("superpixel", 12)
    encoded = example["edge_transform"](encoding, "regions", 12)
    return [encoded(superpixels(noise(10, 9 + index, seed=index))) for index in range(count)]


def test_colour_and_place_of_two_halves():
    image = torch.zeros(3, 4, 8)
    image[0, :, 4:] = 1  # the right half is red; centroids are at x = 1.5 and 5.5, y = 1.5
    tokens = example["graph_transform"]("superpixel", 2)(image)
    expected = torch.tensor([[-1, -1, -1, -0.625, -0.25], [1, -1, -1, 0.375, -0.25]])
    torch.testing.assert_close(example["ColourAndPlace"]()(tokens).x, expected)


def test_walks_are_attached_and_their_return_is_a_probability():
    for graph in graphs("walk"):
        assert graph.pe.shape == (12, 8)
        assert (graph.pe[:, 0] == 0).all()  # there are no self-loops
        assert ((graph.pe >= 0) & (graph.pe <= 1)).all()


def test_eigenvectors_are_attached_and_are_some():
    for graph in graphs("laplacian"):
        index, weight = get_laplacian(graph.edge_index, normalization="sym", num_nodes=12)
        laplacian = to_dense_adj(index, edge_attr=weight, max_num_nodes=12)[0]
        values = graph.pe.t() @ laplacian @ graph.pe
        torch.testing.assert_close(
            laplacian @ graph.pe, graph.pe * values.diag(), atol=1e-5, rtol=0
        )


def model_of(kind, width):
    torch.manual_seed(0)
    model = example["make_model"](kind, width, 5, pe_dim=8).eval()
    with torch.no_grad():  # as if trained: nothing is zero that starts so
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn(parameter.shape)
    return model


@pytest.mark.parametrize("kind", MODELS)
@torch.no_grad()
def test_logits_do_not_depend_on_the_batch(kind):
    extractor = example["ColourAndPlace"]()
    model, images = model_of(kind, extractor.out_channels), graphs()
    together = model(extractor(Batch.from_data_list(images)))
    alone = [model(extractor(Batch.from_data_list([image]))) for image in images]
    torch.testing.assert_close(together, torch.cat(alone))
    assert (together[0] - together[1]).abs().max() > 1e-3


@pytest.mark.parametrize("kind", ["gcn", "gin", "gps"])
@torch.no_grad()
def test_logits_do_not_depend_on_the_order_of_nodes(kind):
    extractor = example["ColourAndPlace"]()
    tokens = extractor(graphs()[0])
    model = model_of(kind, extractor.out_channels)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(1))
    place = order.argsort()  # where each node went
    ordered = Data(x=tokens.x, edge_index=tokens.edge_index, edge_attr=tokens.edge_attr)
    moved = Data(x=tokens.x[order], edge_index=place[tokens.edge_index])
    moved.edge_attr = tokens.edge_attr
    encode = AddRandomWalkPE(8, attr_name="pe")
    logits = [model(Batch.from_data_list([encode(graph)])) for graph in (ordered, moved)]
    torch.testing.assert_close(*logits)


@pytest.mark.parametrize("kind", ["gcn", "gin", "gps"])
@torch.no_grad()
def test_borders_matter(kind):
    extractor = example["ColourAndPlace"]()
    tokens = Batch.from_data_list([extractor(graphs()[0])])
    model = model_of(kind, extractor.out_channels)
    before = model(tokens)
    tokens.edge_attr = tokens.edge_attr**2
    assert (model(tokens) - before).abs().max() > 1e-4
