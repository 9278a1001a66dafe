"""Stability: what changes are, the way back from them, and what is known of patches."""

import numpy as np
import pandas
import pytest
import torch

from helpers.pictures import AWKWARD, noise, seeded
from spitgraph import PatchTokenizer, SuperpixelTokenizer, VoronoiTokenizer
from spitgraph.inspection import plot_stability, stability
from spitgraph.inspection.changes import CHANGES, at_size
from spitgraph.inspection.stability import CHANCE, MEASURES, chance, compared

HEIGHT, WIDTH = 10, 14
#: Of images whose pixels all differ: changes that move pixels, and nothing else.
MOVES = ["the same again", "1 px right", "1 px down", "mirrored"]


@pytest.mark.parametrize("name", MOVES)
def test_labels_that_move_with_the_image_come_back(name):
    change = CHANGES[name]
    place = torch.arange(HEIGHT * WIDTH).view(HEIGHT, WIDTH)
    image = (place / place.numel()).expand(3, -1, -1)
    moved = change.apply(image, seeded(0))
    labels = (moved[0] * place.numel()).round().long()
    restored = change.restore(labels, (HEIGHT, WIDTH))
    assert torch.equal(restored[change.kept], place[change.kept])
    assert name == "the same again" or not torch.equal(labels, place)


@pytest.mark.parametrize("name", CHANGES)
def test_changed_images_are_images_and_chance_is_the_generators(name, awkward_image):
    change = CHANGES[name]
    before = awkward_image.clone()
    changed = change.apply(awkward_image, seeded(0))
    assert changed.dtype == torch.float32 and changed.min() >= 0 and changed.max() <= 1
    assert torch.equal(changed, change.apply(awkward_image, seeded(0)))
    assert torch.equal(awkward_image, before)
    labels = torch.zeros(changed.shape[1:], dtype=torch.int64)
    assert change.restore(labels, awkward_image.shape[1:]).shape == awkward_image.shape[1:]


def test_noise_has_its_strength():
    grey = torch.full((3, 60, 60), 0.5)
    for sigma in (2, 8):
        noisy = CHANGES[f"noise {sigma}/255"].apply(grey, seeded(0))
        assert float((noisy - grey).std() * 255) == pytest.approx(sigma, rel=0.03)


def test_labels_of_another_size_lie_where_they_lay():
    labels = torch.tensor([[0, 1], [2, 3]])
    assert at_size(labels, (4, 4)).tolist() == [[0, 0, 1, 1]] * 2 + [[2, 2, 3, 3]] * 2
    assert at_size(at_size(labels, (7, 9)), (2, 2)).tolist() == labels.tolist()


def test_patches_move_with_nothing_but_the_frame():
    image = noise(32, 32)
    table = stability(image, PatchTokenizer(8))
    unmoved = table.drop([CHANCE, "1 px right", "1 px down", "size × 0.9"])
    assert (unmoved[["covering", "accuracy", "boundary_recall"]] == 1).all(axis=None)
    assert (unmoved["information"] == 0).all()
    explained = unmoved["explained_variation"]
    assert explained.tolist() == pytest.approx([explained.iloc[0]] * len(explained))
    # of 31 columns, patches own 8, 8, 8, 7, and those of the moved image 7, 8, 8, 8
    overlap = (8 * 7 / 8 + 8 * 7 / 9 + 8 * 7 / 9 + 7 * 7 / 8) / 31
    assert table.loc["1 px right", "covering"] == pytest.approx(overlap)
    assert table.loc["1 px down", "covering"] == pytest.approx(overlap)
    assert table.loc[CHANCE, "covering"] < 0.6


def test_a_tokenizer_that_draws_lots_is_found_out():
    table = stability(noise(20, 20), VoronoiTokenizer(12, generator=seeded(0)))
    assert table.loc["the same again", "covering"] < 0.9


