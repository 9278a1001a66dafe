"""What every method takes: images and tokens, one or several, and a class of each."""

import pytest
import torch

from helpers.models import TINY, make_random_model, make_random_tokens, randomised
from helpers.pictures import AWKWARD, mixed, noise
from spitgraph import create_model, explain
from spitgraph.explain import rollout

#: Every method, quickly.
METHODS = {
    "attention": {},
    "attention_flow": {},
    "input_gradient": {},
    "integrated_gradients": {"n_steps": 2},
    "kernel_shap": {"n_samples": 8},
    "lime": {"n_samples": 8},
    "prototype_pca": {},
    "rollout": {},
    "token_relevance": {},
}


def find(name, model, image, target=None):
    return getattr(explain, name)(model, image, target, **METHODS[name])


@pytest.fixture(scope="module", params=["spit", "vit", "rvit"])
def model(request):
    """Of superpixels, patches and Voronoi cells."""
    options = {"spit": {"levels": 2}, "vit": {}, "rvit": {"num_tokens": 5}}[request.param]
    return small(f"{request.param}_tiny_16", **options)


@pytest.fixture(scope="module")
def superpixels():
    return small("spit_tiny_16", levels=2)


def small(name, **options):
    return randomised(create_model(name, **{**TINY, "depth": 1, **options})).eval()


@pytest.mark.parametrize("name", METHODS)
def test_every_method_reads_every_kind_of_token(model, name):
    torch.manual_seed(0)
    found = find(name, model, noise(12, 14), 3)
    assert (found.method, found.target) == (name, 3)
    assert found.tokens.shape == (found.token_data.num_nodes,)
    assert found.map.shape == (12, 14)
    assert torch.isfinite(found.tokens).all() and torch.isfinite(found.map).all()


@pytest.mark.parametrize("name", METHODS)
def test_scores_of_an_image_do_not_depend_on_its_batch(superpixels, name):
    model = superpixels
    images = [mixed(12, 13), noise(9, 16)]
    tokens = [model.tokenize(image) for image in images]  # cells are drawn once
    together = find(name, model, tokens, [1, 2])
    for one, image, target in zip(together, tokens, (1, 2), strict=True):
        alone = find(name, model, image, target)
        assert torch.equal(one.tokens, alone.tokens) and torch.equal(one.map, alone.map)
        assert one.target == target


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("picture", ["one pixel", "flat grey"])
def test_pictures_without_content_have_finite_scores(superpixels, name, picture):
    found = find(name, superpixels, AWKWARD[picture])
    assert torch.isfinite(found.map).all()


def test_images_come_in_every_form_and_as_lists():
    model = small("spit_tiny_16")
    images = torch.stack([noise(8, 9, seed) for seed in range(2)])
    as_bytes = (images * 255).round().byte()
    for several in (images, [*images], (*images,), model.tokenize(images)):
        found = rollout(model, several)
        assert [one.map.shape for one in found] == [(8, 9)] * 2
        for one, image in zip(found, images, strict=True):
            assert torch.equal(one.tokens, rollout(model, image).tokens)
    array = as_bytes[0].permute(1, 2, 0).numpy()
    assert torch.equal(rollout(model, array).tokens, rollout(model, as_bytes[0]).tokens)
    assert len(rollout(model, images[:1])) == 1
    with pytest.raises(TypeError, match="a list of both"):
        rollout(model, [model.tokenize(images[0]), images[1]])


@pytest.mark.parametrize("name", METHODS)
def test_the_predicted_class_is_the_default(name):
    model = small("vit_tiny_16")
    image = noise(9, 9)
    with torch.no_grad():
        predicted = int(model(image)[0].argmax())
    found, told = find(name, model, image), find(name, model, image, predicted)
    assert found.target == predicted
    assert torch.equal(found.tokens, told.tokens)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("target", [5, -1])
def test_classes_that_are_not_there_are_refused(name, target):
    model = small("vit_tiny_16")
    with pytest.raises(ValueError, match=rf"target must be a class in 0 … 4, got {target}"):
        find(name, model, noise(8, 8), target)


def test_targets_of_several_images():
    model, batch = make_random_model(), make_random_tokens((3, 2))
    assert [one.target for one in rollout(model, batch, 2)] == [2, 2]
    assert [one.target for one in rollout(model, batch, torch.tensor([4, 0]))] == [4, 0]
    predicted = [one.target for one in rollout(model, batch)]
    assert [one.target for one in rollout(model, batch, [None, 1])] == [predicted[0], 1]
    with pytest.raises(ValueError, match="a target for each of 2 images, got 3"):
        rollout(model, batch, [1, 2, 3])
    for target in (1.5, True, "cat", [1, "cat"]):
        with pytest.raises((TypeError, ValueError)):
            rollout(model, batch, target)


def test_models_are_explained_in_evaluation_and_left_as_they_were():
    model = make_random_model(drop_path=0.5, token_budget=2)
    tokens = make_random_tokens((6,))[0]
    expected = rollout(model, tokens).tokens
    model.train()
    model.head.eval()
    assert torch.equal(rollout(model, tokens).tokens, expected)
    assert model.training and model.backbone.blocks[0].training and not model.head.training


def test_tokens_are_left_as_they_were():
    model, tokens = make_random_model(), make_random_tokens((6,))[0]
    before = {name: value.clone() for name, value in tokens.to_dict().items()}
    rollout(model, tokens)
    assert tokens.to_dict().keys() == before.keys()
    assert all(torch.equal(tokens[name], value) for name, value in before.items())


def test_what_is_no_model_and_what_has_no_vectors_is_refused(unchecked):
    model = make_random_model()
    with pytest.raises(TypeError, match="must be a SPiT"):
        rollout(torch.nn.Linear(2, 2), noise(4, 4))
    tokens = make_random_tokens((3,))[0]
    tokens.x = None
    with pytest.raises(ValueError, match="the tokens have no x"):
        rollout(model, tokens)
