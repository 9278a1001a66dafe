"""Weights out and in: the same model again, or a refusal that names what is wrong."""

import argparse
import json
import os
import stat
import sys

import pytest
import safetensors.torch
import torch

from helpers.models import TINY, logits_of_noise, randomised
from spitgraph.models import configuration_of, create_model, load_weights, model_from_weights
from spitgraph.models import save_weights as save
from spitgraph.models.files import read_tensors
from spitgraph.nn import TokenEmbedder


@pytest.fixture
def model():
    return randomised(create_model("spit_tiny_16", **TINY)).eval()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.safetensors"


def saved_state(model):
    return {key: value.clone() for key, value in model.state_dict().items()}


def assert_unchanged(model, state):
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize("name", ["spit_tiny_16", "vit_tiny_16"])
@pytest.mark.parametrize("graph_bias", [False, True])
def test_a_loaded_model_gives_identical_logits(path, name, graph_bias):
    model = randomised(create_model(name, graph_bias=graph_bias, **TINY)).eval()
    save(model, path)
    again = create_model(name, graph_bias=graph_bias, **TINY).eval()
    assert not torch.equal(logits_of_noise(again), logits_of_noise(model))
    assert load_weights(again, path) is again
    assert torch.equal(logits_of_noise(again), logits_of_noise(model))


def test_the_file_tells_the_configuration(path):
    model = create_model(
        "spit_tiny_16",
        gradient=False,
        num_tokens=20,
        features="spit",
        qkv_bias=True,
        image_size=96,
        drop_path=0.1,
        token_budget=9,
        **TINY,
    )
    save(model, path)
    again = model_from_weights(path)
    assert configuration_of(again) == configuration_of(model)
    assert again.image_size == 96
    assert torch.equal(logits_of_noise(again.eval()), logits_of_noise(model.eval()))
    assert model_from_weights(path, num_tokens=8).tokenizer.num_tokens == 8


#: What configurations of earlier versions do not say, and what it was.
NEWER = {"init_values": 1e-5, "patch_size": 4, "size_bias": False}


def test_files_of_earlier_versions_make_the_same_model(path):
    model = randomised(create_model("vit_tiny_16", **TINY))
    arguments = configuration_of(model).arguments()
    metadata = {"configuration": json.dumps({k: v for k, v in arguments.items() if k not in NEWER})}
    safetensors.torch.save_file(model.state_dict(), path, metadata=metadata)
    again = configuration_of(model_from_weights(path))
    assert again.arguments() == arguments == arguments | NEWER


def test_a_function_for_features_has_to_be_told_again(path):
    model = create_model("spit_tiny_16", features=lambda image: image * 2, **TINY)
    save(model, path)
    with pytest.raises(ValueError, match=r"weights\.safetensors.*pass it as features="):
        model_from_weights(path)
    assert callable(model_from_weights(path, features=lambda image: image).tokenizer.features)


def test_a_similarity_of_ones_own_has_to_be_told_again(path):
    def own(u, v, size_u, size_v):
        return 1 / (1 + (u - v).square().sum(1))

    save(create_model("spit_tiny_16", similarity=own, **TINY), path)
    with pytest.raises(ValueError, match="pass it as similarity="):
        model_from_weights(path)
    assert model_from_weights(path, similarity=own).tokenizer.similarity is own


def test_a_model_of_other_parts_is_saved_without_configuration(path, model):
    model.tokenizer = torch.nn.Identity()
    save(model, path)
    assert read_tensors(path)[1] is None
    again = create_model("spit_tiny_16", **TINY)
    load_weights(again, path)
    assert_unchanged(again, saved_state(model))
    inferred = model_from_weights(path, num_heads=2)  # what shapes do not tell
    assert_unchanged(inferred, saved_state(model))
    with pytest.raises(ValueError, match="a width of 32 does not divide into heads of 64"):
        model_from_weights(path)


def test_pytorch_files_of_our_names_are_read(tmp_path, model):
    torch.save(model.state_dict(), tmp_path / "checkpoint.pt")
    again = load_weights(create_model("spit_tiny_16", **TINY), tmp_path / "checkpoint.pt")
    assert_unchanged(again, saved_state(model))


def test_numbers_of_another_precision_are_converted(path, model):
    save(model.to(torch.bfloat16), path)
    again = load_weights(create_model("spit_tiny_16", **TINY), path)
    assert again.head.weight.dtype == torch.float32
    assert torch.equal(again.head.weight, model.head.weight.float())


