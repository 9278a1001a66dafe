"""What `evaluate` measures is so by hand, and depends neither on batches nor on what is broken."""

from dataclasses import replace

import pytest
import torch

from helpers.coloured import CLASSES, Held
from helpers.models import TINY, randomised
from spitgraph import create_model
from spitgraph.train import Evaluation, evaluate
from spitgraph.train.evaluation.accuracy import Accuracy
from spitgraph.train.evaluation.features import Reading, tokenized

TRAIN = Held([0] * 6 + [1] * 6 + [2] * 6)
VAL = Held([0, 0, 1, 1, 1, 2, 2], first=1000)
ALL = {"train": TRAIN, "neighbours": (5, 20), "probe": True, "progress": False, "repeats": 0}


def model(name="spit_tiny_16", **options):
    options = TINY | {"num_classes": 3, "sigma": 0.025} | options
    if not name.startswith("vit"):
        options = {"num_tokens": 7} | options
    return randomised(create_model(name, **options))


def logits(network, pictures):
    network.eval()
    with torch.no_grad():
        return torch.cat([network(pictures.picture(i)) for i in range(len(pictures))])


def test_the_head_by_hand():
    network = model()
    came = evaluate(network, VAL, topk=(1, 2, 5), progress=False, repeats=0)
    order = logits(network, VAL).argsort(dim=1, descending=True)
    is_class = order == VAL.labels[:, None]
    assert came.top[1] == Accuracy(int(is_class[:, 0].sum()), 7)
    assert came.top[2] == Accuracy(int(is_class[:, :2].sum()), 7)
    assert came.top[5] is None, "there are three classes"
    assert came.neighbours == {} and came.probe is None and came.train_pictures is None
    assert came.tokens == (7.0, 7, 7) and came.pictures == 7 and came.classes == 3


def test_colours_are_told_apart():
    came = evaluate(model(), VAL, **ALL)
    assert came.probe == Accuracy(7, 7) and came.neighbours[5] == Accuracy(7, 7)
    assert came.neighbours[20] is None, "there are 18 pictures to learn from"
    assert came.train_pictures == 18


@pytest.mark.parametrize("name", ["spit_tiny_16", "vit_tiny_16", "rvit_tiny_16"])
def test_batches_change_nothing(name):
    network, mixed = model(name), Held([0, 1, 2, 2, 1], sides=(12, 9, 14), first=50)
    one, three = (evaluate(network, mixed, batch_size=size, **ALL) for size in (1, 3))
    assert one == three
    again = evaluate(network, mixed, batch_size=2, **ALL)
    assert again == one, "nothing is drawn from what a run leaves behind"


def test_no_two_pictures_share_their_cells():
    network = model("rvit_tiny_16").eval()
    same = {index: VAL.picture(0) for index in (0, 1)}
    tried = Reading(2, None, seed=0)
    maps = [
        cells
        for reading in (tried, replace(tried, draw=1), replace(tried, seed=1))
        for cells in tokenized(network, same, reading).cluster.view(2, -1).unbind()
    ]
    assert len({tuple((cells - cells.min()).tolist()) for cells in maps}) == 6


def test_the_model_stays_as_it_is():
    network = model("rvit_tiny_16").train()
    network.head.eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = torch.get_rng_state()
    evaluate(network, VAL, **(ALL | {"repeats": 1}))
    assert torch.equal(torch.get_rng_state(), state)
    assert network.training and network.backbone.training and not network.head.training
    assert network.tokenizer.generator is None
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(part.grad is None for part in network.parameters())


def test_a_missing_class_moves_no_other():
    fewer = Held([0, 0, 1, 1], classes=("blue", "red"), first=1000)
    came = evaluate(model(), fewer, **ALL)
    assert came.probe == Accuracy(4, 4) and came.classes == 3
    other = Held([0, 1], classes=("green", "red"))
    with pytest.raises(ValueError, match=r"training pictures have no class 'blue'"):
        evaluate(model(num_classes=2), fewer, **(ALL | {"train": other}))


