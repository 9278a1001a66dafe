"""Augmented pictures: what is done to them, worked by hand where that can be."""

import numpy as np
import pytest
import torch

from helpers.pictures import random_bytes
from spitgraph.train.augmentation.augmentation import Augmentation, evaluation_view
from spitgraph.train.augmentation.mixing import cut_in, laid_over
from spitgraph.train.augmentation.policy import OPERATIONS, rand_augmented
from spitgraph.train.augmentation.views import as_picture, centre_view, mirror, part_size, shifted
from spitgraph.train.draws import example_generator

STRONG = Augmentation(crop="resized", rand_augment=2, colour_jitter=0.4)


def draws(index=0):
    return example_generator(0, 0, index)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 1), (8, 9)])
@pytest.mark.parametrize("augmentation", [Augmentation(), STRONG], ids=["default", "strong"])
@pytest.mark.parametrize("image_size", [None, 6])
def test_any_picture_gives_bytes_of_its_size_or_the_one_asked_for(size, augmentation, image_size):
    augmentation = Augmentation(**{**vars(augmentation), "image_size": image_size})
    image = random_bytes(3, *size)
    before = image.copy()
    for index in range(8):
        view = augmentation.view(image, draws(index))
        assert view.dtype == np.uint8 and view.flags.c_contiguous
        assert view.shape == (3, *(size if image_size is None else (6, 6)))
    assert np.array_equal(image, before)


def test_a_picture_is_shifted_and_mirrored_at_its_border():
    assert mirror(4, 3).tolist() == [3, 2, 1, 0, 1, 2, 3, 2, 1, 0]
    assert mirror(1, 2).tolist() == [0] * 5
    assert mirror(2, 4).tolist() == [0, 1, 0, 1, 0, 1, 0, 1, 0, 1]
    image = random_bytes(3, 8, 9)
    padded = np.pad(image, ((0, 0), (2, 2), (2, 2)), mode="reflect")
    windows = {padded[:, y : y + 8, x : x + 9].tobytes() for y in range(5) for x in range(5)}
    found = {shifted(image, 2, draws(index)).tobytes() for index in range(300)}
    assert found == windows
    turned = shifted(image, 2, draws(3), mirrored=True)
    assert np.array_equal(turned, shifted(image, 2, draws(3))[:, :, ::-1])


def test_all_switched_off_leaves_a_picture_as_it_is():
    image = random_bytes(3, 8, 9)
    off = Augmentation(crop="none", flip=0, cutmix=0)
    assert np.array_equal(off.view(image, draws()), image) and off.mixes(draws()) is None


def test_a_part_lies_within_the_picture_and_has_about_the_area():
    sizes = [part_size(40, 60, (0.25, 0.5), (0.5, 2.0), draws(index)) for index in range(200)]
    for h, w in sizes:
        assert h <= 40 and w <= 60
        assert 0.22 < h * w / 2400 < 0.55 and 0.45 < w / h < 2.2
    assert len(set(sizes)) > 100
    assert part_size(1, 100, (1.0, 1.0), (1.0, 1.0), draws()) == (1, 1)  # the largest square


def test_the_middle_is_the_square_about_the_centre():
    image = random_bytes(3, 4, 10)
    assert np.array_equal(centre_view(image, 4), image[:, :, 3:7])
    assert centre_view(image, 8).shape == (3, 8, 8)
    assert evaluation_view(torch.from_numpy(image), 2).shape == (3, 2, 2)
    assert evaluation_view(torch.from_numpy(image), None).shape == (3, 4, 10)


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_keep_size_and_do_nothing_at_strength_0(name):
    picture = as_picture(random_bytes(3, 24, 25))  # fewer pixels are not equalised
    changed = OPERATIONS[name](picture, -0.9)
    assert changed.size == picture.size and changed.mode == "RGB"
    if name not in ("autocontrast", "equalize"):  # which have no strength
        assert OPERATIONS[name](picture, 0.0).tobytes() == picture.tobytes()
    if name not in ("identity", "autocontrast"):  # noise spans all shades already
        assert changed.tobytes() != picture.tobytes()


def test_rand_augment_draws_all_operations():
    image = random_bytes(3, 24, 25)
    found = {rand_augmented(image, 1, 9.0, draws(index)).tobytes() for index in range(200)}
    assert len(found) >= 2 * len(OPERATIONS) - 7  # identity, autocontrast, equalize have no sign


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (32, 32)])
def test_of_a_target_there_is_as_much_as_of_the_area(size):
    white, black = np.full((3, *size), 255, np.uint8), np.zeros((3, 9, 9), np.uint8)
    for index in range(50):
        mixed, share = cut_in(white, black, 1.0, draws(index))
        assert share == pytest.approx((mixed == 255).mean(), abs=1e-12)
        rows, columns = (mixed[0] == 0).any(1).nonzero()[0], (mixed[0] == 0).any(0).nonzero()[0]
        if len(rows):  # one box
            assert not mixed[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].any()


def test_shares_of_cutmix_are_spread():
    white, black = np.full((3, 32, 32), 255, np.uint8), np.zeros((3, 32, 32), np.uint8)
    shares = [cut_in(white, black, 1.0, draws(index))[1] for index in range(500)]
    assert min(shares) < 0.2 and max(shares) > 0.99 and 0.55 < np.mean(shares) < 0.75


def test_mixup_lays_one_picture_over_the_other():
    mixed, share = laid_over(
        np.full((3, 2, 2), 200, np.uint8), np.full((3, 2, 2), 100, np.uint8), 0.8, draws()
    )
    assert (mixed == round(100 + 100 * share)).all()


def test_how_pictures_are_mixed_is_drawn():
    both = Augmentation(cutmix=0.5, mixup=0.25)
    drawn = [both.mixes(draws(index)) for index in range(400)]
    assert 0.4 < drawn.count("cutmix") / 400 < 0.6 and 0.18 < drawn.count("mixup") / 400 < 0.32


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"crop": "round"}, "crop must be one of"),
        ({"flip": 2}, r"flip must be in \[0, 1\]"),
        ({"cutmix": 0.7, "mixup": 0.7}, "1 or less together"),
        ({"magnitude": 11}, r"magnitude must be in \[0, 10\]"),
        ({"scale": (0.5, 1.5)}, "scale must be at most 1"),
        ({"ratio": (2, 1)}, "smaller number first"),
        ({"scale": 0.5}, "scale must be two numbers"),
        ({"padding": -1}, "padding must be at least 0"),
        ({"image_size": 2.5}, "image_size must be an integer"),
        ({"cutmix_alpha": 0}, "cutmix_alpha must be positive"),
    ],
)
def test_numbers_outside_their_range_are_refused(unchecked, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Augmentation(**options)
