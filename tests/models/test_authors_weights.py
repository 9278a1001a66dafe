"""The authors' released files: names, what is inferred, what comes out (METHOD 5)."""

import pytest
import torch

from spitgraph.models import configuration_of, create_model, load_weights, model_from_weights

WIDTH, DEPTH, HEADS, BINS, CLASSES = 128, 3, 2, 4, 7
SMALL = {"embed_dim": WIDTH, "depth": DEPTH, "num_heads": HEADS, "bins": BINS}


def authors_state_dict(gradient=True, seed=0):
    """Random values under the names, and of the shapes, that METHOD 5 gives."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape):
        return torch.randn(*shape, generator=generator) * 0.3

    weights = {
        "embedder.embedder.linear.weight": random(WIDTH, (4 + gradient) * BINS**2),
        "embedder.embedder.linear.bias": random(WIDTH),
        "embedder.cls_token": random(WIDTH),
        "norm.weight": 1 + random(WIDTH),
        "norm.bias": random(WIDTH),
        "head.weight": random(CLASSES, WIDTH),
        "head.bias": random(CLASSES),
    }
    for n in range(DEPTH):
        for norm in ("norm1", "norm2"):
            weights[f"blocks.{n}.{norm}.weight"] = 1 + random(WIDTH)
            weights[f"blocks.{n}.{norm}.bias"] = random(WIDTH)
        weights[f"blocks.{n}.ls1.lambda_"] = random(WIDTH)
        weights[f"blocks.{n}.ls2.lambda_"] = random(WIDTH)
        weights[f"blocks.{n}.att.qkv.linear.weight"] = random(3 * WIDTH, WIDTH)
        weights[f"blocks.{n}.att.proj.linear.weight"] = random(WIDTH, WIDTH)
        weights[f"blocks.{n}.att.proj.linear.bias"] = random(WIDTH)
        weights[f"blocks.{n}.mlp.L1.linear.weight"] = random(4 * WIDTH, WIDTH)
        weights[f"blocks.{n}.mlp.L1.linear.bias"] = random(4 * WIDTH)
        weights[f"blocks.{n}.mlp.L2.linear.weight"] = random(WIDTH, 4 * WIDTH)
        weights[f"blocks.{n}.mlp.L2.linear.bias"] = random(WIDTH)
    return weights


def expected_logits(weights, vectors):
    """METHOD 5 for the token vectors [N, D] of one image, in float64, sharing no code."""
    w = {key: value.double() for key, value in weights.items()}

    def linear(name, v):
        return v @ w[f"{name}.weight"].t() + w.get(f"{name}.bias", 0)

    def norm(name, v):
        centred = v - v.mean(1, keepdim=True)
        deviation = ((centred**2).mean(1, keepdim=True) + 1e-6).sqrt()
        return centred / deviation * w[f"{name}.weight"] + w[f"{name}.bias"]

    x = torch.cat([w["embedder.cls_token"][None], linear("embedder.embedder.linear", vectors)])
    for n in range(DEPTH):
        block, dim = f"blocks.{n}", WIDTH // HEADS
        qkv = linear(f"{block}.att.qkv.linear", norm(f"{block}.norm1", x))
        heads = []
        for h in range(HEADS):
            q, k, v = (qkv[:, part * WIDTH + h * dim :][:, :dim] for part in range(3))
            heads.append((q @ k.t() / dim**0.5).softmax(1) @ v)
        x = x + w[f"{block}.ls1.lambda_"] * linear(f"{block}.att.proj.linear", torch.cat(heads, 1))
        hidden = linear(f"{block}.mlp.L1.linear", norm(f"{block}.norm2", x))
        hidden = hidden * (1 + torch.erf(hidden / 2**0.5)) / 2
        x = x + w[f"{block}.ls2.lambda_"] * linear(f"{block}.mlp.L2.linear", hidden)
    return linear("head", norm("norm", x)[:1])[0]


def images(*sides):
    generator = torch.Generator().manual_seed(1)
    return [torch.rand(3, side, side + 3, generator=generator) for side in sides]


@pytest.fixture
def released(tmp_path):
    """Writes a state dict as the authors' files are written, and returns its path."""

    def write(content, name="SPiT_model_SPiT_B16_grad.pth"):
        torch.save(content, tmp_path / name)
        return tmp_path / name

    return write


