"""Every number of a training run, in one table: the command's flags and the run's file go by it."""

from dataclasses import dataclass, field, fields
from typing import Any

from spitgraph.checks import integer, number


def option(default: Any, text: str, group: str, choices: tuple[str, ...] = ()) -> Any:
    """A field with what `--help` says of it."""
    return field(default=default, metadata={"help": text, "group": group, "choices": choices})


@dataclass
class TrainingOptions:
    """What a run is told; what is None follows from something else, as its help says."""

    data: str
    out: str

    # --- the model ---
    tokenizer: str | None = option(
        None,
        "what images are cut into, default: superpixel, or what WEIGHTS say",
        "model",
        ("superpixel", "patch", "voronoi"),
    )
    num_tokens: int | None = option(
        None, "tokens an image; default: levels of superpixels, or patches of 16 pixels", "model"
    )
    size: str = option("tiny", "of the model", "model", ("tiny", "small", "base", "large"))
    width: int | None = option(None, "of the tokens, default: the size's", "model")
    depth: int | None = option(None, "blocks, default: the size's", "model")
    heads: int | None = option(None, "of attention, default: the size's", "model")
    bins: int = option(16, "β, bins a side of the token vectors", "model")
    sigma: float | None = option(None, "σ of the token vectors, default: by β", "model")
    gradient: bool = option(True, "token vectors hold gradient histograms", "model")
    quality: str | None = option(
        None,
        "rule of the superpixels, default: fast, or what WEIGHTS say",
        "model",
        ("fast", "fine"),
    )
    compactness: float | None = option(None, "of superpixels, default: the model's", "model")
    init_values: float = option(1e-5, "what LayerScale starts at", "model")
    drop_path: float = option(0.0, "probability that a picture skips the last block", "model")
    graph_bias: bool = option(False, "attention knows hops in the region graph", "model")
    size_bias: bool = option(False, "attention knows how large regions are", "model")
    position_grid: int | None = option(
        None, "side of a table of positions, read at centroids and added; default: none", "model"
    )
    mean: tuple[float, ...] | None = option(
        None, "with --std, colour is normalised by it, not adjusted in contrast", "model"
    )
    std: tuple[float, ...] | None = option(None, "see --mean", "model")
    registers: int = option(0, "learned tokens of no place", "model")
    pool: str = option("token", "what stands for a picture", "model", ("token", "mean"))

    # --- where it starts ---
    weights: str | None = option(None, "file of a spitgraph model to start from", "start")
    vit: str | None = option(None, "file of a plain pretrained ViT to start from", "start")
    activation: str = option("gelu", "of that ViT", "start", ("gelu", "quick_gelu"))
    extractor: str = option(
        "windows", "how that ViT reads regions", "start", ("interpolation", "windows")
    )
    learn: str = option("all", "which parameters learn", "start", ("all", "adapter", "head"))

    # --- how it learns ---
    epochs: int = option(30, "times through the pictures", "learning")
    batch_size: int = option(128, "pictures a step, over all processes", "learning")
    tokens_per_batch: int | None = option(
        None, "fill batches to so many tokens instead, of every process", "learning"
    )
    learning_rate: float = option(1e-3, "the highest", "learning")
    weight_decay: float = option(0.05, "of AdamW", "learning")
    warm_up: float = option(0.1, "share of the steps in which the rate rises", "learning")
    layer_decay: float = option(1.0, "how much less each layer below learns", "learning")
    label_smoothing: float = option(0.1, "share of the target spread over classes", "learning")
    clip: float = option(1.0, "longest gradient; 0 for any", "learning")
    ema: float = option(0.0, "decay of the average of weights; 0 for none", "learning")
    token_budget: int | None = option(None, "tokens a picture keeps, drawn anew", "learning")
    precision: str = option("32", "of the numbers", "learning", ("32", "bf16", "16"))
    accumulate: int = option(1, "batches a step", "learning")
    seed: int = option(0, "of weights, order, augmentation and draws", "learning")

    # --- augmentation, before tokenization ---
    image_size: int | None = option(None, "side to which pictures are brought", "augmentation")
    crop: str = option(
        "pad", "how pictures are cut out", "augmentation", ("none", "pad", "resized")
    )
    padding: int = option(4, "pixels by which pad shifts", "augmentation")
    flip: bool = option(True, "mirror half of the pictures", "augmentation")
    rand_augment: int = option(0, "operations of RandAugment a picture", "augmentation")
    magnitude: float = option(9.0, "of RandAugment, up to 10", "augmentation")
    colour_jitter: float = option(0.0, "strength", "augmentation")
    cutmix: float = option(0.0, "probability that a box comes from another picture", "augmentation")
    mixup: float = option(0.0, "probability of blending two; blurs borders", "augmentation")

    # --- the machine ---
    workers: int = option(1, "processes that read, augment and tokenize; 0: none", "machine")
    tokenize: str = option("workers", "where tokens are made", "machine", ("workers", "device"))
    accelerator: str = option("auto", "cpu, gpu, mps, …", "machine")
    devices: str = option("auto", "how many, or a list, of each node", "machine")
    nodes: int = option(1, "how many", "machine")
    strategy: str = option("auto", "auto, ddp, fsdp, …", "machine")
    cache: str | None = option(None, "folder that keeps tokens of unaugmented pictures", "machine")
    checkpoint_every: int | None = option(None, "steps, default: an epoch", "machine")
    limit: int | None = option(None, "use only so many pictures, for a try", "machine")
    quiet: bool = option(False, "no progress bar", "machine")

    def __post_init__(self) -> None:
        for part in fields(self):
            value, choices = getattr(self, part.name), part.metadata.get("choices")
            if choices and value not in (None, *choices):
                raise ValueError(f"{part.name} must be one of {', '.join(choices)}, got {value!r}")
        for name in ("epochs", "batch_size", "accumulate", "nodes"):
            setattr(self, name, integer(getattr(self, name), name))
        for name in ("clip", "ema"):
            if number(getattr(self, name), name) < 0:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}")
        if self.ema >= 1:
            raise ValueError(f"ema must be below 1, got {self.ema}")
        if self.ema and "fsdp" in self.strategy:
            raise ValueError("weights that are sharded (fsdp) are not averaged: ema must be 0")
        if self.tokens_per_batch is not None and self.tokenize != "workers":
            raise ValueError("tokens_per_batch goes with tokenize='workers', which count tokens")
        self._check_start()

    def _check_start(self) -> None:
        """Refuse options of new models where there is one already."""
        start = "weights" if self.weights is not None else "vit"
        if getattr(self, start) is None:
            return
        told = OF_NEW_MODELS if start == "vit" else (*OF_NEW_MODELS, "mean", "std")
        for part in fields(self):
            if part.name in told and getattr(self, part.name) != part.default:
                raise ValueError(f"{part.name} is told by {start}: leave it out")

    @classmethod
    def tables(cls) -> dict[str, list[Any]]:
        """The fields that are flags, by group."""
        groups: dict[str, list[Any]] = {}
        for part in fields(cls):
            if "group" in part.metadata:
                groups.setdefault(part.metadata["group"], []).append(part)
        return groups


