"""A model that learns classes, as a Lightning module."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from spitgraph.checks import integer, unit_interval
from spitgraph.data import TokenData
from spitgraph.extras import needs_extra
from spitgraph.models.wrappers import spit_inside
from spitgraph.train.data.examples import Examples
from spitgraph.train.data.tokens import seeded
from spitgraph.train.dropping import kept_tokens
from spitgraph.train.parameters import learning_parameters, parameter_groups
from spitgraph.train.schedule import warmed_up_cosine

with needs_extra("train"):
    from lightning.pytorch import LightningModule
    from torchmetrics import MeanMetric
    from torchmetrics.classification import MulticlassAccuracy


class Classifier(LightningModule):
    """Trains any `SPiT` to tell classes, as vision transformers usually are.

    Cross-entropy with smoothed labels; AdamW; a rate that warms up and falls as a cosine, step by
    step over all that the trainer plans. Where images come without tokens, the model makes them, on
    its device.

    What a step draws follows from `seed`, epoch and number of the step alone, so that a run that
    was cut off and goes on ends where it would have: DropPath and dropout by global generators that
    each step seeds anew, and the model's token budget by each example's own seed, whatever the
    batch. Over several processes, the loss is the mean over all their pictures, however unevenly
    they are spread.

    Args:
        model: What `create_model`, `from_vit` or `retrofit` gave, with a head of the data's
            classes.
        learning_rate: The highest.
        weight_decay: AdamW's, see `parameter_groups`.
        betas: AdamW's.
        warm_up: Share of the steps in which the rate rises.
        layer_decay: How much less each layer learns than the one above, see `parameter_groups`.
        label_smoothing: Share of the target that is spread over all classes, in [0, 1].
        learn: `"all"`, `"adapter"` or `"head"`, see `learning_parameters`; the rest is frozen.
        seed: Of what a step draws.

    Raises:
        TypeError, ValueError: The model is no `SPiT` or has no classes to tell; an argument is
            outside its range.
    """

    model: Any  # a module, which Lightning's own type of attributes hides

    def __init__(
        self,
        model: nn.Module,
        *,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.05,
        betas: tuple[float, float] = (0.9, 0.999),
        warm_up: float = 0.1,
        layer_decay: float = 1.0,
        label_smoothing: float = 0.1,
        learn: str = "all",
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.model = model
        self.num_classes = classes_of(model)
        self.label_smoothing = unit_interval(label_smoothing, "label_smoothing")
        self.warm_up = unit_interval(warm_up, "warm_up")
        self.seed = integer(seed, "seed", minimum=0)
        self.betas = betas
        self._groups: dict[str, Any] = {
            "learning_rate": learning_rate,
            "weight_decay": weight_decay,
            "layer_decay": layer_decay,
            "learn": learn,
        }
        parameter_groups(model, **self._groups)  # refuses what does not fit
        chosen = {id(part) for part in learning_parameters(model, learn).values()}
        for part in model.parameters():
            part.requires_grad_(id(part) in chosen)
        self.accuracy = MulticlassAccuracy(self.num_classes, average="micro")
        self.top5 = MulticlassAccuracy(
            self.num_classes, average="micro", top_k=min(5, self.num_classes)
        )
        self.val_loss = MeanMetric()

    def forward(self, batch: Examples) -> Float[Tensor, "B classes"]:
        """Logits of a batch; in training, of the tokens that the model's budget keeps."""
        tokens = self.tokens(batch)
        model = spit_inside(self.model)
        budget = model.embedder.token_budget
        if not self.training or budget is None:
            logits: Tensor = self.model.forward_tokens(tokens)
            return logits.float()
        # paths in the region graph may lead over dropped tokens, as those of METHOD 5 do
        sequences = model.embedder(tokens, keep=kept_tokens(tokens, budget, batch.seeds))
        features = model.forward_sequences(sequences, tokens.edge_index)
        return model.head(features.class_token).float()

    def tokens(self, batch: Examples) -> TokenData:
        """Tokens of a batch, made here unless a worker has made them."""
        if isinstance(batch.inputs, TokenData):
            return batch.inputs
        model = spit_inside(self.model)
        tokens: TokenData = seeded(model.tokenizer, batch.seeds)(batch.inputs)
        return model.extractor(tokens.to(self.device))

    def training_step(self, batch: Examples, batch_idx: int) -> Tensor:
        """The loss of a batch."""
        self._seed_step(batch_idx)
        loss = cross_entropy(self(batch), batch.targets, label_smoothing=self.label_smoothing)
        loss = loss * self._share(len(batch))
        self.log("loss", loss.detach(), prog_bar=True, batch_size=len(batch), sync_dist=True)
        return loss

    def validation_step(self, batch: Examples, batch_idx: int) -> None:
        """Counts what the model gets right."""
        if len(batch) == 0:  # none of its pictures could be read
            return
        logits, labels = self(batch), batch.targets.argmax(dim=1)
        self.accuracy.update(logits, labels)
        self.top5.update(logits, labels)
        self.val_loss.update(cross_entropy(logits, labels), len(batch))
        metrics = {"val_accuracy": self.accuracy, "val_top5": self.top5, "val_loss": self.val_loss}
        self.log_dict(metrics, on_epoch=True, prog_bar=True, batch_size=len(batch))

    def configure_optimizers(self) -> Any:
        """AdamW, and its rate by steps."""
        groups = parameter_groups(self.model, **self._groups)
        optimizer = torch.optim.AdamW(groups, betas=self.betas)
        steps = self.trainer.estimated_stepping_batches
        if steps == float("inf"):
            raise ValueError(
                "the rate falls over all steps: give the trainer max_epochs or max_steps"
            )
        schedule = warmed_up_cosine(optimizer, int(steps), warm_up=self.warm_up)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def _seed_step(self, batch_idx: int) -> None:
        """Seed the global generators from what names this step."""
        key = (self.seed, self.current_epoch, batch_idx, self.global_rank)
        (seed,) = np.random.SeedSequence(key).generate_state(1, np.uint64)
        torch.manual_seed(int(seed >> np.uint64(1)))

    def _share(self, pictures: int) -> Tensor | float:
        """What makes the processes' mean of losses a mean over pictures: n_r·W/Σn."""
        world = self.trainer.world_size
        if world == 1:
            return 1.0
        count = torch.tensor(float(pictures), device=self.device)
        counts: Any = self.all_gather(count)
        share: Tensor = count * world / counts.sum()
        return share


def classes_of(model: nn.Module) -> int:
    """How many classes a model's head tells apart.

    Raises:
        TypeError: The model is no `SPiT`.
        ValueError: It has no linear head.
    """
    head = spit_inside(model).head
    if not isinstance(head, nn.Linear):
        raise ValueError(
            f"expected a model with a linear head, one output a class, got {type(head).__name__}: "
            "model.head = nn.Linear(model.backbone.embed_dim, num_classes)"
        )
    return head.out_features
