"""Examples are functions of (seed, epoch, index), and batches hold what they say."""

import pickle

import numpy as np
import pytest
import torch

from helpers.labelled import break_file, npz_folder, picture_folder
from spitgraph import (
    InterpolationExtractor,
    PatchTokenizer,
    SuperpixelTokenizer,
    UnreadableImageError,
    VoronoiTokenizer,
)
from spitgraph.train import Augmentation, open_pictures
from spitgraph.train.augmentation.augmentation import evaluation_view
from spitgraph.train.data.examples import Collate, EvaluationExamples, TrainingExamples
from spitgraph.train.data.tokens import tokens_of
from spitgraph.train.draws import epoch_order, example_seed

ALL = Augmentation(rand_augment=1, colour_jitter=0.3, cutmix=0.5, mixup=0.3)


@pytest.fixture
def arrays(tmp_path):
    return open_pictures(npz_folder(tmp_path), "train")


@pytest.fixture
def mixed_sizes(tmp_path):
    folder = picture_folder(tmp_path, sizes=((8, 8), (1, 1), (5, 9), (12, 7)))
    return open_pictures(folder, "train")


def test_seeds_are_spread():
    seeds = {example_seed(s, e, i) for s in range(4) for e in range(10) for i in range(100)}
    assert len(seeds) == 4000 and all(0 <= seed < 2**63 for seed in seeds)
    halves = np.array([example_seed(0, 0, index) & 1 for index in range(2000)])
    assert 0.45 < halves.mean() < 0.55
    assert sorted(epoch_order(1, 2, 10).tolist()) == list(range(10))


def test_an_example_is_a_function_of_seed_epoch_and_index(arrays):
    """Whatever was asked for before, and in whichever process."""
    examples = TrainingExamples(arrays, ALL, seed=5)
    first = [examples[epoch, index] for epoch in (0, 1) for index in range(24)]
    other = pickle.loads(pickle.dumps(TrainingExamples(arrays, ALL, seed=5)))
    again = [other[epoch, index] for epoch in (1, 0) for index in reversed(range(24))][::-1]
    for one, two in zip(first, again, strict=True):
        assert torch.equal(one.image, two.image)
        assert (one.target, one.seed, one.index) == (two.target, two.seed, two.index)
    others = TrainingExamples(arrays, ALL, seed=6)
    assert not torch.equal(others[0, 0].image, first[0].image)
    assert not torch.equal(first[0].image, first[24].image)


def test_no_global_generator_is_asked(arrays):
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    examples = TrainingExamples(arrays, ALL)
    Collate(3, VoronoiTokenizer(4), InterpolationExtractor())([examples[0, i] for i in range(4)])
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)


def test_partners_come_from_the_whole_data_set(arrays):
    examples = TrainingExamples(arrays, Augmentation(cutmix=1.0))
    mixed = [examples[epoch, 0].target[1][0] for epoch in range(60)]
    assert set(mixed) == {0, 1, 2}


def test_targets_add_up_to_one(arrays):
    examples = TrainingExamples(arrays, ALL)
    batch = Collate(3)([examples[0, index] for index in range(24)])
    assert batch.targets.dtype == torch.float32 and batch.targets.shape == (24, 3)
    assert torch.allclose(batch.targets.sum(1), torch.ones(24))
    assert batch.targets.max() <= 1 and (batch.targets > 0).sum() > 24
    assert batch.inputs.shape == (24, 3, 8, 8) and len(batch) == 24
    assert batch.indices.tolist() == list(range(24)) and batch.seeds.unique().numel() == 24