def test_an_interrupted_save_leaves_the_old_file(path, model, monkeypatch):
    save(model, path)
    before = path.read_bytes()

    def fail(tensors, file, metadata):
        file.write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(safetensors.torch, "save_file", fail)
    with pytest.raises(OSError, match="no space left"):
        save(randomised(model, seed=1), path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_shared_parameters_are_saved_and_restored(path, model):
    def shared(model):
        model.backbone.blocks[1].mlp = model.backbone.blocks[0].mlp
        model.backbone.blocks[1].norm2.weight = model.backbone.norm.weight
        return model

    save(shared(model), path)
    again = load_weights(shared(create_model("spit_tiny_16", **TINY)), path)
    assert_unchanged(again, saved_state(model))
    assert again.backbone.blocks[1].mlp is again.backbone.blocks[0].mlp
    assert_unchanged(load_weights(create_model("spit_tiny_16", **TINY), path), saved_state(model))


def test_a_shared_parameter_takes_no_two_values(path, model):
    save(model, path)
    other = create_model("spit_tiny_16", **TINY)
    other.backbone.blocks[1].mlp = other.backbone.blocks[0].mlp
    state = saved_state(other)
    with pytest.raises(ValueError, match=r"blocks\.0\.mlp.*differ, but are one parameter"):
        load_weights(other, path)
    assert_unchanged(other, state)


def test_parts_of_other_tensors_are_saved(path, model):
    whole = torch.randn(2, 32, 10)
    model.head.weight = torch.nn.Parameter(whole[0].t()[::2])  # neither whole nor contiguous
    model.head.bias = torch.nn.Parameter(whole[1, 0, :5])
    save(model, path)
    again = load_weights(create_model("spit_tiny_16", **TINY), path)
    assert torch.equal(again.head.weight, model.head.weight)
    assert torch.equal(again.head.bias, model.head.bias)


# ---- the meta device -----------------------------------------------------------------------------


def test_a_model_without_memory_gets_it(path, model):
    save(model, path)
    with torch.device("meta"):
        empty = create_model("spit_tiny_16", **TINY)
        empty.backbone.blocks[1].norm1.weight = empty.backbone.norm.weight
    model.backbone.blocks[1].norm1.weight = model.backbone.norm.weight
    save(model, path)
    again = load_weights(empty, path)
    assert_unchanged(again, saved_state(model))
    assert again.backbone.blocks[1].norm1.weight is again.backbone.norm.weight
    assert all(parameter.requires_grad for parameter in again.parameters())
    assert torch.equal(logits_of_noise(again), logits_of_noise(model))


def test_a_model_without_memory_stays_so_if_anything_does_not_fit(path, model):
    save(model, path)
    with torch.device("meta"):
        empty = create_model("spit_tiny_16", **TINY | {"num_classes": 9})
    with pytest.raises(ValueError, match=r"head\.weight"):
        load_weights(empty, path)
    assert all(parameter.is_meta for parameter in empty.parameters())


def test_parameters_without_values_are_neither_saved_nor_read(path, model, tmp_path):
    with torch.device("meta"):
        empty = create_model("spit_tiny_16", **TINY)
    with pytest.raises(ValueError, match="has no values: it is on the meta device"):
        save(empty, path)
    assert not path.exists()
    torch.save(empty.state_dict(), tmp_path / "empty.pth")
    with pytest.raises(ValueError, match="has no values: it is on the meta device"):
        load_weights(model, tmp_path / "empty.pth")


def test_files_are_read_whatever_the_default_device_is(path, model, tmp_path):
    save(model, path)
    torch.save(model.state_dict(), tmp_path / "weights.pth")
    for file in (path, tmp_path / "weights.pth"):
        again = create_model("spit_tiny_16", **TINY)
        with torch.device("meta"):
            load_weights(again, file)
        assert_unchanged(again, saved_state(model))


# ---- the file itself -----------------------------------------------------------------------------


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_permissions_of_the_umask(path, model, umask):
    before = os.umask(umask)
    try:
        save(model, path)
    finally:
        os.umask(before)
    assert mode_of(path) == 0o666 & ~umask


def test_a_replaced_file_keeps_its_permissions(path, model):
    path.touch()
    path.chmod(0o640)
    save(model, path)
    assert mode_of(path) == 0o640


def test_what_a_link_leads_to_is_replaced(path, model, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    place = tmp_path / "elsewhere" / "weights"
    path.symlink_to(place)
    save(model, path)
    save(model, path)
    assert path.is_symlink() and place.is_file()
    assert_unchanged(load_weights(create_model("spit_tiny_16", **TINY), path), saved_state(model))
    assert os.listdir(place.parent) == ["weights"]


def test_only_files_are_replaced(tmp_path, model):
    with pytest.raises(IsADirectoryError, match=str(tmp_path)):
        save(model, tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        save(model, tmp_path / "nowhere" / "weights")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not an ordinary file"):
        save(model, tmp_path / "pipe")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


# ---- checkpoints of training scripts -------------------------------------------------------------


NESTS = [
    lambda state: {"model": state, "optimizer": {"lr": 0.1}, "epoch": 3},
    lambda state: {"state_dict": state, "epoch": 3},
    lambda state: {"model_state_dict": state, "loss": 0.5},
    lambda state: {"module": state},
    lambda state: {"model_ema": state},
    lambda state: {"state_dict_ema": state},
    lambda state: {"teacher": state, "student": {"head.weight": torch.ones(1)}},
    lambda state: {"student": state},
    lambda state: {"model": {"state_dict": state}},
    lambda state: {"state_dict": state, "state_dict_ema": {"head.weight": torch.ones(1)}},
    lambda state: {f"model.{name}": value for name, value in state.items()},
    lambda state: {"state_dict": {f"net.spit.{name}": value for name, value in state.items()}},
    lambda state: {f"teacher.backbone.{name}": value for name, value in state.items()},
    lambda state: {f"module.model._orig_mod.{name}": value for name, value in state.items()},
    lambda state: {"n_averaged": torch.tensor(3)} | {f"module.{k}": v for k, v in state.items()},
]


@pytest.mark.parametrize("nest", NESTS)
def test_weights_are_found_in_checkpoints(tmp_path, model, nest):
    torch.save(nest(model.state_dict()), tmp_path / "checkpoint.pth")
    again = load_weights(create_model("spit_tiny_16", **TINY), tmp_path / "checkpoint.pth")
    assert_unchanged(again, saved_state(model))
    made = model_from_weights(tmp_path / "checkpoint.pth", num_heads=2)
    assert_unchanged(made, saved_state(model))


def test_a_checkpoint_that_holds_itself_is_refused(tmp_path, model):
    checkpoint = {}
    checkpoint["model"] = checkpoint
    torch.save(checkpoint, tmp_path / "checkpoint.pth")
    with pytest.raises(ValueError, match=r"checkpoint\.pth"):
        load_weights(model, tmp_path / "checkpoint.pth")


def test_a_checkpoint_with_settings_says_what_to_do(tmp_path, model):
    checkpoint = {"model": model.state_dict(), "args": argparse.Namespace(lr=0.1)}
    torch.save(checkpoint, tmp_path / "checkpoint.pth")
    with pytest.raises(ValueError, match=r"holds argparse\.Namespace.*If you trust it"):
        load_weights(model, tmp_path / "checkpoint.pth")


# ---- refused -------------------------------------------------------------------------------------


def changed(path, model, change):
    """The model's file, its tensors changed."""
    save(model, path)
    tensors = safetensors.torch.load_file(path)
    change(tensors)
    safetensors.torch.save_file(tensors, path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("backbone.norm.bias"), "lacks backbone.norm.bias"),
        (lambda t: t.update(extra=torch.ones(1)), "the model has no extra"),
        (
            lambda t: t.update({"head.weight": torch.ones(6, 32), "head.bias": torch.ones(6)}),
            r"head.weight is \[6, 32\], and the model's \[5, 32\]: .*num_classes=6",
        ),
        (
            lambda t: t.update(
                {"embedder.linear.weight": t["embedder.linear.weight"].t().contiguous()}
            ),
            r"embedder.linear.weight is \[80, 32\], .*transposed",
        ),
        (
            lambda t: t.update({"backbone.blocks.1.mlp.fc1.bias": torch.ones(3)}),
            "backbone.blocks.1.mlp.fc1.bias",
        ),
        (
            lambda t: t.update({"head.bias": torch.ones(5, dtype=torch.int64)}),
            "head.bias is torch.int64",
        ),
        (
            lambda t: t.update({"backbone.graph_bias.table": torch.zeros(2, 5)}),
            "no backbone.graph_bias.table; create it with graph_bias=True",
        ),
        (
            lambda t: t.update(
                {f"backbone.blocks.{n}.attn.qkv.bias": torch.zeros(96) for n in range(2)}
            ),
            "qkv.bias.*; create it with qkv_bias=True",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_key_and_file(path, model, change, message):
    changed(path, model, change)
    other = randomised(create_model("spit_tiny_16", **TINY), seed=5)
    state = saved_state(other)
    with pytest.raises(ValueError, match=message) as caught:
        load_weights(other, path)
    assert str(path) in str(caught.value)
    assert_unchanged(other, state)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 3}, r"lacks backbone\.blocks\.2\..* and \d+ more"),
        ({"depth": 1}, r"the model has no backbone\.blocks\.1\..* and \d+ more"),
        ({"gradient": False}, r"embedder\.linear\.weight is \[32, 80\]"),
        ({"num_heads": 4}, "num_heads=2, and the model of 4"),
        ({"num_classes": 9}, r"head\.weight"),
        ({"embed_dim": 64}, r"embedder"),
    ],
    ids=str,
)
def test_a_model_of_another_size_is_left_as_it_was(path, model, arguments, message):
    save(model, path)
    other = create_model("spit_tiny_16", **TINY | arguments)
    state = saved_state(other)
    with pytest.raises(ValueError, match=message):
        load_weights(other, path)
    assert_unchanged(other, state)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_truncated_files_are_refused(tmp_path, model, suffix):
    whole = tmp_path / f"whole{suffix}"
    save(model, whole) if suffix == ".safetensors" else torch.save(model.state_dict(), whole)
    content = whole.read_bytes()
    for length in (0, 3, 100, len(content) // 2, len(content) - 1):
        cut = tmp_path / f"cut{length}{suffix}"
        cut.write_bytes(content[:length])
        state = saved_state(model)
        with pytest.raises(ValueError, match=cut.name.replace(".", r"\.")):
            load_weights(model, cut)
        assert_unchanged(model, state)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"\x89PNG\r\n\x1a\n" + bytes(64),
        b"PK\x03\x04" + bytes(64),
        b"\x80\x02" + b"x" * 9,
    ],
)
def test_foreign_files_are_refused(tmp_path, model, content):
    (tmp_path / "foreign.pth").write_bytes(content)
    with pytest.raises(ValueError, match=r"foreign\.pth"):
        load_weights(model, tmp_path / "foreign.pth")


