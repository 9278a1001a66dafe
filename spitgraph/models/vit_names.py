"""State dicts of plain ViTs, whoever wrote them, by timm's names; of others, why not."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from spitgraph.models.files import ForeignContentError, state_dict
from spitgraph.models.names import BESIDE, HUGGING_FACE, OPENAI, TIMM, Rules, renamed

#: What errors call it.
SOURCE = "the ViT's state dict"


class NamedViT(NamedTuple):
    """A plain ViT by timm's names.

    Attributes:
        tensors: By timm's names.
        names: What the state dict calls these.
        norm_eps: ε of the LayerNorms in the code that such names come from; no file says it.
    """

    tensors: dict[str, Tensor]
    names: dict[str, str]
    norm_eps: float


class Scheme(NamedTuple):
    """Who names parameters so.

    Attributes:
        patches: What the patch projection is called, which tells the scheme.
        rules: To timm's names.
    """

    patches: str
    rules: Rules


SCHEMES = (
    Scheme("patch_embed.proj.weight", TIMM),
    Scheme("embeddings.patch_embeddings.projection.weight", HUGGING_FACE),
    Scheme("embeddings.patch_embedding.weight", HUGGING_FACE),
    Scheme("conv1.weight", OPENAI),
)
#: No part of the ViT, but of how it was trained: masks, decoders, other heads, poolers.
LEFT_OUT = re.compile(
    r"^(mask_token$|embeddings\.(mask_token|position_ids)$|decoder|pooler\.|head_dist\."
    r"|distillation_classifier\.|(dino_|ibot_)?head\.(mlp\.\d|last_layer\.))"
)
#: Beside a tower of images, what there is of texts.
TEXTS = re.compile(
    r"^(text|transformer\.|token_embedding\.|positional_embedding$|ln_final\.|logit_(scale|bias)$"
    r"|(input_resolution|context_length|vocab_size)$)"
)

GATED = "its perceptrons are gated (SwiGLU, as of DINOv2-g; EVA-02 has rotary positions too)"
#: Names of what is no plain ViT, and why that is so.
OTHERS = (
    (
        r"rope|rotary|inv_freq|freqs_cis|(^|\.)embeddings\.patch_embeddings\.weight$",
        "its positions are rotary: every block turns queries and keys by a patch's place in the "
        "grid, and there is no table to read where a region lies",
    ),
    (
        r"\bmlp\.(w1|w2|w3|w12|fc1_g|weights_in|gate_proj)\b",
        GATED,
    ),
    (
        r"downsample|^stages\.|^(encoder\.)?layers\.\d+\.blocks\.|window",
        "it attends in windows, or in the stages of a pyramid, as Swin does",
    ),
    (
        r"relative_position|rel_pos|\battn\.(q|v)_bias$",
        "its positions are relative, biases between the patches of a grid, as of BEiT",
    ),
    (
        r"^patch_embed\.(backbone|conv|stem|proj\.\d)|^stem\.|(^|\.)layer\d\.\d",
        "its patches come from a stack of convolutions, not from one projection",
    ),
)


def named_vit(content: Mapping[str, Any]) -> NamedViT:
    """The ViT in a state dict, by timm's names.

    Names of timm, Hugging Face, DINO, DINOv2, MAE and OpenAI's CLIP are known, alone or in a larger
    model under a common beginning. Queries, keys and values of their own are put together.

    Raises:
        ValueError: It is no plain ViT, or of more than one.
    """
    try:
        state = state_dict(content)
    except ForeignContentError as error:
        raise ForeignContentError(f"vit_state_dict: {error}") from None
    prefix, scheme = tower(state)
    inside = {key.removeprefix(prefix): key for key in state if key.startswith(prefix)}
    refuse_others(inside)
    names = renamed((key for key in inside if not LEFT_OUT.match(key)), scheme.rules)
    names = {ours: inside[key] for ours, key in names.items()}
    outside = (key for key in state if not key.startswith(prefix))
    beside = (key for key in outside if not (LEFT_OUT.match(key) or TEXTS.match(key)))
    for ours, key in renamed(beside, BESIDE).items():
        if ours in names:
            raise ValueError(f"{SOURCE}: {names[ours]!r} and {key!r} are the same parameter")
        names[ours] = key
    tensors = {ours: state[key] for ours, key in names.items()}
    tensors = in_timms_shapes(tensors, names)
    refuse_gates(tensors)
    return NamedViT(tensors, names, usual_eps(inside, tensors))


def tower(state: Mapping[str, Tensor]) -> tuple[str, Scheme]:
    """What the ViT's names begin with, and whose they are."""
    found = {
        key.removesuffix(scheme.patches): scheme
        for scheme in SCHEMES
        for key in state
        if f".{key}".endswith(f".{scheme.patches}")
    }
    if not found:
        refuse_others(state)
        known = ", ".join(scheme.patches for scheme in SCHEMES)
        raise ValueError(f"{SOURCE} lacks {SCHEMES[0].patches}: no plain ViT ({known})")
    if len(found) > 1:
        listed = ", ".join(repr(prefix) for prefix in sorted(found))
        raise ValueError(f"{SOURCE} is of more than one ViT, whose names begin with {listed}")
    return next(iter(found.items()))