def test_pictures_of_any_sizes_make_a_batch(mixed_sizes):
    examples = TrainingExamples(mixed_sizes, Augmentation(cutmix=1.0))
    batch = Collate(2)([examples[0, index] for index in range(8)])
    assert [list(image.shape[1:]) for image in batch.inputs[:4]] == [
        [8, 8],
        [1, 1],
        [5, 9],
        [12, 7],
    ]
    sent = pickle.loads(pickle.dumps(batch))
    assert all(map(torch.equal, sent.inputs, batch.inputs)) and len(sent) == 8
    moved = batch.to("cpu")
    assert isinstance(moved.inputs, list) and torch.equal(moved.targets, batch.targets)
    tokens = Collate(2, SuperpixelTokenizer(2), InterpolationExtractor())(
        [examples[0, index] for index in range(8)]
    ).inputs
    assert tokens.num_graphs == 8 and len(tokens.x) == tokens.num_nodes and "pixels" not in tokens


@pytest.mark.parametrize(
    "tokenizer", [SuperpixelTokenizer(num_tokens=9), PatchTokenizer(4), VoronoiTokenizer(9)]
)
def test_tokens_do_not_depend_on_the_batch(arrays, tokenizer, assert_same):
    examples, extractor = EvaluationExamples(arrays), InterpolationExtractor()
    shown = [examples[0, index] for index in range(4)]
    together = Collate(3, tokenizer, extractor)(shown).inputs
    for index, example in enumerate(shown):
        alone = Collate(3, tokenizer, extractor)([example]).inputs
        assert_same(alone[0], together[index])


def test_without_an_extractor_tokens_keep_their_pixels(arrays, assert_same):
    images = [arrays.picture(index) for index in range(3)]
    tokens = tokens_of(images, torch.arange(3), PatchTokenizer(4))
    assert_same(tokens, PatchTokenizer(4)(images))


def test_evaluation_shows_pictures_as_they_are(mixed_sizes):
    examples = EvaluationExamples(mixed_sizes)
    assert torch.equal(examples[0, 2].image, mixed_sizes.picture(2))
    assert examples[0, 2].seed == examples[7, 2].seed
    squares = Collate(2)([EvaluationExamples(mixed_sizes, 6)[0, index] for index in range(8)])
    assert squares.inputs.shape == (8, 3, 6, 6)
    assert torch.equal(squares.inputs[3], evaluation_view(mixed_sizes.picture(3), 6))


# ---- pictures that cannot be read ----------------------------------------------------------------


def broken_folder(tmp_path, numbers):
    folder = picture_folder(tmp_path)
    for number in numbers:
        for kind in ("cat", "dog"):
            break_file(folder / "train" / kind / f"{number}.png")
    return open_pictures(folder, "train")


def test_training_replaces_what_cannot_be_read(tmp_path):
    pictures = broken_folder(tmp_path, [2])
    examples = TrainingExamples(pictures, Augmentation(cutmix=0.0))
    batch = Collate(2)([examples[0, index] for index in range(8)])
    assert len(batch) == 8 and len(batch.inputs) == 8
    assert {pictures.name(2), pictures.name(6)} == set(batch.broken)
    assert not {2, 6} & set(batch.indices.tolist())
    labels = pictures.labels[batch.indices]
    assert torch.equal(batch.targets.argmax(1), labels)
    assert torch.equal(examples[0, 2].image, examples[0, 2].image)


def test_evaluation_leaves_out_what_cannot_be_read(tmp_path):
    pictures = broken_folder(tmp_path, [2])
    examples = EvaluationExamples(pictures)
    batch = Collate(2)([examples[0, index] for index in range(8)])
    assert batch.indices.tolist() == [0, 1, 3, 4, 5, 7] and len(batch.broken) == 2
    assert batch.inputs.shape == (6, 3, 8, 8) and batch.targets.shape == (6, 2)
    empty = Collate(2, PatchTokenizer(4), InterpolationExtractor())([examples[0, 2]])
    assert len(empty) == 0 and empty.targets.shape == (0, 2) and empty.to("cpu").inputs == []


def test_where_nothing_can_be_read_an_error_says_so(tmp_path):
    examples = TrainingExamples(broken_folder(tmp_path, range(4)), Augmentation())
    with pytest.raises(UnreadableImageError, match="33 pictures .* cannot read .*png"):
        examples[0, 0]