class Evil:
    def __reduce__(self):
        return os.mkdir, ("evil",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (torch.ones(3), "expected tensors by name, got a Tensor"),
        ({}, "no tensors"),
        ({"head.weight": 3}, "'head.weight' is a int"),
        ({"model": {"head.weight": [1.0]}}, "'head.weight' is a list"),
        (Evil(), "not only tensors"),
    ],
)
def test_files_of_something_else_are_refused(tmp_path, monkeypatch, model, content, message):
    monkeypatch.chdir(tmp_path)
    torch.save(content, "foreign.pth")
    with pytest.raises(ValueError, match=message) as caught:
        load_weights(model, "foreign.pth")
    assert "foreign.pth" in str(caught.value)
    assert os.listdir() == ["foreign.pth"]


def test_a_foreign_models_weights_are_refused(path, model):
    foreign = {"features.0.weight": torch.ones(3), "classifier.weight": torch.ones(2)}
    safetensors.torch.save_file(foreign, path)
    with pytest.raises(ValueError, match=r"weights\.safetensors.*features\.0\.weight"):
        load_weights(model, path)
    with pytest.raises(ValueError, match=r"weights\.safetensors.*lacks embedder\.linear\.weight"):
        model_from_weights(path)


def test_two_names_of_one_parameter_are_refused(tmp_path, model):
    weights = {
        "embedder.embedder.linear.weight": torch.ones(2),
        "embedder.linear.weight": torch.ones(2),
    }
    torch.save(weights, tmp_path / "double.pth")
    with pytest.raises(ValueError, match=r"double\.pth.*the same parameter"):
        load_weights(model, tmp_path / "double.pth")


