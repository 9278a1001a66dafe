"""Models in wrappers: weights go in and out as of the model itself."""

import copy
import os

import pytest
import torch
from torch import distributed, nn
from torch.distributed import fsdp
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.nn.parallel import DataParallel, DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

from helpers.models import TINY, logits_of_noise, randomised
from spitgraph.models import (
    configuration_of,
    create_model,
    load_weights,
    model_from_weights,
    retrofit,
    save_weights,
)
from spitgraph.models.files import read_tensors
from spitgraph.models.wrappers import plain_names, plain_state

#: What PyTorch says of models that are sharded among one process.
pytestmark = pytest.mark.filterwarnings("ignore:.*NO_SHARD", "ignore:FSDP")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.safetensors"


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A group of this process alone, which parallel wrappers want."""
    store = tmp_path_factory.mktemp("group") / "store"
    distributed.init_process_group("gloo", init_method=f"file://{store}", rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def model_of(seed):
    return randomised(create_model("spit_tiny_16", drop_path=0.1, **TINY), seed).eval()


def compiled(module):
    return torch.compile(module, backend="eager")


def sharded(module):
    """What FSDP makes of a model: a flat parameter a block, and one of the rest."""
    for index, block in enumerate(module.backbone.blocks):
        module.backbone.blocks[index] = fsdp.FullyShardedDataParallel(block, device_id=CPU)
    return fsdp.FullyShardedDataParallel(module, device_id=CPU)


def sharded_in_place(module):
    """What FSDP's second version makes of it: every parameter in parts."""
    if not hasattr(fsdp, "fully_shard"):
        pytest.skip("this PyTorch has only the first")
    for block in module.backbone.blocks:
        fsdp.fully_shard(block, mesh=mesh())
    return fsdp.fully_shard(module, mesh=mesh())


CPU = torch.device("cpu")


def mesh():
    return distributed.device_mesh.init_device_mesh("cpu", (1,))


def in_part(wrap, *names):
    """A wrapper of parts of a model only."""

    def wrapped(model):
        for name in names:
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, wrap(model.get_submodule(name)))
        return model

    return wrapped


def nested(*wrappers):
    """One wrapper in the other, the last outside."""

    def wrapped(model):
        for wrap in wrappers:
            model = wrap(model)
        return model

    return wrapped


WRAPPERS = {
    "compiled": compiled,
    "parallel": DataParallel,
    "distributed": DistributedDataParallel,
    "sharded": sharded,
    "sharded in place": sharded_in_place,
    "averaged": AveragedModel,
    "compiled in part": in_part(compiled, "backbone", "embedder", "tokenizer", "extractor"),
    "parallel in part": in_part(DataParallel, "backbone.blocks.0.mlp", "head"),
    "checkpointed": in_part(checkpoint_wrapper, "backbone.blocks.1"),
    "compiled, parallel": nested(compiled, DataParallel),
    "parallel, compiled": nested(DistributedDataParallel, compiled),
    "in part, averaged, compiled": nested(in_part(compiled, "head"), AveragedModel, compiled),
    "compiled, averaged, parallel": nested(compiled, AveragedModel, DataParallel),
}


@pytest.fixture(params=WRAPPERS)
def wrap(request, alone):
    return WRAPPERS[request.param]


def assert_same_weights(one, other):
    one, other = one.state_dict(), other.state_dict()
    assert one.keys() == other.keys()
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_saving_takes_wrappers_off(path, wrap):
    model = model_of(1)
    wrapped = wrap(copy.deepcopy(model))
    save_weights(wrapped, path)
    tensors, configuration = read_tensors(path)
    assert tensors.keys() == model.state_dict().keys()
    assert configuration == configuration_of(model).arguments()
    assert configuration_of(wrapped) == configuration_of(model)
    assert_same_weights(load_weights(model_of(2), path), model)
    assert_same_weights(model_from_weights(path), model)


def test_loading_fills_what_is_wrapped(path, wrap):
    model = model_of(1)
    save_weights(model, path)
    wrapped = wrap(model_of(2))
    assert load_weights(wrapped, path) is wrapped
    save_weights(wrapped, path)
    assert_same_weights(load_weights(model_of(3), path), model)