def test_broken_pictures_are_left_out_and_named_once(capsys):
    broken = Held([0, 0, 1, 1, 1, 2, 2], first=1000, broken=(0, 4))
    came = evaluate(model(), broken, repeats=1, batch_size=2, progress=False)
    assert came.unreadable == ("held[0]", "held[4]") and came.pictures == 5
    assert came.row()["unreadable"] == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"left out: cannot read held[{i}]: broken" for i in (0, 4)]
    with pytest.raises(ValueError, match="got none of 2 that is read"):
        evaluate(model(), Held([0, 1, 2][:2], broken=(0, 1)), complain=str, progress=False)


def test_a_model_without_head():
    came = evaluate(model(head="none"), VAL, **ALL)
    assert came.top == {1: None, 5: None} and came.probe == Accuracy(7, 7)
    assert came.row()["top1"] is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"probe": True}, "learn from train"),
        ({"neighbours": (5,)}, "learn from train"),
        ({"topk": (0,)}, "topk must be at least 1"),
        ({"train": Held([0]), "probe": True}, "at least 2 classes"),
        ({"train": Held([]), "probe": True}, "at least one picture"),
        ({"limit": 0}, "limit must be at least 1"),
        ({"repeats": -1}, "repeats must be at least 0"),
    ],
)
def test_what_does_not_fit_is_refused(options, said):
    with pytest.raises(ValueError, match=said):
        evaluate(model(), VAL, **({"progress": False, "repeats": 0} | options))


def test_a_head_of_other_classes():
    with pytest.raises(ValueError, match=r"tells 5 classes apart, and the pictures have 3: .*topk"):
        evaluate(model(num_classes=5), VAL, progress=False)
    assert evaluate(model(num_classes=5), VAL, **ALL, topk=()).top == {}
    with pytest.raises(TypeError, match="model must be a SPiT"):
        evaluate(torch.nn.Linear(3, 3), VAL)


def test_answers_that_are_no_numbers():
    network = model()
    torch.nn.init.constant_(network.backbone.norm.weight, float("nan"))
    with pytest.raises(ValueError, match="features of 18 of 18 pictures are not finite"):
        evaluate(network, VAL, **ALL)


def test_columns_are_always_the_same():
    full = evaluate(model(), VAL, **(ALL | {"repeats": 1}))
    bare = evaluate(model(head="none"), VAL, progress=False, repeats=0)
    assert tuple(full.row()) == tuple(bare.row()) == Evaluation.columns()
    assert len(set(Evaluation.columns())) == len(Evaluation.columns())
    assert all(full.row()[f"{part}_per_s"] > 0 for part in full.speed._fields)
    assert tuple(replace(bare, top={1: None, 3: None}).row()).count("top3") == 1


def test_operations_by_hand():
    network = model("vit_tiny_16", gradient=False)
    came = evaluate(network, VAL, progress=False, repeats=0)
    tokens, width, x = 9, 32, network.extractor.out_channels
    rows = tokens + 1  # with the class token
    linear = rows * (3 * width**2 + width**2 + 2 * 4 * width**2)
    attention = 2 * rows**2 * width
    products = tokens * x * width + 2 * (linear + attention) + width * 3
    assert (came.flops, came.flops_tokens) == (2 * products, tokens)
    assert came.parameters == sum(part.numel() for part in network.parameters())


def test_a_limit_takes_of_every_class():
    came = evaluate(model(), VAL, **ALL, limit=6)
    assert (came.pictures, came.train_pictures) == (6, 6) and came.probe.value > 0.5
    assert evaluate(model(), VAL, **ALL, limit=100).train_pictures == 18
    with pytest.raises(ValueError, match="2 pictures are too few for 3 classes"):
        evaluate(model(), VAL, **ALL, limit=2)


def test_pictures_are_cut_to_a_size():
    wide = Held([0, 1, 2], sides=(20, 31, 12))
    came = evaluate(model("vit_tiny_16"), wide, image_size=16, progress=False, repeats=0)
    assert came.tokens == (16.0, 16, 16)


def test_half_precision_is_nearly_the_same():
    half = evaluate(model(), VAL, **ALL, bf16=True)
    assert half.probe == Accuracy(7, 7) and VAL.classes == CLASSES
