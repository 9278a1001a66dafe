"""Noise in what superpixels are found in, as an augmentation."""

import pytest
import torch

from helpers.labelled import npz_folder
from helpers.pictures import noise
from spitgraph import (
    InterpolationExtractor,
    PatchTokenizer,
    SuperpixelTokenizer,
    VoronoiTokenizer,
    create_model,
)
from spitgraph.train import Classifier, ImageData
from spitgraph.train.data.tokens import NoisyRegions, seeded, tokens_of

SUPERPIXELS = SuperpixelTokenizer(num_tokens=12)
SEEDS = torch.tensor([5, 9, 2])


def pictures():
    return [noise(9, 11, seed=seed) for seed in range(3)]


def test_regions_vary_with_the_seed_and_pixels_stay():
    images = pictures()
    found = [tokens_of(images, SEEDS + shift, SUPERPIXELS, region_noise=0.1) for shift in (0, 1)]
    plain = SUPERPIXELS(images)
    for tokens in found:
        assert torch.equal(tokens.pixels, plain.pixels)
        assert len(tokens.size) == 36
        assert not torch.equal(tokens.cluster, plain.cluster)
    assert not torch.equal(found[0].cluster, found[1].cluster)


def test_they_are_what_is_found_in_the_picture_with_its_noise():
    image, seed = (torch.arange(99 * 3).view(3, 9, 11) % 256).byte(), SEEDS[:1]
    drawn = torch.randn(3, 9, 11, generator=torch.Generator().manual_seed(int(seed)))
    noisy = (image / 255 + 0.05 * drawn).clamp(0, 1)
    (found,) = tokens_of([image], seed, SUPERPIXELS, region_noise=0.05).to_data_list()
    assert torch.equal(found.cluster, SUPERPIXELS(noisy).cluster)


def test_a_picture_s_regions_do_not_depend_on_its_batch():
    images = pictures()
    batch = tokens_of(images, SEEDS, SUPERPIXELS, region_noise=0.1)
    for index, image in enumerate(images):
        (alone,) = tokens_of(
            [image], SEEDS[index : index + 1], SUPERPIXELS, region_noise=0.1
        ).to_data_list()
        assert torch.equal(batch[index].cluster, alone.cluster)


@pytest.mark.parametrize("tokenizer", [PatchTokenizer(4), VoronoiTokenizer(5)])
def test_it_is_for_superpixels(tokenizer):
    assert not isinstance(seeded(tokenizer, SEEDS, 0.1), NoisyRegions)
    assert seeded(SUPERPIXELS, SEEDS) is SUPERPIXELS


def test_only_training_pictures_have_it(tmp_path):
    folder = npz_folder(tmp_path)
    loaders = []
    for region_noise in (0.0, 0.2):
        data = ImageData(
            folder,
            tokenizer=SUPERPIXELS,
            extractor=InterpolationExtractor(bins=4),
            batch_size=4,
            region_noise=region_noise,
        )
        loaders.append([data.train_dataloader(), data.val_dataloader()])
    batches = [[next(iter(loader)) for loader in both] for both in loaders]
    (train, val), (noisy_train, noisy_val) = batches
    assert torch.equal(val.inputs.x, noisy_val.inputs.x)
    assert not torch.equal(train.inputs.x, noisy_train.inputs.x)


def test_where_the_model_makes_the_tokens_it_has_it_in_training(tmp_path):
    data = ImageData(npz_folder(tmp_path), batch_size=4)
    batch = next(iter(data.train_dataloader()))
    model = create_model("spit_tiny_16", num_classes=3, num_tokens=12, bins=4, depth=1)
    classifier = Classifier(model, region_noise=0.2)
    in_training = classifier.train().tokens(batch).size
    evaluated = classifier.eval().tokens(batch)
    assert torch.equal(evaluated.size, model.tokenize(batch.inputs).size)
    assert not torch.equal(in_training, evaluated.size)


def test_it_is_a_share_of_the_range_of_colours(tmp_path):
    with pytest.raises(ValueError, match="region_noise"):
        ImageData(npz_folder(tmp_path), region_noise=5.0)