def test_names_of_wrappers_in_files_are_read(path, wrap, tmp_path):
    model = model_of(1)
    wrapped = wrap(copy.deepcopy(model))
    state = {
        name: value.full_tensor() if hasattr(value, "full_tensor") else value
        for name, value in wrapped.state_dict().items()
    }
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "checkpoint.pth")
    assert_same_weights(load_weights(model_of(2), tmp_path / "checkpoint.pth"), model)
    assert_same_weights(model_from_weights(tmp_path / "checkpoint.pth", num_heads=2), model)


def test_what_does_not_fit_leaves_the_wrapped_model_as_it_was(path, wrap):
    save_weights(create_model("spit_tiny_16", **TINY | {"num_classes": 7}), path)
    wrapped = wrap(model_of(2))
    with pytest.raises(ValueError, match=r"head\.weight is \[7, 32\].*num_classes=7"):
        load_weights(wrapped, path)
    save_weights(wrapped, path)
    assert_same_weights(load_weights(model_of(1), path), model_of(2))


def test_folders_of_the_hub_hold_the_model_itself(wrap, tmp_path):
    pytest.importorskip("huggingface_hub")
    from spitgraph.models import from_pretrained, save_pretrained

    model = model_of(1)
    save_pretrained(wrap(copy.deepcopy(model)), tmp_path)
    again = from_pretrained(tmp_path)
    assert_same_weights(again, model)
    assert torch.equal(logits_of_noise(again), logits_of_noise(model))


@pytest.mark.parametrize("name", ["compiled", "compiled, averaged, parallel", "compiled in part"])
def test_a_plain_vit_becomes_a_wrapped_model(name):
    vit = {
        "cls_token": torch.randn(1, 1, 32),
        "pos_embed": torch.randn(1, 17, 32),
        "patch_embed.proj.weight": torch.randn(32, 3, 4, 4),
        "norm.weight": torch.randn(32),
        "norm.bias": torch.randn(32),
    }
    for n in range(2):
        shapes = {"norm1": (32,), "norm2": (32,), "attn.qkv": (96, 32), "attn.proj": (32, 32)}
        shapes |= {"mlp.fc1": (128, 32), "mlp.fc2": (32, 128)}
        for part, shape in shapes.items():
            vit[f"blocks.{n}.{part}.weight"] = torch.randn(shape)
            if part != "attn.qkv":
                vit[f"blocks.{n}.{part}.bias"] = torch.randn(shape[0])
    model = retrofit(model_of(2), vit)
    prefixed = {f"module._orig_mod.{key}": value for key, value in vit.items()}
    wrapped = retrofit(WRAPPERS[name](model_of(2)), {"state_dict_ema": prefixed})
    state = model.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in plain_state(wrapped).items())


def test_what_an_average_has_counted_stays(path):
    save_weights(model_of(1), path)
    average = AveragedModel(model_of(2))
    average.update_parameters(model_of(3))
    load_weights(average, path)
    assert average.n_averaged == 1


def test_a_wrapped_model_is_told_apart_from_something_else(path, unchecked):
    for other in (nn.Linear(2, 2), DataParallel(nn.Linear(2, 2)), None, {"head.weight": 1}):
        for call in (save_weights, load_weights, lambda model, path: configuration_of(model)):
            with pytest.raises(TypeError, match="model must be a SPiT, alone or wrapped, got"):
                call(other, path)
    assert not os.path.exists(path)


def test_modules_that_are_called_as_wrappers_do_keep_their_names():
    names = ["head.weight", "head.module.weight", "module"]
    assert plain_names(names) == dict(zip(names, names, strict=True))
    assert plain_names(["module.a._orig_mod.b", "n_averaged"]) == {"module.a._orig_mod.b": "a.b"}


def test_a_head_with_a_module_of_that_name_is_saved_and_loaded(path):
    def model(seed):
        made = model_of(seed)
        made.head = nn.Linear(32, 5)
        made.head.module = nn.Linear(5, 5)
        return randomised(made, seed)

    save_weights(model(1), path)
    assert_same_weights(load_weights(model(2), path), model(1))
