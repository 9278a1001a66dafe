"""Layers that are not plain ones in float32: quantised, adapted, short, lazy, parametrized."""

import copy
import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from helpers.comparison import assert_close
from helpers.models import make_random_model, make_random_tokens
from spitgraph.models import create_model, load_weights, save_weights
from spitgraph.nn import TokenEmbedder
from spitgraph.nn.embedder import input_dtype

PE = "random_walk_pe"


class Adapted(nn.Module):
    """A linear layer with a low-rank addition, which holds it further inside (LoRA)."""

    def __init__(self, layer):
        super().__init__()
        self.base_layer = layer
        self.lora_A = nn.Linear(layer.in_features, 2, bias=False)
        self.lora_B = nn.Linear(2, layer.out_features, bias=False)
        nn.init.zeros_(self.lora_B.weight)

    def forward(self, x):
        return self.base_layer(x) + self.lora_B(self.lora_A(x.float())).to(x.dtype)


class Packed(nn.Module):
    """A linear layer whose weights are whole numbers of 8 bits and a scale, unpacked when used."""

    def __init__(self, layer):
        super().__init__()
        self.scale = layer.weight.detach().abs().amax() / 127
        whole = (layer.weight.detach() / self.scale).round().to(torch.int8)
        self.weight = nn.Parameter(whole, requires_grad=False)
        self.bias = layer.bias

    def forward(self, x):
        weight = self.weight.to(x.dtype) * self.scale.to(x.dtype)
        return nn.functional.linear(x, weight, None if self.bias is None else self.bias.to(x.dtype))


class EightBits(Packed):
    """The same with weights of a floating-point type that nothing is computed in."""

    def __init__(self, layer):
        super().__init__(layer)
        self.scale = layer.weight.detach().abs().amax() / 400
        self.weight = nn.Parameter((layer.weight / self.scale).to(torch.float8_e4m3fn), False)


def everywhere(wrap):
    """All linear layers of a model, wrapped."""

    def changed(model):
        for name, layer in list(model.named_modules()):
            if type(layer) is nn.Linear:
                parent, _, child = name.rpartition(".")
                setattr(model.get_submodule(parent), child, wrap(layer))
        return model

    return changed


def quantised(model):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that this is to move elsewhere
        return torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)


#: What is done to all linear layers, and how far it may lead from the model as it was.
CHANGES = {
    "quantised": (quantised, 0.3),
    "adapted": (everywhere(Adapted), 1e-5),
    "whole numbers": (everywhere(Packed), 0.3),
    "floats of 8 bits": (everywhere(EightBits), 0.5),
    "weight norm": (everywhere(parametrizations.weight_norm), 1e-4),
    "bfloat16": (lambda model: model.bfloat16(), 0.3),
    "float16": (lambda model: model.half(), 0.05),
    "float64": (lambda model: model.double(), 1e-4),
}


@pytest.fixture
def tokens():
    """A batch with a positional encoding."""
    batch = make_random_tokens()
    batch[PE] = torch.rand(batch.num_nodes, 3, generator=torch.Generator().manual_seed(0))
    return batch


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("attention", ["packed", "padded"])
def test_a_model_of_other_layers_answers(tokens, change, attention):
    model = make_random_model(pe=(PE, 3), attention=attention, qk_norm=True, graph_bias=True)
    changed, tolerance = CHANGES[change]
    with torch.no_grad():
        expected = model.forward_tokens(tokens)
        logits = changed(copy.deepcopy(model)).forward_tokens(tokens)
    assert_close(logits, expected, tolerance * max(1, float(expected.abs().max())))


@pytest.mark.parametrize("change", CHANGES)
def test_pictures_are_read_by_them(change):
    model = create_model("spit_tiny_16", depth=1, num_classes=3, bins=4).eval()
    with torch.no_grad():
        assert CHANGES[change][0](model)(torch.rand(3, 12, 12)).isfinite().all()


