"""ImageData: the same batches whatever the workers, processes and restarts."""

import logging

import pytest
import torch

from helpers.labelled import npz_folder
from spitgraph.train import ImageData

lightning = pytest.importorskip("lightning.pytorch")
from lightning.pytorch.callbacks import ModelCheckpoint  # noqa: E402

QUIET = {
    "accelerator": "cpu",
    "devices": 1,
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "num_sanity_val_steps": 0,
}


class Recorder(lightning.LightningModule):
    """Learns nothing much, and keeps what it saw."""

    def __init__(self, fails_at=None):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen, self.validated, self.fails_at = [], [], fails_at

    def training_step(self, batch, batch_idx):
        if self.global_step == self.fails_at:
            raise RuntimeError("killed")
        self.seen.append((self.current_epoch, batch.indices.tolist(), batch.inputs.sum().item()))
        return self.weight * batch.inputs.float().mean()

    def validation_step(self, batch, batch_idx):
        self.validated.append(batch.indices.tolist())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fitted(folder, workers=0, epochs=3, resume=None, callbacks=(), fails_at=None, **options):
    """What a run saw, batch by batch."""
    model = Recorder(fails_at)
    data = ImageData(folder, batch_size=5, workers=workers, **options)
    checkpointing = {"enable_checkpointing": bool(callbacks), "callbacks": list(callbacks)}
    trainer = lightning.Trainer(max_epochs=epochs, **QUIET, **checkpointing)
    trainer.fit(model, data, ckpt_path=resume, weights_only=False)
    return model.seen


@pytest.fixture
def folder(tmp_path):
    """24 pictures to train on, 9 to validate."""
    return npz_folder(tmp_path)


@pytest.fixture(autouse=True)
def _quiet():
    """Lightning's advice about loggers and workers is for users."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


def every_step(folder, **options):
    return ModelCheckpoint(folder, "{step}", save_top_k=-1, **options)


ADVICE = "ignore:.*(num_workers|logging interval|no validation|val_dataloader|Checkpoint directory)"


@pytest.mark.slow
@pytest.mark.filterwarnings(ADVICE)
@pytest.mark.parametrize("workers", [0, 1, 2])
def test_a_resumed_run_sees_what_was_left(folder, tmp_path, workers):
    """4 batches an epoch: after each step of two epochs, amid and at their ends."""
    saved = tmp_path / "saved"
    whole = fitted(folder, 0, 3, None, [every_step(saved, every_n_train_steps=1)])
    assert len(whole) == 12
    steps = range(1, 9) if workers == 0 else (2, 4, 7)
    for step in steps:
        rest = fitted(folder, workers, resume=saved / f"step={step}.ckpt")
        assert rest == whole[step:], step


@pytest.mark.slow
@pytest.mark.filterwarnings(ADVICE)
def test_a_run_resumed_at_an_epochs_end_sees_the_next(folder, tmp_path):
    saved = tmp_path / "saved"
    ends = every_step(saved, save_on_train_epoch_end=True, every_n_epochs=1)
    whole = fitted(folder, 0, 3, None, [ends])
    for step in (4, 8):
        assert fitted(folder, 0, resume=saved / f"step={step}.ckpt") == whole[step:], step
