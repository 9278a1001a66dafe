"""A pretrained transformer teaches one that reads irregular tokens."""

import pytest
import torch

from helpers.models import TINY, randomised
from helpers.pictures import noise, seeded
from spitgraph import RegionPool, create_model
from spitgraph.train import adapter_parameters, distill, distillation_loss

TRAINED = TINY | {"extractor": "windows", "position_grid": (4, 4)}


def teacher():
    return RegionPool(randomised(create_model("vit_tiny_16", **TRAINED)).eval())


def student(name="spit_tiny_16", **options):
    model = create_model(name, **TRAINED, num_tokens=9, **options)
    return randomised(model, seed=1).eval()


def batches(count, images=2):
    return [[noise(16, 16, seed=images * i + j) for j in range(images)] for i in range(count)]


def test_the_student_comes_nearer():
    model, pool = student(), teacher()
    fixed = batches(1, images=4)[0]
    before = distillation_loss(model, pool, fixed).item()
    losses = distill(model, pool, [fixed] * 30, learning_rate=3e-3, progress=False)
    assert len(losses) == 30 and losses[0] == pytest.approx(before, rel=1e-5)
    assert distillation_loss(model, pool, fixed).item() < 0.7 * before


def test_a_model_that_says_the_same_has_nothing_to_learn():
    model = randomised(create_model("vit_tiny_16", **TRAINED)).eval()
    images = [noise(16, 16)]
    tokens = model.tokenize(images)
    pool = RegionPool(model)
    loss = distillation_loss(model, pool, images)
    other = torch.cosine_similarity(model.forward_features(tokens).tokens, pool(tokens).x)
    assert loss.item() == pytest.approx(1 - other.mean().item(), abs=1e-5)  # class tokens agree


def test_only_the_chosen_learn_and_the_teacher_never_does():
    model, pool = student(), teacher()
    model.head.weight.requires_grad_(False)
    before = {name: part.detach().clone() for name, part in model.named_parameters()}
    taught = {name: part.detach().clone() for name, part in pool.named_parameters()}
    chosen = adapter_parameters(model)
    distill(model, pool, batches(3), parameters=chosen.values(), progress=False)
    changed = {n for n, part in model.named_parameters() if not torch.equal(part, before[n])}
    assert changed and changed <= chosen.keys()
    assert all(torch.equal(part, taught[name]) for name, part in pool.named_parameters())
    assert not model.training and not model.head.weight.requires_grad
    assert model.head.bias.requires_grad
    assert all(part.grad is None for part in model.parameters())


def test_adapters_are_few():
    model = create_model("spit_small_16")
    few = sum(part.numel() for part in adapter_parameters(model).values())
    assert 0.002 < few / sum(part.numel() for part in model.parameters()) < 0.006
    assert not any(name.startswith("head") for name in adapter_parameters(model))


def test_a_budget_draws_from_the_generator():
    def losses(seed):
        model = student(token_budget=4)
        return distill(model, teacher(), batches(3), generator=seeded(seed), progress=False)

    assert losses(0) == losses(0) != losses(1)


def test_refuses_what_does_not_fit():
    with pytest.raises(TypeError, match="RegionPool"):
        distill(student(), student(), batches(1))
    with pytest.raises(ValueError, match="batch"):
        distill(student(), teacher(), [])
    with pytest.raises(TypeError, match="length"):
        distill(student(), teacher(), iter(batches(1)))
    wider = create_model("spit_tiny_16", **TRAINED | {"embed_dim": 64})
    with pytest.raises(ValueError, match="64 wide"):
        distill(wider, teacher(), batches(1))
    broken = student()
    broken.embedder.linear.weight.data.fill_(torch.nan)
    with pytest.raises(ValueError, match="nan"):
        distill(broken, teacher(), batches(1), progress=False)