def refuse_others(names: Mapping[str, Any]) -> None:
    """Refuse names of what is no plain ViT, and say why."""
    for pattern, why in OTHERS:
        name = next((name for name in names if re.search(pattern, name)), None)
        if name is not None:
            raise ValueError(f"{SOURCE} is no plain ViT's: {why} ({name})")


def refuse_gates(tensors: Mapping[str, Tensor]) -> None:
    """Refuse perceptrons whose first layer gives twice what the second reads (timm's DINOv2-g)."""
    first, second = (tensors.get(f"blocks.0.mlp.fc{number}.weight") for number in (1, 2))
    if first is None or second is None or not first.dim() == second.dim() == 2:
        return
    if len(first) == 2 * second.shape[1]:
        raise ValueError(f"{SOURCE} is no plain ViT's: {GATED} (blocks.0.mlp.fc1.weight)")


def in_timms_shapes(tensors: Mapping[str, Tensor], names: dict[str, str]) -> dict[str, Tensor]:
    """Tensors as timm shapes them: rows in a batch of one, projections joined or turned."""
    shaped: dict[str, Tensor] = {}
    for key, value in tensors.items():
        if names[key].endswith(
            ("class_embedding", "positional_embedding", "position_embedding.weight")
        ):
            shaped[key] = value.reshape(1, -1, value.shape[-1])
        elif key == "proj":
            shaped["head.weight"], names["head.weight"] = value.t(), names.pop("proj")
        elif match := re.fullmatch(r"attn_pool\.in_proj_(weight|bias)", key):
            width = len(value) // 3
            for part, rows in (("q", value[:width]), ("kv", value[width:])):
                shaped[f"attn_pool.{part}.{match[1]}"] = rows
                names[f"attn_pool.{part}.{match[1]}"] = names[key]
        elif not re.search(r"\.attn\.[qkv]\.(weight|bias)$", key):
            shaped[key] = value
    for block in {key.rpartition(".attn.q.")[0] for key in tensors if ".attn.q." in key}:
        for kind in ("weight", "bias"):
            joined = join(tensors, f"{block}.attn", kind)
            if joined is not None:
                shaped[f"{block}.attn.qkv.{kind}"] = joined
                names[f"{block}.attn.qkv.{kind}"] = names[f"{block}.attn.q.{kind}"]
    return shaped


def join(tensors: Mapping[str, Tensor], attention: str, kind: str) -> Tensor | None:
    """Weights or biases of queries, keys and values in one; keys may go without a bias."""
    parts = [tensors.get(f"{attention}.{part}.{kind}") for part in "qkv"]
    q, k, v = parts
    if kind == "bias" and k is None and q is not None:
        k = torch.zeros_like(q)
    if q is None and k is None and v is None:
        return None
    if q is None or k is None or v is None:
        raise ValueError(f"{SOURCE} lacks some of {attention}.{{q,k,v}}.{kind}")
    return torch.cat([q, k, v])


def usual_eps(names: Mapping[str, str], tensors: Mapping[str, Tensor]) -> float:
    """ε of CLIP, of Hugging Face's ViT and DeiT, and of all others."""
    if "norm_pre.weight" in tensors:
        return 1e-5
    return 1e-12 if any("layernorm_before" in name for name in names) else 1e-6
