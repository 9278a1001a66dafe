"""What a run leaves behind: numbers by steps and by epochs, curves, and weights."""

import csv
import time
from pathlib import Path
from typing import Any

from spitgraph.beside import written_beside
from spitgraph.extras import needs_extra
from spitgraph.models.files import write_tensors
from spitgraph.models.weights import arguments_of
from spitgraph.models.wrappers import plain_names
from spitgraph.train.runs.full_disk import unless_full

with needs_extra("train"):
    import pandas as pd
    from lightning.pytorch import Callback, Trainer

#: Where a classifier keeps its model.
MODEL = "model."
#: What an epoch's row holds of what was measured on validation pictures.
MEASURED = ("val_loss", "val_accuracy", "val_top5")


class Records(Callback):
    """Writes `steps.csv`, `metrics.csv`, `curves.png` and weights into a run's folder.

    A step's row has `loss` (of all processes), `learning_rate`, `seconds` from the end of the step
    before to its own end, and `waited`, those of them in which its batch was waited for. An
    epoch's row has the mean loss, what was measured on validation pictures, the seconds of its
    steps, the share of them that were waited, pictures a second over all processes, and how many
    pictures could not be read so far.

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
        self._arguments: dict[str, Any] | None = None
        self._ended, self._waited = time.perf_counter(), 0.0

    def setup(self, trainer: Trainer, classifier: Any, stage: str) -> None:
        """Note what the model is, before a strategy cuts it into shards."""
        self._arguments = arguments_of(classifier.model)

    def on_train_start(self, trainer: Trainer, classifier: Any) -> None:
        """Take up what a run that goes on has written before."""
        step, epoch = trainer.global_step, trainer.current_epoch
        self.steps = [row for row in read(self.folder / "steps.csv") if row["step"] < step]
        self.epochs = [row for row in read(self.folder / "metrics.csv") if row["epoch"] < epoch]
        self.best = max((row.get("val_accuracy", -1.0) for row in self.epochs), default=-1.0)

    def on_train_epoch_start(self, trainer: Trainer, classifier: Any) -> None:
        """Note the time."""
        self._ended, self._waited = time.perf_counter(), waited(trainer)

    def on_train_batch_end(
        self, trainer: Trainer, classifier: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Note a step."""
        self.steps.append(
            {
                "step": trainer.global_step - 1,
                "epoch": trainer.current_epoch,
                "loss": trainer.callback_metrics["loss"],  # waits for no device
                "learning_rate": max(group["lr"] for group in trainer.optimizers[0].param_groups),
                "pictures": len(batch),
                "waited": waited(trainer) - self._waited,
                "seconds": time.perf_counter() - self._ended,
            }
        )
        self._ended, self._waited = time.perf_counter(), waited(trainer)

    def on_validation_epoch_end(self, trainer: Trainer, classifier: Any) -> None:
        """Note what an epoch came to, and write it all."""
        if trainer.sanity_checking:
            return
        state = trainer.strategy.lightning_module_state_dict()  # every process: it may be sharded
        if not trainer.is_global_zero:
            return
        self.epochs.append(self._row(trainer))
        accuracy = self.epochs[-1].get("val_accuracy", -1.0)
        names = ["weights.safetensors"]
        if accuracy > self.best:
            names.append("best.safetensors")
        self.best = max(self.best, accuracy)
        for name in names:
            with unless_full(self.folder / name):
                write_tensors(self.folder / name, of_model(state), self._arguments)
        self.write()
        with unless_full(self.folder), written_beside(self.folder / "curves.png") as unfinished:
            draw(self.steps, self.epochs, unfinished)

    def on_save_checkpoint(
        self, trainer: Trainer, classifier: Any, checkpoint: dict[str, Any]
    ) -> None:
        """Write the tables up to where a checkpoint lets the run go on."""
        if trainer.is_global_zero:
            self.write()

    def _row(self, trainer: Trainer) -> dict[str, Any]:
        of_epoch = [row for row in plain(self.steps) if row["epoch"] == trainer.current_epoch]
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
            "unreadable": len(getattr(trainer.datamodule, "broken", ())),  # type: ignore[attr-defined]
        }

    def write(self) -> None:
        """Write both tables."""
        for name, rows in (("steps.csv", self.steps), ("metrics.csv", self.epochs)):
            with unless_full(self.folder / name), written_beside(self.folder / name) as unfinished:
                pd.DataFrame(plain(rows)).to_csv(unfinished, index=False)


def waited(trainer: Trainer) -> float:
    """Seconds that training has waited for batches; 0 of loaders that do not say it."""
    return getattr(trainer.train_dataloader, "waited", 0.0)


def of_model(state: dict[str, Any]) -> dict[str, Any]:
    """Those tensors of a classifier that are its model's, by the model's names."""
    own = {name[len(MODEL) :]: value for name, value in state.items() if name.startswith(MODEL)}
    return {plain: own[name] for name, plain in plain_names(own).items()}


def plain(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows, with what still waits on a device as numbers."""
    for row in rows:
        row["loss"] = float(row["loss"])
    return rows


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a table that may be there, its numbers as they were."""
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


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
