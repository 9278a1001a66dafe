"""Checkpoints of Lightning that are whole or not there, and that a full disk does not end."""

from pathlib import Path
from typing import Any

from spitgraph.beside import written_beside
from spitgraph.extras import needs_extra
from spitgraph.train.runs.full_disk import unless_full

with needs_extra("train"):
    import torch
    from lightning.pytorch import Callback, LightningModule, Trainer
    from lightning.pytorch.plugins.io import TorchCheckpointIO


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint beside its place and renames it; the one before stays until then.

    Where the disk is full, it says so and leaves the one before: training goes on.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Write a checkpoint, whole or not at all."""
        with unless_full(path), written_beside(path) as unfinished, open(unfinished, "wb") as file:
            torch.save(checkpoint, file)  # to an open file: its errors say what is wrong


class Checkpoints(Callback):
    """Keeps the newest state of a run as `last.ckpt`: weights, optimizer, schedule, position.

    Args:
        folder: Where it is written to.
        every_n_steps: How often, beside the end of every epoch; None for these ends only.
    """

    def __init__(self, folder: Path, every_n_steps: int | None = None) -> None:
        self.path = folder / "last.ckpt"
        self.every_n_steps = every_n_steps
        self.saved_at = -1

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save, if it is time."""
        step = trainer.global_step
        if self.every_n_steps and step % self.every_n_steps == 0 and step != self.saved_at:
            self._save(trainer)

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Save at the end of an epoch."""
        self._save(trainer)

    def _save(self, trainer: Trainer) -> None:
        self.saved_at = trainer.global_step
        trainer.save_checkpoint(self.path)
