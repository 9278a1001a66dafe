"""Which parameters learn, and how fast each of them."""

import re
from typing import Any

from torch import nn

from spitgraph.checks import one_of, positive, unit_interval
from spitgraph.models.wrappers import plain_names, spit_inside

#: Scales and shifts of the residual stream, and what tokens start from.
FEW = re.compile(r"norm|ls[12]\.gamma$|\.bias$|^embedder\.(cls_token|reg_token)$")
#: What of a model may learn.
CHOICES = {
    "all": "every parameter",
    "adapter": "norms, LayerScale, biases, class token, registers, and the head",
    "head": "the head alone: a linear probe",
}
#: Matrices that are looked up rather than multiplied by: pulling them to zero makes no sense.
LOOKED_UP = re.compile(r"^embedder\.(cls_token|reg_token|position_table)$|^backbone\.graph_bias\.")
BLOCK = re.compile(r"^backbone\.blocks\.(\d+)\.")


def adapter_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """The few parameters that suffice to adapt a pretrained transformer, by name.

    Norms, LayerScale, biases, class token and registers: a thousandth of the model, no new part
    (Ben Zaken et al. 2022, *BitFit*). The head's are not among them.

    Args:
        model: A `SPiT`, alone or wrapped.
    """
    plain = plain_names(dict(model.named_parameters()))
    return {
        name: parameter
        for name, parameter in model.named_parameters()
        if FEW.search(plain[name]) and not plain[name].startswith("head.")
    }


def learning_parameters(model: nn.Module, learn: str = "all") -> dict[str, nn.Parameter]:
    """The parameters that learn, by name.

    Args:
        model: A `SPiT`, alone or wrapped.
        learn: `"all"`, those that require a gradient; `"adapter"`, `adapter_parameters` and the
            head; or `"head"`.

    Raises:
        ValueError: There is no such choice, or nothing would learn.
    """
    learn = one_of(learn, CHOICES, "learn")
    named = dict(model.named_parameters())
    plain = plain_names(named)
    if learn == "all":
        chosen = {name: part for name, part in named.items() if part.requires_grad}
    else:
        chosen = {name: part for name, part in named.items() if plain[name].startswith("head.")}
        if not chosen:
            raise ValueError(f"learn={learn!r} needs a head, and the model has none")
        chosen |= adapter_parameters(model) if learn == "adapter" else {}
    if not chosen:
        raise ValueError("no parameter requires a gradient: nothing would learn")
    return chosen


def parameter_groups(
    model: nn.Module,
    *,
    learning_rate: float,
    weight_decay: float = 0.0,
    layer_decay: float = 1.0,
    learn: str = "all",
) -> list[dict[str, Any]]:
    """Groups for an optimizer, as vision transformers are trained with.

    Weight decay acts on matrices that tokens are multiplied by; neither on biases, norms and
    LayerScale nor on what is looked up. The rate of block i of L is `layer_decay`^(L − i) of the
    head's, counted from 1, and the embedder's is that of block 0 (Bao et al. 2022, *BEiT*): where a
    pretrained model is fine-tuned, what is nearer to the image changes less.

    Args:
        model: A `SPiT`, alone or wrapped.
        learning_rate: The head's, and that of the final norm.
        weight_decay: Of AdamW's kind.
        layer_decay: In (0, 1]; 1 is one rate for all.
        learn: See `learning_parameters`.

    Raises:
        ValueError, TypeError: An argument is outside its range or of another type.
    """
    learning_rate = positive(learning_rate, "learning_rate")
    if weight_decay:
        positive(weight_decay, "weight_decay")
    if not unit_interval(layer_decay, "layer_decay"):
        raise ValueError("layer_decay must be above 0")
    chosen = learning_parameters(model, learn)
    plain, depth = plain_names(chosen), len(spit_inside(model).backbone.blocks)
    groups: dict[tuple[int, bool], dict[str, Any]] = {}
    for name, parameter in chosen.items():
        layer = layer_of(plain[name], depth)
        decays = parameter.dim() > 1 and not LOOKED_UP.search(plain[name])
        group = groups.setdefault(
            (layer, decays),
            {
                "params": [],
                "lr": learning_rate * layer_decay ** (depth + 1 - layer),
                "weight_decay": float(weight_decay) if decays else 0.0,
            },
        )
        group["params"].append(parameter)
    return [groups[key] for key in sorted(groups)]


def layer_of(name: str, depth: int) -> int:
    """0 for the embedder and what else comes before the blocks, then the blocks, then the rest."""
    block = BLOCK.match(name)
    if block is not None:
        return int(block[1]) + 1
    before = name.startswith(("embedder.", "extractor.", "backbone.norm_pre."))
    return 0 if before or name.startswith("backbone.graph_bias.") else depth + 1
