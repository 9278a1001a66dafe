"""A training run: from options to a folder with weights, numbers, curves, and the way to go on."""

import json
import logging
import shlex
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from spitgraph.beside import written_beside
from spitgraph.extras import needs_extra
from spitgraph.images import UnreadableImageError
from spitgraph.train.augmentation.augmentation import Augmentation
from spitgraph.train.classifier import Classifier
from spitgraph.train.data.image_data import ImageData
from spitgraph.train.runs.checkpoints import Checkpoints, WholeCheckpoints
from spitgraph.train.runs.options import TrainingOptions
from spitgraph.train.runs.records import Records
from spitgraph.train.runs.starting import starting_model

with needs_extra("train"):
    from lightning.pytorch import Trainer
    from lightning.pytorch.callbacks import EMAWeightAveraging
    from lightning.pytorch.utilities import rank_zero_only
    from lightning.pytorch.utilities.seed import isolate_rng

PRECISIONS: dict[str, Any] = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}
#: Names in a run's folder.
OPTIONS, COMMAND = "options.json", "command.txt"


def train(options: TrainingOptions) -> Records:
    """Train as told, into the folder `options.out`, which must not hold a run yet.

    Everything that can be refused is refused before the first step: data, options, weights that do
    not fit. The folder then has `options.json`, `command.txt` (how to go on after an interruption),
    `steps.csv`, `metrics.csv`, `curves.png`, `weights.safetensors`, `best.safetensors` and
    `last.ckpt`.

    Raises:
        ValueError, TypeError, OSError: As data, model and folder say.
    """
    folder = Path(options.out)
    if is_first() and (folder / OPTIONS).exists():
        raise FileExistsError(
            f"{folder} holds a run already: go on with it, or name another folder"
        )
    return _fit(options, folder, None)


def resume(folder: Path, **changes: Any) -> Records:
    """Go on with a run that was cut off, from its last checkpoint.

    Args:
        folder: Of the run.
        changes: Options of the machine that are to be other than they were, as `workers`.

    Raises:
        FileNotFoundError: There is no run, or it has no checkpoint.
    """
    told = folder / OPTIONS
    if not told.exists():
        raise FileNotFoundError(f"{folder} holds no run: there is no {OPTIONS}")
    options = TrainingOptions(**{**json.loads(told.read_text()), "out": str(folder), **changes})
    last = folder / "last.ckpt"
    for left in folder.glob(".spitgraph-*") if is_first() else ():  # of writing that was cut off
        shutil.rmtree(left, ignore_errors=True)
    return _fit(options, folder, last if last.exists() else None)


def _fit(options: TrainingOptions, folder: Path, checkpoint: Path | None) -> Records:
    """Train; the global generators are then what they were."""
    with isolate_rng():
        return _fit_alone(options, folder, checkpoint)


def _fit_alone(options: TrainingOptions, folder: Path, checkpoint: Path | None) -> Records:
    data = data_of(options)
    torch.manual_seed(options.seed)  # what weights are drawn from
    model = starting_model(options, data.num_classes, picture_size(data))
    if options.tokenize == "workers":
        data.tokenizer, data.extractor = model.tokenizer, model.extractor
    classifier = Classifier(
        model,
        learning_rate=options.learning_rate,
        weight_decay=options.weight_decay,
        warm_up=options.warm_up,
        layer_decay=options.layer_decay,
        label_smoothing=options.label_smoothing,
        learn=options.learn,
        seed=options.seed,
    )
    records = Records(folder)
    with without_advice():
        trainer = trainer_of(options, folder, records)
    folder.mkdir(parents=True, exist_ok=True)
    if trainer.is_global_zero:
        write_beginning(options, folder)
    with without_advice():
        trainer.fit(classifier, data, ckpt_path=checkpoint, weights_only=False)
    return records


def is_first() -> bool:
    """Whether this process is the one of several that writes."""
    process: Any = rank_zero_only
    return process.rank == 0


def data_of(options: TrainingOptions) -> ImageData:
    """The pictures, and what is done to them."""
    return ImageData(
        options.data,
        batch_size=options.batch_size,
        tokens_per_batch=options.tokens_per_batch,
        augmentation=Augmentation(
            image_size=options.image_size,
            crop=options.crop,
            padding=options.padding,
            flip=0.5 if options.flip else 0.0,
            rand_augment=options.rand_augment,
            magnitude=options.magnitude,
            colour_jitter=options.colour_jitter,
            cutmix=options.cutmix,
            mixup=options.mixup,
        ),
        workers=options.workers,
        seed=options.seed,
        limit=options.limit,
        cache=options.cache,
    )


def picture_size(data: ImageData) -> tuple[int, int] | None:
    """Height and width to which pictures are brought, or those of the first that can be read."""
    side = data.augmentation.image_size
    if side is not None:
        return side, side
    for index in range(len(data.train)):
        try:
            height, width = data.train.picture(index).shape[1:]
        except UnreadableImageError:
            continue  # it is reported when its turn comes
        return height, width
    return None


def trainer_of(options: TrainingOptions, folder: Path, records: Records) -> Trainer:
    """Lightning's trainer, as the options say."""
    # Records before averages: of validation, it sees the averaged weights
    callbacks: list[Any] = [records]
    if options.ema:
        callbacks.append(EMAWeightAveraging(decay=options.ema))
    callbacks.append(Checkpoints(folder, options.checkpoint_every))
    return Trainer(
        accelerator=options.accelerator,
        devices=options.devices,
        num_nodes=options.nodes,
        strategy=options.strategy,
        precision=PRECISIONS[options.precision],
        max_epochs=options.epochs,
        gradient_clip_val=options.clip or None,
        accumulate_grad_batches=options.accumulate,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=not options.quiet,
        callbacks=callbacks,
        plugins=[WholeCheckpoints()],
        default_root_dir=folder,
    )


@contextmanager
def without_advice() -> Iterator[None]:
    """Within it, Lightning reports what is wrong, and gives no tips."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def write_beginning(options: TrainingOptions, folder: Path) -> None:
    """What was told, and how to go on."""
    with written_beside(folder / OPTIONS) as unfinished:
        unfinished.write_text(json.dumps(asdict(options), indent=1) + "\n")
    with written_beside(folder / COMMAND) as unfinished:
        unfinished.write_text(shlex.join(command_to_go_on(folder)) + "\n")


def command_to_go_on(folder: Path) -> Sequence[str]:
    """What goes on with a run after it was cut off."""
    return ("spitgraph", "train", "--resume", str(folder))