def test_superpixels_of_flat_and_clear_pictures_stay():
    image = torch.full((3, 16, 24), 0.2)
    image[:, 4:12, 6:18] = 0.9
    table = stability(image, SuperpixelTokenizer(num_tokens=2)).drop(CHANCE)
    sure = ["the same again", "mirrored", "noise 2/255", "brightness + 0.1", "gamma 0.8"]
    assert (table.loc[sure, "covering"] == 1).all()


def test_same_generator_same_table():
    image, tokenizer = noise(9, 9), SuperpixelTokenizer(1)
    table = stability(image, tokenizer)
    pandas.testing.assert_frame_equal(table, stability(image, tokenizer))
    other = stability(image, tokenizer, generator=seeded(5))
    assert not other.loc[CHANCE].equals(table.loc[CHANCE])


def test_label_maps_serve_too():
    image, tokenizer = noise(9, 9), SuperpixelTokenizer(1)
    by_labels = stability(image, lambda changed: tokenizer(changed).seg[0].numpy())
    pandas.testing.assert_frame_equal(by_labels, stability(image, tokenizer))


def test_chance_is_that_of_displaced_partitions():
    one = torch.zeros(6, 6, dtype=torch.int64)
    assert chance(noise(6, 6), one, seeded(0))["covering"] == 1
    stripes = (torch.arange(60) // 6).expand(6, -1)
    found = chance(noise(6, 60), stripes, seeded(0))
    shifts = [compared(noise(6, 60), stripes, stripes.roll(by, 1))["covering"] for by in range(6)]
    assert min(shifts) <= found["covering"] <= max(shifts)


@pytest.mark.parametrize("name", ["one pixel", "one row", "flat grey"])
def test_awkward_pictures(name):
    image = AWKWARD[name]
    table = stability(image, SuperpixelTokenizer(1))
    assert list(table.columns) == ["tokens", *MEASURES]
    sides = {"1 px right": image.shape[2], "1 px down": image.shape[1]}
    gone = [name for name, side in sides.items() if side == 1]
    assert table.index[table["covering"].isna()].tolist() == gone
    plot_stability({"a": table, "b": table})


def test_what_is_no_tokenizer_is_refused(unchecked):
    with pytest.raises(ValueError, match=r"tokens of \[6, 6\] pixels, got \[3, 3\]"):
        stability(noise(6, 6), lambda image: torch.zeros(3, 3, dtype=torch.int64))
    with pytest.raises(TypeError, match="tokenizer's labels as a tensor or array of integers"):
        stability(noise(6, 6), lambda image: image[0])
    with pytest.raises(TypeError, match="generator must be"):
        stability(noise(6, 6), PatchTokenizer(), generator=0)


def test_the_card_shows_every_change_of_every_tokenizer():
    tables = {"squares": stability(noise(9, 9), PatchTokenizer(3))}
    tables["other"] = tables["squares"] * 0.5
    figure = plot_stability(tables)
    assert len(figure.axes) == len(MEASURES)
    for axes, measure in zip(figure.axes, MEASURES, strict=True):
        squares, other = axes.lines[:2]
        assert np.array_equal(squares.get_xdata(), tables["squares"][measure])
        assert np.array_equal(other.get_xdata(), tables["other"][measure])
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == [*CHANGES, CHANCE]
    assert plot_stability(tables["squares"]).legends == []


def test_tables_of_other_changes_are_refused(unchecked):
    table = stability(noise(9, 9), PatchTokenizer(3))
    with pytest.raises(ValueError, match="same changes in all tables, got others in 'b'"):
        plot_stability({"a": table, "b": table.iloc[:3]})
    with pytest.raises(ValueError, match=r"got 'a' without \['covering'\]"):
        plot_stability({"a": table.drop(columns="covering")})
    with pytest.raises(ValueError, match="at least one table"):
        plot_stability({})
    with pytest.raises(TypeError, match="tables of stability"):
        plot_stability({"a": 3})