#: What weights to start from tell already.
OF_NEW_MODELS = (
    *("size", "width", "depth", "heads", "bins", "sigma", "gradient", "init_values"),
    *("registers", "pool", "position_grid", "size_bias"),
)
#: What proved itself, by name; docs/training.md says how.
RECIPES: dict[str, dict[str, Any]] = {
    "small-pictures": {
        "num_tokens": 64,
        "bins": 8,
        "width": 128,
        "depth": 5,
        "init_values": 1.0,
        "position_grid": 8,
        "mean": (0.49, 0.48, 0.45),
        "std": (0.25, 0.24, 0.26),
        "padding": 3,
        "token_budget": 48,
        "epochs": 30,
        "precision": "bf16",
    },
    "fine-tune": {
        "learning_rate": 1e-4,
        "layer_decay": 0.75,
        "drop_path": 0.1,
        "epochs": 10,
        "crop": "none",
    },
    "probe": {
        "learn": "head",
        "learning_rate": 1e-2,
        "weight_decay": 0.0,
        "label_smoothing": 0.0,
        "epochs": 10,
        "crop": "none",
    },
}


def recipe_options(name: str | None, told: dict[str, Any]) -> dict[str, Any]:
    """The options of a recipe, but for what is told otherwise, or by weights to start from."""
    recipe = {} if name is None else RECIPES[name]
    if told.get("weights") is not None or told.get("vit") is not None:
        told_by_weights = (*OF_NEW_MODELS, "mean", "std")
        recipe = {key: value for key, value in recipe.items() if key not in told_by_weights}
    return {**recipe, **told}
