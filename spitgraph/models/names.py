"""Names that other code gives to the parameters of the same transformer."""

import re
from collections.abc import Iterable

#: The authors' released files → ours (METHOD 5).
AUTHORS = (
    (r"^embedder\.embedder\.linear\.", "embedder.linear."),
    (r"\.att\.(qkv|proj)\.linear\.", r".attn.\1."),
    (r"\.att\.ln_(q|k)\.", r".attn.\1_norm."),
    (r"\.mlp\.L(1|2)\.linear\.", r".mlp.fc\1."),
    (r"\.ls(1|2)\.lambda_$", r".ls\1.gamma"),
    (r"^(blocks|norm)\.", r"backbone.\1."),
)
#: What all ViT code shares (timm, DeiT, DINO) → ours; the embedding is not a matter of names.
VIT = (
    (r"^(blocks|norm|norm_pre)\.", r"backbone.\1."),
    (r"^fc_norm\.", "backbone.pool.norm."),
    (r"^attn_pool\.", "backbone.pool."),
)

#: A name that only the authors' files have.
AUTHORS_KEY = "embedder.embedder.linear.weight"


def renamed(names: Iterable[str], rules: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Their name by our name; names that no rule is about stay.

    Raises:
        ValueError: Two names mean the same parameter.
    """
    rules = tuple(rules)
    result: dict[str, str] = {}
    for name in names:
        ours = name
        for pattern, replacement in rules:
            ours = re.sub(pattern, replacement, ours)
        if ours in result:
            raise ValueError(f"{result[ours]!r} and {name!r} are the same parameter")
        result[ours] = name
    return result