def test_a_missing_file_is_named(tmp_path, model):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.pth"):
        load_weights(model, tmp_path / "nowhere.pth")


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        ([1], "no configuration"),
        ({"name": "spit_huge_16"}, "no model 'spit_huge_16'"),
        ({"name": "spit_tiny_16", "colour": 3}, "'colour' is no override"),
    ],
)
def test_a_foreign_configuration_is_refused(path, model, configuration, message):
    save(model, path)
    tensors = safetensors.torch.load_file(path)
    metadata = {"configuration": json.dumps(configuration)}
    safetensors.torch.save_file(tensors, path, metadata=metadata)
    with pytest.raises((TypeError, ValueError), match=rf"weights\.safetensors.*{message}"):
        model_from_weights(path)


def test_what_plain_models_lack_becomes_zero(path, model):
    save(model, path)
    other = create_model("spit_tiny_16", graph_bias=True, **TINY)
    other.embedder = TokenEmbedder(80, 32, pe_name="random_walk_pe", pe_dim=3)
    randomised(other)
    load_weights(other, path)
    assert not other.backbone.graph_bias.table.any()
    assert not other.embedder.pe_linear.weight.any()
    assert torch.equal(other.head.weight, model.head.weight)


def test_without_safetensors_its_name_is_told(path, model, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    with pytest.raises(ImportError, match="pip install safetensors"):
        save(model, path)
    path.write_bytes(b"\x08" + bytes(15))
    with pytest.raises(ImportError, match="pip install safetensors"):
        load_weights(model, path)
