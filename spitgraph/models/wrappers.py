"""Models inside wrappers: compiled, parallel, sharded, averaged; whole or in part, in any order."""

from collections import Counter
from collections.abc import Iterable

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from spitgraph.nn import SPiT

#: Under which names wrappers keep what they wrap: DataParallel, DistributedDataParallel and
#: AveragedModel; torch.compile; FSDP; activation checkpointing.
WRAPPERS = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
#: What AveragedModel counts, which is no weight.
COUNTER = "n_averaged"


def unwrapped(module: nn.Module) -> nn.Module:
    """What is inside all wrappers."""
    children = dict(module.named_children())
    while len(children) == 1 and children.keys() <= {*WRAPPERS}:
        (module,) = children.values()
        children = dict(module.named_children())
    return module


def spit_inside(model: nn.Module) -> SPiT:
    """The model inside all wrappers.

    Raises:
        TypeError: It is no `SPiT`.
    """
    inner = unwrapped(model) if isinstance(model, nn.Module) else model
    if not isinstance(inner, SPiT):
        raise TypeError(f"model must be a SPiT, alone or wrapped, got {type(inner).__name__}")
    return inner


def plain_names(names: Iterable[str]) -> dict[str, str]:
    """Each name as it is without wrappers, which a state dict's names tell on the way.

    Names that would then be the same stay: these are modules that are called so.
    """
    short = {
        name: ".".join(part for part in name.split(".") if part not in WRAPPERS)
        for name in names
        if name.rpartition(".")[2] != COUNTER
    }
    times = Counter(short.values())
    return {name: plain if plain and times[plain] == 1 else name for name, plain in short.items()}


def state_of(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by the model's own names, those themselves.

    Raises:
        ValueError: One is no tensor, as of quantised layers, or has no shape yet.
    """
    state = model.state_dict(keep_vars=True)
    for name, value in state.items():
        if not isinstance(value, Tensor):
            raise ValueError(
                f"the model's {name} is a {type(value).__name__}, not a tensor: "
                "save and load weights before layers are quantised"
            )
        if is_lazy(value):
            raise ValueError(f"the model's {name} has no shape yet: call the model once before")
    return state


def plain_state(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by the names that they have without wrappers; see `state_of`."""
    state = state_of(model)
    return {plain: state[name] for name, plain in plain_names(state).items()}


def is_packed(tensor: Tensor) -> bool:
    """Whether a tensor holds its numbers in others, as quantised ones do; not if in parts."""
    return hasattr(tensor, "__tensor_flatten__") and not hasattr(tensor, "full_tensor")


def gathered(tensor: Tensor) -> Tensor:
    """A tensor as a whole, where every process has a part of it."""
    whole: Tensor = tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
    return whole