@pytest.mark.parametrize("gradient", [True, False])
def test_logits_are_those_of_the_method(released, gradient):
    weights = authors_state_dict(gradient)
    model = create_model(
        "spit_tiny_16", gradient=gradient, num_classes=CLASSES, features="spit", **SMALL
    ).eval()
    load_weights(model, released(weights))
    tokens = model.tokenize(images(20, 33))
    with torch.no_grad():
        logits = model.forward_tokens(tokens)
    for i in range(2):
        expected = expected_logits(weights, tokens[i].x.double())
        assert expected.std() > 0.1
        torch.testing.assert_close(logits[i].double(), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["spit_tiny_16", "vit_tiny_16", "rvit_tiny_16"])
def test_every_parameter_comes_from_the_file(released, name):
    weights = authors_state_dict()
    features = {"features": "spit"} if name.startswith("spit") else {}
    model = create_model(name, num_classes=CLASSES, **SMALL, **features)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(torch.nan)
    load_weights(model, released(weights))
    state = model.state_dict()
    assert len(state) == len(weights)
    assert all(value.isfinite().all() for value in state.values())


@pytest.mark.parametrize("nest", ["model", "state_dict"])
def test_what_training_scripts_wrap_around_weights_is_taken_off(released, nest):
    weights = authors_state_dict()
    wrapped = {nest: {f"module.{key}": value for key, value in weights.items()}, "epoch": 3}
    model = model_from_weights(released(wrapped), num_heads=HEADS)
    assert torch.equal(model.head.weight, weights["head.weight"])


@pytest.mark.parametrize("gradient", [True, False])
def test_the_configuration_is_inferred(released, gradient):
    path = released(authors_state_dict(gradient))
    configuration = configuration_of(model_from_weights(path))
    arguments = {"gradient": gradient, "num_classes": CLASSES, **SMALL}
    assert configuration.arguments().items() >= arguments.items()
    assert (configuration.features, configuration.similarity) == ("spit", "cosine")
    assert configuration.compactness == (0 if gradient else 0.1)
    assert configuration.family == "spit"


def test_the_base_size_with_gradients_is_recognised():
    from spitgraph.models.configurations import configure
    from spitgraph.models.describe import shapes, without_memory
    from spitgraph.models.infer import inferred_arguments

    for name in ("spit_tiny_16", "spit_small_16", "vit_base_16", "rvit_large_16"):
        made = configure(name)
        arguments = inferred_arguments(shapes(without_memory(made)), made.family)
        assert configure(**arguments) == made


def test_options_of_attention_are_inferred(released):
    weights = authors_state_dict()
    for n in range(DEPTH):
        weights[f"blocks.{n}.att.qkv.linear.bias"] = torch.randn(3 * WIDTH)
        for norm in ("ln_q", "ln_k"):
            weights[f"blocks.{n}.att.{norm}.weight"] = torch.randn(32)
            weights[f"blocks.{n}.att.{norm}.bias"] = torch.randn(32)
    model = model_from_weights(released(weights))
    configuration = configuration_of(model)
    assert configuration.qkv_bias
    assert configuration.qk_norm
    assert configuration.num_heads == 4
    key_norm = model.backbone.blocks[1].attn.k_norm.weight
    assert torch.equal(key_norm, weights["blocks.1.att.ln_k.weight"])


def test_the_tokenizer_can_be_told(released):
    path = released(authors_state_dict())
    assert configuration_of(model_from_weights(path, family="vit")).name.startswith("vit")
    told = configuration_of(model_from_weights(path, compactness=0.5, num_heads=4))
    assert (told.compactness, told.num_heads) == (0.5, 4)
    with pytest.raises(ValueError, match="family must be one of 'spit', 'vit', 'rvit', got 'slic'"):
        model_from_weights(path, family="slic")


def test_a_hop_bias_starts_at_zero(released):
    weights = authors_state_dict()
    model = create_model(
        "spit_tiny_16", num_classes=CLASSES, features="spit", graph_bias=True, **SMALL
    ).eval()
    with torch.no_grad():
        model.backbone.graph_bias.table.fill_(9)
    load_weights(model, released(weights))
    tokens = model.tokenize(images(20)[0])
    with torch.no_grad():
        logits = model.forward_tokens(tokens)[0]
    expected = expected_logits(weights, tokens.x.double())
    torch.testing.assert_close(logits.double(), expected, rtol=0, atol=1e-4)


def test_other_superpixels_than_the_authors_are_warned_of(released):
    model = create_model("spit_tiny_16", num_classes=CLASSES, **SMALL)
    with pytest.warns(UserWarning, match="create the model with features='spit'"):
        load_weights(model, released(authors_state_dict()))