def test_an_adapted_layer_of_short_weights_gets_their_dtype(tokens):
    embedder = TokenEmbedder(12, 16, pe_name=PE, pe_dim=3).bfloat16()
    embedder.linear, embedder.pe_linear = Adapted(embedder.linear), Adapted(embedder.pe_linear)
    embedder.linear.lora_A.float(), embedder.linear.lora_B.float()
    embedder.pe_linear.lora_A.float(), embedder.pe_linear.lora_B.float()
    assert embedder(tokens).x.dtype == torch.bfloat16


def test_lazy_layers_find_their_width(tokens):
    embedder = TokenEmbedder(12, 16, pe_name=PE, pe_dim=3)
    embedder.linear, embedder.pe_linear = nn.LazyLinear(16), nn.LazyLinear(16, bias=False)
    assert embedder(tokens).x.isfinite().all()
    assert embedder.linear.weight.shape == (16, 12)


def test_the_dtype_is_that_of_numbers_which_are_computed_with():
    assert input_dtype(nn.Linear(2, 2).half(), torch.float64) == torch.float16
    assert input_dtype(nn.Identity(), torch.float64) == torch.float64
    assert input_dtype(EightBits(nn.Linear(2, 2, bias=False)), torch.bfloat16) == torch.bfloat16


# ---- their weights -------------------------------------------------------------------------------


def make(seed=0):
    torch.manual_seed(seed)
    return create_model("spit_tiny_16", depth=1, num_classes=3, bins=4).eval()


@pytest.mark.parametrize("change", ["adapted", "weight norm", "bfloat16", "floats of 8 bits"])
def test_weights_of_equally_changed_models_are_restored(tmp_path, change):
    changed, _ = CHANGES[change]
    model, path = changed(make(0)), tmp_path / "weights.safetensors"
    save_weights(model, path)
    again = load_weights(changed(make(1)), path)
    for name, value in model.state_dict().items():
        restored = again.state_dict()[name]
        assert restored.dtype == value.dtype
        assert torch.equal(restored.float(), value.float())


def test_weights_that_are_no_tensors_are_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    with pytest.raises(ValueError, match="not a tensor: save and load weights before layers"):
        save_weights(quantised(make()), path)
    assert not path.exists()
    save_weights(make(), path)
    with pytest.raises(ValueError, match="not a tensor: save and load weights before layers"):
        load_weights(quantised(make()), path)


def test_weights_without_a_shape_are_refused(tmp_path):
    model, path = make(), tmp_path / "weights.safetensors"
    save_weights(model, path)
    model.head = nn.LazyLinear(3)
    for call in (save_weights, load_weights):
        with pytest.raises(ValueError, match=r"head\.weight has no shape yet"):
            call(model, path)


class PackedTensor(torch.Tensor):
    """Numbers that lie in another tensor, as torchao's quantised ones do."""

    @staticmethod
    def __new__(cls, whole):
        return torch.Tensor._make_wrapper_subclass(cls, whole.shape, dtype=torch.float32)

    def __init__(self, whole):
        self.whole = whole

    def __tensor_flatten__(self):
        return ["whole"], None

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        unpacked = [a.whole.float() if isinstance(a, PackedTensor) else a for a in args]
        if func in (torch.ops.aten.detach.default, torch.ops.aten.alias.default):
            return PackedTensor(args[0].whole)
        return func(*unpacked, **(kwargs or {}))

    __torch_function__ = torch._C._disabled_torch_function_impl


def test_packed_weights_work_and_are_neither_saved_nor_filled(tmp_path):
    model, path = make(), tmp_path / "weights.safetensors"
    save_weights(model, path)
    linear = model.embedder.linear
    whole = torch.ones(linear.weight.shape, dtype=torch.int8)
    linear.weight = nn.Parameter(PackedTensor(whole), requires_grad=False)
    with torch.no_grad():
        assert model(torch.rand(3, 8, 8)).isfinite().all()
    state = {name: value for name, value in model.state_dict().items() if "embedder" not in name}
    before = {name: value.clone() for name, value in state.items()}
    with pytest.raises(ValueError, match=r"embedder\.linear\.weight is a PackedTensor"):
        save_weights(model, path)
    with pytest.raises(ValueError, match=r"embedder\.linear\.weight cannot be copied into a"):
        load_weights(model, path)
    assert all(torch.equal(value, before[name]) for name, value in state.items())
