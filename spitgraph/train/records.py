"""What a run leaves behind: numbers by steps and by epochs, curves, and weights."""

import time
from pathlib import Path
from typing import Any

from spitgraph.extras import needs_extra
from spitgraph.models.files import written_beside
from spitgraph.models.weights import save_weights
from spitgraph.train.checkpoints import unless_full

with needs_extra("train"):
    import pandas as pd
    from lightning.pytorch import Callback, LightningModule, Trainer

#: What an epoch's row holds of what was measured on validation pictures.
MEASURED = ("val_loss", "val_accuracy", "val_top5")


class Records(Callback):
    """Writes `steps.csv`, `metrics.csv`, `curves.png` and weights into a run's folder.

    A step's row has `loss` (of this process), `learning_rate`, `seconds` from the end of the step
    before to its own end, and `waited`, those of them that went by before it had its batch. An
    epoch's row has the mean loss, what was measured on validation pictures, the seconds of its
    steps, the share of them that were waited, and pictures a second over all processes.

    `weights.safetensors` are those of the last epoch, `best.safetensors` those of the epoch of the
    highest accuracy: averages, where weights are averaged.

    Args:
        folder: Where files are written to, whole or not at all.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.steps: list[dict[str, Any]] = []
        self.epochs: list[dict[str, Any]] = []
        self.best = -1.0
        self._ended = self._begun = time.perf_counter()

    def on_fit_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Take up what a run that goes on has written before."""
        step, epoch = trainer.global_step, trainer.current_epoch
        self.steps = [row for row in read(self.folder / "steps.csv") if row["step"] < step]
        self.epochs = [row for row in read(self.folder / "metrics.csv") if row["epoch"] < epoch]
        self.best = max((row.get("val_accuracy", -1.0) for row in self.epochs), default=-1.0)

    def on_train_epoch_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Note the time."""
        self._ended = time.perf_counter()

    def on_train_batch_start(
        self, trainer: Trainer, module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Note when the batch was there."""
        self._begun = time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Note a step."""
        self.steps.append(
            {
                "step": trainer.global_step - 1,
                "epoch": trainer.current_epoch,
                "loss": trainer.callback_metrics["loss"],  # waits for no device
                "learning_rate": max(group["lr"] for group in trainer.optimizers[0].param_groups),
                "pictures": len(batch),
                "waited": self._begun - self._ended,
                "seconds": time.perf_counter() - self._ended,
            }
        )
        self._ended = time.perf_counter()

    def on_validation_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Note what an epoch came to, and write it all."""
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        self.epochs.append(self._row(trainer))
        accuracy = self.epochs[-1].get("val_accuracy", -1.0)
        with unless_full(self.folder / "weights.safetensors"):
            save_weights(module.model, self.folder / "weights.safetensors")
            if accuracy > self.best:
                self.best = accuracy
                save_weights(module.model, self.folder / "best.safetensors")
        self.write()

    def _row(self, trainer: Trainer) -> dict[str, Any]:
        of_epoch = [row for row in self.steps if row["epoch"] == trainer.current_epoch]
        for row in of_epoch:
            row["loss"] = float(row["loss"])
        seconds = sum(row["seconds"] for row in of_epoch)
        pictures = sum(row["pictures"] for row in of_epoch) * trainer.world_size
        metrics = {name: float(trainer.callback_metrics[name]) for name in MEASURED}
        return {
            "epoch": trainer.current_epoch,
            "step": trainer.global_step,
            "loss": sum(row["loss"] for row in of_epoch) / max(1, len(of_epoch)),
            **metrics,
            "seconds": seconds,
            "waited": sum(row["waited"] for row in of_epoch) / max(seconds, 1e-9),
            "pictures_per_second": pictures / max(seconds, 1e-9),
        }

    def write(self) -> None:
        """Write tables and curves."""
        for name, rows in (("steps.csv", self.steps), ("metrics.csv", self.epochs)):
            with unless_full(self.folder / name), written_beside(self.folder / name) as unfinished:
                pd.DataFrame(rows).to_csv(unfinished, index=False)
        with unless_full(self.folder), written_beside(self.folder / "curves.png") as unfinished:
            draw(self.steps, self.epochs, unfinished)


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a table that may be there."""
    return pd.read_csv(path).to_dict("records") if path.exists() else []


def draw(steps: list[dict[str, Any]], epochs: list[dict[str, Any]], path: Path) -> None:
    """Loss by steps, and accuracy by epochs."""
    with needs_extra("train"):
        from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    losses = pd.DataFrame(steps)
    if len(losses):
        left.plot(losses["step"], losses["loss"], color="0.8", linewidth=0.7)
        smooth = losses["loss"].ewm(halflife=max(1, len(losses) / 100)).mean()
        left.plot(losses["step"], smooth, color="C0", label="training")
    rows = pd.DataFrame(epochs)
    if len(rows):
        left.plot(rows["step"], rows["val_loss"], color="C1", marker=".", label="validation")
        right.plot(rows["epoch"] + 1, rows["val_accuracy"], color="C1", marker=".")
    left.set(xlabel="step", ylabel="loss")
    left.legend(frameon=False)
    right.set(xlabel="epoch", ylabel="accuracy of validation pictures")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120, format="png")
