"""Label maps kept on disk are what the tokenizer makes."""

import pytest

from helpers.labelled import picture_folder
from helpers.pictures import noise_of_bytes
from spitgraph import PatchTokenizer, SuperpixelTokenizer, VoronoiTokenizer
from spitgraph.train import open_pictures
from spitgraph.train.data.cache import LabelMapCache
from spitgraph.train.data.counts import token_counts


class Counting(SuperpixelTokenizer):
    """Remembers how many pictures it was asked for."""

    asked = 0

    def hierarchy(self, images):
        type(self).asked += len(images)
        return super().hierarchy(images)


@pytest.fixture
def counting():
    Counting.asked = 0
    return Counting


def entries(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("tokenizer", [SuperpixelTokenizer(3), SuperpixelTokenizer(num_tokens=1)])
def test_tokens_are_the_tokenizers_own(tmp_path, awkward_images, tokenizer, assert_same):
    cache = LabelMapCache(tmp_path, tokenizer)
    expected = tokenizer(awkward_images)
    assert_same(cache(awkward_images), expected)
    assert len(entries(tmp_path)) == len(awkward_images)
    assert_same(cache(awkward_images), expected)
    assert_same(cache(awkward_images[::-1])[0], expected[len(awkward_images) - 1])
    assert_same(cache(awkward_images[3]), tokenizer(awkward_images[3]))


def test_what_is_there_is_not_made_again(tmp_path, counting):
    images = [noise_of_bytes(9, 8, seed=n) for n in range(4)]
    cache = LabelMapCache(tmp_path, counting(2))
    cache(images[:2])
    cache(images)
    assert counting.asked == 4
    LabelMapCache(tmp_path, counting(2))(images)
    assert counting.asked == 4
    LabelMapCache(tmp_path, counting(3))(images)
    LabelMapCache(tmp_path, counting(2, compactness=0.1))(images)
    assert counting.asked == 12


@pytest.mark.parametrize("damage", [b"", b"nothing", None])
def test_damaged_entries_are_made_again(tmp_path, counting, damage, assert_same):
    image = noise_of_bytes(9, 8)
    cache = LabelMapCache(tmp_path, counting(2))
    expected = cache(image)
    (place,) = entries(tmp_path)
    content = place.read_bytes()
    place.write_bytes(content[:-3] + b"\0\1\2" if damage is None else damage)
    assert_same(cache(image), expected)
    assert counting.asked == 2 and place.read_bytes() == content


def test_without_room_tokens_are_made_all_the_same(tmp_path, monkeypatch, counting, caplog):
    cache = LabelMapCache(tmp_path, counting(2))
    monkeypatch.setattr("os.replace", lambda *names: (_ for _ in ()).throw(OSError("full")))
    for _ in range(2):
        cache([noise_of_bytes(9, 8, seed=n) for n in range(2)])
    assert counting.asked == 4 and not entries(tmp_path)
    assert caplog.text.count("kept no longer: full") == 1


def test_tokenizers_that_settings_do_not_tell_are_refused(tmp_path):
    with pytest.raises(TypeError, match="a cache keeps what a SuperpixelTokenizer"):
        LabelMapCache(tmp_path, PatchTokenizer(4))
    with pytest.raises(TypeError, match="a cache keeps what a SuperpixelTokenizer"):
        LabelMapCache(tmp_path, SuperpixelTokenizer(2, features=lambda image: image))
    with pytest.raises(TypeError, match="SuperpixelTokenizer without functions of its own"):
        LabelMapCache(tmp_path, SuperpixelTokenizer(2, similarity=lambda *ends: ends[0][:, 0]))


def test_counts_are_of_the_tokens_and_kept(tmp_path, counting):
    pictures = open_pictures(picture_folder(tmp_path / "data", sizes=((8, 8), (5, 9))), "train")
    expected = [counting(2)(pictures.picture(index)).num_nodes for index in range(8)]
    for _ in range(2):
        counts = token_counts(pictures, counting(2), folder=tmp_path / "kept")
        assert counts.tolist() == expected
    assert counting.asked == 16
    drawn = token_counts(pictures, VoronoiTokenizer(40))
    assert drawn.tolist() == token_counts(pictures, VoronoiTokenizer(40)).tolist()
    assert drawn.tolist() != token_counts(pictures, VoronoiTokenizer(40), seed=1).tolist()
